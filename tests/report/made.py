"""Records, claims and defects made by hand, in the shape that the stages write."""

from __future__ import annotations

from typing import Any

from repro.schema import Claim, Cpu, Cuda, Defect, DefectMark, Gpu, Profile, Protocol, Record, Split, Stack, System

DATA, CHECKPOINT, CODE = "a" * 64, "c" * 64, "d" * 64
ARTIFACT = "a-system-checkpoint"

STACK = Stack(name="torch", python="3.11.13", packages={"torch": "2.14.1", "numpy": "2.4.0"})
CPU = Cpu(
    architecture="x86_64",
    vendor="AuthenticAMD",
    name="A Processor",
    logical_cores=2,
    instruction_sets=("avx2",),
    isa="avx2",
)
PROFILE = Profile(operating_system="Linux", libc="glibc 2.36", python="3.11.13", cpu=CPU)
GPU_PROFILE = PROFILE.model_copy(
    update={
        "gpus": (Gpu(name="A GPU", compute_capability="9.0", memory_mib=1024),) * 2,
        "cuda": Cuda(driver="570.1"),
    }
)

AS_PUBLISHED = Protocol(
    name="as-published", description="as the authors do", keeps=("A-KEPT",), mends=("A-BROKEN",), batch=64
)
CORRECTED = Protocol(name="corrected", description="as it should be", mends=("A-KEPT", "A-BROKEN"), batch=64)


def check_rep(verdict: str = "identical", *, isa: str | None = None, **fields: Any) -> Record:
    sentence = {"identical": "identical: 312 of 312 tensors", "unrecorded": "nothing is stored"}.get(
        verdict, "first difference: forward/conv2 (Conv2d), 3 of 64 values, at most 1 ulp"
    )
    result = {
        "verdict": verdict,
        "probe": "check-rep 1",
        "bits": {"sentence": sentence, "profile_class": "a-class"},
        "invariance": [
            {"varied": "2 threads", "verdict": "identical", "sentence": "identical", "compared": 9},
            {"varied": "pieces of 1", "verdict": "different", "sentence": "first difference: x", "compared": 9},
        ],
    }
    defaults: dict[str, Any] = {
        "stage": "check-rep",
        "system": "a-system",
        "model": "a_model",
        "parameters": {"data": "embedded", "protocol": "corrected", "device": "cpu", "isa": isa},
        "inputs": {"data": DATA, "code": CODE},
        "profile": PROFILE,
        "stack": STACK,
        "result": result,
        "timing": {"seconds": 1.5, "written": "2001-02-03T04:05:06+00:00"},
    }
    return Record(**{**defaults, **fields})


