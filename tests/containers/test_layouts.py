"""One content in every container: one content digest."""

from __future__ import annotations

import gzip
import io
import lzma
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from pipelines.common.containers import read_container
from pipelines.common.dataset import CLASSES, USAGES, joined
from pipelines.common.editions import UNKNOWN_EDITION
from pipelines.common.fer2013 import read_fer2013
from tests.containers import made

SINGLE = {"fer2013.csv": made.kaggle, "icml_face_data.csv": made.icml}


@pytest.mark.parametrize("name", SINGLE)
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress])
def test_a_table_whatever_its_name_and_packing(tmp_path, name, pack):
    path = tmp_path / "no-name-at-all"
    path.write_bytes(pack(SINGLE[name](made.faces())))
    told = []
    dataset = read_container(path, lambda done, total: told.append((done, total)))
    assert dataset.content_digest() == made.faces().content_digest()
    assert dataset.edition.startswith(UNKNOWN_EDITION)
    assert told[-1] == (path.stat().st_size, path.stat().st_size)


@pytest.mark.parametrize("packing", made.PACKINGS)
@pytest.mark.parametrize("name", SINGLE)
def test_a_table_inside_an_archive(tmp_path, name, packing):
    files = {"deep/inside/" + name: SINGLE[name](made.faces()), "README": b"hello", "deep/.hidden": b"emotion,pixels"}
    path = tmp_path / "archive"
    path.write_bytes(made.PACKINGS[packing](files))
    assert read_container(path).content_digest() == made.faces().content_digest()


def test_a_packed_table_inside_an_archive(tmp_path):
    path = tmp_path / "archive"
    path.write_bytes(made.zipped({"fer2013.csv.xz": lzma.compress(made.kaggle(made.faces()))}))
    assert read_container(path).content_digest() == made.faces().content_digest()


def test_the_authors_three_files_are_one_data_set(tmp_path):
    files = made.authors_files(made.faces())
    folder = made.write(tmp_path / "Data", files)
    assert read_container(folder).content_digest() == made.faces().content_digest()
    packed = tmp_path / "Data.tar.gz"
    packed.write_bytes(made.PACKINGS["tar.gz"]({f"Data/{name}": data for name, data in reversed(files.items())}))
    assert read_container(packed).content_digest() == made.faces().content_digest()
    alone = read_container(folder / "data_val.csv")
    assert alone.content_digest() == made.faces().subset(("PublicTest",)).content_digest()


def test_the_authors_header_may_say_anything(tmp_path):
    data = made.semicolons(made.faces(), "Training")
    for header in (b"emotion,pixels,Usage", b'x"', b"\xff\xfe", b"1;2;3"):
        path = tmp_path / "data_train.csv"
        path.write_bytes(header + b"\r\n" + data.split(b"\n", 1)[1].replace(b"\n", b"\r\n"))
        assert read_container(path).content_digest() == made.faces().subset(("Training",)).content_digest()


def test_the_competitions_two_files(tmp_path):
    faces = made.faces()
    files = {"train.csv": made.competition_train(faces), "test.csv": made.competition_test(faces)}
    folder = made.write(tmp_path / "competition", files)
    dataset, alone = read_container(folder), read_container(folder / "train.csv")
    assert alone.content_digest() == faces.subset(("Training",)).content_digest()
    training = dataset.subset(("Training",))
    assert training.content_digest() == alone.content_digest()
    test = dataset.subset(("Test",))
    assert np.array_equal(test.images, faces.subset(("PublicTest", "PrivateTest")).images)
    assert not test.labelled.any()
    assert sum(dataset.counts()["Test"].values()) == 0
    assert set(dataset.content_digests()) == {"Training/images", "Training/labels", "Test/images"}
    assert dataset.unordered_digests()["Test/images"] == faces.unordered_digests()["Test/images"]
    assert "Test/pairs" not in dataset.unordered_digests()


def test_labels_that_someone_added_to_the_competitions_test_file(tmp_path):
    part = made.faces().subset(("PublicTest", "PrivateTest"))
    rows = [f"{label},{made.pixels(image)}" for label, image in zip(part.labels, part.images, strict=True)]
    path = tmp_path / "test.csv"
    path.write_text("\n".join(["emotion,pixels", *rows]))
    dataset = read_container(path)
    assert dataset.labelled.all()
    assert dataset.unordered_digests()["Test/pairs"] == made.faces().unordered_digests()["Test/pairs"]


