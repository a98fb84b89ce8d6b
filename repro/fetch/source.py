"""What an address in ``artifacts.toml`` means: which transport, and which member of an archive."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit

from repro.errors import BadInput


class Transport(StrEnum):
    """How an address is reached."""

    HTTP = "http"
    DRIVE_FILE = "Google Drive file"
    DRIVE_FOLDER = "Google Drive folder"
    WHEEL = "wheel"
    KAGGLE = "Kaggle"
    LOCAL = "local file"
    BY_HAND = "by hand"


_BY_HAND = ("pan.baidu.com", "aihub.or.kr")
"""Hosts that give files only to people who have logged in, and to no program."""

_DRIVE = ("drive.google.com", "docs.google.com")


@dataclass(frozen=True)
class Source:
    """One address.

    Attributes:
        url: as it is declared.
        transport: how it is reached.
        target: what the transport needs: a URL, a Drive id, a requirement, ``COMPETITION/FILE``, a path.
        member: the file inside the archive, wheel or folder, or ``None`` for what is served itself.
    """

    url: str
    transport: Transport
    target: str
    member: str | None

    @property
    def is_remote(self) -> bool:
        """Whether it takes a network."""
        return self.transport is not Transport.LOCAL


def parse_source(url: str) -> Source:
    """Return what an address means.

    Raises:
        BadInput: nothing here reads such an address.
    """
    address, _, inner = url.partition("!")
    member = inner or None
    scheme, _, rest = address.partition(":")
    parts = urlsplit(address)
    host = parts.hostname or ""
    if scheme == "pypi" and member:
        return Source(url, Transport.WHEEL, rest, member)
    if scheme == "kaggle" and rest.count("/") == 1:
        return Source(url, Transport.KAGGLE, rest, member)
    if scheme == "file":
        return Source(url, Transport.LOCAL, parts.path, member)
    if scheme in ("http", "https") and host:
        if any(host == one or host.endswith(f".{one}") for one in _BY_HAND):
            return Source(url, Transport.BY_HAND, address, member)
        if host in _DRIVE:
            identity, is_folder = _drive_id(address)
            return Source(url, Transport.DRIVE_FOLDER if is_folder else Transport.DRIVE_FILE, identity, member)
        return Source(url, Transport.HTTP, address, member)
    raise BadInput(
        f"{url!r} is no address that can be fetched",
        next_step="expected https:, file:, kaggle:COMPETITION/FILE or pypi:PROJECT==VERSION!MEMBER",
    )


def _drive_id(url: str) -> tuple[str, bool]:
    parts = urlsplit(url)
    if found := re.search(r"/folders/([\w-]+)", parts.path):
        return found[1], True
    if found := re.search(r"/d/([\w-]+)", parts.path):
        return found[1], False
    if ids := parse_qs(parts.query).get("id"):
        return ids[0], False
    raise BadInput(f"{url!r} names no file or folder of Google Drive")
