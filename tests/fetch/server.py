"""A real HTTP server on the loopback that misbehaves, one path for each way."""

from __future__ import annotations

import gzip
import hashlib
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer

CONTENT = random.Random(20130613).randbytes(3_000_001)
OTHER = random.Random(7).randbytes(len(CONTENT))
SHA256 = hashlib.sha256(CONTENT).hexdigest()
QUOTA = (
    b"<!DOCTYPE html><html><head><title>Google Drive - Quota exceeded</title></head><body>"
    b"Sorry, you can't view or download this file at this time. Too many users have viewed or downloaded this file"
    b"</body></html>"
)


class Answering(BaseHTTPRequestHandler):
    """Answers by the first part of the path; ``self.count`` says how often the whole path was asked for."""

    protocol_version = "HTTP/1.1"
    server: Misbehaving

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        way = self.path.split("/")[1].partition("?")[0]
        self.server.asked.append((self.path, dict(self.headers)))
        self.server.counts[self.path] += 1
        self.count = self.server.counts[self.path]
        try:
            getattr(self, f"give_{way.replace('-', '_')}")()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    # how to answer

    def send(self, body: bytes, *, status: int = 200, length: int | None = None, **headers: str) -> None:
        """Send a whole answer; ``length`` is the length that is claimed."""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)
        if length is not None and length != len(body):
            self.drop()

    def drop(self) -> None:
        """Close the connection after this answer."""
        self.wfile.flush()
        self.close_connection = True

    def reset(self) -> None:
        """Send a TCP reset."""
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True

    def start(self) -> int:
        found = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        return int(found[1]) if found else 0

    def serve(
        self, content: bytes, etag: str | None, *, until: int | None = None, then: Callable[[], None] | None = None
    ) -> None:
        """Serve as a good server does, ranges and all; stop after ``until`` bytes of this answer, and then ..."""
        start = self.start()
        same = self.headers.get("If-Range") in (None, etag)
        if start >= len(content) and same and start:
            self.send(b"", status=416, Content_Range=f"bytes */{len(content)}")
            return
        rest = content[start:] if start and same else content
        self.send_response(206 if start and same else 200)
        self.send_header("Content-Length", str(len(rest)))
        if start and same:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        if etag is not None:
            self.send_header("ETag", etag)
        self.end_headers()
        self.wfile.write(rest[:until])
        if until is not None and until < len(rest):
            (then or self.drop)()

    # one method a way

    def give_good(self) -> None:
        self.serve(CONTENT, '"good"')

    def give_slow(self) -> None:
        """Good, in pieces with pauses: time enough to be killed in."""
        start = self.start() if self.headers.get("If-Range") == '"slow"' else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.send_header("ETag", '"slow"')
        self.end_headers()
        for at in range(start, len(CONTENT), 60_000):
            self.wfile.write(CONTENT[at : at + 60_000])
            time.sleep(0.01)

    def give_truncates(self) -> None:
        self.serve(CONTENT, '"t"', until=1_100_000)

    def give_truncates_always(self) -> None:
        self.send(CONTENT[:1000], length=len(CONTENT))

    def give_truncates_silently(self) -> None:
        """Say no length and close early, once."""
        self.send_response(200)
        self.end_headers()
        self.wfile.write(CONTENT[: 500_000 if self.count == 1 else None])
        self.drop()

    def give_stalls(self) -> None:
        self.serve(CONTENT, '"s"', until=1_200_000 if self.count == 1 else None, then=lambda: time.sleep(1.2))

    def give_stalls_always(self) -> None:
        time.sleep(1.2)
        self.close_connection = True

    def give_resets(self) -> None:
        self.serve(CONTENT, '"r"', until=1_300_000 if self.count < 3 else None, then=self.reset)

    def give_resets_always(self) -> None:
        self.reset()

    def give_missing(self) -> None:
        self.send(b"no", status=404)

    def give_gone(self) -> None:
        self.send(b"no", status=410)

    def give_forbidden(self) -> None:
        self.send(b"no", status=403)

    def give_busy(self) -> None:
        if self.count < 3:
            self.send(b"later", status=429, Retry_After="0")
        else:
            self.serve(CONTENT, '"b"')

    def give_busy_always(self) -> None:
        self.send(b"later", status=429)

    def give_broken(self) -> None:
        if self.count < 3:
            self.send(b"oops", status=500 if self.count == 1 else 503)
        else:
            self.serve(CONTENT, '"b"')

    def give_broken_always(self) -> None:
        self.send(b"oops", status=500)

    def give_ignores_ranges(self) -> None:
        if self.count == 1:
            self.send(CONTENT[:400_000], length=len(CONTENT), ETag='"i"')
        else:
            self.send(CONTENT, ETag='"i"')

    def give_lies_about_ranges(self) -> None:
        """Answer 206 with another range than was asked for."""
        if self.count == 1:
            self.send(CONTENT[:400_000], length=len(CONTENT), ETag='"l"')
        elif self.start():
            body = CONTENT[100_000:]
            told = f"bytes 100000-{len(CONTENT) - 1}/{len(CONTENT)}"
            self.send(body, status=206, ETag='"l"', Content_Range=told)
        else:
            self.send(CONTENT, ETag='"l"')

    def give_changes(self) -> None:
        """Be another file from the second try on, and say so."""
        if self.count == 1:
            self.send(OTHER[:400_000], length=len(OTHER), ETag='"old"')
        else:
            self.serve(CONTENT, '"new"')

    def give_changes_and_ignores_if_range(self) -> None:
        if self.count == 1:
            self.send(OTHER[:400_000], length=len(OTHER), ETag='"old"')
        elif start := self.start():
            told = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
            self.send(CONTENT[start:], status=206, ETag='"new"', Content_Range=told)
        else:
            self.send(CONTENT, ETag='"new"')

    def give_changes_in_secret(self) -> None:
        """Be another file from the second try on under the same ETag; only a digest can tell."""
        if self.count == 1:
            self.send(OTHER[:400_000], length=len(OTHER), ETag='"same"')
        else:
            self.serve(CONTENT, '"same"')

    def give_no_validator(self) -> None:
        if self.count == 1:
            self.send(OTHER[:400_000], length=len(OTHER))
        else:
            self.serve(CONTENT, None)

    def give_claims_more(self) -> None:
        self.send(CONTENT, length=len(CONTENT) + 5)

    def give_claims_less(self) -> None:
        self.send(CONTENT, length=len(CONTENT) - 5)

    def give_circle(self) -> None:
        self.send(b"", status=302, Location="/circle/b" if self.path.endswith("a") else "/circle/a")

    def give_redirect(self) -> None:
        self.send(b"", status=302, Location="/good/file")

    def give_html(self) -> None:
        self.send(b"\n<html><head><title>Sign in</title></head><body>log in</body></html>", Content_Type="text/plain")

    def give_quota(self) -> None:
        self.send(QUOTA, Content_Type="application/octet-stream")

    give_uc = give_quota  # where Google Drive serves files

    def give_gzip(self) -> None:
        self.send(gzip.compress(CONTENT, 1), Content_Encoding="gzip", ETag='"z"')

    def give_gzip_damaged(self) -> None:
        self.send(gzip.compress(CONTENT, 1)[:-9], Content_Encoding="gzip")

    def give_brotli(self) -> None:
        self.send(b"\x0b\x02\x80", Content_Encoding="br")

    def give_wrong(self) -> None:
        self.send(OTHER)

    def give_empty(self) -> None:
        self.send(b"")

    def give_chunked(self) -> None:
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(CONTENT), 250_000):
            piece = CONTENT[at : at + 250_000]
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            if self.count == 1 and at > 1_000_000:
                self.drop()
                return
        self.wfile.write(b"0\r\n\r\n")

    def give_archive(self) -> None:
        self.serve(self.server.bodies[self.path], '"a"')

    def give_api(self) -> None:
        """Answer as Kaggle's interface does: a token first, then a redirect to a storage."""
        if self.headers.get("Authorization") != "Basic bWU6c2VjcmV0":
            self.send(b"{}", status=401)
        else:
            self.serve(self.server.bodies[self.path], '"k"')


class Misbehaving(ThreadingHTTPServer):
    """The server; remembers what it was asked.

    Attributes:
        asked: path and headers of each request.
        counts: how often each path was asked for.
        bodies: what some paths give.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.counts: Counter[str] = Counter()
        self.bodies: dict[str, bytes] = {}

    def server_bind(self) -> None:
        """Bind without looking up this machine's name, which takes a while."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = "localhost", self.server_address[1]

    def handle_error(self, *arguments: object) -> None:
        """Say nothing: the clients are meant to go away."""

    def url(self, way: str) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{way}"


@contextmanager
def serving() -> Iterator[Misbehaving]:
    """Serve in a thread of its own."""
    with Misbehaving() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
