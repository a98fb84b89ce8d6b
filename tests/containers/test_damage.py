"""What is wrong with a container is told with its file or member and its row; nothing else is raised."""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from pipelines.common import compressed
from pipelines.common.containers import members, read_container
from repro.errors import BadInput, MissingFile
from tests.containers import made


def refused(path, data, message):
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(BadInput, match=message) as caught:
        read_container(path)
    assert path.name in caught.value.message
    assert len(caught.value.message) < 600


def table(header, *rows):
    return "\n".join([header, *rows, ""]).encode()


PIXELS = made.pixels(made.faces().images[0])
FEW = PIXELS.rpartition(" ")[0]

TABLES = {
    "pixel count": (
        table("emotion, Usage, pixels", f"3, Training, {FEW}"),
        r"row 1 \(line 2\): expected 2304 pix",
    ),
    "pixel 256": (table("pixels", PIXELS, "256" + PIXELS[PIXELS.index(" ") :]), r"row 2 \(line 3\): pixel 1: expected"),
    "label 7": (table("emotion,pixels", f"7,{PIXELS}"), r"row 1 \(line 2\): emotion: expected one of 0, 1"),
    "no label": (table("emotion,pixels", f",{PIXELS}"), r"row 1 .*: emotion: .* found ''"),
    "usage": (table("emotion,pixels,Usage", f"3,{PIXELS},Test"), "row 1 .*: Usage: .* found 'Test'"),
    "no Usage column": (table("emotion,pixels,usage", f"3,{PIXELS},Training"), "expected one column 'Usage', found 0"),
    "no pixels column": (table("emotion,Usage", "3,Training"), "expected one column 'pixels', found 0"),
    "no emotion column": (table("pixels,Usage", f"{PIXELS},Training"), "expected one column 'emotion', found 0"),
    "columns twice": (table("pixels,pixels", f"{PIXELS},{PIXELS}"), "expected one column 'emotion'"),
    "empty": (b"", "is empty"),
    "UTF-16": (made.kaggle(made.faces()).decode().encode("utf-16"), "is no text|is longer than"),
    "binary": (bytes(range(256)) * 300, "is no text"),
    "a picture": (made.png(made.faces().images[0]), "is no container of FER2013"),
    "10 MB in a row": (table("emotion,pixels,Usage", "3," + "1 " * 5_000_000 + ",Training"), "line 2 is longer than"),
    "10 MB in a header": (b"x" * 10_000_000, "line 1 is longer than"),
    "a packed table cut off": (gzip.compress(made.kaggle(made.faces()))[:-20], "cut off"),
    "semicolons without a name": (made.semicolons(made.faces(), "Training"), "whose split only its name tells"),
    "an empty zip": (made.zipped({}), "it holds no file"),
    "an empty tar": (made.tarred({}) + bytes(10240), "is no text|it holds no file"),
    "a zip without data": (made.zipped({"README": b"x", "a/LICENSE": b"y"}), "it holds README, a/LICENSE|a/LICENSE"),
    "a nested damage": (made.zipped({"a/b.csv": table("pixels", FEW)}), r"a/b\.csv: row 1 \(line 2\): expected 2304"),
}


@pytest.mark.parametrize("name", TABLES)
def test_damaged_tables(tmp_path, name):
    refused(tmp_path / "container", *TABLES[name])


AUTHORS = made.semicolons(made.faces(), "Training").split(b"\n")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda line: line + b";0", "expected 2306 fields between semicolons, found 2307"),
        (lambda line: line.rpartition(b";")[0], "found 2305"),
        (lambda line: b"9" + line[1:], "emotion: expected one of"),
        (lambda line: line.rpartition(b";")[0] + b";256", "pixel 2304: expected a whole number"),
        (lambda line: line.rpartition(b";")[0] + b";", "pixel 2304: expected a whole number"),
        (lambda line: line.rpartition(b";")[0] + b";1 2", "pixel 2304: expected a whole number"),
        (lambda line: line.rpartition(b";")[0] + b";1.0", "pixel 2304: expected .* found '1.0'"),
        (lambda line: line + b'"', "the quotes are wrong|pixel"),
    ],
)
def test_damaged_files_of_the_authors(tmp_path, change, message):
    lines = list(AUTHORS)
    lines[2] = change(lines[2])
    refused(tmp_path / "data_train.csv", b"\n".join(lines), rf"data_train\.csv: row 2 \(line 3\): .*({message})")


