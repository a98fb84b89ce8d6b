"""Real divergence on this machine: other kernels and thread counts, grouped by their bits, and looked into."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from repro.compare.machines import Run, group_runs
from repro.hardware.cpu import own_levels
from repro.schema import Caps, Profile
from repro.stages.call import Call
from repro.trace import Trace
from tests.command import Place

MODELS = ("deep-emotion/deep_emotion", "lhc-net/lhc_net_torch", "poster/poster_v2_7cls", "rmn/resnet18")
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
        "steps": 1,
        "prepare_all": False,
        "describe": True,
        "pieces": [],
    }
    runs = []
    for label, caps in RUNS.items():
        answer = call.run(task, tmp_path / label, caps)
        fields = Profile.from_data(answer["profile"], label).fields()
        runs.append(Run(label=label, key=model, trace=Trace.read(tmp_path / label / "trace.json"), fields=fields))
    grouping = group_runs(runs)
    home = {place: number for number, one in enumerate(grouping.classes) for place in one}
    for pair in grouping.pairs:
        if home[pair.first] != home[pair.second]:
            assert pair.comparison.first is not None
            assert pair.comparison.first.operation
    if own_levels()[-1] in ("avx2", "avx512"):
        assert home[0] != home[2], "baseline kernels add up in another order"
        assert grouping.statements


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.slow
def test_deep_names_the_operation_and_its_first_element(place: Place) -> None:
    if own_levels()[-1] == "baseline":
        pytest.skip("this machine has one level of kernels")
    model = "deep-emotion/deep_emotion"  # the smallest
    system, name = model.split("/")
    for isa in ([], ["--isa", "baseline"]):
        place.run("check-rep", "--system", system, "--model", name, *isa)
    records = sorted((place.results / "records" / "check-rep").rglob("*.json"))
    assert len(records) == 2
    found = place.run("compare", "--deep", "--json", *map(str, records), "--results", str(place.results))
    localised = json.loads(found.out)["localised"]
    assert found.code == 1
    assert localised["operation"].startswith("aten.")
    assert localised["element"]["differing"] > 0
    assert localised["element"]["ulps"] is None or localised["element"]["ulps"] > 0
