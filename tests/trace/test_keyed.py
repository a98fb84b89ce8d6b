import importlib.util
import json

import numpy as np
import pytest

from repro.digest import tensor_digest
from repro.trace.keyed import fill_keyed_tensor, keyed_image, keyed_state, keyed_tensor, keyed_uniform

NAMES = {
    "conv1.weight": (10, 1, 3, 3),
    "fc1.weight": (50, 810),
    "norm.weight": (10,),
    "norm.bias": (10,),
    "norm.running_mean": (10,),
    "norm.running_var": (10,),
    "bn/gamma:0": (7,),
    "bn/beta:0": (7,),
    "bn/moving_mean:0": (7,),
    "bn/moving_variance:0": (7,),
    "conv/kernel:0": (3, 3, 2, 5),
    "prelu.alpha": (4,),
    "scale": (),
    "position_table": (3, 4),
}


@pytest.fixture(scope="module")
def reference(shared):
    path = shared / "contracts" / "keyed.py"
    if not path.is_file():
        pytest.skip(f"no reference: {path} is missing")
    specification = importlib.util.spec_from_file_location("reference_keyed", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def same_bits(ours, theirs):
    return ours.dtype == theirs.dtype and ours.shape == theirs.shape and ours.tobytes() == theirs.tobytes()


@pytest.mark.parametrize("layout", ["oihw", "hwio"])
def test_bits_are_the_reference_s(reference, layout):
    for name, shape in NAMES.items():
        assert same_bits(keyed_uniform(name, shape, "a"), reference.uniform(name, shape, "a"))
        assert same_bits(keyed_tensor(name, shape, "a", layout), reference.tensor(name, shape, "a", layout))
    assert same_bits(keyed_image((2, 1, 48, 48), "a"), reference.image((2, 1, 48, 48), "a"))


@pytest.mark.parametrize(
    ("contract", "model", "key", "layout"),
    [
        ("deep-emotion", "deep-emotion/deep_emotion", "state_dict", "oihw"),
        ("lhc-net", "lhc-net/lhc_net", "variables", "hwio"),
    ],
)
def test_names_of_the_contracts_give_the_reference_s_bits(shared, reference, contract, model, key, layout):
    entry = json.loads((shared / "contracts" / f"{contract}.json").read_text())[model]
    shapes = {
        name: tuple(shape)
        for name, shape in entry[key].items()
        if not name.endswith("num_batches_tracked") and np.prod(shape, dtype=int) < 100_000
    }
    assert len(shapes) > 20
    state = keyed_state(shapes, entry["salt"], layout)
    assert list(state) == list(shapes)
    for name, shape in shapes.items():
        assert same_bits(state[name], reference.tensor(name, shape, entry["salt"], layout)), name


def test_pinned_digests():
    """As printed by tensor_digest of each; the reference above gives the same bits."""
    pinned = {
        "conv1.weight": "746948a171c24f13c5c9727136883bb983a5ba66fc5b7f00b3052b2823cbd4d0",
        "bn/moving_variance:0": "654eda168d72c5ac42f7f4b35f0f077981a4b85ee1822289874f4d6b84f188e7",
        "norm.bias": "2f6d8c9ef4932cea6a72760ba4175d930fe30178801b44a28baf4373c01699c9",
    }
    for name, digest in pinned.items():
        assert tensor_digest(keyed_tensor(name, NAMES[name], "pinned")) == digest, name
    assert (
        tensor_digest(keyed_image((1, 48, 48), "pinned"))
        == "5b79b7deba319da3ce4a645b8bf94d3cf99d1cd99a132da877b980dc2cbf2331"
    )


def test_uniform_lies_on_its_grid():
    values = keyed_uniform("name", (1000,), "salt")
    assert values.min() >= -1
    assert values.max() < 1
    assert np.array_equal(values * 2**23, np.round(values * 2**23))
    assert abs(values.mean()) < 0.1


def test_name_and_salt_count_and_shape_only_reshapes():
    assert not np.array_equal(keyed_uniform("a", (8,), "s"), keyed_uniform("b", (8,), "s"))
    assert not np.array_equal(keyed_uniform("a", (8,), "s"), keyed_uniform("a", (8,), "t"))
    assert np.array_equal(keyed_uniform("a", (2, 4), "s").ravel(), keyed_uniform("a", (8,), "s"))


def test_layout_says_which_axis_is_the_output():
    first, last = (keyed_tensor("kernel", (2, 3, 4), "s", layout) for layout in ("oihw", "hwio"))
    assert np.allclose(first * np.sqrt(12 / 6), last)


@pytest.mark.parametrize("layout", ["oihw", "hwio"])
def test_an_array_that_is_filled_has_the_tensor_s_bits(layout):
    for name, shape in NAMES.items():
        values = np.full(shape, np.nan, np.float32)
        fill_keyed_tensor(values, name, "a", layout)
        assert same_bits(values, keyed_tensor(name, shape, "a", layout))


def test_an_array_that_is_not_contiguous_is_refused_unchanged():
    values = np.zeros((4, 6), np.float32)
    with pytest.raises(ValueError, match=r"conv1\.weight: keyed values are written to contiguous arrays alone"):
        fill_keyed_tensor(values.T, "conv1.weight", "a")
    assert not values.any()
