"""Real divergence on this machine: other kernels and thread counts, grouped by their bits."""

from __future__ import annotations

from pathlib import Path

import pytest

from repro.compare.machines import Run, group_runs
from repro.hardware.cpu import own_levels
from repro.report.comparison import comparison_text
from repro.schema import Caps, Profile
from repro.stages.call import Call
from repro.trace import Trace

MODELS = (
    "deep-emotion/deep_emotion",
    "lhc-net/lhc_net_torch",
    "lhc-net/resnet34v2",
    "mini-xception/mini_xception",
    "poster/poster_v2_7cls",
    "rmn/resnet18",
)
"""One of every system, and of the one that has both, one in each framework."""

RUNS = {
    "default": Caps(threads=2),
    "avx2": Caps(isa="avx2", threads=2),
    "baseline": Caps(isa="baseline", threads=2),
    "one thread": Caps(threads=1),
}


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS)
def test_four_runs_fall_into_classes_and_the_first_divergent_layer_is_named(model: str, tmp_path: Path) -> None:
    call = Call.prepared(model, data="embedded", isa=None, device="cpu", results=tmp_path)
    task = {
        "task": "probe",
        "protocol": call.system.probe_protocol_of(call.model).name,
        "batch": call.model.probe_batch,
        "steps": min(1, call.model.probe_steps),
        "prepare_all": False,
        "describe": True,
        "pieces": [],
        "threads": [],
    }
    runs = []
    for label, caps in RUNS.items():
        answer = call.run(task, tmp_path / label, caps)
        fields = Profile.from_data(answer["profile"], label).fields()
        runs.append(Run(label=label, key=model, trace=Trace.read(tmp_path / label / "trace.json"), fields=fields))
    grouping = group_runs(runs)
    text = comparison_text(grouping)
    print(text)  # for whoever runs this with -s
    assert max(map(len, text.split("\n"))) <= 80
    home = {place: number for number, one in enumerate(grouping.classes) for place in one}
    for pair in grouping.pairs:
        if home[pair.first] != home[pair.second]:
            assert pair.comparison.first is not None
            assert pair.comparison.first.operation
    if own_levels()[-1] in ("avx2", "avx512"):
        assert home[0] != home[2], "baseline kernels add up in another order"
        assert grouping.statements
