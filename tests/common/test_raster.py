"""The rasteriser against the same shapes in floating point."""

import numpy as np
import pytest

from pipelines.common.raster import FULL, Curve, band, ellipse, grid, paint, stroke

SIZE = 48


def pixel_grid():
    return grid(SIZE, 0, 0, 1024, 0)


def test_grid_counts_in_64ths_of_a_pixel_from_the_middle():
    x, y = pixel_grid()
    assert x.shape == y.shape == (1, SIZE, SIZE)
    assert x.dtype == np.int32
    assert x[0, 0, :2].tolist() == [-1504, -1440]
    assert np.array_equal(x[0], y[0].T)
    assert np.array_equal(x, -x[:, :, ::-1])


def test_grid_moves_and_turns():
    x, y = grid(SIZE, 64, -128, 0, 1024)  # a quarter turn
    plain_x, plain_y = pixel_grid()
    assert np.array_equal(x, np.broadcast_to(plain_y + 128, x.shape))
    assert np.array_equal(y, np.broadcast_to(-(plain_x - 64), y.shape))


@pytest.mark.parametrize(
    ("radius_x", "radius_y", "tolerance"),
    [(640, 640, 0.02), (1200, 500, 0.1), (300, 900, 0.1), (35, 55, 0.25)],  # the last is hardly a pixel wide
)
def test_ellipse_covers_its_area(radius_x, radius_y, tolerance):
    x, y = pixel_grid()
    coverage = ellipse(x, y, radius_x, radius_y)
    assert coverage.min() == 0
    assert coverage[0, 0, 0] == 0
    area = np.pi * radius_x * radius_y / 64**2
    assert coverage.sum() / FULL == pytest.approx(area, rel=tolerance)


@pytest.mark.parametrize("half_width", [200, 777])
def test_stroke_covers_its_length_and_thickness(half_width):
    x, y = pixel_grid()
    coverage = stroke(x, y, half_width, Curve(middle=100, slope=50), 128)
    assert coverage.sum() / FULL == pytest.approx(2 * half_width * 128 / 64**2, rel=0.1)
    assert coverage[0, :, 0].max() == 0


def test_band_lies_between_its_curves():
    x, y = pixel_grid()
    top, bottom = Curve(-400, bend=400), Curve(200, bend=-200)
    coverage = band(x, y, 1000, top, bottom)[0]
    along = np.clip(x[0] / 1000, -2, 2)
    depth = np.minimum(np.minimum(y[0] + 400 - 400 * along**2, 200 - 200 * along**2 - y[0]), (1 - abs(along)) * 1000)
    assert (coverage[depth > 45] == FULL).all()
    assert (coverage[depth < -45] == 0).all()
    assert (depth > 45).sum() > 100


def test_roundness_bends_late():
    ends = np.array([[[-256, -128, 0, 128, 256]]], np.int32)
    assert Curve(10, bend=256).at(ends).ravel().tolist() == [266, 74, 10, 74, 266]
    assert Curve(10, bend=256, roundness=256).at(ends).ravel().tolist() == [266, 26, 10, 26, 266]
    assert Curve(0, slope=100).at(ends).ravel().tolist() == [-100, -50, 0, 50, 100]


def test_paint_mixes_by_coverage():
    canvas = np.full((1, 1, 3), 100, np.int32)
    paint(canvas, np.array([[[0, 128, 256]]], np.int32), 200)
    assert canvas.ravel().tolist() == [100, 150, 200]
