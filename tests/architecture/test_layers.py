"""The project keeps its rules of structure."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture.rules import LAYERS, RULES, Tree


@pytest.fixture(scope="module")
def tree(root: Path) -> Tree:
    return Tree(root)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_project_keeps(rule: Callable[[Tree], Iterator[str]], tree: Tree) -> None:
    assert list(rule(tree)) == []


def test_the_rules_see_the_project(tree: Tree) -> None:
    parts = {module.part for module in tree.under("repro")}

    assert {"errors", "schema", "digest", "trace"} <= parts
    assert len(LAYERS) == 6
    assert tree.systems
    assert sum(1 for module in tree.under("repro") for _ in tree.imports(module)) > 100
    assert [module.name for module in tree.modules.values() if module.framework == "torch"]


def loaded_by(root: Path, modules: list[str]) -> set[str]:
    """Return the top packages that importing the modules, in a process of its own, adds."""
    script = (
        "import importlib, json, sys\n"
        "before = set(sys.modules)\n"
        "for name in json.loads(sys.argv[1]): importlib.import_module(name)\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in set(sys.modules) - before})))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, json.dumps(modules)], cwd=root, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return set(json.loads(ended.stdout))


def test_importing_the_package_loads_nothing_but_the_standard_library(root: Path) -> None:
    assert loaded_by(root, ["repro"]) - set(sys.stdlib_module_names) == {"repro"}


def test_the_core_and_the_declarations_load_no_framework(root: Path, tree: Tree) -> None:
    modules = [
        module.name
        for module in tree.modules.values()
        if module.framework is None and not module.name.endswith("__main__")
    ]
    loaded = loaded_by(root, modules)

    assert {"repro", "pipelines", "numpy", "blake3", "pydantic"} <= loaded
    assert loaded & {"torch", "torchvision", "tensorflow", "keras"} == set()
