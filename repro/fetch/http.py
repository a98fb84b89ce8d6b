"""Plain HTTP and HTTPS: in pieces, tried again, resumed where the server proves that the file is still the same.

The bytes go into a ``.partial`` file as the server sends them; beside it lies what the server said of the file
(``.partial.json``), written first. A partial file is gone on with only by the same URL, from a validator (a strong
ETag, else the date of last modification), and if length and encoding have not changed. Everything else starts over.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import threading
import zlib
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3

from repro.errors import PrerequisiteError, Unavailable
from repro.fetch.content import HEAD_BYTES, refuse_page
from repro.fetch.settings import Call, Settings
from repro.store.atomic import write_atomic

_PIECE = 1 << 16
_PROGRESS_BYTES = 1 << 20
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
_WITHOUT_ANSWER = 2
"""How often a server that cannot be reached at all is tried."""


class _TryAgainError(Exception):
    """Something that may be otherwise next time."""

    def __init__(self, why: str, *, wait: float | None = None, answered: bool = True) -> None:
        super().__init__(why)
        self.wait, self.answered = wait, answered


@dataclass(frozen=True)
class _Note:
    """What a server said of the file that a partial file is the beginning of."""

    url: str
    etag: str | None
    modified: str | None
    total: int | None
    encoding: str

    @property
    def validator(self) -> str | None:
        """What ``If-Range`` takes: a weak ETag promises no equal bytes."""
        if self.etag and not self.etag.startswith("W/"):
            return self.etag
        return self.modified

    def is_of(self, other: _Note) -> bool:
        """Whether both speak of one content: what both state is equal, and both state something that tells."""
        if self.encoding != other.encoding or (self.total or 0) != (other.total or 0):
            return False
        if self.etag and other.etag:
            return self.etag == other.etag
        return self.modified is not None and self.modified == other.modified


@dataclass(frozen=True)
class Received:
    """How a file came in: ``whole`` if in one piece whose length the server had said."""

    whole: bool


class Http:
    """Downloads over HTTP; one for all threads of a run, so that a dead host is asked once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._dead: dict[str, str] = {}
        self._alive: set[str] = set()

    def reach(self, url: str) -> None:
        """See whether a URL's host answers at all, once for each host; for transports that do not say so quickly.

        Raises:
            Unavailable: it does not.
            KeyboardInterrupt: the call was stopped.
        """
        host = urlsplit(url).netloc
        for failures in range(1, _WITHOUT_ANSWER + 1):
            if host in self._alive:
                return
            self._refuse_dead(url)
            try:
                with requests.Session() as session, self._answer(session, url, {}, None):
                    self._alive.add(host)
            except _TryAgainError as error:
                if failures == _WITHOUT_ANSWER:
                    self._dead[host] = str(error)
                    self._refuse_dead(url)

    def _refuse_dead(self, url: str) -> None:
        why = self._dead.get(urlsplit(url).netloc)
        if why is not None:
            raise Unavailable(f"{url}: {why}", next_step="check the network, then fetch again")

    def download(self, url: str, partial: Path, name: str, call: Call, auth: tuple[str, str] | None = None) -> Received:
        """Bring a URL's content into ``partial``, going on with what is there if that is sound.

        Args:
            url: what to get.
            partial: where to; left there when it fails, for the next call.
            name: the file, for errors; whether it ends in ``.gz`` decides what a gzip encoding means.
            call: progress and stop.
            auth: user and key for HTTP's basic scheme; not sent on to another host.

        Raises:
            Unavailable: it cannot be had there; the message says why.
            PrerequisiteError: the disk is full.
            KeyboardInterrupt: the call was stopped.
        """
        self._refuse_dead(url)
        partial.parent.mkdir(parents=True, exist_ok=True)
        failures, size = 0, _size(partial)
        while True:
            try:
                received = self._attempt(url, partial, name, call, auth)
                self._decode(partial, url, name)
                return received
            except _TryAgainError as error:
                if _size(partial) >= size + _PROGRESS_BYTES:
                    failures = 0
                failures, size = failures + 1, _size(partial)
                if failures >= (self._settings.tries if error.answered else _WITHOUT_ANSWER):
                    if not error.answered:
                        self._dead[urlsplit(url).netloc] = str(error)
                    raise Unavailable(
                        f"{url}: {error} ({failures} tries)", next_step="check the network, then fetch again"
                    ) from error
                self._wait(error.wait, failures, call.stop)

    def _wait(self, asked: float | None, failures: int, stop: threading.Event) -> None:
        seconds = self._settings.backoff_seconds * 2 ** (failures - 1) if asked is None else asked
        if stop.wait(min(seconds, self._settings.longest_wait_seconds)):
            raise KeyboardInterrupt

    def _attempt(self, url: str, partial: Path, name: str, call: Call, auth: tuple[str, str] | None) -> Received:
        note = _read_note(partial)
        start = _size(partial)
        if start and (note is None or note.url != url or note.validator is None):
            forget(partial)
            start, note = 0, None
        if start and note is not None and note.total == start:  # killed after the last byte
            return Received(whole=False)
        headers = {"Accept-Encoding": "identity", "User-Agent": "repro"}
        if start and note is not None:
            headers |= {"Range": f"bytes={start}-", "If-Range": str(note.validator)}
        with requests.Session() as session:
            session.max_redirects = 10
            with self._answer(session, url, headers, auth) as response:
                return self._receive(response, url, partial, name, call, start, note)

    def _answer(
        self, session: requests.Session, url: str, headers: dict[str, str], auth: tuple[str, str] | None
    ) -> requests.Response:
        patience = (self._settings.connect_seconds, self._settings.read_seconds)
        try:
            return session.get(url, headers=headers, auth=auth, stream=True, timeout=patience)
        except requests.TooManyRedirects as error:
            raise Unavailable(f"{url}: redirected in a circle, or more than 10 times") from error
        except requests.exceptions.SSLError as error:
            raise Unavailable(f"{url}: the secure connection failed: {_cause(error)}") from error
        except requests.exceptions.ProxyError as error:
            raise _TryAgainError(f"the proxy does not let it through: {_cause(error)}", answered=False) from error
        except requests.ReadTimeout as error:
            raise _TryAgainError(f"no answer in {self._settings.read_seconds:g} s") from error
        except (requests.ConnectTimeout, requests.ConnectionError) as error:
            reached = "reset" in repr(error).lower() or "RemoteDisconnected" in repr(error)
            raise _TryAgainError(f"connection failed: {_cause(error)}", answered=reached) from error
        except (requests.RequestException, ValueError) as error:
            raise Unavailable(f"{url}: {_cause(error)}") from error

    def _receive(
        self,
        response: requests.Response,
        url: str,
        partial: Path,
        name: str,
        call: Call,
        start: int,
        note: _Note | None,
    ) -> Received:
        _refuse_status(response, url, partial, start, note)
        said = _note_of(response, url)
        if said.encoding not in ("identity", "gzip"):
            raise Unavailable(f"{url}: sent in the encoding {said.encoding!r}, though none was asked for")
        if response.status_code == 206:
            first = _range_start(response)
            if not start or first != start or note is None or not note.is_of(said):
                forget(partial)
                raise _TryAgainError("the file on the server is another than at the last try", wait=0)
        else:
            start = 0
            forget(partial)
            self._refuse_full_disk(partial, said.total)
            write_atomic(_note_path(partial), json.dumps(asdict(said)))
        self._write(response, url, partial, name, call, start, said)
        return Received(whole=start == 0 and said.total is not None)

    def _write(
        self,
        response: requests.Response,
        url: str,
        partial: Path,
        name: str,
        call: Call,
        start: int,
        said: _Note,
    ) -> None:
        done, why = start, ""
        try:
            with partial.open("ab") as stream:
                for piece in response.raw.stream(_PIECE, decode_content=False):
                    if done == 0 and said.encoding == "identity":
                        refuse_page(piece[:HEAD_BYTES], url, name)
                    stream.write(piece)
                    done += len(piece)
                    call.progress(done, said.total)
                    if call.stop.is_set():
                        raise KeyboardInterrupt
        except Unavailable:
            forget(partial)
            raise
        except (urllib3.exceptions.HTTPError, requests.RequestException, ConnectionError, TimeoutError) as error:
            why = f": {_cause(error)}"
        except OSError as error:
            raise cannot_write(partial, error) from error
        if why or (said.total is not None and done != said.total):
            raise _TryAgainError(f"it broke off after {done} of {said.total or 'an unknown number of'} bytes{why}")

    def _refuse_full_disk(self, partial: Path, total: int | None) -> None:
        free = shutil.disk_usage(partial.parent).free
        if total is not None and total > free:
            raise PrerequisiteError(
                f"{partial.name} takes {total} bytes and the disk of the cache has {free} free",
                next_step="make room, or name another cache with --cache",
            )

    def _decode(self, partial: Path, url: str, name: str) -> None:
        """Undo the gzip encoding of a server that ignores that none was asked for, with its checksum checked."""
        note = _read_note(partial)
        if note is None or note.encoding != "gzip" or name.endswith((".gz", ".tgz")):
            return
        decoded = partial.with_name(f"{partial.name}.decoded")
        try:
            with gzip.open(partial) as source, decoded.open("wb") as target:
                shutil.copyfileobj(source, target, _PIECE)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            decoded.unlink(missing_ok=True)
            forget(partial)
            raise Unavailable(f"{url}: its gzip encoding is damaged: {error}") from error
        except OSError as error:
            decoded.unlink(missing_ok=True)
            raise cannot_write(decoded, error) from error
        _note_path(partial).unlink(missing_ok=True)  # the decoded bytes are nothing to go on with
        decoded.replace(partial)


