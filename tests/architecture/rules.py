"""The project's rules of structure, checked by reading its sources. Nothing is imported.

Each rule is a function from a :class:`Tree` to the places that break it, as lines ``path:line: what``. A
rule applies to what exists; a package of ``repro`` that has no layer breaks the first one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

LAYERS = (
    {"errors", "paths"},
    {"schema"},
    {"digest", "hardware", "canonical"},
    {"trace", "compare", "store", "fetch", "determinism", "registry"},
    {"stages", "report"},
    {"cli", "bench", "__main__"},
)
"""What each part of ``repro`` may import: what is below it, and of its own layer what does not import it."""

FRAMEWORKS = {
    "torch": "torch",
    "torchvision": "torch",
    "pytorchcv": "torch",
    "safetensors.torch": "torch",  # safetensors.numpy loads none
    "tensorflow": "tensorflow",
    "keras": "tensorflow",
    "tensorflow_addons": "tensorflow",
    "classification_models": "tensorflow",
}
"""Packages that load a framework, and which."""

SYSTEM_MAY_IMPORT = ("repro.schema", "repro.errors", "repro.digest", "repro.trace", "pipelines.common")
NO_SYSTEM = {"common", "stacks"}  # folders of pipelines/ that are none
SYSTEM_NAMES = {"deep-emotion", "rmn", "poster", "lhc-net"}
MAX_LINES = 450


@dataclass(frozen=True)
class Import:
    """One import, wherever in the module it stands. ``target`` is a module if one of ours has that name."""

    line: int
    target: str
    at_top: bool


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    path: Path
    shown: str
    is_package: bool

    @cached_property
    def source(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def syntax(self) -> ast.Module:
        return ast.parse(self.source, self.shown)

    @property
    def framework(self) -> str | None:
        """The framework that this file may import."""
        if self.name.startswith("repro.canonical"):
            return "torch"
        return next((name for name in ("torch", "tensorflow") if self.path.stem.endswith(name)), None)

    @property
    def part(self) -> str:
        """What follows the top package's name: ``digest`` of ``repro.digest.array``; empty for the top itself."""
        return self.name.split(".")[1] if "." in self.name else ""


class Tree:
    """The sources below ``repro/`` and ``pipelines/`` of a project."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.modules = {module.name: module for top in ("repro", "pipelines") for module in self._found(root / top)}

    def _found(self, folder: Path) -> Iterator[Module]:
        for path in sorted(folder.rglob("*.py")):
            inside = path.relative_to(self.root)
            parts = inside.with_suffix("").parts
            is_package = parts[-1] == "__init__"
            name = ".".join(parts[:-1] if is_package else parts)
            yield Module(name, path, inside.as_posix(), is_package)

    def under(self, top: str) -> list[Module]:
        return [module for module in self.modules.values() if module.name.split(".")[0] == top]

    def imports(self, module: Module) -> Iterator[Import]:
        """Give every import, literal calls of ``import_module`` included."""
        top_level = set(module.syntax.body)
        for node in ast.walk(module.syntax):
            if isinstance(node, ast.Import):
                targets = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = self._base(module, node)
                targets = [self._deepest(base, alias.name) for alias in node.names]
            elif isinstance(node, ast.Call) and _called(node) in ("import_module", "__import__"):
                targets = [one.value for one in node.args[:1] if isinstance(one, ast.Constant)]
            else:
                continue
            for target in targets:
                yield Import(node.lineno, str(target), node in top_level)

    def _base(self, module: Module, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        parts = module.name.split(".")
        kept = parts[: len(parts) - node.level + module.is_package]
        return ".".join([*kept, *([node.module] if node.module else [])])

    def _deepest(self, base: str, name: str) -> str:
        inner = f"{base}.{name}"
        return inner if inner in self.modules else base

    @property
    def systems(self) -> set[str]:
        """The folders of ``pipelines/`` that are systems."""
        return {module.part for module in self.under("pipelines") if module.name.count(".") > 1} - NO_SYSTEM


def _called(node: ast.Call) -> str:
    return getattr(node.func, "attr", getattr(node.func, "id", ""))


def _within(target: str, packages: tuple[str, ...]) -> bool:
    return any(target == package or target.startswith(f"{package}.") for package in packages)


def layers(tree: Tree) -> Iterator[str]:
    """Imports within ``repro`` point down; within a layer they form no circle."""
    level = {part: number for number, parts in enumerate(LAYERS) for part in parts}
    sideways: dict[str, dict[str, str]] = {}
    for module in tree.under("repro"):
        if module.part == "":
            continue
        if module.part not in level:
            yield f"{module.shown}:1: repro.{module.part} has no layer; give it one in {Path(__file__).name}"
            continue
        for one in tree.imports(module):
            if one.target.split(".")[0] != "repro":
                continue
            part = one.target.split(".")[1] if "." in one.target else ""
            where = f"{module.shown}:{one.line}: {module.part} imports {one.target}"
            if part not in level or level[part] > level[module.part]:
                yield f"{where}, which is not below it"
            elif part != module.part and level[part] == level[module.part]:
                sideways.setdefault(module.part, {}).setdefault(part, where)
    for part, others in sideways.items():
        for other, where in others.items():
            if _reaches(sideways, other, part):
                yield f"{where}, which imports {part}: a circle"


def _reaches(edges: dict[str, dict[str, str]], start: str, goal: str) -> bool:
    seen, open_ends = set(), [start]
    while open_ends:
        part = open_ends.pop()
        if part == goal:
            return True
        if part not in seen:
            seen.add(part)
            open_ends += edges.get(part, {})
    return False


def top_package_is_lazy(tree: Tree) -> Iterator[str]:
    """``import repro`` imports nothing but the standard library's ``importlib`` and ``typing``."""
    module = tree.modules.get("repro")
    for one in tree.imports(module) if module else ():
        if one.at_top and one.target.split(".")[0] not in ("__future__", "importlib", "typing"):
            yield f"{module.shown}:{one.line}: importing repro imports {one.target}"  # type: ignore[union-attr]


