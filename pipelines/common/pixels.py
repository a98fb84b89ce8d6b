"""Images written as decimal numbers: one text per image, its grey levels row by row, separated by spaces."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from repro.errors import BadInput

_SPACE = ord(" ")
_ZERO = ord("0")
_LARGEST = 255


def parse_pixels(texts: Sequence[bytes], count: int) -> np.ndarray:
    """Return uint8 (len(texts), count).

    Raises:
        PixelError: a text does not hold ``count`` whole numbers 0..255 separated by white space.
    """
    texts = [text.strip() for text in texts]
    values = _parse_regular(texts, count)
    if values is None:  # a text is wrong, or only unusual: "7  8", "0007"
        values = np.empty((len(texts), count), np.uint8)
        for index, text in enumerate(texts):
            values[index] = _parse_one(index, text, count)
    return values


class PixelError(BadInput):
    """A text that is no image.

    Attributes:
        index: its place among the texts.
    """

    def __init__(self, index: int, message: str) -> None:
        super().__init__(message)
        self.index = index


def _parse_regular(texts: Sequence[bytes], count: int) -> np.ndarray | None:
    """Parse numbers of one to three digits between single spaces, all texts at once; ``None`` if any is not so.

    Every place of the joined text gets the number that would end there; those where one does are taken.
    """
    joined = np.frombuffer(b"  " + b" ".join(texts) + b" ", np.uint8)
    digits = joined - np.uint8(_ZERO)
    is_digit = digits < 10
    is_space = joined == _SPACE
    spaces = np.flatnonzero(is_space)[1:]
    row_ends = 2 + np.cumsum([len(text) + 1 for text in texts]) - 1
    if len(spaces) != 1 + len(texts) * count or not (is_digit | is_space).all():
        return None
    if not np.array_equal(spaces[count::count], row_ends):
        return None
    num_digits = np.diff(spaces) - 1
    if num_digits.min() < 1 or num_digits.max() > 3:
        return None
    digits *= is_digit
    last_two = digits[2:] + digits[1:-1] * np.uint8(10)
    hundreds = digits[:-2] * is_digit[1:-1]
    ends = spaces[1:] - 3  # the last digit's place, counted from the first place with two before it
    low, high = last_two.take(ends), hundreds.take(ends)
    values = low + high * np.uint8(100)  # modulo 256: 256..299 come out below their last two digits
    if high.max() > 2 or (values < low).any():
        return None
    return values.reshape(len(texts), count)


def _parse_one(index: int, text: bytes, count: int) -> np.ndarray:
    words = text.split()
    if len(words) != count:
        raise PixelError(index, f"expected {count} pixels, found {len(words)}")
    values = np.empty(count, np.uint8)
    for place, word in enumerate(words):
        # Digits are counted first: int() refuses thousands of them.
        if not word.isdigit() or len(word.lstrip(b"0")) > 3 or int(word) > _LARGEST:
            found = ascii(word[:12].decode("latin-1"))
            raise PixelError(index, f"pixel {place + 1}: expected a whole number 0..{_LARGEST}, found {found}")
        values[place] = int(word)
    return values
