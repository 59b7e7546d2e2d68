"""The lines of a metrics page, as far as a fault must read them to change them; what it cannot read stays as it is."""

import hashlib
import math
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

_SAMPLE = re.compile(
    rb"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{(?:[^\"}]|\"(?:\\.|[^\"\\])*\")*\})?([ \t]+)([^ \t]+)(.*)", re.DOTALL
)
LABEL = re.compile(rb"([a-zA-Z_][a-zA-Z0-9_]*)[ \t]*=[ \t]*\"((?:\\.|[^\"\\])*)\"")
META = re.compile(rb"# (TYPE|HELP|UNIT) ([a-zA-Z_:][a-zA-Z0-9_:]*)(.*)", re.DOTALL)
SUFFIX = re.compile(r"_(?:total|bucket|sum|count|created|info)$")


class Sample(NamedTuple):
    """One sample's line: ``block`` is the labels with their braces, ``tail`` all after the value."""

    name: str
    block: bytes
    gap: bytes
    value: bytes
    tail: bytes

    @property
    def line(self) -> bytes:
        """The line."""
        return b"%s%s%s%s%s" % (self.name.encode(), self.block, self.gap, self.value, self.tail)

    @property
    def series(self) -> bytes:
        """What tells it from other samples of the page."""
        return self.name.encode() + self.block

    def labels(self) -> dict[str, str]:
        """Label values as they are written, escapes included."""
        return {name.decode(): value.decode("utf-8", "replace") for name, value in LABEL.findall(self.block)}

    def labelled(self, name: str, value: str) -> "Sample":
        """With one label more."""
        inner = self.block[1:-1].strip().rstrip(b",")
        block = b"{%s%s%s}" % (inner, b"," if inner else b"", f'{name}="{value}"'.encode())
        return self._replace(block=block)

    def number(self) -> float:
        """The value; NaN where it is none."""
        try:
            return float(self.value)
        except ValueError:
            return math.nan


def sample_of(line: bytes) -> Sample | None:
    """The sample that a line shows, if it shows one."""
    match = None if line.startswith(b"#") else _SAMPLE.fullmatch(line)
    return Sample(match[1].decode(), match[2] or b"", *match.groups()[2:]) if match else None


def samples(page: bytes) -> Iterator[Sample]:
    """A page's samples."""
    return (sample for line in page.split(b"\n") if (sample := sample_of(line)) is not None)


def draw(series: bytes) -> float:
    """A number in [0, 1) that only the series decides."""
    return int.from_bytes(hashlib.blake2b(series, digest_size=7).digest(), "big") / (1 << 56)


def counters(page: bytes) -> Callable[[Sample], bool]:
    """Tells a page's counters: by their type, or by their name where none is given."""
    types = {m[2].decode(): m[3].strip() for ln in page.split(b"\n") if (m := META.fullmatch(ln)) and m[1] == b"TYPE"}

    def counter(sample: Sample) -> bool:
        base, suffix = SUFFIX.sub("", sample.name), SUFFIX.search(sample.name)
        kind = types.get(sample.name) or types.get(base) or b""
        if kind in (b"histogram", b"summary", b""):
            return suffix is not None and suffix[0] not in ("_created", "_info")
        return kind == b"counter" and (suffix is None or suffix[0] != "_created")

    return counter


def written(value: float) -> bytes:
    """A value as exporters write it."""
    if math.isnan(value):
        return b"NaN"
    if math.isinf(value):
        return b"+Inf" if value > 0 else b"-Inf"
    return repr(value).encode()
