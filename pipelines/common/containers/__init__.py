"""Reads FER2013 from whatever it comes in; what that is, is known by content."""

from pipelines.common.containers.read import read_container

__all__ = ["read_container"]
