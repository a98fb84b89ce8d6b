from __future__ import annotations

import sys
from pathlib import Path

import pytest

from repro.errors import MissingStack, UnknownName, UsageError
from repro.hardware import caps as caps_module
from repro.hardware.caps import CAP_VARIABLES, check_environment, described, environment, parse_caps
from repro.hardware.cpu import own_levels
from repro.schema import Caps
from tests.hardware import child

below = pytest.mark.skipif(len(own_levels()) == 1, reason="this processor has one level only")


@pytest.fixture
def avx512(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caps_module, "own_levels", lambda: ("baseline", "avx2", "avx512"))


@pytest.fixture
def avx2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caps_module, "own_levels", lambda: ("baseline", "avx2"))


@pytest.fixture
def arm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caps_module, "own_levels", lambda: ("aarch64",))


def stack_with_numpy(folder: Path, version: str) -> Path:
    site = folder / f"lib/python3.11/site-packages/numpy-{version}.dist-info"
    site.mkdir(parents=True)
    (site / "METADATA").write_text(f"Metadata-Version: 2.1\nName: numpy\nVersion: {version}\n", encoding="utf-8")
    return folder / "bin/python"


@pytest.mark.usefixtures("avx2")
def test_parse() -> None:
    assert parse_caps(None, None) == Caps()
    assert parse_caps("baseline", 3) == Caps(isa="baseline", threads=3)


@pytest.mark.usefixtures("avx2")
def test_an_unknown_level_is_suggested() -> None:
    with pytest.raises(UnknownName, match=r"unknown instruction set level 'avx-2'. Did you mean avx2\?"):
        parse_caps("avx-2", None)


@pytest.mark.usefixtures("avx2")
@pytest.mark.parametrize("call", [lambda: parse_caps("avx512", None), lambda: environment(Caps(isa="avx512"))])
def test_a_level_that_is_not_there_is_refused(call: object) -> None:
    """torch forced to AVX-512 on a processor without it dies of an illegal instruction."""
    assert callable(call)
    with pytest.raises(UsageError, match="cannot run avx512 kernels; it has baseline, avx2"):
        call()


@pytest.mark.usefixtures("avx512")
def test_onednn_off_is_the_own_level_without_onednn() -> None:
    caps = parse_caps("onednn-off", 1)
    variables = environment(caps)
    assert environment(Caps(threads=1)).items() <= variables.items()
    assert variables.keys() - environment(Caps(threads=1)).keys() == {"TF_ENABLE_ONEDNN_OPTS", "REPRO_ONEDNN"}
    assert (described("onednn-off"), described("avx2")) == ("with onednn-off", "up to avx2")


@pytest.mark.usefixtures("arm")
def test_another_architecture_has_its_own_level_only() -> None:
    assert environment(parse_caps("aarch64", None)) == {}
    with pytest.raises(UsageError, match="it has aarch64"):
        parse_caps("avx2", None)


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_below_one(threads: int) -> None:
    with pytest.raises(UsageError, match=f"at least 1 thread, got {threads}"):
        parse_caps(None, threads)


def test_no_cap_sets_nothing() -> None:
    assert environment(Caps()) == {}


def test_a_cap_at_the_own_level_sets_nothing() -> None:
    assert environment(Caps(isa=own_levels()[-1])) == {}


def test_threads() -> None:
    variables = environment(Caps(threads=3))
    assert variables.pop("TF_NUM_INTEROP_THREADS") == "1"
    assert variables == dict.fromkeys(
        ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"), "3"
    )


@pytest.mark.usefixtures("avx512")
@pytest.mark.parametrize(
    ("isa", "numpy", "disabled"),
    [
        ("baseline", "2.4.6", "X86_V3 X86_V4 AVX512_ICL AVX512_SPR"),
        ("avx2", "2.4.6", "X86_V4 AVX512_ICL AVX512_SPR"),
        (
            "avx2",
            "1.26.4",
            "AVX512F AVX512CD AVX512_KNL AVX512_KNM AVX512_SKX AVX512_CLX AVX512_CNL AVX512_ICL",
        ),
    ],
)
def test_numpy_features_are_called_as_the_childs_numpy_calls_them(
    tmp_path: Path, isa: str, numpy: str, disabled: str
) -> None:
    variables = environment(Caps(isa=isa), python=stack_with_numpy(tmp_path, numpy))
    assert variables["NPY_DISABLE_CPU_FEATURES"] == disabled
    assert variables["ATEN_CPU_CAPABILITY"] == {"baseline": "default", "avx2": "avx2"}[isa]


@pytest.mark.usefixtures("avx512")
def test_a_child_without_numpy(tmp_path: Path) -> None:
    with pytest.raises(MissingStack, match="no NumPy beside"):
        environment(Caps(isa="avx2"), python=tmp_path / "bin/python")


@pytest.mark.usefixtures("avx512")
def test_every_variable_is_listed() -> None:
    for isa in (None, "baseline", "avx2", "avx512", "onednn-off"):
        assert set(environment(Caps(isa=isa, threads=1))) <= CAP_VARIABLES


@pytest.mark.usefixtures("avx512")
def test_an_environment_that_is_not_the_caps_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CAP_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    check_environment(Caps())
    with pytest.raises(UsageError, match="ATEN_CPU_CAPABILITY is not set, but a cap of avx2 means avx2"):
        check_environment(Caps(isa="avx2"))
    for name, value in environment(Caps(isa="avx2")).items():
        monkeypatch.setenv(name, value)
    check_environment(Caps(isa="avx2"))
    with pytest.raises(UsageError, match="ATEN_CPU_CAPABILITY is avx2, but a cap of nothing means not set"):
        check_environment(Caps())
    monkeypatch.setenv("DNNL_MAX_CPU_ISA", "AVX")
    with pytest.raises(UsageError, match="DNNL_MAX_CPU_ISA is AVX"):
        check_environment(Caps(isa="avx2"))


LIBRARIES = """
import hashlib, json, math, struct
from threadpoolctl import threadpool_info
def digest(values): return hashlib.sha256(values.tobytes()).hexdigest()
values = draw(65, 300)
print(json.dumps({
    "exp": digest(np.exp(values)),
    "matmul": digest(values @ values.T),
    "libm": hashlib.sha256(b"".join(struct.pack("<d", math.sin(float(value))) for value in values.flat)).hexdigest(),
    "sum": digest(np.add(values, values)),
    "blas": [(pool["architecture"], pool["num_threads"]) for pool in threadpool_info()],
}))
"""


@below
def test_baseline_changes_the_bits_of_numpy_blas_and_libm() -> None:
    """Real kernels, not a label; and NumPy warns of no name, for the child makes its warnings errors."""
    running = [child.start(Path(sys.executable), LIBRARIES, Caps(isa=isa, threads=1)) for isa in (None, "baseline")]
    free, capped = (child.answer(process) for process in running)
    assert free["sum"] == capped["sum"]  # one rounding, the same on every processor
    for what in ("exp", "matmul"):
        assert free[what] != capped[what], what
    assert capped["blas"] == [["Nehalem", 1]]
    assert free["blas"] != capped["blas"]
    if "GLIBC_TUNABLES" in environment(Caps(isa="baseline")):
        assert free["libm"] != capped["libm"]
