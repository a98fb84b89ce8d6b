import numpy as np
import PIL
import pytest
from PIL import Image, features

from pipelines.common.faces import drawn_faces
from pipelines.common.jpeg import jpeg_round_trip, jpeg_versions


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
