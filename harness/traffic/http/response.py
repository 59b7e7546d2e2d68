"""One HTTP/1.1 response as its bytes arrive, parsed by httptools; the rest of a long body goes straight into place."""

import time
import zlib
from typing import Any, cast

import httptools
import msgspec

LARGEST_REPLY = 64 * 1024 * 1024
"""Bytes of one response, its head included; also of an inflated body."""
LONG = 256 * 1024
"""Bytes of a body of known length from which on it is received into one buffer."""
KNOWN = 64
"""Most heads that are kept."""


class RequestFailed(Exception):
    """No whole response came. ``kind`` is one word: refused, resolve, tls, timeout, reset, malformed, too_large,
    redirect, proxy."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class Reply(msgspec.Struct, frozen=True, gc=False):
    """A whole response. ``location`` is set for redirects; ``encoding`` is its Content-Encoding, if any."""

    status: int
    body: bytes
    location: str = ""
    encoding: str = ""
    pieces: tuple[tuple[float, int], ...] = ()
    """(seconds since sending began, bytes of the body so far) of each piece that arrived; for timed clients only."""


class IncomingResponse:
    """Feed it what arrives until it is ``complete``. ``begun`` (monotonic seconds) asks for the time of each piece."""

    def __init__(self, begun: float | None = None) -> None:
        self.begun = begun
        self.status = self.heard = 0
        self.location = self.encoding = ""
        self.length: int | None = None
        """What Content-Length said."""
        self.chunked = self.has_head = self.complete = self.keep = False
        """``keep``: the connection may carry another request once this is complete."""
        self.pieces: list[tuple[float, int]] = []
        self._chunks: list[bytes] = []
        self._long: bytearray | None = None
        self._have = 0
        self._parser: Any = httptools.HttpResponseParser(self)

    def feed(self, data: bytes) -> None:
        """Take in what arrived. Raises :class:`RequestFailed`."""
        self.heard += len(data)
        if self.heard > LARGEST_REPLY:
            raise RequestFailed("too_large", f"more than {LARGEST_REPLY} bytes")
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as e:
            raise RequestFailed("malformed", str(e)) from e

    def rest(self) -> memoryview | None:
        """Where the next bytes go, if they are a long body's; :meth:`fill` says how many came.

        Raises :class:`RequestFailed` for one that is too long.
        """
        if self._long is None:
            if not self.has_head or self.chunked or (self.length or 0) < LONG or self.begun is not None:
                return None
            self._long = self._begun_long(self.length or 0)
        return memoryview(self._long)[self._have :]

    def fill(self, count: int) -> None:
        """So many bytes were received into :meth:`rest`."""
        assert self._long is not None
        self._have += count
        self.complete = self._have == len(self._long)

    def closed(self) -> bool:
        """Whether the response is whole now that the server has closed: one without a length is."""
        return self.has_head and self.length is None and not self.chunked

    @property
    def usual(self) -> bool:
        """Whether it is whole, and status and body are all there is to it."""
        return self.complete and self.keep and not (self.location or self.encoding)

    def reply(self) -> Reply:
        """The whole response, inflated. Raises :class:`RequestFailed`."""
        # A bytearray serves wherever bytes are read; a copy of it would take as much memory again.
        body = b"".join(self._chunks) if self._long is None else cast("bytes", self._long)
        if self.encoding not in ("", "identity"):
            body = inflated(body, self.encoding)
        self._parser = None  # which holds this in turn: a cycle for each response keeps the garbage collector busy
        return Reply(self.status, body, self.location, self.encoding, tuple(self.pieces))

    def _begun_long(self, length: int) -> bytearray:
        """A buffer for the whole body, with what came of it so far."""
        if length > LARGEST_REPLY:
            raise RequestFailed("too_large", f"{length} bytes, which is more than {LARGEST_REPLY}")
        buffer = bytearray(length)
        for chunk in self._chunks:
            buffer[self._have : self._have + len(chunk)] = chunk
            self._have += len(chunk)
        return buffer

    def on_header(self, name: bytes, value: bytes) -> None:
        # Lengths first: most headers are none of ours, and this runs for each of them.
        size = len(name)
        if size == 14 and name.lower() == b"content-length":
            self.length = int(value)
        elif size == 17 and name.lower() == b"transfer-encoding":
            self.chunked = True
        elif size == 8 and name.lower() == b"location":
            self.location = value.decode("latin-1")
        elif size == 16 and name.lower() == b"content-encoding":
            self.encoding = value.decode("latin-1").strip().lower()

    def on_headers_complete(self) -> None:
        if self.complete:  # a second response, which nobody asked for
            self.keep = False
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:  # early hints, continue: the response proper is still to come
            self.length, self.chunked, self.location, self.encoding = None, False, "", ""
            return
        self.has_head, self.keep = True, self._parser.should_keep_alive()

    def on_body(self, chunk: bytes) -> None:
        if self.complete:
            return
        self._chunks.append(chunk)
        if self.begun is not None:
            so_far = self.pieces[-1][1] if self.pieces else 0
            self.pieces.append((time.monotonic() - self.begun, so_far + len(chunk)))

    def on_message_complete(self) -> None:
        self.complete = self.has_head


class Heads:
    """What httptools made of the last heads: those of one server hardly differ but in the second of their date."""

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, int]] = {}

    def reply(self, data: bytes) -> Reply | None:
        """The response, if ``data`` is a whole one and nothing unusual; parsed only if its head is a new one."""
        end = data.find(b"\r\n\r\n") + 4
        known = self._known.get(data[:end])
        if known is not None and known[1] == len(data) - end:
            return Reply(known[0], data[end:])
        response = IncomingResponse()
        try:
            response.feed(data)
        except RequestFailed:
            return None
        if not response.usual:
            return None
        if response.length is not None and not response.chunked and response.length == len(data) - end:
            if len(self._known) >= KNOWN:
                self._known.clear()
            self._known[data[:end]] = (response.status, response.length)
        return response.reply()


def inflated(body: bytes, encoding: str) -> bytes:
    """A body without its gzip or deflate coding, never larger than ``LARGEST_REPLY``."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise RequestFailed("malformed", f"Content-Encoding {encoding[:40]!r}, which was not asked for")
    for wbits in (47, -15):  # gzip or zlib by its header; some servers send deflate without one
        inflater = zlib.decompressobj(wbits)
        try:
            out = inflater.decompress(body, LARGEST_REPLY)
        except zlib.error:
            continue
        if inflater.unconsumed_tail:
            raise RequestFailed("too_large", f"more than {LARGEST_REPLY} bytes when inflated")
        if inflater.eof:
            return out
    raise RequestFailed("malformed", f"a body that is not {encoding}")
