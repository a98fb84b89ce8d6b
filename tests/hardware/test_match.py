from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repro.errors import BadInput, MissingFile, UsageError
from repro.hardware.match import Difference, describe, load_classes, match, nearest, write_class
from repro.schema import Cpu, Cuda, FrameworkState, Gpu, Profile, ProfileClass, Scalar

CPU = Cpu(
    architecture="x86_64",
    vendor="AuthenticAMD",
    name="AMD EPYC",
    family=25,
    model=1,
    stepping=1,
    logical_cores=2,
    instruction_sets=("avx2", "fma"),
    isa="avx2",
    l1d_kib=32,
    l2_kib=512,
)
ON_CPU = Profile(operating_system="Linux", libc="glibc 2.36", python="3.11.7", cpu=CPU)
ON_GPU = ON_CPU.model_copy(
    update={
        "device": "cuda",
        "gpus": (Gpu(name="NVIDIA H200", compute_capability="9.0", memory_mib=143771),),
        "cuda": Cuda(driver="580.159.03", runtime="13.0", cudnn="9.24.0"),
    }
)

words = st.text("abcXYZ 0123456789-()@.", min_size=1, max_size=12)
numbers = st.none() | st.integers(0, 300)


@st.composite
def profiles(draw: st.DrawFn) -> Profile:
    architecture = draw(st.sampled_from(["x86_64", "aarch64"]))
    cpu = Cpu(
        architecture=architecture,
        vendor=draw(st.sampled_from(["AuthenticAMD", "GenuineIntel", "0x41", "unknown"])),
        name=draw(words),
        family=draw(numbers),
        model=draw(numbers),
        stepping=draw(numbers),
        logical_cores=draw(st.integers(1, 256)),
        instruction_sets=tuple(draw(st.lists(words, max_size=3))),
        isa=draw(st.sampled_from(["baseline", "avx2", "avx512"])) if architecture == "x86_64" else architecture,
        l1d_kib=draw(numbers),
        l2_kib=draw(numbers),
    )
    profile = ON_CPU.model_copy(update={"cpu": cpu})
    if not draw(st.booleans()):
        return profile
    gpu = Gpu(name=draw(words), compute_capability=draw(st.sampled_from(["6.1", "9.0"])), memory_mib=draw(numbers))
    versions = st.none() | st.sampled_from(["11.1", "12.2", "13.0"])
    cuda = Cuda(driver=draw(versions), runtime=draw(versions), cudnn=draw(versions))
    device = draw(st.sampled_from(["cpu", "cuda"]))
    return profile.model_copy(update={"device": device, "gpus": (gpu,), "cuda": cuda})


def with_field(profile: Profile, field: str, value: Scalar) -> Profile:
    """Return the profile with one dotted field replaced."""
    data = profile.model_dump()
    *path, last = field.split(".")
    place: Any = data
    for part in path:
        place = place[int(part)] if part.isdecimal() else place[part]
    place[last] = value
    return Profile.model_validate(data)


def other(value: Scalar) -> Scalar:
    return value + 1 if isinstance(value, int) else {"cpu": "cuda", "cuda": "cpu"}.get(str(value), f"{value}x")


def a_class(name: str, **fields: Scalar) -> ProfileClass:
    return ProfileClass(
        name=name, title=name, source="test", match={key.replace("__", "."): fields[key] for key in fields}
    )


@given(profiles())
def test_a_described_profile_matches_its_class(profile: Profile) -> None:
    described = describe(profile)
    assert match(profile, [described]) == described
    assert nearest(profile, [described]) == (described, ())


@given(profiles(), st.data())
def test_one_changed_field_is_the_one_that_is_named(profile: Profile, data: st.DataObject) -> None:
    described = describe(profile)
    field = data.draw(st.sampled_from(sorted(described.match)))
    value = described.match[field]
    changed = with_field(profile, field, other(value))
    assert match(changed, [described]) is None
    found = nearest(changed, [described])
    assert found == (described, (Difference(field=field, expected=value, found=other(value)),))


@given(profiles(), profiles())
def test_equal_names_are_equal_classes(one: Profile, another: Profile) -> None:
    """The generated name is made of the matched values, whatever brand, stepping or core count says."""
    first, second = describe(one), describe(another)
    if first.match == second.match:
        assert first.name == second.name
    elif one.device == another.device == "cpu":
        assert first.name != second.name


