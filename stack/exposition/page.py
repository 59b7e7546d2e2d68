"""Metrics pages, parsed incrementally: a series seen before is recognised by its bytes, as Prometheus does.

The steady state costs one dictionary look-up a line and one conversion for all values together; only a line that
was never seen is read by its grammar (:mod:`driftdrill.stack.exposition.grammar`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from driftdrill.stack.exposition.grammar import (
    FLOAT_BYTES,
    FLOAT_WORDS,
    OPENMETRICS,
    TEXT,
    Line,
    PageError,
    SeriesError,
    comment,
    cut,
    labels,
    number,
    shown,
    stamp_ms,
    whole,
)

DROPPED, UNWANTED = -1, -2
"""What a resolver may answer instead of a number: relabelling dropped the series; or ask again next time."""
BLOCK = 1 << 20
Resolve = Callable[[Mapping[str, str]], int]


@dataclass(frozen=True)
class PageSamples:
    """What a page holds, in its order; where it is refused, what stands before the refused line, and why.

    ``ids`` int64 (n,) as the resolver answered; ``values`` float64 (n,); ``stamps`` float64 (n,) explicit timestamps
    in milliseconds of the exporter's clock, NaN where none, or None if the page has none at all. ``fresh`` holds, by
    position, the bytes of series that the last accepted page did not show; ``repeats`` int64, the positions of samples
    whose series stands before. ``scraped`` counts the samples read, with the one that was refused for its labels.
    """

    ids: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]
    stamps: npt.NDArray[np.float64] | None
    fresh: Mapping[int, bytes]
    repeats: npt.NDArray[np.int64]
    scraped: int = 0
    error: str | None = None


_NONE = np.empty(0, np.int64)
NORMAL_NAN = np.uint64(0x7FF8000000000001).view(np.float64)
NOTHING = PageSamples(_NONE, np.empty(0), None, {}, _NONE)


class PageParser:
    """Reads one target's pages. ``resolve(labels) -> id`` is asked once a series; it may raise :class:`SeriesError`.

    ``as_written`` leaves ``le`` and ``quantile`` as the page has them, as Prometheus 2 does.
    """

    def __init__(self, resolve: Resolve, *, as_written: bool = False) -> None:
        self._resolve, self._as_written = resolve, as_written
        self._ids: dict[bytes, int] = {}  # by the series' bytes
        # by format and the whole comment line: the type that it sets, if any
        self._kinds: dict[str, dict[bytes, bytes | None]] = {TEXT: {}, OPENMETRICS: {}}

    def copy(self, resolve: Resolve) -> "PageParser":
        """Another that knows the same series, and asks ``resolve`` for new ones."""
        made = PageParser(resolve, as_written=self._as_written)
        made._ids = dict(self._ids)
        return made

    def parse(self, body: bytes, form: str = TEXT) -> PageSamples:
        """The samples of a page in the format ``form``. Never raises for what the target sent."""
        if not body:
            return NOTHING
        reading, refused = _Reading(), 0
        error: str | None = None
        try:
            self._read(_lines(body, form), form, b"\t" in body, reading)
        except PageError as e:
            error, refused = str(e), int(isinstance(e, SeriesError))
        values, why = _floats(reading.values)
        n = len(values)
        if why is not None:
            error, refused = why, 0
        if error is None:
            self._forget_unseen(reading)
        self.forget(key for key, at in reading.fresh if at >= n)
        fresh = {at: key for key, at in reading.fresh if at < n}
        return PageSamples(
            ids=np.array(reading.ids[:n], np.int64),
            values=values,
            stamps=_stamps(reading, n),
            fresh=fresh,
            repeats=_repeats(reading.keys[:n]),
            scraped=n + refused,
            error=error,
        )

    def forget(self, series: Iterable[bytes]) -> None:
        """Makes series, by their bytes, fresh on the next page."""
        for key in series:
            self._ids.pop(key, None)

    def _read(self, lines: Iterator[bytes], form: str, tabs: bool, out: "_Reading") -> None:
        known, kinds, kind = self._ids.get, self._kinds[form], b""
        keys, ids, values = out.keys.append, out.ids.append, out.values.append
        for line in lines:
            # A known series' bytes, one blank and no further blank can only be that series and its value.
            key, _, value = line.rpartition(b" ")
            one_blank = not tabs or b"\t" not in line
            found = known(key) if one_blank else None
            if found is None:
                if line in kinds:
                    kind = kinds[line] or kind
                    continue
                sample = self._stamped(key, value, form, out) if one_blank else None
                if sample is None:
                    first = line.lstrip(b" \t")[:1]
                    if form == TEXT and not first:
                        continue
                    if form == TEXT and first == b"\0":
                        return  # Prometheus ends the page at a zero byte that starts a line
                    if first == b"#":
                        kinds[line] = comment(line, form)
                        kind = kinds[line] or kind
                        continue
                    sample = self._by_grammar(cut(whole(line, lines) if form == TEXT else line, form), form, kind, out)
                found, key, value = sample
            keys(key)
            ids(found)
            values(value)

    def _stamped(self, key: bytes, stamp: bytes, form: str, out: "_Reading") -> tuple[int, bytes, bytes] | None:
        """A known series with a value and a timestamp after one blank each: the short way for pages full of them."""
        key, _, value = key.rpartition(b" ")
        found = self._ids.get(key)
        if found is None or not value or form != TEXT or not stamp.isdigit():
            return None
        out.stamps.append((len(out.ids), float(stamp_ms(stamp, form))))
        return found, key, value

    def _by_grammar(self, line: Line, form: str, kind: bytes, out: "_Reading") -> tuple[int, bytes, bytes]:
        """A series that is new, or that stands with an exemplar or more blanks."""
        at = len(out.ids)
        if line.stamp:
            out.stamps.append((at, float(stamp_ms(line.stamp, form))))
        found = self._ids.get(line.series)
        if found is None:
            number(line.value)
            found = self._resolve(labels(line, form, b"" if self._as_written else kind))
            if found != UNWANTED:
                self._ids[line.series] = found
            if found >= 0:
                out.fresh.append((line.series, at))
        return found, line.series, line.value

    def _forget_unseen(self, reading: "_Reading") -> None:
        if len(self._ids) != len(reading.keys):
            self._ids = {key: self._ids[key] for key in reading.keys if key in self._ids}
        for kinds in self._kinds.values():
            if len(kinds) > 1000 + 2 * len(reading.keys):
                kinds.clear()


class _Reading:
    """One page on its way through the parser."""

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.ids: list[int] = []
        self.values: list[bytes] = []
        self.stamps: list[tuple[int, float]] = []
        self.fresh: list[tuple[bytes, int]] = []


def _floats(raw: list[bytes]) -> tuple[npt.NDArray[np.float64], str | None]:
    """Values, each as the grammar's ``number`` reads it: float64 (n,) and None, or those before the first bad one and
    why.

    Every NaN gets the bit pattern of Prometheus's ordinary NaN, so that none looks like a stale marker.
    """
    try:
        if b"".join(raw).translate(None, FLOAT_BYTES):
            raise ValueError
        values = np.fromiter(map(float, raw), np.float64, len(raw))
        odd = np.flatnonzero(~np.isfinite(values))
        if any(raw[i].lower() not in FLOAT_WORDS for i in odd):
            raise ValueError
    except ValueError:
        if len(raw) == 1:
            return np.empty(0), f"cannot parse {shown(raw[0])} as a float"
        half = len(raw) // 2  # bisection: the good half costs one conversion
        first, why = _floats(raw[:half])
        if why is not None:
            return first, why
        second, why = _floats(raw[half:])
        return np.concatenate((first, second)), why
    values[odd[np.isnan(values[odd])]] = NORMAL_NAN
    return values, None


def _stamps(reading: _Reading, n: int) -> npt.NDArray[np.float64] | None:
    found = [(at, stamp) for at, stamp in reading.stamps if at < n]
    if not found:
        return None
    stamps = np.full(n, np.nan)
    for at, stamp in found:
        stamps[at] = stamp
    return stamps


def _repeats(keys: list[bytes]) -> npt.NDArray[np.int64]:
    if len(set(keys)) == len(keys):
        return _NONE
    first: dict[bytes, int] = {}
    return np.array([at for at, key in enumerate(keys) if first.setdefault(key, at) != at], np.int64)


def _lines(body: bytes, form: str) -> Iterator[bytes]:
    """Lines without their ends; OpenMetrics without its last one, ``# EOF``."""
    lines = _split(body)
    if form != OPENMETRICS:
        yield from lines
        return
    for line in lines:
        if line == b"# EOF":
            for more in lines:
                raise PageError(f"unexpected data after # EOF: {shown(more)}")
            return
        yield line
    raise PageError("data does not end with # EOF")


def _split(body: bytes) -> Iterator[bytes]:
    """By blocks, so that a page of blank lines does not take fifty times its size."""
    at = 0
    while at < len(body):
        end = body.rfind(b"\n", at, at + BLOCK) + 1 or body.find(b"\n", at) + 1 or len(body)
        yield from body[at:end].removesuffix(b"\n").split(b"\n")
        at = end