def test_harmless_oddities_read(tmp_path):
    faces = made.faces()
    path = tmp_path / "container"
    plain = made.kaggle(faces)
    quoted = plain.replace(b"\n", b'"\n').replace(b",", b'","').replace(b"\n", b'\n"')
    for data in (
        b"\xef\xbb\xbf" + plain.replace(b"\n", b"\r\n"),
        b'"' + quoted[:-1],
        b"\n\n" + plain.replace(b"\n", b"\n \n"),
    ):
        path.write_bytes(data)
        assert read_container(path).content_digest() == faces.content_digest()


def test_several_data_sets_are_named(tmp_path):
    faces = made.faces()
    files = {"fer2013/fer2013.csv": made.kaggle(faces), "icml_face_data.csv": made.icml(faces)}
    refused(tmp_path / "a.zip", made.zipped(files), "several data sets: fer2013/fer2013.csv, icml_face_data.csv")
    files = {"train.csv": made.competition_train(faces), "x.csv": made.icml(faces)}
    refused(tmp_path / "b.zip", made.zipped(files), "several data sets: train.csv, x.csv")
    trees = {f"{root}/{name}": data for root in "ab" for name, data in made.tree(faces).items()}
    refused(tmp_path / "c.zip", made.zipped(trees), "several data sets: a/ .*, b/ ")
    files = {"train.csv": made.competition_train(faces), "again/train.csv": made.competition_train(faces)}
    refused(tmp_path / "d.zip", made.zipped(files), "several data sets: again/train.csv, train.csv")
    with pytest.raises(MissingFile):
        read_container(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", None, "it holds no file")


def jpeg(image):
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG")
    return file.getvalue()


FACE = made.faces().images[0]
COLOURS = np.stack([FACE, FACE, np.roll(FACE, 1)], axis=2)
IMAGES = {
    "size": (made.png(FACE[:47]), "expected 48×48 pixels, found 48×47"),
    "colours": (made.png(COLOURS), "its channels differ"),
    "alpha": (made.png(np.repeat(FACE[..., None], 4, axis=2)), "found mode RGBA"),
    "16 bits": (made.png(FACE.astype(np.uint16) * 257), "found mode I;16"),
    "cut off PNG": (made.png(FACE)[:-30], "cut off|damaged"),
    "cut off JPEG": (jpeg(FACE)[:-300], "the image is damaged"),
    "text": (b"hello", "neither PNG nor JPEG"),
    "empty": (b"", "neither PNG nor JPEG"),
    "only a header": (b"\x89PNG\r\n\x1a\n", "cut off"),
    "too long": (made.png(FACE) + bytes(2 << 20), "longer than 1048576 bytes"),
    "a GIF": (b"GIF89a" + bytes(100), "neither PNG nor JPEG"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_damaged_images(tmp_path, name):
    data, message = IMAGES[name]
    files = made.tree(made.faces()) | {"train/happy/bad.png": data}
    folder = made.write(tmp_path / "tree", files)
    with pytest.raises(BadInput, match=message) as caught:
        read_container(folder)
    assert str(folder / "train/happy/bad.png") in caught.value.message


def test_images_outside_of_known_folders_are_not_dropped(tmp_path):
    files = made.tree(made.faces()) | {"train/contempt/1.png": made.png(FACE)}
    folder = made.write(tmp_path / "tree", files)
    refused(folder, None, "train/contempt/1.png is in no folder of a known split and class")


# ---- archives


def raw_tar(*entries):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for entry, data in entries:
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return packed.getvalue()


def entry(name, kind=tarfile.REGTYPE, target=""):
    one = tarfile.TarInfo(name)
    one.type, one.linkname = kind, target
    return one, (made.kaggle(made.faces()) if kind == tarfile.REGTYPE else b"")


@pytest.mark.parametrize("name", ["../fer2013.csv", "a/../../fer2013.csv", "/fer2013.csv", "C:\\fer.csv", "a\\..\\b"])
def test_names_that_lead_out_are_refused(tmp_path, name):
    refused(tmp_path / "a.tar", raw_tar(entry(name)), "leads out of the archive")
    refused(tmp_path / "a.zip", made.zipped({name: b"x"}), "leads out of the archive")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.tar", "a.zip"]


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(tmp_path, kind):
    refused(tmp_path / "a.tar", raw_tar(entry("fer2013.csv"), entry("b", kind, "/etc/passwd")), "b is a link, a device")


def test_links_in_a_zip_are_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        link = zipfile.ZipInfo("fer2013.csv")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    refused(path, None, "is a link or a device")


def test_links_in_a_folder(tmp_path):
    (tmp_path / "fer.csv").write_bytes(made.kaggle(made.faces()))
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fer2013.csv").symlink_to("../fer.csv")
    assert len(read_container(tmp_path / "data")) == len(made.faces())
    (tmp_path / "data" / "loop").symlink_to("..", target_is_directory=True)
    refused(tmp_path / "data", None, "loop is a link to a folder")
    (tmp_path / "data" / "loop").unlink()
    (tmp_path / "data" / "nowhere").symlink_to("nothing")
    refused(tmp_path / "data", None, "link to nowhere")
    (tmp_path / "data" / "nowhere").unlink()
    os.mkfifo(tmp_path / "data" / "pipe")
    refused(tmp_path / "data", None, "pipe is no file")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_name_twice_and_a_password_are_refused(tmp_path):
    refused(tmp_path / "a.tar", raw_tar(entry("x.csv"), entry("x.csv")), "x.csv twice")
    data = bytearray(made.zipped({"x.csv": made.kaggle(made.faces())}))
    for magic, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(magic) + place] |= 1
    refused(tmp_path / "b.zip", bytes(data), "cannot be unpacked .*encrypted")


def bomb(size):
    """Return a gzip stream of a header and that many blanks and line breaks, made without holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    parts = [packer.compress(b"emotion,pixels,Usage\n")]
    for _ in range(size >> 20):
        parts.append(packer.compress(b" \n" * (1 << 19)))
    return b"".join([*parts, packer.flush()])


def test_bombs_are_refused_before_they_unpack(tmp_path, monkeypatch):
    monkeypatch.setattr(compressed, "FREE_BYTES", 4 << 20)
    blown = bomb(32 << 20)
    refused(tmp_path / "a.gz", blown, "bytes unpack to")
    refused(tmp_path / "b.zip", made.zipped({"x.csv": b" \n" * (4 << 20)}), "bytes unpack to")
    refused(tmp_path / "c.zip", made.zipped({"x.csv.gz": blown}), "bytes unpack to")
    refused(tmp_path / "d.tgz", gzip.compress(made.tarred({"x.csv": b" \n" * (4 << 20)})), "bytes unpack to")
    data = bytearray(made.zipped({"x.csv": b" \n" * (4 << 20)}))
    for magic, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):  # it declares 100 bytes and holds 8 MB
        start = data.index(magic) + place
        data[start : start + 4] = (100).to_bytes(4, "little")
    refused(tmp_path / "e.zip", bytes(data), "corrupt|damaged|empty")


def test_too_many_files_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(members, "MOST_MEMBERS", 10)
    refused(tmp_path / "a.zip", made.zipped({str(number): b"" for number in range(11)}), "more than 10 files")
    refused(made.write(tmp_path / "b", {str(number): b"" for number in range(11)}), None, "more than 10 files")