@given(profiles(), st.integers(1, 512), words)
def test_what_does_not_change_bits_is_no_part_of_a_class(profile: Profile, cores: int, brand: str) -> None:
    changed = with_field(with_field(profile, "cpu.logical_cores", cores), "cpu.name", brand)
    assert (describe(changed).match, describe(changed).name) == (describe(profile).match, describe(profile).name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(profiles(), st.text(st.characters(exclude_categories=["Cs"])), st.text(st.characters(exclude_categories=["Cs"])))
def test_toml_round_trip(tmp_path_factory: pytest.TempPathFactory, profile: Profile, title: str, source: str) -> None:
    folder = tmp_path_factory.mktemp("classes")
    written = describe(profile).model_copy(update={"title": title, "source": source})
    path = write_class(folder, written)
    assert path == folder / f"{written.name}.toml"
    assert load_classes(folder) == (written,)
    assert [entry.name for entry in folder.iterdir()] == [path.name]


def test_generated_names() -> None:
    assert describe(ON_CPU).name == "amd-family25-model1-l1d-32k-l2-512k-avx2"
    assert describe(ON_GPU).name == "nvidia-h200-driver580.159.03-cuda13.0-cudnn9.24.0-x86_64"
    arm = CPU.model_copy(
        update={"architecture": "aarch64", "isa": "aarch64", "vendor": "0x41", "family": None, "model": 0xD40}
    )
    assert describe(ON_CPU.model_copy(update={"cpu": arm})).name == "aarch64-arm-model3392-l1d-32k-l2-512k"


def test_a_gpu_run_and_a_cpu_run_on_one_machine_are_two_classes() -> None:
    on_gpu, on_cpu = describe(ON_GPU), describe(ON_GPU.model_copy(update={"device": "cpu"}))
    assert match(ON_GPU, [on_cpu, on_gpu]) == on_gpu
    assert match(ON_CPU, [on_cpu, on_gpu]) == on_cpu == describe(ON_CPU)


def test_a_given_name() -> None:
    assert describe(ON_CPU, "lab-7").name == "lab-7"
    for name in ("Lab 7", "../lab", "", ".lab"):
        with pytest.raises(UsageError, match="cannot be named"):
            describe(ON_CPU, name)


def test_the_most_specific_class_wins_then_the_first_name() -> None:
    broad, narrow = a_class("a", cpu__isa="avx2"), a_class("z", cpu__isa="avx2", cpu__model=1)
    twin = a_class("b", cpu__isa="avx2", cpu__family=25)
    for classes in ([broad, narrow, twin], [twin, narrow, broad], [narrow, broad, twin]):
        assert match(ON_CPU, classes) == twin
    assert match(ON_CPU, [a_class("c", cpu__isa="avx512"), broad]) == broad
    assert match(ON_CPU, []) is None


def test_nearest_counts_differences_and_breaks_ties_by_fields_then_name() -> None:
    two_off = a_class("a", cpu__isa="avx512", cpu__model=2)
    one_off = a_class("b", cpu__isa="avx512")
    one_off_of_two = a_class("d", cpu__isa="avx512", cpu__model=1)
    twin = a_class("c", cpu__isa="avx512", cpu__family=25)
    for classes in ([two_off, one_off, one_off_of_two, twin], [twin, one_off_of_two, one_off, two_off]):
        assert nearest(ON_CPU, classes) == (twin, (Difference(field="cpu.isa", expected="avx512", found="avx2"),))
    assert nearest(ON_CPU, []) is None


def test_a_field_that_a_profile_does_not_have_is_found_as_nothing() -> None:
    wanted = a_class("gpu", gpus__0__name="NVIDIA H200")
    assert match(ON_CPU, [wanted]) is None
    assert nearest(ON_CPU, [wanted]) == (
        wanted,
        (Difference(field="gpus.0.name", expected="NVIDIA H200", found=None),),
    )


def test_values_are_exact() -> None:
    state = FrameworkState(name="torch", version="1", precision={"cudnn_benchmark": True})
    profile = ON_CPU.model_copy(update={"framework": state})
    field = "framework__precision__cudnn_benchmark"
    assert match(profile, [a_class("one", **{field: 1})]) is None
    assert match(profile, [a_class("true", **{field: True})]) is not None


def test_a_known_class_keeps_its_words_and_another_is_refused(tmp_path: Path) -> None:
    described = describe(ON_CPU)
    path = write_class(tmp_path, described.model_copy(update={"title": "by hand"}))
    before = path.read_bytes()
    assert write_class(tmp_path, described) == path
    assert path.read_bytes() == before
    with pytest.raises(UsageError, match="another class of this name"):
        write_class(tmp_path, describe(ON_GPU, described.name))
    assert path.read_bytes() == before


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        write_class(tmp_path, describe(ON_CPU))
    assert list(tmp_path.iterdir()) == []


GOOD = 'name = "lab"\ntitle = "t"\nsource = "s"\n[match]\n"cpu.isa" = "avx2"\n'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name = 1 2", r"lab\.toml: .*line 1"),
        (GOOD.replace('"lab"', '"bal"'), r"lab\.toml: name: expected 'lab' as the file is named, found 'bal'"),
        (GOOD.replace('title = "t"\n', ""), r"lab\.toml: title: Field required"),
        (GOOD.replace("title", "tittle"), r"lab\.toml: (title: Field required|tittle: Extra)"),
        (GOOD.replace('"cpu.isa"', '"cpu.izza"'), r"lab\.toml: match\.cpu\.izza: no profile has this field; did you"),
        (GOOD.replace('"cpu.isa"', '"cpu.isa.level"'), r"match\.cpu\.isa\.level: no profile has this field"),
        (GOOD.replace('"cpu.isa"', '"cpu"'), r"match\.cpu: no profile has this field"),
        (GOOD.replace('"cpu.isa"', '"gpus.first.name"'), r"match\.gpus\.first\.name: no profile has this field"),
        (GOOD.replace('"cpu.isa"', "cpu.isa"), r"lab\.toml: match\.cpu"),
        (GOOD.replace('"avx2"', "2"), r"match\.cpu\.isa: 2: Input should be a valid string"),
        (GOOD.replace('"cpu.isa" = "avx2"', '"cpu.family" = "25"'), r"match\.cpu\.family: '25': Input should be"),
        (GOOD.replace('"avx2"', "2026-01-01"), r"lab\.toml: match\.cpu\.isa"),
        (GOOD.replace('"avx2"', "0.5"), r"lab\.toml: match\.cpu\.isa"),
        (GOOD.replace('"cpu.isa" = "avx2"', ""), r"lab\.toml: match: expected at least one"),
        (GOOD + '"cpu.isa" = "avx2"\n', r"lab\.toml: .*line 6"),
        (GOOD.replace('"t"', '"\xff"'), r"lab\.toml: not UTF-8 at byte 22"),
    ],
)
def test_a_bad_file_is_told_with_its_field(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "lab.toml").write_bytes(text.encode("latin-1"))
    with pytest.raises(BadInput, match=told):
        load_classes(tmp_path)


