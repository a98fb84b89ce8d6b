"""What the data files say of the systems, and the systems of them, holds together."""

from __future__ import annotations

from pathlib import Path

from repro.hardware.match import load_classes
from repro.registry import systems
from repro.store.claims import load_claims, load_defects
from repro.store.expectations import load_expectations


def test_claims_name_models_protocols_and_splits_that_exist(root: Path) -> None:
    linked = 0
    for claim in load_claims(root / "expected_results"):
        system = systems().get(claim.system)
        if system is None or claim.model_name is None:
            continue
        system.model(claim.model_name)
        if claim.protocol not in (None, "paper"):
            system.protocol(claim.protocol)
        if claim.split_name is not None:
            system.split(claim.split_name)
        linked += 1
    assert linked, "at least one claim is about a model that is here"


def test_protocols_keep_and_mend_known_defects(root: Path) -> None:
    known = {defect.id for defect in load_defects(root / "expected_results")}
    for system in systems().values():
        for protocol in system.protocols:
            assert {*protocol.keeps, *protocol.mends} <= known
            assert not {*protocol.keeps} & {*protocol.mends}, f"{protocol.name} keeps what it mends"


def test_every_stored_digest_is_of_a_known_system_model_and_class(root: Path) -> None:
    classes = {one.name for one in load_classes(root / "hardware_profiles")}
    files = sorted((root / "expected_results").glob("*/digests/*.json"))
    assert files
    for path in files:
        assert path.stem in classes
        stored = load_expectations(root / "expected_results", path.parts[-3], path.stem)
        assert stored.expectations
        for expectation in stored.expectations:
            systems()[stored.system].model(expectation.model)
            assert expectation.trace