def canonical_stands_alone(tree: Tree) -> Iterator[str]:
    """``repro.canonical`` imports torch, and of ours nothing but the errors."""
    for module in tree.under("repro"):
        if module.part != "canonical":
            continue
        for one in tree.imports(module):
            ours = one.target.split(".")[0] in ("repro", "pipelines")
            if ours and not _within(one.target, ("repro.canonical", "repro.errors")):
                yield f"{module.shown}:{one.line}: canonical imports {one.target}"


def frameworks_in_files_of_their_name(tree: Tree) -> Iterator[str]:
    """Only ``*torch.py`` and ``*tensorflow.py`` import their framework, and no other file imports those on top."""
    for module in tree.modules.values():
        for one in tree.imports(module):
            wanted = next((name for package, name in FRAMEWORKS.items() if _within(one.target, (package,))), None)
            if wanted is None and one.at_top and one.target in tree.modules:
                wanted = tree.modules[one.target].framework
            if wanted is not None and wanted != module.framework:
                yield f"{module.shown}:{one.line}: imports {one.target}; only *{wanted}.py may"


def harness_names_no_system(tree: Tree) -> Iterator[str]:
    """``repro`` imports nothing of ``pipelines`` and no text in it names a system."""
    names = SYSTEM_NAMES | tree.systems | {name.replace("_", "-") for name in tree.systems}
    spelt = sorted({spelling for name in names for spelling in (name, name.replace("-", "_"))})
    named = re.compile(rf"(?<![\w-])({'|'.join(map(re.escape, spelt))})(?![\w-])", re.IGNORECASE)
    for module in tree.under("repro"):
        for one in tree.imports(module):
            if _within(one.target, ("pipelines",)):
                yield f"{module.shown}:{one.line}: the harness imports {one.target}"
        for node in ast.walk(module.syntax):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and (match := named.search(node.value)):
                yield f"{module.shown}:{node.lineno}: the harness names the system {match[1]!r}"


def systems_are_independent(tree: Tree) -> Iterator[str]:
    """A system imports the harness's lower part, ``pipelines.common`` and itself; ``common`` no system."""
    for module in tree.under("pipelines"):
        if module.part not in tree.systems | {"common"}:
            continue
        allowed = (*SYSTEM_MAY_IMPORT, f"pipelines.{module.part}")
        for one in tree.imports(module):
            if _within(one.target, ("repro", "pipelines")) and not _within(one.target, allowed):
                yield f"{module.shown}:{one.line}: {module.part} imports {one.target}"


def systems_declare_themselves(tree: Tree) -> Iterator[str]:
    """Every folder of ``pipelines`` with code declares a system or preparations, or is shared."""
    for system in sorted(tree.systems):
        if not {f"pipelines.{system}.system", f"pipelines.{system}.preparations"} & tree.modules.keys():
            yield f"pipelines/{system}: neither system.py nor preparations.py"


def files_are_short(tree: Tree) -> Iterator[str]:
    """No source file is longer than :data:`MAX_LINES`, the tests' own included."""
    paths = [module.path for module in tree.modules.values()] + sorted((tree.root / "tests").rglob("*.py"))
    for path in paths:
        count = len(path.read_text(encoding="utf-8").splitlines())
        if count > MAX_LINES:
            yield f"{path.relative_to(tree.root).as_posix()}:{count}: longer than {MAX_LINES} lines"


RULES = (
    layers,
    top_package_is_lazy,
    canonical_stands_alone,
    frameworks_in_files_of_their_name,
    harness_names_no_system,
    systems_are_independent,
    systems_declare_themselves,
    files_are_short,
)
