"""Folders of face images in the published layouts: order of classes, digests, lazy decoding, damage."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision.datasets import ImageFolder

from pipelines.common.image_folders import ImageFolders, LazyImages, read_images
from pipelines.poster.system import SYSTEM
from repro.digest import file_digest, tensor_digest
from repro.errors import BadInput, UsageError
from repro.schema import Samples
from repro.schema.audit import AuditLists
from repro.stages.audit import audit
from repro.stages.counting import seen_in_training
from repro.stages.etl import etl
from repro.stages.prepare import Feed
from repro.store.results import Results


def _image(path: Path, seed: int, *, size: tuple[int, int] = (20, 16), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = size if mode == "L" else (*size, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    Image.fromarray(pixels).save(path)


def _tree(root: Path, splits: tuple[str, ...], classes: tuple[str, ...], count: int = 2) -> Path:
    seed = 0
    for split in splits:
        for name in classes:
            for number in range(count):
                seed += 1
                suffix = ("jpg", "png")[number % 2]
                mode = ("RGB", "L")[number % 2]
                _image(root / split / name / f"face{number}.{suffix}", seed, size=(20 + number, 16), mode=mode)
    return root


def _read(path: Path) -> ImageFolders:
    found = read_images(path)
    assert isinstance(found, ImageFolders)
    return found


@pytest.mark.parametrize(
    ("splits", "classes", "usages"),
    [
        (("train", "valid"), ("1", "2", "3", "4", "5", "6", "7"), ("train", "evaluated")),  # RAF-DB, CAER-S
        (("train", "test"), ("0", "1", "2", "3", "4", "5", "6", "7"), ("train", "evaluated")),  # AffectNet 8
        (("train", "test", "valid"), ("E01", "E02", "E03"), ("train", "valid", "test")),  # AI Hub, the student's
        (("train", "valid"), ("기쁨", "당황", "분노", "불안", "상처", "슬픔", "중립"), ("train", "evaluated")),
        (("Validation",), ("Anger", "happy"), ("evaluated",)),
    ],
)
def test_a_folder_per_split_and_class(
    tmp_path: Path, splits: tuple[str, ...], classes: tuple[str, ...], usages: tuple[str, ...]
) -> None:
    found = _read(_tree(tmp_path / "set", splits, classes))
    assert found.class_names == tuple(sorted(classes))
    assert {usage for usage, counts in found.counts().items() if any(counts.values())} == set(usages)
    for split in splits:
        theirs = ImageFolder(str(tmp_path / "set" / split))
        named = [
            (f"{split}/{Path(path).relative_to(tmp_path / 'set' / split)}", label) for path, label in theirs.samples
        ]
        assert theirs.classes == list(found.class_names)
        ours = [(file["name"], int(label)) for file, label in zip(found.files, found.labels, strict=True)]
        assert [pair for pair in ours if pair[0].startswith(f"{split}/")] == named, "torchvision's order"


def test_classes_alone_are_one_evaluated_set(tmp_path: Path) -> None:
    found = _read(_tree(tmp_path / "set", ("",), ("b", "a")))
    assert found.class_names == ("a", "b")
    assert set(found.usages) == {3}


@pytest.mark.parametrize("suffix", ["_aligned", ""])
@pytest.mark.parametrize("table", ["{name}.jpg {label}\n", "{name}.jpg,{label}\n"])
def test_raf_dbs_own_names_with_a_label_file(tmp_path: Path, suffix: str, table: str) -> None:
    labels = {"train_00001": 5, "train_00002": 1, "test_0001": 4, "test_0002": 1, "train_00003": 4, "test_0003": 5}
    lines = "" if " " in table else "image,label\n"
    for seed, (name, label) in enumerate(labels.items()):
        _image(tmp_path / "Image" / "aligned" / f"{name}{suffix}.jpg", seed)
        lines += table.format(name=name, label=label)
    (tmp_path / "EmoLabel").mkdir()
    (tmp_path / "EmoLabel" / "list_patition_label.txt").write_text(lines)
    (tmp_path / "readme.txt").write_text("Real-world Affective Faces\nby its authors\n")
    found = _read(tmp_path)
    assert found.class_names == ("1", "4", "5")
    assert [Path(file["name"]).stem.removesuffix("_aligned") for file in found.files] == [
        *("train_00001", "train_00002", "train_00003"),
        *("test_0001", "test_0002", "test_0003"),
    ]
    assert found.labels.tolist() == [2, 0, 1, 1, 0, 2]
    assert found.usages.tolist() == [0, 0, 0, 3, 3, 3]
    (tmp_path / "Image" / "aligned" / f"test_0003{suffix}.jpg").unlink()
    with pytest.raises(BadInput, match="1 images of the label file are missing: test_0003"):
        read_images(tmp_path)
    _image(tmp_path / "Image" / "aligned" / f"test_0003{suffix}.jpg", 9)
    _image(tmp_path / "Image" / "aligned" / f"test_0009{suffix}.jpg", 9)
    with pytest.raises(BadInput, match=r"1 images are not in the label file.*test_0009"):
        read_images(tmp_path)


def test_what_the_readme_shows_is_refused(tmp_path: Path) -> None:
    _image(tmp_path / "train" / "a.jpg", 0)
    _image(tmp_path / "valid" / "b.jpg", 1)
    with pytest.raises(BadInput, match=r"in no class's folder.*train/a\.jpg.*valid/b\.jpg") as raised:
        read_images(tmp_path)
    assert "P-FOLDERS" in str(raised.value.next_step)


def test_a_split_without_a_class_is_refused(tmp_path: Path) -> None:
    _tree(tmp_path, ("train",), ("a", "b", "c"))
    _tree(tmp_path, ("valid",), ("a", "c"))
    with pytest.raises(BadInput, match="evaluated has no image of b"):
        read_images(tmp_path)


def test_bad_images_are_named_all_of_them(tmp_path: Path) -> None:
    _tree(tmp_path, ("train", "valid"), ("a", "b"))
    whole = (tmp_path / "train" / "a" / "face0.jpg").read_bytes()
    (tmp_path / "train" / "a" / "face0.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "valid" / "b" / "face1.png").write_bytes(b"no image")
    with pytest.raises(BadInput, match=r"2 of 8 images cannot be read: train/a/face0\.jpg .*valid/b/face1\.png"):
        read_images(tmp_path)


def test_digests_are_of_files_and_of_pixels(tmp_path: Path) -> None:
    found = _read(_tree(tmp_path / "set", ("train", "valid"), ("a", "b")))
    images = LazyImages(tmp_path / "set", [file["name"] for file in found.files])
    for row, file in enumerate(found.files):
        assert file["digest"] == file_digest(tmp_path / "set" / file["name"])
        assert file["pixels"] == tensor_digest(images[row])
        assert list(images[row].shape) == file["shape"]
    assert {images[row].ndim for row in range(len(images))} == {2, 3}, "grey stays grey"
    Image.open(tmp_path / "set/valid/a/face1.png").save(tmp_path / "set/valid/a/face1.png", compress_level=0)
    assert _read(tmp_path / "set").content_digest() == found.content_digest(), "other bytes, the same pixels"
    _image(tmp_path / "set/valid/a/face1.png", 77, size=(21, 16), mode="L")
    assert _read(tmp_path / "set").content_digest() != found.content_digest()


def test_the_etl_stage_keeps_no_copy_and_answers_from_its_record(tmp_path: Path) -> None:
    _tree(tmp_path / "set", ("train", "valid"), ("a", "b"))
    twin = tmp_path / "set" / "train" / "a" / "face1.png"
    twin.write_bytes((tmp_path / "set" / "valid" / "b" / "face1.png").read_bytes())
    results = Results(tmp_path / "results")
    record, data = etl(SYSTEM, str(tmp_path / "set"), results)
    assert record.result["classes"] == ["a", "b"]
    assert record.result["files"]["count"] == 8
    assert str(tmp_path) not in str(record.to_data())
    assert sorted(path.name for path in data.folder.iterdir()) == [
        *("files.json", "labelled.npy", "labels.npy", "usages.npy"),
    ]
    again, same = etl(SYSTEM, str(tmp_path / "set"), results)
    assert (again, same) == (record, data)
    in_child = type(data).from_task(data.task())
    np.testing.assert_array_equal(in_child.images()[3], data.images()[3])
    split = SYSTEM.split("test")
    assert data.rows(split).tolist() == data.rows(SYSTEM.split("validation")).tolist() == [4, 5, 6, 7]
    assert seen_in_training(data, split).tolist() == [False, False, False, True]
    with pytest.raises(UsageError, match="folder of images"):
        data.array()
    model, protocol = SYSTEM.model("poster_v2_7cls"), SYSTEM.protocol("corrected")
    feed = Feed.of(SYSTEM, model, protocol, data.images(), data.rows(split), 0)
    assert [batch.shape for batch in feed.batches(3)] == [(3, 3, 224, 224), (1, 3, 224, 224)]
    (tmp_path / "set" / "valid" / "a" / "face0.jpg").write_bytes(b"damaged since")
    with pytest.raises(BadInput, match=r"face0\.jpg"):
        data.images()[4]


def test_a_folder_is_audited(tmp_path: Path) -> None:
    root = _tree(tmp_path / "set", ("train", "valid"), ("a", "b"))
    (root / "valid" / "a" / "twin.png").write_bytes((root / "train" / "b" / "face1.png").read_bytes())
    picture = np.add.outer(np.arange(60), 2 * np.arange(48)).astype(np.uint8)
    Image.fromarray(picture).save(root / "train" / "a" / "slope.png")
    Image.fromarray(picture + np.uint8(3)).convert("RGB").resize((96, 240)).save(root / "train" / "b" / "near.png")
    Image.fromarray(np.full((9, 30, 3), (10, 200, 30), np.uint8)).save(root / "train" / "a" / "constant.png")
    results = Results(tmp_path / "results")
    record = audit(SYSTEM, str(root), results)
    told = record.result
    assert (told["distinct"], told["several_labels"], told["constant"]) == (11, 1, 1)
    across = {(row["split"], row["also_in"]): (row["rows"], row["same_label"]) for row in told["identical"]["across"]}
    assert across == {("train", "evaluated"): (1, 0), ("evaluated", "train"): (1, 0)}
    assert told["near"]["pairs"] == 1
    lists = results.load_document(AuditLists, record.outputs["lists"])
    grown = tensor_digest(np.asarray(Image.open(root / "train" / "b" / "near.png")))
    assert {lists.near[0].first, lists.near[0].second} == {grown, tensor_digest(picture)}
    assert audit(SYSTEM, str(root), results) == record


def test_memory_does_not_grow_with_the_images(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        root = tmp_path / str(count)
        for number in range(count):
            _image(root / "valid" / "ab"[number % 2] / f"{number}.png", number, size=(200, 200))
        tracemalloc.start()
        found = _read(root)
        images = LazyImages(root, [file["name"] for file in found.files])
        feed = Feed(
            SYSTEM,
            SYSTEM.model("poster_v2_7cls"),
            SYSTEM.protocol("corrected"),
            images,
            Samples(np.arange(count), np.arange(count), 0, count),
        )
        for _ in feed.batches(4):
            continue
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    small, large = peak(16), peak(64)
    assert large - small < 48 * 200 * 200 * 3 / 4, "a quarter of what the further images take decoded"


def test_what_is_no_folder_of_images_is_a_container_of_fer2013(tmp_path: Path) -> None:
    pixels = " ".join(["7"] * 2304)
    (tmp_path / "fer2013.csv").write_text(f"emotion,pixels,Usage\n3,{pixels},Training\n")
    assert read_images(tmp_path / "fer2013.csv").labels.tolist() == [3]
    assert read_images(tmp_path).labels.tolist() == [3]
