"""The digest of a tensor: what it is, that every bit counts, and that the framework does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from repro.digest import as_array, dtype_name, pieces_digest, tensor_digest
from tests.digest.reference import ENCODERS, reference_digest, reference_digest_of_bytes

GRID = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 8 - 1

NAMED = {
    "float32": np.array([[1.5, -2.25], [0.0, -0.0]], np.float32),
    "float64": np.array([0.1, 1e300, -5e-324]),
    "float16": np.array([0.5, 65504.0, -6e-8], np.float16),
    "int64": np.array([[2**63 - 1], [-(2**63)]], np.int64),
    "uint8": np.arange(256, dtype=np.uint8),
    "bool": np.array([True, False, True]),
    "complex64": np.array([1 + 2j, -0.5j], np.complex64),
    "scalar": np.float32(3.25),
    "0-d": np.array(3.25, np.float32),
    "empty": np.empty((0, 3), np.float32),
    "transposed": GRID.transpose(2, 0, 1),
    "stepped": GRID[:, ::2, 1::2],
    "reversed": GRID[::-1, :, ::-1],
    "big-endian": GRID.astype(">f4"),
    "big-endian int16": np.array([1, -2, 300], ">i2"),
    "Fortran order": np.asfortranarray(GRID),
    "broadcast": np.broadcast_to(np.float32(2), (3, 2)),
    "read-only": np.frombuffer(bytes(range(16)), np.uint16),
}

GOLDEN = {
    "float32": "d5fd1ba75449077addb623667659620ec2efe0c47e2fb0f2e4b6aea532bb95aa",
    "float64": "0c924edcf5bf2d6b2b753c7695881eec98af828372dd3290bb373abb7f34696b",
    "float16": "bb10af8c75a8ee3280af2cefba81ef6c8fa54804dbfa40346ac245cf4a948523",
    "int64": "94c18d87dd8cff197c042a0ee538eefe4411cd8b03ff09d0c82d285840dfdc27",
    "uint8": "75bf1814d55f82df729f729865f13bfece31622fa6874169b0bf8f7deed4de3e",
    "bool": "0f93bc23a7e9985c59c0df01c36baa87da295dd592bdbeacf463d4f3e98284b5",
    "complex64": "2af374c6931c3d11c29f50c91c67a37d67925e9ef96186a5220ed5b94b6a518b",
    "scalar": "053e1ed77223036b945ca2e7db3e6e26f3a5deeafe6486daa1110ad1a6878eac",
    "0-d": "053e1ed77223036b945ca2e7db3e6e26f3a5deeafe6486daa1110ad1a6878eac",
    "empty": "ddcd271d5c2d1cd34fc860ddbfa2aef9a371477f1d160ba297624c6eacb77e3d",
    "transposed": "7517d9b12d65318353a510aac78e546c01e13a73c21cfd1920800799dc40d392",
    "stepped": "7c16b3eb5bf5fd668c8143eda7bae19110ce6bed38ba1019621fee67a3aa68b2",
    "reversed": "385f9c83341184da77e03a9f095a2edd30fa3f596d898fdc399b4e586cc0a90b",
    "big-endian": "2f7091b694bed40554d6672616d36eaa1a9ffd0f88ef3fe886e6c127f9fa9d49",
    "big-endian int16": "228cc874b9bd897f2d0e23e2a40302278b172ca5d2fb13bcbbb5effc6bde5b29",
    "Fortran order": "2f7091b694bed40554d6672616d36eaa1a9ffd0f88ef3fe886e6c127f9fa9d49",
    "broadcast": "040354e0d937fa79cad64b873a9e6d447e3abc11e07f541160714a6b04b48c34",
    "read-only": "74839c4df41ee70e673e553a2600ab510fcf8e463d39ec853dd6f5a6ffca2fc7",
    "bfloat16": "188366983671461153798da58bb8f21780778a78d6d903b02a78a4754b36bc8a",
    "float8_e4m3fn": "22894f029c6af8d21c69fd249a2cf4fe9cf351387343e7eb1f97323f55a64276",
    "float8_e5m2": "46bc42276bd075cc14af3da1fa899b1146dfeb299b166ac84c1cea35223df0ff",
}


@pytest.mark.parametrize("name", NAMED)
def test_digest_of_named_arrays_is_the_pinned_one(name: str) -> None:
    array = np.asarray(NAMED[name])
    digest = tensor_digest(NAMED[name])

    assert digest == reference_digest(array.dtype.name, array.shape, lambda index: array[index].item())
    assert digest == GOLDEN[name]


TORCH = {
    "bfloat16": torch.tensor([[1.0, -2.5], [0.0, 3e38]]).to(torch.bfloat16),
    "float8_e4m3fn": torch.tensor([0.0, 1.0, -448.0, 0.5]).to(torch.float8_e4m3fn),
    "float8_e5m2": torch.tensor([0.0, 1.0, -57344.0]).to(torch.float8_e5m2),
    "channels_last": torch.arange(48.0).reshape(2, 3, 2, 4).contiguous(memory_format=torch.channels_last),
    "parameter": torch.nn.Parameter(torch.tensor([1.0, 2.0])),
    "bfloat16 parameter": torch.nn.Parameter(torch.tensor([1.0, 2.0], dtype=torch.bfloat16)),
    "conjugated": torch.tensor([1 + 2j, 3 - 4j]).conj(),
    "negated view": torch.tensor([1 + 2j, 3 - 4j]).conj().imag,
    "expanded": torch.ones(1).expand(2, 3),
}

TORCH_BYTES = {
    "bfloat16": bytes.fromhex("803f 20c0 0000 627f"),
    "float8_e4m3fn": bytes.fromhex("00 38 fe 30"),
    "float8_e5m2": bytes.fromhex("00 3c fb"),
    "channels_last": np.arange(48, dtype="<f4").tobytes(),
    "parameter": np.array([1, 2], "<f4").tobytes(),
    "bfloat16 parameter": bytes.fromhex("803f 0040"),
    "conjugated": np.array([1 - 2j, 3 + 4j], "<c8").tobytes(),
    "negated view": np.array([-2, 4], "<f4").tobytes(),
    "expanded": np.ones(6, "<f4").tobytes(),
}


@pytest.mark.parametrize("name", TORCH)
def test_digest_of_a_torch_tensor_is_that_of_its_values(name: str) -> None:
    tensor = TORCH[name]
    dtype = str(tensor.dtype).removeprefix("torch.")

    expected = reference_digest_of_bytes(dtype, tuple(tensor.shape), TORCH_BYTES[name])

    assert tensor_digest(tensor) == expected


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_digest_of_what_numpy_has_no_dtype_for_is_the_pinned_one(name: str) -> None:
    assert tensor_digest(TORCH[name]) == GOLDEN[name]


def test_a_subclass_of_a_torch_tensor_counts_as_one() -> None:
    class Image(torch.Tensor):
        pass

    Image.__module__ = "another.package"
    image = torch.ones(2, 3, requires_grad=True).as_subclass(Image)

    assert tensor_digest(image) == tensor_digest(np.ones((2, 3), np.float32))


SHARED_DTYPES = [name for name in ENCODERS if name != "bfloat16"]


@st.composite
def strided(draw: st.DrawFn) -> tuple[np.ndarray, torch.Tensor]:
    """One view of one array, made once by NumPy and once by torch: axes permuted, every axis cut and stepped."""
    dtype = draw(st.sampled_from(SHARED_DTYPES))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5))
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    data = bytearray(draw(st.binary(min_size=size, max_size=size)))
    if dtype == "bool":
        data = bytearray(byte & 1 for byte in data)
    base = np.frombuffer(data, dtype).reshape(shape)
    cuts = tuple(slice(draw(st.integers(0, 2)), None, draw(st.integers(1, 3))) for _ in shape)
    order = draw(st.permutations(range(len(shape))))
    tensor = torch.from_numpy(base)[cuts].permute(order)
    return base[cuts].transpose(order), tensor


@given(strided())
def test_numpy_and_torch_give_one_digest(both: tuple[np.ndarray, torch.Tensor]) -> None:
    array, tensor = both
    assert array.shape == tuple(tensor.shape)

    expected = reference_digest_of_bytes(array.dtype.name, array.shape, array.tobytes(order="C"))

    assert tensor_digest(array) == expected
    assert tensor_digest(tensor) == expected


@given(strided().map(lambda both: both[0]).filter(lambda array: array.dtype.itemsize > 1))
def test_byte_order_in_memory_does_not_count(array: np.ndarray) -> None:
    swapped = array.byteswap().view(array.dtype.newbyteorder())

    assert tensor_digest(swapped) == tensor_digest(array)


@given(strided().map(lambda both: both[0]).filter(lambda array: array.size > 0), st.data())
def test_every_bit_counts(array: np.ndarray, data: st.DataObject) -> None:
    original = bytearray(array.tobytes())
    if array.dtype == bool:
        place, bit = data.draw(st.integers(0, len(original) - 1)), 0
    else:
        place, bit = divmod(data.draw(st.integers(0, 8 * len(original) - 1)), 8)
    original[place] ^= 1 << bit
    flipped = np.frombuffer(bytes(original), array.dtype).reshape(array.shape)

    assert tensor_digest(flipped) != tensor_digest(array)


@given(strided().map(lambda both: both[0]), st.data())
def test_shape_counts(array: np.ndarray, data: st.DataObject) -> None:
    others = [(array.size,), (1, *array.shape), (*array.shape, 1), array.shape[::-1]]
    shape = data.draw(st.sampled_from([other for other in others if other != array.shape]))

    assert tensor_digest(array.reshape(shape)) != tensor_digest(array)


@pytest.mark.parametrize("itemsize", [1, 2, 4, 8])
def test_dtype_counts(itemsize: int) -> None:
    data = bytes(8 * itemsize)
    names = [name for name in SHARED_DTYPES if np.dtype(name).itemsize == itemsize]
    digests = {tensor_digest(np.frombuffer(data, name)) for name in names}

    assert len(names) >= 3
    assert len(digests) == len(names)


def test_bfloat16_is_neither_float16_nor_uint16() -> None:
    values = torch.tensor([1.0, 2.0], dtype=torch.bfloat16)
    digests = {tensor_digest(values.view(dtype)) for dtype in (torch.bfloat16, torch.float16, torch.uint16)}

    assert len(digests) == 3


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_sign_of_zero_counts(dtype: type) -> None:
    assert tensor_digest(np.array([0.0], dtype)) != tensor_digest(np.array([-0.0], dtype))


def test_the_payload_of_a_nan_counts_in_every_framework() -> None:
    patterns = np.array([0x7FC00000, 0x7FC00001, 0xFFC00000, 0x7F800001], np.uint32)
    values = patterns.view(np.float32)
    digests = [tensor_digest(values[index : index + 1]) for index in range(len(values))]

    assert len(set(digests)) == len(patterns)
    assert [tensor_digest(torch.from_numpy(values[index : index + 1])) for index in range(len(values))] == digests


REFUSED: dict[str, Callable[[], object]] = {
    "objects": lambda: np.array([{}, []], object),
    "text": lambda: np.array(["text"]),
    "bytes": lambda: np.array([b"bytes"]),
    "structured": lambda: np.zeros(2, [("x", np.float32)]),
    "dates": lambda: np.array(["2020-01-01"], "datetime64[D]"),
    "durations": lambda: np.array([1], "timedelta64[s]"),
    "a str": lambda: "text",
    "None": lambda: None,
    "sparse": lambda: torch.eye(3).to_sparse(),
    "sparse rows": lambda: torch.eye(3).to_sparse_csr(),
    "nested": lambda: torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.quint8),
    "meta": lambda: torch.empty(3, device="meta"),
    "complex halves": lambda: torch.empty(2, dtype=torch.complex32),
    "a module": lambda: torch.nn.Linear(2, 2),
    "a dtype": lambda: torch.float32,
}


@pytest.mark.filterwarnings("ignore")  # torch's, about what is sparse, nested, quantised or complex
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_dense_tensor_of_numbers_is_refused(name: str) -> None:
    values = REFUSED[name]()

    with pytest.raises(TypeError, match=r"cannot digest .*: expected"):
        tensor_digest(values)


def test_long_double_is_refused_since_its_padding_is_arbitrary() -> None:
    if np.dtype(np.longdouble).itemsize == 8:
        pytest.skip("long double is float64 on this machine")
    with pytest.raises(TypeError, match="expected numbers or booleans"):
        tensor_digest(np.ones(2, np.longdouble))


def test_dtype_names() -> None:
    assert dtype_name(np.zeros(1, ">f4")) == "float32"
    assert dtype_name(torch.zeros(1, dtype=torch.bfloat16)) == "bfloat16"
    assert dtype_name(torch.zeros(1, dtype=torch.float8_e4m3fn)) == "float8_e4m3fn"
    assert dtype_name(True) == "bool"


def test_as_array_shares_memory() -> None:
    array = np.arange(6, dtype=np.float32)
    tensor = torch.arange(6, dtype=torch.bfloat16)

    assert as_array(array)[0] is array
    assert as_array(tensor)[0].ctypes.data == tensor.data_ptr()


@given(
    hnp.arrays(np.float32, st.tuples(st.integers(0, 9), st.integers(0, 3)), elements=st.floats(width=32)),
    st.lists(st.integers(0, 9), max_size=4),
)
def test_pieces_have_the_digest_of_the_whole(array: np.ndarray, cuts: list[int]) -> None:
    pieces = np.split(array, sorted(min(cut, len(array)) for cut in cuts))

    assert pieces_digest(pieces, "float32", array.shape) == tensor_digest(array)


def test_pieces_that_are_not_of_the_whole_are_refused() -> None:
    rows = np.zeros((2, 3), np.float32)

    with pytest.raises(ValueError, match=r"expected pieces of float64 \(3,\), got float32 \(3,\)"):
        pieces_digest([rows], "float64", (2, 3))
    with pytest.raises(ValueError, match=r"got float32 \(3,\)"):
        pieces_digest([rows], "float32", (2, 4))
    with pytest.raises(ValueError, match="the pieces hold 6 values"):
        pieces_digest([rows], "float32", (3, 3))
