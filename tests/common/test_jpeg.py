import numpy as np
import PIL
import pytest
from PIL import Image, features

from pipelines.common import grey_jpeg
from pipelines.common.faces import drawn_faces
from pipelines.common.grey_jpeg import grey_jpeg_versions, rgb_jpegs
from pipelines.common.jpeg import jpeg_round_trip, jpeg_versions, rgb_jpeg
from pipelines.common.resize import resize_bilinear
from repro.errors import PrerequisiteError


@pytest.fixture(scope="module")
def images():
    return drawn_faces(counts=(7, 0, 0)).images


def test_it_is_what_a_file_of_pillow_s_defaults_gives(images, tmp_path):
    decoded = jpeg_round_trip(images)
    for index, image in enumerate(images):
        path = tmp_path / f"{index}.jpg"
        Image.fromarray(image, mode=None).save(path)  # no quality given: Pillow's own
        with Image.open(path) as again:
            assert again.mode == "L"
            assert np.array_equal(decoded[index], np.asarray(again))


def test_it_changes_grey_levels_a_little(images):
    before = images.copy()
    decoded = jpeg_round_trip(images)
    assert decoded.dtype == np.uint8
    assert decoded.shape == images.shape
    assert np.array_equal(images, before)
    errors = np.abs(decoded.astype(int) - images)
    assert 0 < errors.mean() < 8


def test_quality_is_used(images):
    errors = [np.abs(jpeg_round_trip(images, quality).astype(int) - images).mean() for quality in (10, 75, 95)]
    assert errors[0] > errors[1] > errors[2]


def test_constant_images_and_no_images_survive():
    constant = np.full((2, 48, 48), 77, np.uint8)
    assert np.array_equal(jpeg_round_trip(constant), constant)
    assert jpeg_round_trip(constant[:0]).shape == (0, 48, 48)


def test_versions_name_pillow_and_its_codec():
    versions = jpeg_versions()
    assert versions["pillow"] == PIL.__version__
    (codec,) = set(versions) - {"pillow"}
    assert codec == ("libjpeg-turbo" if features.check_feature("libjpeg_turbo") else "libjpeg")
    assert versions[codec][0].isdigit()


def test_equal_channels_are_written_as_pillow_writes_them(images):
    draws = np.random.default_rng(5)
    enlarged = resize_bilinear(images, (224, 224)).astype(np.uint8)
    noise = draws.integers(0, 256, (3, 224, 224), np.uint8)
    levels = np.repeat(np.arange(256, dtype=np.uint8), 16 * 16).reshape(256, 16, 16)
    for given in (enlarged, noise, levels, noise[:, :50, :33], noise[:, :1, :1], enlarged[:, :, ::-1]):
        assert list(rgb_jpegs(given)) == [rgb_jpeg(image, 100) for image in given]
    assert list(rgb_jpegs(noise[:0])) == []


def test_a_codec_of_other_bytes_is_refused_before_anything_is_written(images, monkeypatch):
    monkeypatch.setattr(grey_jpeg.simplejpeg, "encode_jpeg_yuv_planes", lambda *_, **__: b"another file")
    with pytest.raises(PrerequisiteError, match="write other bytes for one image: pillow"):
        next(rgb_jpegs(images))


def test_both_libraries_are_named():
    assert grey_jpeg_versions().keys() == {*jpeg_versions(), "simplejpeg"}
