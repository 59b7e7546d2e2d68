"""Every stored sample of a Prometheus with its bits, stale markers included, by its remote-read API; and samples of
any moment put into it, by its remote-write API (--web.enable-remote-write-receiver).

The query API hides stale markers; this one does not. Snappy and protobuf are read and written by hand: few messages.
"""

import struct
from collections.abc import Iterator, Mapping, Sequence

import requests

Labels = tuple[tuple[str, str], ...]


def stored_samples(url: str, name_regex: str = ".+") -> dict[Labels, list[tuple[int, int]]]:
    """Labels -> [(timestamp in ms, the float64 value's bits)], in order of time."""
    matcher = _field(1, 2) + _field(2, b"__name__") + _field(3, name_regex.encode())
    query = _field(1, 0) + _field(2, 1 << 62) + _field(3, matcher)
    body = _field(1, query)
    answer = requests.post(
        f"{url}/api/v1/read",
        data=_varint(len(body)) + _literal(body),
        headers={
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Read-Version": "0.1.0",
        },
        timeout=10,
    )
    assert answer.status_code == 200, answer.text
    out = {}
    for _, result in _fields(_unsnappy(answer.content)):
        for _, series in _fields(_bytes(result)):
            parts = list(_fields(_bytes(series)))
            labels = [tuple(_bytes(v).decode() for _, v in _fields(_bytes(part))) for n, part in parts if n == 1]
            samples = [dict(_fields(_bytes(part))) for n, part in parts if n == 2]
            out[tuple(sorted(labels))] = [(_int(s.get(2, 0)), _int(s.get(1, 0))) for s in samples]
    return out  # type: ignore[return-value]


def store_samples(url: str, series: Mapping[Labels, Sequence[tuple[float, float]]]) -> None:
    """Append samples: labels -> [(Unix seconds, value)]."""
    written = b""
    for labels, points in series.items():
        named = b"".join(_field(1, _field(1, k.encode()) + _field(2, v.encode())) for k, v in sorted(labels))
        values = (b"\x09" + struct.pack("<d", value) + _field(2, round(at * 1000)) for at, value in points)
        written += _field(1, named + b"".join(_field(2, one) for one in values))
    answer = requests.post(
        f"{url}/api/v1/write",
        data=_varint(len(written)) + _literal(written),
        headers={
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        },
        timeout=10,
    )
    assert answer.status_code == 204, answer.text


def _int(value: int | bytes) -> int:
    assert isinstance(value, int)
    return value


def _bytes(value: int | bytes) -> bytes:
    assert isinstance(value, bytes)
    return value


def _varint(n: int) -> bytes:
    out = bytearray()
    while n > 0x7F:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    return bytes([*out, n])


def _field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3) + _varint(value)
    return _varint(number << 3 | 2) + _varint(len(value)) + value


def _literal(body: bytes) -> bytes:
    assert len(body) <= 1 << 16
    return b"\xf4" + struct.pack("<H", len(body) - 1) + body


def _read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    at = 0
    while at < len(data):
        tag, at = _read_varint(data, at)
        if tag & 7 == 0:
            value, at = _read_varint(data, at)
            yield tag >> 3, value
        elif tag & 7 == 1:
            yield tag >> 3, int.from_bytes(data[at : at + 8], "little")
            at += 8
        else:
            size, at = _read_varint(data, at)
            yield tag >> 3, data[at : at + size]
            at += size


def _unsnappy(data: bytes) -> bytes:
    size, at = _read_varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            length = tag >> 2
            if length >= 60:
                extra = length - 59
                length, at = int.from_bytes(data[at : at + extra], "little"), at + extra
            out += data[at : at + length + 1]
            at += length + 1
            continue
        if tag & 3 == 1:
            length, offset, at = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at], at + 1
        else:
            width = 2 if tag & 3 == 2 else 4
            length, offset, at = (tag >> 2) + 1, int.from_bytes(data[at : at + width], "little"), at + width
        for _ in range(length):
            out.append(out[-offset])
    assert len(out) == size
    return bytes(out)
