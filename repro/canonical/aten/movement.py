"""Operations that move, select, compare or convert: nothing is rounded but by a conversion, which is IEEE's."""

from __future__ import annotations

from repro.canonical.aten.registry import PASSED, overloads

VIEWS = (
    "view _unsafe_view _reshape_alias reshape t t_ transpose transpose_ permute expand unsqueeze unsqueeze_ squeeze "
    "squeeze_ select slice unbind split split_with_sizes unfold as_strided as_strided_ alias detach detach_ diagonal "
    "flatten.using_ints movedim narrow view_as_real lift lift_fresh set_ resize_ unsafe_split"
)
COPIES = (
    "clone copy_ _to_copy cat stack repeat expand_copy index.Tensor gather index_select constant_pad_nd flip roll "
    "select_backward slice_backward scatter.src scatter.value scatter_.src scatter_.value select_scatter slice_scatter"
    " masked_fill masked_fill_ where tril triu tril_ triu_ embedding reflection_pad2d replication_pad2d pixel_shuffle "
    "pixel_unshuffle channel_shuffle repeat_interleave.self_int contiguous masked_select"
)
MADE = (
    "empty empty_like empty_strided zeros zeros_like ones ones_like full full_like new_empty new_empty_strided "
    "new_zeros new_ones new_full fill_ zero_ scalar_tensor arange eye _efficientzerotensor"
)
CHOSEN = (
    "_local_scalar_dense item max min amax amin argmax argmin maximum minimum topk sort max_pool2d_with_indices "
    "adaptive_max_pool2d relu relu_ clamp clamp_ clamp_min clamp_min_ clamp_max clamp_max_ hardtanh hardtanh_ "
    "threshold_backward hardtanh_backward nonzero is_same_size equal"
)
COMPARED = (
    "eq ne lt le gt ge isnan isinf isfinite logical_and logical_or logical_not logical_xor bitwise_and bitwise_or "
    "bitwise_xor bitwise_not logical_and_ logical_or_ any all sign signbit"
)
EXACT = "neg neg_ abs abs_ floor floor_ ceil ceil_ round round_ trunc trunc_ frac sgn conj_physical _conj resolve_conj"

INTEGER = (
    "add add_ sub sub_ rsub mul mul_ sum sum.dim_IntList cumsum floor_divide floor_divide_ remainder remainder_ "
    "div.Tensor_mode __lshift__ __rshift__ bitwise_left_shift bitwise_right_shift pow bincount prod _unique2 "
    "unique_dim"
)
"""Exact where every tensor holds integers or truth values."""

BOOKKEEPING = "add.Tensor add_.Tensor add.Scalar sub.Tensor sub_.Tensor mul.Tensor mul_.Tensor div.Tensor div_.Tensor"
"""One IEEE operation in float64, for counters and constants that are kept so; with a factor it is refused."""

for _names in (VIEWS, COPIES, MADE, CHOSEN, COMPARED, EXACT):
    PASSED.update(overloads(_names.split()))

INTEGER_ONLY = set(overloads(INTEGER.split()))
FLOAT64 = set(overloads(BOOKKEEPING.split()))
