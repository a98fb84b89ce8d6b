"""Each rule of structure finds what breaks it, in small trees made for that, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.architecture import rules
from tests.architecture.rules import Tree

SOUND = {
    "repro/__init__.py": "from __future__ import annotations\nimport importlib\n",
    "repro/errors.py": "import difflib\n",
    "repro/paths.py": "",
    "repro/schema/__init__.py": "from repro.schema.base import Document\n",
    "repro/schema/base.py": "from repro.errors import BadInput\n",
    "repro/digest/__init__.py": "",
    "repro/digest/array.py": "import numpy as np\nfrom repro import errors\n",
    "repro/trace/trace.py": "from repro.digest.array import digest\nfrom ..schema import Document\n",
    "repro/trace/record_torch.py": "import torch\nfrom repro.trace.trace import Trace\n",
    "repro/store/traces.py": "from repro.trace import trace\n",
    "repro/registry.py": "from repro.determinism import guard\nFOLDER = 'pipelines'\n",
    "repro/determinism/guard.py": "",
    "repro/canonical/dot.py": "import torch\nfrom repro.errors import BadInput\nfrom repro.canonical import sums\n",
    "repro/canonical/sums.py": "",
    "repro/stages/work.py": "def run():\n    import repro.trace.record_torch\n",
    "repro/cli/app.py": "from repro.stages.work import run\n",
    "pipelines/__main__.py": "from repro.cli.app import main\n",
    "pipelines/common/faces.py": "from repro.errors import BadInput\n",
    "pipelines/a_system/__init__.py": "",
    "pipelines/a_system/system.py": "from repro.schema import System\nfrom .recipe import RECIPE\n",
    "pipelines/a_system/recipe.py": "from pipelines.common import faces\n",
    "pipelines/a_system/model_torch.py": "import torch.nn as nn\nimport torchvision\n",
    "tests/test_it.py": "",
}


@pytest.fixture
def made(tmp_path: Path) -> Callable[..., Tree]:
    """Make a tree out of the sound one and changed or added files."""

    def make(changes: dict[str, str]) -> Tree:
        for name, text in {**SOUND, **changes}.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return Tree(tmp_path)

    return make


@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_a_sound_tree_breaks_no_rule(rule: Callable[[Tree], Iterator[str]], made: Callable[..., Tree]) -> None:
    assert list(rule(made({}))) == []


Broken = tuple[Callable[[Tree], Iterator[str]], dict[str, str], list[str]]

BROKEN: dict[str, Broken] = {
    "up": (
        rules.layers,
        {"repro/digest/array.py": "import numpy\nfrom repro.trace.trace import Trace\n"},
        ["repro/digest/array.py:2: digest imports repro.trace.trace, which is not below it"],
    ),
    "up, inside a function": (
        rules.layers,
        {"repro/schema/base.py": "def read():\n    from repro.digest import array\n"},
        ["repro/schema/base.py:2: schema imports repro.digest.array, which is not below it"],
    ),
    "up, relative": (
        rules.layers,
        {"repro/store/traces.py": "from ..cli import app\n"},
        ["repro/store/traces.py:1: store imports repro.cli.app, which is not below it"],
    ),
    "up, from a package": (
        rules.layers,
        {"repro/digest/__init__.py": "from .. import registry\n"},
        ["repro/digest/__init__.py:1: digest imports repro.registry, which is not below it"],
    ),
    "up, by its text": (
        rules.layers,
        {"repro/errors.py": "import importlib\nimportlib.import_module('repro.schema')\n"},
        ["repro/errors.py:2: errors imports repro.schema, which is not below it"],
    ),
    "the top package": (
        rules.layers,
        {"repro/digest/array.py": "import repro\n"},
        ["repro/digest/array.py:1: digest imports repro, which is not below it"],
    ),
    "the stages from the trace": (
        rules.layers,
        {"repro/trace/trace.py": "from repro.stages import work\n"},
        ["repro/trace/trace.py:1: trace imports repro.stages.work, which is not below it"],
    ),
    "a circle in a layer": (
        rules.layers,
        {
            "repro/trace/trace.py": "from repro.compare import ulps\n",
            "repro/compare/ulps.py": "from repro.store import traces\n",
        },
        [
            "repro/compare/ulps.py:1: compare imports repro.store.traces, which imports compare: a circle",
            "repro/store/traces.py:1: store imports repro.trace.trace, which imports store: a circle",
            "repro/trace/trace.py:1: trace imports repro.compare.ulps, which imports trace: a circle",
        ],
    ),
    "a part without a layer": (
        rules.layers,
        {"repro/helpers.py": ""},
        ["repro/helpers.py:1: repro.helpers has no layer; give it one in rules.py"],
    ),
    "an eager top package": (
        rules.top_package_is_lazy,
        {"repro/__init__.py": "from repro.schema import System\nimport pandas\n"},
        [
            "repro/__init__.py:1: importing repro imports repro.schema",
            "repro/__init__.py:2: importing repro imports pandas",
        ],
    ),
    "canonical with the schema": (
        rules.canonical_stands_alone,
        {"repro/canonical/dot.py": "import torch\nfrom repro.schema import System\nimport pipelines.common.faces\n"},
        [
            "repro/canonical/dot.py:2: canonical imports repro.schema",
            "repro/canonical/dot.py:3: canonical imports pipelines.common.faces",
        ],
    ),
    "a framework in the core": (
        rules.frameworks_in_files_of_their_name,
        {"repro/digest/array.py": "def digest():\n    import torch\n", "repro/stages/work.py": "import keras.layers\n"},
        [
            "repro/digest/array.py:2: imports torch; only *torch.py may",
            "repro/stages/work.py:1: imports keras.layers; only *tensorflow.py may",
        ],
    ),
    "a framework through a file that may": (
        rules.frameworks_in_files_of_their_name,
        {"repro/stages/work.py": "from repro.trace import record_torch\n"},
        ["repro/stages/work.py:1: imports repro.trace.record_torch; only *torch.py may"],
    ),
    "the other framework": (
        rules.frameworks_in_files_of_their_name,
        {"repro/trace/record_torch.py": "import tensorflow as tf\n"},
        ["repro/trace/record_torch.py:1: imports tensorflow; only *tensorflow.py may"],
    ),
    "a framework in a declaration": (
        rules.frameworks_in_files_of_their_name,
        {"pipelines/a_system/system.py": "from pipelines.a_system.model_torch import Net\n"},
        ["pipelines/a_system/system.py:1: imports pipelines.a_system.model_torch; only *torch.py may"],
    ),
    "pipelines in the harness": (
        rules.harness_names_no_system,
        {"repro/stages/work.py": "def run():\n    from pipelines.common import faces\n"},
        ["repro/stages/work.py:2: the harness imports pipelines.common.faces"],
    ),
    "a system's name in the harness": (
        rules.harness_names_no_system,
        {"repro/registry.py": "A = 'rmn/resnet34'\nB = f'the {A} of a-system'\nC = 'a poster and cornmeal'\n"},
        [
            "repro/registry.py:1: the harness names the system 'rmn'",
            "repro/registry.py:2: the harness names the system 'a-system'",
            "repro/registry.py:3: the harness names the system 'poster'",
        ],
    ),
    "a system's package in the harness": (
        rules.harness_names_no_system,
        {"repro/registry.py": "MODULE = 'pipelines.lhc_net.system'\n"},
        ["repro/registry.py:1: the harness names the system 'lhc_net'"],
    ),
    "a system on the stages": (
        rules.systems_are_independent,
        {"pipelines/a_system/recipe.py": "from repro.stages import work\nimport repro\n"},
        [
            "pipelines/a_system/recipe.py:1: a_system imports repro.stages.work",
            "pipelines/a_system/recipe.py:2: a_system imports repro",
        ],
    ),
    "a system on another": (
        rules.systems_are_independent,
        {
            "pipelines/another/system.py": "from pipelines.a_system.recipe import RECIPE\n",
            "pipelines/common/faces.py": "from pipelines.a_system import recipe\n",
        },
        [
            "pipelines/another/system.py:1: another imports pipelines.a_system.recipe",
            "pipelines/common/faces.py:1: common imports pipelines.a_system.recipe",
        ],
    ),
    "a system without a declaration": (
        rules.systems_declare_themselves,
        {"pipelines/another/model_torch.py": ""},
        ["pipelines/another: neither system.py nor preparations.py"],
    ),
    "long files": (
        rules.files_are_short,
        {"repro/paths.py": "x = 1\n" * 451, "tests/test_it.py": "x = 1\n" * 450, "tests/test_long.py": "\n" * 460},
        [
            "repro/paths.py:451: longer than 450 lines",
            "tests/test_long.py:460: longer than 450 lines",
        ],
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_breaks_a_rule_is_found_with_its_place(name: str, made: Callable[..., Tree]) -> None:
    rule, changes, expected = BROKEN[name]

    assert sorted(rule(made(changes))) == expected


def test_every_rule_is_seen_to_find_something() -> None:
    assert {rule for rule, _, _ in BROKEN.values()} == set(rules.RULES)