def _refuse_status(response: requests.Response, url: str, partial: Path, start: int, note: _Note | None) -> None:
    status = response.status_code
    if status in (200, 206):
        return
    if status == 416 and start:
        forget(partial)
        raise _TryAgainError("the server has nothing after what is here", wait=0)
    if status in _TRANSIENT:
        raise _TryAgainError(f"the server answered {status}", wait=_asked_wait(response))
    why = {
        401: "a login is needed",
        403: "access is refused",
        404: "there is no such file",
        410: "the file is gone",
    }.get(status, "which gives no file")
    raise Unavailable(f"{url}: the server answered {status}: {why}", next_step=f"open {url} in a browser and see")


def _note_of(response: requests.Response, url: str) -> _Note:
    headers = response.headers
    total: int | None = None
    if response.status_code == 206:
        found = re.fullmatch(r"bytes \d+-\d+/(\d+)", headers.get("Content-Range", ""))
        total = int(found[1]) if found else None
    elif headers.get("Content-Length", "").isdigit() and "chunked" not in headers.get("Transfer-Encoding", "").lower():
        total = int(headers["Content-Length"])
    encoding = headers.get("Content-Encoding", "identity").strip().lower() or "identity"
    return _Note(
        url=url,
        etag=headers.get("ETag"),
        modified=headers.get("Last-Modified"),
        total=total,
        encoding="gzip" if encoding == "x-gzip" else encoding,
    )


