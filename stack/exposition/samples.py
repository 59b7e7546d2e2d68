"""A page's samples as a fault changes them, read by :mod:`driftdrill.stack.exposition.grammar`.

A line that this grammar refuses is no sample and stays as it is: Prometheus refuses it, too.
"""

import hashlib
import math
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from driftdrill.stack.exposition.grammar import (
    OPENMETRICS,
    TEXT,
    Line,
    PageError,
    cut,
    label_of,
    labels,
    metadata,
    number,
    parts,
    whole,
)

SUFFIX = re.compile(r"_(?:total|bucket|sum|count|created|info)$")


class Sample(NamedTuple):
    """One sample's line: ``head`` is what stands before the braces, ``tail`` after the value."""

    form: str
    head: bytes
    block: bytes
    gap: bytes
    value: bytes
    tail: bytes

    @property
    def line(self) -> bytes:
        """The line."""
        return b"".join((self.head, self.block, self.gap, self.value, self.tail))

    @property
    def series(self) -> bytes:
        """What tells it from other samples of the page."""
        return self.head + self.block

    @property
    def name(self) -> str:
        """The metric's name, whether before the braces or quoted within them."""
        return self.labels()["__name__"]

    def labels(self) -> Mapping[str, str]:
        """Its labels, ``__name__`` among them."""
        return _labels(self.head, self.block, self.form) or {}

    def number(self) -> float:
        """The value."""
        return float(self.value)

    def renamed(self, name: str) -> "Sample":
        """With another name of the old character set."""
        if self.head:
            return self._replace(head=name.encode() + self.head[len(self.name.encode()) :])
        return self._replace(block=self._edited("__name__", b'"%s"' % name.encode()))

    def relabelled(self, old: str, new: str) -> "Sample":
        """With another name for a label."""
        return self._replace(block=self._edited(old, new.encode() + b"=%s"))

    def without(self, label: str) -> bytes:
        """The series' bytes without a label, for what several series share."""
        return self.head + self._edited(label, b"")

    def labelled(self, name: str, value: str) -> "Sample":
        """With one label more."""
        inner = self.block[1:-1].strip().rstrip(b",")
        block = b"{%s%s%s}" % (inner, b"," if inner else b"", f'{name}="{value}"'.encode())
        return self._replace(block=block)

    def _edited(self, label: str, text: bytes) -> bytes:
        """The braces with ``text`` in place of one label; its ``%s`` is the quoted value."""
        for match in parts(self.block, self.form):
            if label_of(match) == label.encode():
                start, end = (
                    match.start("name" if match["name"] else "quoted"),
                    match.end("value" if match["value"] else "quoted"),
                )
                return self.block[:start] + text.replace(b"%s", match["value"] or b"") + self.block[end:]
        return self.block


def form_of(page: bytes) -> str:
    """The format that a page is in, by its last line."""
    return OPENMETRICS if page.rstrip().endswith(b"# EOF") else TEXT


def lines_of(page: bytes) -> list[bytes]:
    """A page's lines, without their ends; a sample whose label values reach over several is one of them."""
    out, at, form = list[bytes](), 0, form_of(page)
    following = iter(page.split(b"\n"))
    for line in following:
        try:
            one = whole(line, following) if form == TEXT and (line.count(b'"') % 2 or b"\\" in line) else line
        except PageError:  # it ends within quotes
            one = page[at:]
        out.append(one)
        at += len(one) + 1
    return out


def sample_of(line: bytes, form: str) -> Sample | None:
    """The sample that a line shows, if it shows one."""
    if not line or line.startswith(b"#"):
        return None
    try:
        found = cut(line, form)
    except PageError:
        return None
    head = found.series[: len(found.series) - len(found.block)]
    if _labels(head, found.block, form) is None or not _is_float(found.value):
        return None
    rest = line[len(found.series) :]
    gap = len(rest) - len(rest.lstrip(b" \t"))
    return Sample(form, head, found.block, rest[:gap], found.value, rest[gap + len(found.value) :])


def read(page: bytes) -> tuple[list[bytes], list[tuple[int, Sample]]]:
    """A page's lines, and its samples with the line of each."""
    lines, form = lines_of(page), form_of(page)
    return lines, [(i, sample) for i, line in enumerate(lines) if (sample := sample_of(line, form)) is not None]


def draw(series: bytes) -> float:
    """A number in [0, 1) that only the series decides."""
    return int.from_bytes(hashlib.blake2b(series, digest_size=7).digest(), "big") / (1 << 56)


def counters(page: bytes) -> Callable[[Sample], bool]:
    """Tells a page's counters: by their type, or by their name where none is given."""
    form = form_of(page)
    said = (meta for line in lines_of(page) if (meta := metadata(line, form)) is not None)
    types = {meta.name: meta.text for meta in said if meta.kind == b"TYPE"}

    def counter(sample: Sample) -> bool:
        base, suffix = SUFFIX.sub("", sample.name), SUFFIX.search(sample.name)
        kind = types.get(sample.name.encode()) or types.get(base.encode()) or b""
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


@lru_cache(maxsize=1 << 16)  # a page shows the same series at every scrape
def _labels(head: bytes, block: bytes, form: str) -> Mapping[str, str] | None:
    """The labels of a series, or None where Prometheus refuses it."""
    try:
        return labels(Line(head + block, b"", b"", head.rstrip(b" \t"), block), form, b"")
    except PageError:
        return None


def _is_float(value: bytes) -> bool:
    if value.replace(b".", b"", 1).isdigit():
        return True
    try:
        number(value)
    except PageError:
        return False
    return True
