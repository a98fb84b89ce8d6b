"""The search over all 2**32 float32 arguments of every correctly rounded function.

``python -m tests.canonical.exhaustive [NAME ...]`` searches (minutes a function on one core) and prints one row of the
table in docs/canonical-functions.md each; ``--exceptions FILE`` also writes the table of exceptions as
``repro/canonical/exceptions.py`` holds it, the functions that were not named as they are there.

The machine's float64 function decides wherever its value, with a margin of 2**-42, lies on one side of a place halfway
between two float32 values. What is left is decided in multiple precision and held against the reference. A margin of
2**-44, which is what the fast route trusts, can on no machine leave open what this search did not decide.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from repro.canonical.exceptions import EXCEPTIONS
from repro.canonical.functions import FUNCTIONS, Function
from tests.canonical.multiple_precision import rounded

WIDE = {"gelu": 2.0**-40, "gelu_derivative": 2.0**-40}
MARGIN = 2.0**-42
"""Four times what the fast route trusts: its own error, another machine's, and as much again."""

HALVES = ("gelu", "silu")
HALVES_BELOW = 2.0**-125
SIGN = 0x80000000

BLOCK = 2**18
ALL = 2**32


@dataclass
class Found:
    """What a search found.

    Attributes:
        arguments: how many were looked at, NaN left out.
        near: how many were left to multiple precision.
        exceptions: the argument's bits to the right result's, where the rounded float64 reference is wrong.
        wrong: arguments' bits for which the function gives another value than multiple precision.
        seconds: wall clock.
    """

    arguments: int = 0
    near: int = 0
    exceptions: dict[int, int] = field(default_factory=dict)
    wrong: list[int] = field(default_factory=list)
    seconds: float = 0.0


def near_places(function: Function, start: int, stop: int) -> Iterator[Tensor]:
    """Yield the arguments, float32, that the machine's float64 value does not decide, of those with bits in a range."""
    margin = WIDE.get(function.name, MARGIN)
    for first in range(start, stop, BLOCK):
        bits = torch.arange(first, min(first + BLOCK, stop), dtype=torch.int64)
        x = bits.to(torch.int32).view(torch.float32)
        low, high = function.bounds(x.double(), margin)
        low, high = low.float(), high.float()
        if not torch.equal(low, high):
            yield x[(low != high) & ~torch.isnan(low) & ~_by_rule(function, x)]


def _by_rule(function: Function, x: Tensor) -> Tensor:
    """Tell which arguments :func:`wrong_halves` decides."""
    if function.name not in HALVES:
        return torch.zeros_like(x, dtype=torch.bool)
    return x.abs() < HALVES_BELOW


def wrong_halves(function: Function, start: int, stop: int) -> list[int]:
    """Return the arguments below 2**-125 with bits in [start, stop) for which GELU or SiLU gives a wrong value.

    There f(x) = x/2 + c x*x with 0 < c < 1/2, the second term below 2**-125 of the first. The result is denormal, of
    unit 2**-149, and x has that unit too: x/2 is a result or halfway between two, and then the upper one is nearest.
    """
    wrong: list[int] = []
    for sign in (0, SIGN):
        first, last = max(start, sign), min(stop, sign + (1 << 24))
        for low in range(first, last, BLOCK):
            magnitude = torch.arange(low, min(low + BLOCK, last), dtype=torch.int64) - sign
            right = (magnitude >> 1) + (0 if sign else magnitude & 1) + sign
            x = (magnitude + sign).to(torch.int32).view(torch.float32)
            for route in ("fast", "reference"):
                ours = function(x, route=route).view(torch.int32).to(torch.int64) & 0xFFFFFFFF
                wrong += (magnitude + sign)[ours != right].tolist()
    return wrong


def search(function: Function, start: int = 0, stop: int = ALL) -> Found:
    """Search the arguments whose bits lie in [start, stop)."""
    began, found = time.monotonic(), Found()
    for x in near_places(function, start, stop):
        plain = function.reference(x.double()).float()
        settled = function(x, route="reference")
        keys = x.view(torch.int32).tolist()
        for key, float64, ours in zip(
            keys, plain.view(torch.int32).tolist(), settled.view(torch.int32).tolist(), strict=True
        ):
            found.near += 1
            right = rounded(function.name, key & 0xFFFFFFFF)
            if float64 & 0xFFFFFFFF != right:
                found.exceptions[key & 0xFFFFFFFF] = right
            if ours & 0xFFFFFFFF != right:
                found.wrong.append(key & 0xFFFFFFFF)
    if function.name in HALVES:
        found.wrong += wrong_halves(function, start, stop)
    found.arguments = stop - start - sum(max(0, min(stop, b) - max(start, a)) for a, b in _NAN)
    found.seconds = time.monotonic() - began
    return found


_NAN = ((0x7F800001, 0x80000000), (0xFF800001, ALL))


def row(name: str, found: Found) -> str:
    """Return the function's row of the table."""
    return f"| {name} | {found.arguments} | {found.near} | {len(found.exceptions)} |"


def module(tables: dict[str, dict[int, int]]) -> str:
    """Return the text of ``repro/canonical/exceptions.py``."""
    lines = [HEAD, "EXCEPTIONS: dict[str, dict[int, int]] = {"]
    for name, table in sorted(tables.items()):
        if table:
            lines.append(f'    "{name}": {{')
            lines += [f"        0x{key:08X}: 0x{value:08X}," for key, value in sorted(table.items())]
            lines.append("    },")
    return "\n".join([*lines, "}\n"])


HEAD = '''"""Where a function's rounded float64 reference is not the float32 nearest to it: argument to result, as bits.

Written by ``python -m tests.canonical.exhaustive --exceptions``, which searches all 2**32 arguments. These are all that
there are among the arguments whose value lies within 2**-42 (gelu and its derivative: 2**-40) of a place halfway
between two float32 values; a function that was searched (docs/canonical-functions.md) and has no table has none.
"""
'''


def main() -> int:
    """Search the functions that were asked for; 1 if any gives a wrong value."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*FUNCTIONS, []], help="all by default")
    parser.add_argument("--exceptions", type=Path, help="where to write the table of exceptions")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    tables, wrong = {name: dict(table) for name, table in EXCEPTIONS.items()}, False
    print("| function | arguments | near | exceptions |\n|---|---|---|---|", flush=True)
    for name in asked.names or FUNCTIONS:
        found = search(FUNCTIONS[name])
        print(row(name, found), flush=True)
        print(f"{name}: {found.seconds:.0f} s", file=sys.stderr, flush=True)
        if found.wrong:
            print(f"{name} gives wrong values at {', '.join(hex(bits) for bits in found.wrong[:9])}", file=sys.stderr)
            wrong = True
        tables[name] = found.exceptions
    if asked.exceptions:
        asked.exceptions.write_text(module(tables), encoding="utf-8")
    return int(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
