"""Operations seen while a torch model computes: a weight changed by one ulp is found at its own tensor."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from repro.trace import Trace
from repro.trace.operations import defined
from tests.conftest import ROOT

torch = pytest.importorskip("torch")

from repro.compare.divergence import compare_traces  # noqa: E402
from repro.compare.element import first_difference  # noqa: E402
from repro.trace.operations_torch import OperationRecorder  # noqa: E402
from tests.stacks import tensorflow_python  # noqa: E402


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.ReLU(inplace=True), torch.nn.Flatten(), torch.nn.Linear(4 * 36, 7)
    )


def seen(model: torch.nn.Module, keep: str | None = None) -> OperationRecorder:
    recorder = OperationRecorder("forward", keep=keep)
    inputs = torch.linspace(-1, 1, 2 * 64).reshape(2, 1, 8, 8)
    with recorder.layers(model, "forward"):
        loss = model(inputs).square().sum()
        loss.backward()
    return recorder


def test_a_planted_ulp_is_found_at_its_own_weight_and_element() -> None:
    models = network(), network()
    with torch.no_grad():
        weight = models[1][3].weight
        weight[2, 5] = torch.nextafter(weight[2, 5], torch.tensor(np.inf))
    first = compare_traces(*(seen(model).operations.trace() for model in models)).first
    assert first is not None
    assert first.operation == "weight"
    assert first.name.endswith(" weight 3.weight")
    kept = [seen(model, keep=first.name).operations.kept for model in models]
    assert kept[0] is not None
    assert kept[1] is not None
    element = first_difference(kept[0], kept[1])
    assert element is not None
    assert (element.index, element.ulps, element.differing, element.size) == ((2, 5), 1, 1, 7 * 144)


def test_every_phase_of_a_step_is_seen_in_order_and_the_recorder_changes_nothing() -> None:
    model, plain = network(), network()
    recorder = seen(model)
    kinds = [entry.operation for entry in recorder.operations.trace()]
    assert (
        kinds.index("aten.convolution.default") < kinds.index("aten.relu_.default") < kinds.index("aten.addmm.default")
    )
    assert "aten.convolution_backward.default" in kinds
    assert not any("view" in kind or "detach" in kind for kind in kinds)
    inputs = torch.linspace(-1, 1, 2 * 64).reshape(2, 1, 8, 8)
    plain(inputs).square().sum().backward()
    for mine, other in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(mine.grad, other.grad)
    shapes = recorder.operations.reads[next(e.name for e in recorder.operations.trace() if "convolution" in e.name)]
    assert shapes[:2] == [[2, 1, 8, 8], [4, 1, 3, 3]]


def test_what_a_normalisation_reserves_is_no_value() -> None:
    outputs = list("abcdef")
    assert defined("FusedBatchNormV3", outputs) == defined("aten::cudnn_batch_norm", outputs) == outputs[:3]
    for other in ("FusedBatchNormGradV3", "aten::native_batch_norm_backward", "aten::native_layer_norm", "Split"):
        assert defined(other, outputs) == outputs


def test_operations_are_recorded_only_in_the_asked_phase() -> None:
    recorder = OperationRecorder("forward")
    with recorder.layers(network(), "contract"):
        network()(torch.zeros(1, 1, 8, 8))
    assert recorder.operations.trace().entries == ()


@pytest.mark.slow
def test_tensorflow_s_operations_are_seen_and_a_planted_ulp_is_found_at_its_own_weight(tmp_path: Path) -> None:
    python = tensorflow_python()
    script = ROOT / "tests" / "trace" / "operations_in_tensorflow.py"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "3"}
    ended = subprocess.run([python, script, tmp_path], env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert told["same gradients"]
    assert told["other phase"] == 0
    traces = [Trace.read(tmp_path / name / "operations.json") for name in ("sound", "planted")]
    first = compare_traces(*traces).first
    assert first is not None
    assert first.operation == "weight"
    assert first.name.endswith(" weight dense/kernel:0")
    element = first_difference(*(np.load(tmp_path / name / "kept.npy") for name in ("sound", "planted")))
    assert element is not None
    assert (element.index, element.ulps, element.differing, element.size) == ((2, 5), 1, 1, 7 * 144)
    kinds = [entry.operation for entry in traces[0]]
    assert kinds.index("Conv2D") < kinds.index("MatMul") < kinds.index("Conv2DBackpropFilter")
    assert told["reads"][next(entry.name for entry in traces[0] if entry.operation == "Conv2D")] == [
        [2, 8, 8, 1],
        [3, 3, 1, 4],
    ]