def test_good_files_are_sorted_by_name(tmp_path: Path) -> None:
    for name in ("lab-b", "lab", "lab.a"):
        (tmp_path / f"{name}.toml").write_text(GOOD.replace('"lab"', f'"{name}"'), encoding="utf-8")
    (tmp_path / "README.md").write_text("no class", encoding="utf-8")
    names = [one.name for one in load_classes(tmp_path)]
    assert names == sorted(names) == ["lab", "lab-b", "lab.a"]


@pytest.mark.parametrize(
    "field", ["framework.kernels.aten", "framework.precision.any", "framework.pools.0.version", "cpu.instruction_sets"]
)
def test_open_and_listed_fields_can_be_matched(tmp_path: Path, field: str) -> None:
    (tmp_path / "lab.toml").write_text(GOOD.replace("cpu.isa", field), encoding="utf-8")
    assert load_classes(tmp_path)[0].match == {field: "avx2"}


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="no folder of profile classes"):
        load_classes(tmp_path / "nowhere")


def test_a_class_that_could_not_be_read_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="no profile has this field"):
        write_class(tmp_path, a_class("lab", cpu__colour="blue"))
    assert list(tmp_path.iterdir()) == []


def authors() -> Profile:
    """LHC-Net's authors' machine as its README describes it, with a processor of its time."""
    return Profile(
        device="cuda",
        operating_system="Windows",
        libc="Windows 10",
        python="3.8.5",
        cpu=CPU.model_copy(update={"vendor": "GenuineIntel", "family": 6, "model": 158}),
        gpus=(Gpu(name="GeForce GTX 1080 Ti", compute_capability="6.1", memory_mib=11264),),
        cuda=Cuda(driver="457.51", runtime="11.1", cudnn="8.0.5"),
        framework=FrameworkState(name="tensorflow", version="2.4.1"),
    )


def test_the_authors_class_is_theirs_alone(root: Path) -> None:
    stored = load_classes(root / "hardware_profiles")
    found = match(authors(), stored)
    assert found is not None
    assert found.name == "lhc-net-authors"
    for profile in (ON_CPU, ON_GPU):
        assert match(profile, [found]) is None
    for field, value in found.match.items():
        changed = with_field(authors(), field, other(value))
        assert match(changed, stored) is None, field
        assert nearest(changed, stored) == (found, (Difference(field=field, expected=value, found=other(value)),))


def test_stored_classes_of_machines_are_what_describe_writes(root: Path) -> None:
    stored = [one for one in load_classes(root / "hardware_profiles") if one.name != "lhc-net-authors"]
    assert {"avx2", "baseline"} <= {one.match.get("cpu.isa") for one in stored}
    for one in stored:
        assert "repro record" in one.source
        base = ON_GPU if one.match["device"] == "cuda" else ON_CPU
        for field, value in one.match.items():
            base = with_field(base, field, value)
        assert (describe(base).name, describe(base).match) == (one.name, one.match)
        text = (root / "hardware_profiles" / f"{one.name}.toml").read_text(encoding="utf-8")
        assert tomllib.loads(text)["match"] == one.match
