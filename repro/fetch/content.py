"""Is it the file, or a page that came in its place? Recognised by content, whatever the server calls it."""

from __future__ import annotations

import re
from pathlib import Path

from repro.errors import Unavailable

HEAD_BYTES = 4096

_MARKUP = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html|head|body)\b", re.I | re.S
)
_TITLE = re.compile(rb"<title[^>]*>(.*?)</title", re.I | re.S)
_TOLD = {
    rb"quota|too many users": "the host's download quota for this file is used up; try again after a day",
    rb"virus scan": "the host asks to confirm a file that is too large for its virus scan",
    rb"sign in|log ?in|accounts\.google\.com": "the host wants a login",
    rb"deleted|not found|no longer|does not exist|expired": "the file is gone",
}


def page_told(head: bytes) -> str | None:
    """Return what a page says, if the first bytes of a download are a web page, else ``None``."""
    if not _MARKUP.match(head):
        return None
    found = _TITLE.search(head)
    title = " ".join(found[1].decode("utf-8", "replace").split()) if found else "no title"
    why = next((why for words, why in _TOLD.items() if re.search(words, head, re.I)), None)
    return f"a web page ({title!r})" + (f": {why}" if why else "")


def refuse_page(head: bytes, url: str, name: str) -> None:
    """Raise where the first bytes are a web page, unless that is what the file is.

    Raises:
        Unavailable: with what the page says.
    """
    told = None if name.endswith((".html", ".htm")) else page_told(head)
    if told is not None:
        raise Unavailable(f"{url} gave {told} instead of {name}", next_step=f"open {url} in a browser and see")


def refuse_page_file(path: Path, url: str, name: str) -> None:
    """Do the same for a file on disk."""
    with path.open("rb") as stream:
        refuse_page(stream.read(HEAD_BYTES), url, name)
