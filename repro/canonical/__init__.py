"""Arithmetic whose float32 bits no machine, library or version can choose: ``canonical-1``.

    with canonical(seed=0) as mode:
        mode.begin_step(step)
        loss = F.cross_entropy(model(images), labels)
        loss.backward()
        optimiser.step()

An unmodified torch model, its loss, its backward pass and its optimiser compute canonically inside. The functions
beneath (:mod:`~repro.canonical.convolution`, :mod:`~repro.canonical.normalise`, ...) can be called without the mode.

**Principle.** Every operation is a function from float32 tensors to float32 tensors that mathematics defines, and no
order of evaluation. RN32 and RN64 round to nearest, ties to even. There are four kinds:

* *movement*: nothing is rounded (views, copies, comparisons, maxima);
* *elementwise*: float64 operations in which every product is exact, then RN32. Products of two float32 fit 48 bits, so
  fusing multiply and add changes nothing. Constants are rounded to float32 once;
* *exact products and sums*: integers on a power-of-two grid, added exactly, scaled exactly, rounded once;
* *functions* of one variable: RN32(f(x)), of which there is only one.

So an implementation may take any route to a value and may choose routes by time; two routes must agree to the bit.

**Quantise.** For a group of values with largest magnitude A, let 2**(e-1) <= A < 2**e (e = 0 for A = 0) and u =
2**(e-B). Then q = round-half-even(x / u) is an integer with |q| <= 2**B, and x/u is exact. The group's axes are those
that the operation contracts; the scale varies along the others:

=========================  ==========================  ==========================
operation                  scale of the first operand  scale of the second
=========================  ==========================  ==========================
convolution                x: per sample               w: per output channel
its input gradient         dy: per sample              w: per input channel
its weight gradient        dy: per output channel      x: per input channel
transposed convolution     x: per sample               w: per output channel
A B (linear, mm, bmm)      A: per row                  B: per column
=========================  ==========================  ==========================

**Exact dot product.** S = sum q_x q_w over the integers, B = 20. Value: RN32(RN64((S + 0) * u_x * u_w) + bias), the
scale exact; ``+ 0`` makes a zero positive. *Budget.* K products of magnitude at most 2**(2B) have every partial sum,
of any subset in any order, within K * 2**(2B). For K <= 8192 = 2**(53-2B) that is within 2**53, where every integer is
a float64: each addition, fused or not, is exact. Beyond: (1) a partial sum is at most max|q_x| times the 1-norm of
q_w, so one pass is exact if the norm is at most 2**(53-B) = 2**33; (2) two exact halves need one addition,
RN64(S1 + S2) = RN64(S); (3) more chunks are added as int64, |S| < 2**63 for K < 2**23, and converted once. The other
route splits q into three digits d of base 128, each in [-64, 64]: nine int8 products whose int32 sums are exact for K
<= 2**17 (three together: 3 * 2**17 * 2**12 < 2**31). B is a constant: made to depend on K, the result would depend on
how a layer is split.

**Exact sum** of n terms: quantised to 53 - ceil(log2 n) bits, added, scaled; means divide in float64 and round once.
The same holds for kernels with coefficients 0 and 1 (pools, their gradients, scatter, index_put), n being the fan-in.

**Functions** exp, log, sigmoid, silu, tanh, erf, gelu and its derivative, rsqrt and sqrt are correctly rounded:
:mod:`repro.canonical.functions`. Derivatives are products of their values, each product rounded. A power with another
exponent than 2, 3, 1, 0, -1, 1/2, -1/2 is the one literal sequence: RN32(exp64(b * log64(a))).

**Compositions** (normalisations, softmax, losses, pools, sampling, optimisers) are the formulas in the docstrings of
the functions; every RN32 in them is a rounding, and there is no other. Bias corrections 1 - beta**t of stock Adam are
repeated float64 products.

**Random numbers** are Philox4x32-10 words, counter (element block in the sample, sample, ordinal of the random
operation in the step, step), key the seed: :mod:`repro.canonical.philox`. A draw with probability p is word <
round(p * 2**32); a uniform number has 24 bits.

**Special values.** A group with NaN or an infinity makes all outputs that use it NaN. Zeros of sums are positive.
Denormals are exact; with flush-to-zero a machine is refused (:mod:`repro.canonical.selftest`). NaN bits differ between
processors: :func:`one_nan` gives every NaN the bits 0x7FC00000 before a digest.

**Guaranteed:** the same float32 bits for the same inputs, weights, seed, version and graph of operations, whatever the
instruction set, threads, library, blocking, architecture and PyTorch version; in inference for any composition of the
batch; in training for any order of the samples in it.

**Not guaranteed:** another graph (fused layers, another decomposition) is another function, and PyTorch chooses by
strides whether a linear layer of three axes is one operation or a product and a sum; agreement with native bits; a
batch split in parts, but for :mod:`repro.canonical.limbs`; batch norm in training depends on its batch; what prepares
the inputs; types other than float32. What has no canonical form raises :class:`repro.errors.NoCanonicalForm`;
nothing falls back. Accuracy: 20 bits a scale group are 2 to 17 times the error of native float32 in the scores of most
networks measured, about a hundred in two with attention, and more where one outlier sets the scale of many.

Any change to a definition here or beneath is a new version.
"""

from __future__ import annotations

import torch

from repro.canonical.mode import canonical

VERSION = "canonical-1"
"""Bit budget, table of operations and decompositions. Part of every record and key."""

_ONE_NAN = 0x7FC00000


def one_nan(tensor: torch.Tensor) -> torch.Tensor:
    """Return a float32 tensor whose NaNs all have the bits 0x7FC00000."""
    bits = tensor.view(torch.int32)
    return torch.where(torch.isnan(tensor), _ONE_NAN, bits).view(torch.float32)


__all__ = ["VERSION", "canonical", "one_nan"]