@pytest.mark.parametrize("packing", [None, *made.PACKINGS])
def test_a_tree_of_images(tmp_path, packing):
    files = {f"a/b/{name}": data for name, data in made.tree(made.faces()).items()}
    path = tmp_path / "tree"
    if packing is None:
        made.write(path, files)
    else:
        path.write_bytes(made.PACKINGS[packing](dict(reversed(files.items()))))
    dataset, faces = read_container(path), made.faces()
    assert dataset.unordered_digests() == faces.unordered_digests()
    # The order of the rows: by class, and inside a class by the numbers in the names.
    for usage in USAGES[:3]:
        part = faces.subset((usage,))
        order = np.argsort(part.labels, kind="stable")
        assert np.array_equal(dataset.subset((usage,)).images, part.images[order])
        assert np.array_equal(dataset.subset((usage,)).labels, part.labels[order])


@pytest.mark.parametrize("names", [str, lambda label: CLASSES[label], lambda label: CLASSES[label].upper()])
def test_class_folders_by_number_and_in_any_case(tmp_path, names):
    plain = read_container(made.write(tmp_path / "plain", made.tree(made.faces())))
    other = read_container(made.write(tmp_path / "other", made.tree(made.faces(), names=names)))
    assert other.content_digest() == plain.content_digest()


def test_train_and_test_alone_do_not_tell_the_tests_apart(tmp_path):
    files = made.tree(made.faces(), splits=("train", "test", "test"))
    dataset = read_container(made.write(tmp_path / "tree", files))
    assert [usage for usage in USAGES if len(dataset.rows((usage,)))] == ["Training", "Test"]
    assert dataset.unordered_digests()["Test/pairs"] == made.faces().unordered_digests()["Test/pairs"]


def test_rgb_with_equal_channels_is_grey(tmp_path):
    files = made.tree(made.faces(), encode=lambda image: made.png(np.repeat(image[..., None], 3, axis=2)))
    dataset = read_container(made.write(tmp_path / "tree", files))
    assert dataset.unordered_digests() == made.faces().unordered_digests()


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_jpeg_reads_as_pillow_decodes_it(tmp_path, mode):
    def jpeg(image):
        file = io.BytesIO()
        Image.fromarray(image).convert(mode).save(file, "JPEG", quality=90)
        return file.getvalue()

    folder = made.write(tmp_path / "tree", made.tree(made.faces(), encode=jpeg, suffix="jpg"))
    dataset = read_container(folder)
    first = sorted(folder.glob("train/angry/*"), key=lambda path: int(path.stem.removeprefix("Images")))[0]
    with Image.open(first) as image:
        assert np.array_equal(dataset.images[0], np.asarray(image.convert("L")))
    assert len(dataset) == len(made.faces())


@pytest.mark.slow
def test_real_data_in_every_container(tmp_path, shared):
    """The whole real edition through each container: the same digests, and the edition known by its images."""
    path = shared / "data" / "fer2013.csv.xz"
    if not path.is_file():
        pytest.skip(f"no real data: {path} is missing")
    real = read_fer2013(path)
    assert read_container(path).edition == real.edition
    zipped = tmp_path / "fer2013.zip"
    zipped.write_bytes(made.zipped({"fer2013/fer2013.csv": lzma.decompress(path.read_bytes())}))
    dataset = read_container(zipped)
    assert (dataset.content_digest(), dataset.edition) == (real.content_digest(), real.edition)
    tree = read_container(made.write(tmp_path / "tree", made.tree(real)))
    assert tree.unordered_digests() == real.unordered_digests()
    assert "Training the same images with the same labels, in another order" in tree.edition

    few = joined([real.subset((usage,), stop=700) for usage in USAGES[:3]], "the first rows")
    for name, data in {
        "icml": made.icml(few),
        "tar": made.tarred({"fer2013/fer2013.csv": made.kaggle(few)}),
        "authors": made.zipped(made.authors_files(few)),
    }.items():
        (tmp_path / name).write_bytes(data)
        assert read_container(tmp_path / name).content_digest() == few.content_digest()


@pytest.mark.slow
def test_real_data_stay_within_half_a_gigabyte(shared, root):
    """In a process of its own, whose peak memory is read: the whole of it, interpreter included."""
    path = shared / "data" / "fer2013.csv.xz"
    if not path.is_file():
        pytest.skip(f"no real data: {path} is missing")
    script = (
        "import pathlib, sys\n"
        "from pipelines.common.containers import read_container\n"
        "print(len(read_container(pathlib.Path(sys.argv[1]))))\n"
        # Not getrusage: its peak counts what the parent held when it forked.
        "print(pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    )
    ended = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=root, capture_output=True, text=True, check=True
    )
    rows, peak = map(int, ended.stdout.split())
    assert rows == 32998
    assert peak < 500_000
