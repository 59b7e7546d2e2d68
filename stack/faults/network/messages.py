"""HTTP/1.x on the wire, without a socket: cut a stream of bytes into messages, and rewrite one.

The proxy must know where messages begin on a connection whose faults may change while it is open, and must pass
on unchanged, byte by byte, whatever no fault touches. Framing follows RFC 9112, section 6.
"""

import re
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

MAX_HEAD = 1 << 16
MAX_BODY = 1 << 26
"""Bytes above which a body passes as it is, because it would have to be kept whole."""

_REQUEST = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) HTTP/1\.[01]\r\n")
_RESPONSE = re.compile(rb"HTTP/1\.[01] (\d\d\d)[ \r]")
_BEGINS_REQUEST = re.compile(rb"[A-Z]{1,20}(?: |$)")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)[ \t]*\r\n", re.I)
_CHUNKED = re.compile(rb"\r\ntransfer-encoding:[^\r\n]*chunked", re.I)
_SIZE = re.compile(rb"([0-9A-Fa-f]+)[^\r\n]*\r\n")

Part = tuple[Literal["head", "body", "end"], bytes]


@dataclass
class Framer:
    """Cuts one direction into parts: ``head``, ``body`` pieces as they come, ``end``; joined they are the input.

    A response's framing depends on its request's method: whoever forwards a request appends it to ``methods``.
    Bytes that are no HTTP/1.x, or are not any longer (an upgrade), make it ``opaque``: from there all is body.
    """

    responses: bool = False
    methods: deque[str] = field(default_factory=deque)
    opaque: bool = False
    _buffer: bytes = b""
    _left: int = 0
    _state: Literal["head", "length", "size", "chunk", "trailer", "close"] = "head"

    def feed(self, data: bytes) -> list[Part]:
        """The parts that ``data`` completes."""
        parts: list[Part] = []
        self._buffer = self._buffer + data if self._buffer else data
        while self._buffer and self._step(parts):
            pass
        return parts

    def eof(self) -> list[Part]:
        """What is left, and the end of a body that ends with the connection."""
        parts: list[Part] = [("body", self._take(len(self._buffer)))] if self._buffer else []
        if self._state != "head":
            parts.append(("end", b""))
        return parts

    def give_up(self) -> bool:
        """From here on all is body."""
        self._state, self.opaque = "close", True
        return True

    def _take(self, n: int) -> bytes:
        taken, self._buffer = self._buffer[:n], self._buffer[n:]
        return taken

    def _step(self, parts: list[Part]) -> bool:
        """Give out one part; False where more bytes are needed."""
        if self._state == "head":
            return self._head(parts)
        if self._state == "close":
            parts.append(("body", self._take(len(self._buffer))))
            return True
        if self._state in ("length", "chunk"):
            piece = self._take(self._left)
            parts.append(("body", piece))
            self._left -= len(piece)
            if not self._left:
                if self._state == "length":
                    self._end(parts)
                else:
                    self._state = "size"
            return True
        return self._line(parts)

    def _end(self, parts: list[Part]) -> None:
        self._state = "head"
        parts.append(("end", b""))

    def _line(self, parts: list[Part]) -> bool:
        """A chunk's size line, or a trailer line."""
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEAD:
                return self.give_up()
            return False
        line = self._take(end + 2)
        parts.append(("body", line))
        if self._state == "trailer":
            if line == b"\r\n":
                self._end(parts)
            return True
        size = _SIZE.fullmatch(line)
        if size is None:
            return self.give_up()
        self._left = int(size[1], 16) + 2
        self._state = "chunk" if self._left > 2 else "trailer"
        return True

    def _head(self, parts: list[Part]) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return not self._may_begin() and self.give_up()
        head = self._buffer[: end + 4]
        start = (_RESPONSE if self.responses else _REQUEST).match(head)
        if start is None:
            return self.give_up()
        self._buffer = self._buffer[end + 4 :]
        parts.append(("head", head))
        self._body_of(head, start, parts)
        return True

    def _may_begin(self) -> bool:
        """Whether the buffer may be the beginning of a head."""
        data = self._buffer
        if len(data) > MAX_HEAD:
            return False
        if b"\r\n" in data:
            return bool((_RESPONSE if self.responses else _REQUEST).match(data))
        return data.startswith(b"HTTP/1."[: len(data)]) if self.responses else bool(_BEGINS_REQUEST.match(data))

    def _body_of(self, head: bytes, start: re.Match[bytes], parts: list[Part]) -> None:
        status = int(start[1]) if self.responses else 0
        if status == 101:
            self.give_up()
            return
        if self.responses and 100 <= status < 200:
            self._end(parts)
            return
        method = self.methods.popleft() if self.responses and self.methods else ""
        if status in (204, 304) or method == "HEAD":
            self._end(parts)
        elif _CHUNKED.search(head):
            self._state = "size"
        elif length := _LENGTH.search(head):
            self._left = int(length[1])
            if self._left:
                self._state = "length"
            else:
                self._end(parts)
        elif self.responses:
            self._state = "close"
        else:
            self._end(parts)


def request_line(head: bytes) -> tuple[str, str]:
    """Method, and path without its query."""
    method, target = head.split(b"\r\n", 1)[0].split(b" ")[:2]
    return method.decode("ascii"), target.split(b"?", 1)[0].decode("latin-1")


def interim(head: bytes) -> bool:
    """Whether a response's head is a 1xx, which another response follows."""
    return head[9:10] == b"1"


def headers(head: bytes) -> list[tuple[str, str]]:
    """Names in lower case, and values."""
    lines = head.decode("latin-1").split("\r\n")[1:]
    pairs = (line.partition(":") for line in lines if line)
    return [(name.strip().lower(), value.strip()) for name, _, value in pairs]


def without(head: bytes, *names: str) -> bytes:
    """``head`` without the headers of these lower-case names."""
    lines = head.split(b"\r\n")
    kept = [ln for ln in lines[1:-2] if ln.partition(b":")[0].strip().lower().decode("latin-1") not in names]
    return b"\r\n".join([lines[0], *kept, b"", b""])


def with_body(head: bytes, body: bytes, content_type: str | None = None) -> bytes:
    """The message of ``head`` with ``body`` in place of its own, framed by its length."""
    drop = ["content-length", "transfer-encoding", "trailer", "expect"]
    extra = b"Content-Length: %d\r\n" % len(body)
    if content_type is not None:
        drop += ["content-type", "content-encoding"]
        extra += f"Content-Type: {content_type}\r\n".encode("latin-1")
    return without(head, *drop)[:-2] + extra + b"\r\n" + body


def plain_body(head: bytes, body: bytes) -> bytes:
    """The content of a raw body: chunks joined. A content encoding stays as it is."""
    if not _CHUNKED.search(head):
        return body
    content, at = b"", 0
    while size := _SIZE.match(body, at):
        n = int(size[1], 16)
        if not n:
            break
        content += body[size.end() : size.end() + n]
        at = size.end() + n + 2
    return content