def _range_start(response: requests.Response) -> int | None:
    found = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
    return int(found[1]) if found else None


def _asked_wait(response: requests.Response) -> float | None:
    asked = response.headers.get("Retry-After", "")
    if asked.isdigit():
        return float(asked)
    try:
        return max(0.0, (parsedate_to_datetime(asked) - datetime.now(UTC)).total_seconds()) if asked else None
    except (TypeError, ValueError):
        return None


def _cause(error: BaseException) -> str:
    """Return the innermost reason, without the objects' addresses that requests puts into its texts."""
    reason: Any = error
    while True:
        inner = getattr(reason, "reason", None) or next((a for a in reason.args if isinstance(a, BaseException)), None)
        if not isinstance(inner, BaseException) or inner is reason:
            break
        reason = inner
    return re.sub(r"<[^>]*>:? ?|\w+\(host=.*?\): ", "", str(reason)) or type(reason).__name__


def _note_path(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.json")


def _read_note(partial: Path) -> _Note | None:
    try:
        return _Note(**json.loads(_note_path(partial).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def forget(partial: Path) -> None:
    """Remove a partial file, then what was known of it: a note never describes another file's bytes."""
    partial.unlink(missing_ok=True)
    _note_path(partial).unlink(missing_ok=True)


def cannot_write(path: Path, error: OSError) -> PrerequisiteError:
    """Return the error for a file that the disk does not take."""
    return PrerequisiteError(
        f"{path.name} cannot be written: {error.strerror or error}",
        next_step="make room, or name another cache with --cache, then fetch again",
    )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
