"""The command ``repro``: one sub-command per verb, one file each. It only calls the library."""

from repro.cli.app import app, main

__all__ = ["app", "main"]