def evaluation(
    correct: int = 2671,
    n: int = 3589,
    *,
    protocol: Protocol = AS_PUBLISHED,
    data: str = "fer2013.csv",
    checkpoint: str = CHECKPOINT,
    seeds: int = 1,
    verdict: str = "unrecorded",
    **parameters: Any,
) -> Record:
    counts = [correct + seed for seed in range(seeds)]
    result = {
        "verdict": verdict,
        "bits": {"sentence": "nothing is stored"},
        "correct": correct,
        "n": n,
        "accuracy": correct / n,
        "interval": [0.25, 0.75],
        "confusion": [[1, 2], [3, 4]],
        "unseen": {"correct": correct // 2, "n": n // 2},
        "runs": [
            {"seed": seed, "correct": count, "printed": str(100 * count // n)} for seed, count in enumerate(counts)
        ],
        "spread": {"runs": seeds, "minimum": counts[0], "maximum": counts[-1], "mean": sum(counts) / seeds},
        "diagnosis": {"theta_spread": 0.25, "theta_mean": [0.5, 1.0]},
    }
    split = Split(name="test", usages=("PrivateTest",), description="PrivateTest")
    asked = {
        "data": data,
        "split": split.model_dump(mode="json"),
        "protocol": protocol.model_dump(mode="json"),
        "checkpoint": "model.pt",
        "device": "cpu",
        "isa": None,
        **parameters,
    }
    return check_rep(
        stage="eval",
        parameters=asked,
        inputs={"data": DATA, "checkpoint": checkpoint, "code": CODE},
        result=result,
    )


def training(verdict: str = "not judged: modified", **fields: Any) -> Record:
    """Return a training of one seed whose published rule chose on the test split."""
    spread = {"counts": [2671.0], "n": 3589, "mean": 2671 / 3589}
    run = {
        "seed": 4,
        "steps": 90,
        "epochs": 3,
        "selections": {"best": {"epoch": 2}, "honest": {"epoch": 3}},
        "trajectory": {"link": "e" * 64},
    }
    result = {
        "verdict": verdict,
        "modified": ["epochs 3 instead of 100"],
        "keeps": ["A-KEPT"],
        "mends": ["A-BROKEN"],
        "published_selection": "best",
        "selected_on_test": ["best"],
        "spread": {"best": {"as-published": spread}, "honest": {"as-published": {**spread, "counts": [2600.0]}}},
        "runs": [run],
        "claims": [{"claim": "a-claim", "verdict": verdict, "reason": "printed 74.42 %; 1 seed"}],
        "folder": "runs/a-system/a_model",
        "curves": [{"seed": 4, "epochs": [{"epoch": number, "loss": 2 / number} for number in (1, 2, 3)]}],
    }
    asked = {"recipe": {"name": "a-recipe", "test": "test"}, "data": "fer2013.csv", "device": "cpu"}
    defaults: dict[str, Any] = {"stage": "retrain", "parameters": {**asked, "arithmetic": "native"}, "result": result}
    return check_rep(**{**defaults, **fields})


def etl(data: str = "fer2013.csv", content: str = DATA) -> Record:
    result = {"verdict": "complete", "content": content, "edition": "an edition", "rows": 35887, "counts": {}}
    return Record(stage="etl", parameters={"data": data}, inputs={"code": CODE}, result=result)


def fetch(artifact: str = ARTIFACT, digest: str = CHECKPOINT) -> Record:
    return Record(
        stage="fetch",
        system="a-system",
        parameters={"artifact": artifact},
        inputs={},
        outputs={"file": digest},
        result={"verdict": "complete"},
    )


def blocked(message: str = "no checkpoint at model.pt", next_step: str | None = "get it") -> Record:
    return Record(
        stage="eval",
        system="b-system",
        model="b_model",
        parameters={"data": "fer2013.csv", "split": "test", "protocol": "corrected", "checkpoint": "model.pt"},
        inputs={},
        result={
            "verdict": "blocked",
            "blocked": {"kind": "MissingFile", "message": message, "next_step": next_step},
        },
    )


def system() -> System:
    """Return a system of which nothing is used but its protocols."""
    nowhere = dict.fromkeys(("title", "paper", "licence", "package", "dataset", "embedded", "prepare"), "")
    more = {"summarise": ""}
    protocols = (AS_PUBLISHED, CORRECTED)
    return System(name="a-system", models=(), splits=(), classes=(), protocols=protocols, **nowhere, **more)


def claim(value: str = "74.42", **fields: Any) -> Claim:
    defaults: dict[str, Any] = {
        "id": "a-claim",
        "system": "a-system",
        "model": "A Model",
        "model_name": "a_model",
        "dataset": "FER2013",
        "split": "PrivateTest",
        "split_name": "test",
        "n": 3589,
        "metric": "top-1 accuracy",
        "unit": "%",
        "tta": "false",
        "kind": "upstream",
        "source": "Table 3",
        "protocol": "as-published",
        "artifact": ARTIFACT,
    }
    return Claim(value=value, **{**defaults, **fields})


def defect(name: str, system: str = "a-system", summary: str = "It does harm.", **fields: Any) -> Defect:
    return Defect(id=name, system=system, marks=(DefectMark.NUMBER,), title="a defect", summary=summary, **fields)


def named(*records: Record) -> dict[str, Record]:
    """Return records under file names such as the results folder has."""
    return {f"records/{one.stage}/{one.system}/{one.model}-{place:016x}.json": one for place, one in enumerate(records)}
