import ast
import subprocess

import numpy as np
import pytest

from pipelines.common import faces, raster
from pipelines.common.dataset import CLASSES, USAGES
from pipelines.common.faces import drawn_faces, embedded

# Printed by: python -c "from pipelines.common.faces import embedded; print(embedded().content_digest())"
DIGEST = "d41917a9aca2bc7f2bcb28d3e26392af7c8e9a0847baaaeda08caa29f28348fe"


def test_embedded_faces_are_pinned():
    assert embedded().content_digest() == DIGEST
    assert embedded() is embedded()


def test_other_numpy_gives_the_same_bytes(root):
    python = root / ".venv-tensorflow" / "bin" / "python"
    if not python.exists():
        pytest.skip(f"no second NumPy: {python} is missing; make setup installs it")
    code = (
        "import numpy; from pipelines.common.faces import embedded; "
        "print(numpy.__version__, embedded().content_digest())"
    )
    result = subprocess.run([python, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    version, digest = result.stdout.split()
    assert version.startswith("1.26.")
    assert digest == DIGEST


@pytest.mark.parametrize("module", [faces, raster])
def test_whole_numbers_alone(module, root):
    """No float literal, no true division, and nothing of NumPy or math that makes one."""
    tree = ast.parse((root / "pipelines" / "common" / f"{module.__name__.rpartition('.')[2]}.py").read_text())
    nodes = list(ast.walk(tree))
    assert not [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, float)]
    assert not [node for node in nodes if isinstance(node, ast.Div)]
    used = {
        f"{node.value.id}.{node.attr}"
        for node in nodes
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in ("np", "math")
    }
    whole = {"abs", "arange", "array", "asarray", "ascontiguousarray", "clip", "cumsum", "empty", "frombuffer"}
    whole |= {"minimum", "ndarray", "repeat", "searchsorted", "where", "int32", "uint8"}
    assert used <= {f"np.{name}" for name in whole} | {"math.isqrt"}


def test_shape_is_fer2013_s():
    dataset = embedded()
    assert dataset.images.shape == (980, 48, 48)
    counts = dataset.counts()
    assert {usage: sum(counts[usage].values()) for usage in USAGES} == dict(
        zip(USAGES, (700, 140, 140, 0), strict=True)
    )
    assert all(counts[usage][name] > 0 for usage in USAGES[:3] for name in CLASSES)


def test_a_larger_set_begins_with_a_smaller_one():
    small, large = drawn_faces(counts=(9, 8, 7)), drawn_faces(counts=(30, 9, 7))
    for usage in USAGES[:3]:
        few, many = small.subset((usage,)), large.subset((usage,))
        assert np.array_equal(few.images, many.images[: len(few)])
        assert np.array_equal(few.labels, many.labels[: len(few)])
        assert sorted(few.labels[:7]) == list(range(7))


def test_seed_usage_and_index_each_change_the_face():
    first = drawn_faces(counts=(2, 1, 0)).images
    other = drawn_faces(seed=1, counts=(1, 0, 0)).images
    everything = [image.tobytes() for image in (*first, *other)]
    assert len(set(everything)) == 4


def test_no_two_embedded_faces_are_alike():
    assert len({image.tobytes() for image in embedded().images}) == len(embedded())


def test_drawing_features_in_their_rows_cuts_nothing_off(monkeypatch):
    windowed = drawn_faces(counts=(300, 0, 0))
    monkeypatch.setattr(faces._Face, "rows", lambda face, first, end: face)
    assert np.array_equal(drawn_faces(counts=(300, 0, 0)).images, windowed.images)


def test_no_product_leaves_32_bits(monkeypatch):
    narrow = drawn_faces(counts=(300, 0, 0))
    monkeypatch.setattr(faces, "grid", lambda *frame: tuple(axis.astype(np.int64) for axis in raster.grid(*frame)))
    assert np.array_equal(drawn_faces(counts=(300, 0, 0)).images, narrow.images)


def standardised(images):
    flat = images.reshape(len(images), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    return flat / flat.std(axis=1, keepdims=True)


def test_expressions_can_be_learned():
    """Ridge regression from the pixels to the seven classes; always Happy is right for a quarter."""
    dataset = embedded()
    training, test = dataset.subset(("Training",)), dataset.subset(("PrivateTest",))
    x = standardised(training.images)
    targets = np.eye(7)[training.labels]
    dual = np.linalg.solve(x @ x.T + 300 * np.eye(len(x)), targets - targets.mean(axis=0))
    scores = standardised(test.images) @ (x.T @ dual) + targets.mean(axis=0)
    hits = int((scores.argmax(axis=1) == test.labels).sum())
    assert np.bincount(test.labels).max() < 40
    assert hits > 80
