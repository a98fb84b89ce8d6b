"""Text from records, made harmless and laid out: terminals and parsers obey codes that a record may hold."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from textwrap import wrap

import tabulate

from repro.hardware.caps import described

# Where the package wcwidth happens to be installed, columns would be padded otherwise than elsewhere.
tabulate.WIDE_CHARS_MODE = False

WIDTH = 80
"""Columns of a terminal."""

_INDENT = "  "

_REFUSED = {"Cc", "Cf", "Cs"}
"""Control codes, invisible marks (text direction among them) and halves of surrogate pairs."""

_NONCHARACTERS = "\ufffe\uffff"


def one_line(text: str) -> str:
    """Return text on one line with single blanks; what is no visible character becomes U+FFFD."""
    shown = (" " if char.isspace() else "\ufffd" if _is_refused(char) else char for char in text)
    return " ".join("".join(shown).split())


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, style: str, wrap_last: int | None = None) -> str:
    """Return a table of texts as they are, left-aligned.

    Args:
        style: one of tabulate's.
        wrap_last: width to which the last column is wrapped.
    """
    widths = None if wrap_last is None else [*[None] * (len(headers) - 1), wrap_last]
    text = tabulate.tabulate(rows, headers, tablefmt=style, disable_numparse=True, maxcolwidths=widths)
    # Nothing stands behind the last column, so padding it only makes lines wrap in a terminal.
    return "\n".join(re.sub(r" +\|$", " |", re.sub(r"-{3,}\|$", "---|", line)).rstrip() for line in text.split("\n"))


def narrow(headers: Sequence[str], rows: Sequence[Sequence[str]], below: Sequence[Sequence[str]]) -> str:
    """Return a table for a terminal of 80 columns; what is long stands wrapped below its row.

    Args:
        rows: texts for the columns, short ones.
        below: of each row, texts that get lines of their own; empty ones are left out.
    """
    head, line, *body = table(headers, [[one_line(text) for text in row] for row in rows], style="simple").split("\n")
    lines = [head, line]
    for shown, texts in zip(body, below, strict=True):
        lines.append(shown)
        for text in texts:
            lines += wrapped(one_line(text), indent=_INDENT, first=_INDENT)
    return "\n".join(lines)


def wrapped(text: str, *, indent: str = "", first: str = "") -> list[str]:
    """Return lines for a terminal of 80 columns, none for no text; names with hyphens stay whole.

    Args:
        text: on one line; see :func:`one_line`.
        indent: what stands before every line but the first.
        first: what stands before that.
    """
    return wrap(text, WIDTH, initial_indent=first, subsequent_indent=indent, break_on_hyphens=False)


def counted(number: int, noun: str) -> str:
    """Return ``1 record``, ``2 records``; the noun's plural ends in s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def subject(system: str | None, model: str | None) -> str:
    """Return ``system/model`` as far as there is one."""
    return "/".join(part for part in (system, model) if part) or "all systems"


def device(name: str | None, isa: str | None) -> str:
    """Return what it ran on: ``cpu``, ``cpu up to avx2``."""
    return f"{name or '?'} {described(isa)}" if isa else name or ""


def _is_refused(char: str) -> bool:
    return unicodedata.category(char) in _REFUSED or char in _NONCHARACTERS
