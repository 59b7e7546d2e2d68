"""The grammar of the two text expositions that Prometheus scrapes, one line at a time.

Follows Prometheus 3's lexers (model/textparse/promlex.l, openmetricslex.l), quirks included: what Prometheus
accepts is accepted, what it refuses is refused. Differences of 2.x: quoted (UTF-8) names are refused there, and
``le`` and ``quantile`` values are kept as written.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

TEXT, OPENMETRICS = "text/plain", "application/openmetrics-text"

# Python before 3.11.5 loses its place where a repetition of a possessive group fails half-way (python/cpython#106052):
# nothing that follows such a group here may match in the place where that repetition began.
_NAME = rb"[a-zA-Z_:][a-zA-Z0-9_:]*+"
_INSIDE = rb'[^"\\]*+(?:\\.[^"\\]*+)*+'  # of quotes
_QUOTED = rb'"' + _INSIDE + rb'"'
_BLOCK = rb'\{(?:[^"}]++|' + _QUOTED + rb")*+\}"

# One sample. `series` is what Prometheus calls the series' bytes: its cache is keyed by them. Leading blanks of
# a text line belong to the name, as they do there. A value needs no blank before it: `up{}1`.
_TEXT_SAMPLE = re.compile(
    rb"(?P<series>(?P<name>[ \t]*+" + _NAME + rb")?(?:[ \t]*+(?P<block>" + _BLOCK + rb"))?)"
    rb"[ \t]*+(?P<value>[^{ \t\n]++)(?:[ \t]++(?P<stamp>[0-9]++))?[ \t]*+"
)
_BEFORE_LABELS = re.compile(rb"[ \t]*+(?:" + _NAME + rb")?[ \t]*+\{")
_BETWEEN, _WITHIN = re.compile(rb'[^"}]*+'), re.compile(_INSIDE)
_OPEN_SAMPLE = re.compile(
    rb"(?P<series>(?P<name>" + _NAME + rb")?(?P<block>" + _BLOCK + rb")?)"
    rb" (?P<value>[^ \n]++)(?: (?P<stamp>(?!# \{)[^ \n]++))?"
    rb"(?P<exemplar> # " + _BLOCK + rb" [^ \n]++(?: [^ \n]++)?)?"
)
_TEXT_META = re.compile(rb"[ \t]*+#[ \t]++(HELP|TYPE)[ \t]++(" + _NAME + rb"|" + _QUOTED + rb")(.*+)")
_TEXT_META_START = re.compile(rb"[ \t]*+#[ \t]++(?:HELP|TYPE)[ \t]")
_OPEN_META = re.compile(rb"# (HELP|TYPE|UNIT) (" + _NAME + rb"|" + _QUOTED + rb")( .*+)")
_LABEL = re.compile(
    rb"[ \t]*+(?:(?P<name>[a-zA-Z_][a-zA-Z0-9_]*+)|(?P<quoted>" + _QUOTED + rb"))"
    rb"[ \t]*+(?:=[ \t]*+(?P<value>" + _QUOTED + rb"))?[ \t]*+(?P<comma>,?+)"
)
_BLANKS = re.compile(rb"[ \t]*+")
_MEDIA_TYPE = re.compile(
    r"""\s*([\w!#$&^.+-]+/[\w!#$&^.+-]+)\s*(?:;\s*[\w!#$&^.+-]+\s*=\s*(?:"(?:\\.|[^"\\])*"|[^\s;"]+)\s*)*;?\s*""",
    re.ASCII,
)
_TEXT_TYPES = frozenset({b"counter", b"gauge", b"histogram", b"summary", b"untyped"})
_OPEN_TYPES = frozenset(
    {b"counter", b"gauge", b"histogram", b"gaugehistogram", b"summary", b"info", b"stateset", b"unknown"}
)
_ESCAPE = re.compile(rb'\\(["\\n])')
FLOAT_BYTES = b"0123456789+-.eEiInNfFtTyYaA"
FLOAT_WORDS = frozenset(s + w for s in (b"", b"+", b"-") for w in (b"inf", b"infinity")) | {b"nan"}
SHOWN = 60


class PageError(Exception):
    """Why Prometheus would refuse a page; the text names the place."""


class SeriesError(PageError):
    """Why it would refuse a series that it could read: its labels, not its line, are wrong."""


@dataclass(frozen=True)
class Line:
    """One sample's bytes, cut but not converted: ``series`` identifies it, ``stamp`` is b"" where there is none."""

    series: bytes
    value: bytes
    stamp: bytes
    name: bytes
    block: bytes


@dataclass(frozen=True)
class MetadataLine:
    """A HELP, TYPE or UNIT line: ``name`` without quotes, ``at`` is where it stands in the line, quotes included."""

    kind: bytes
    name: bytes
    text: bytes
    at: slice


def media_type(content_type: str, fallback: str | None) -> str:
    """The format of a page by its Content-Type header, as Prometheus 3 decides it.

    A blank, malformed or unknown type is an error unless the job names a fallback; 2.x takes such pages for text.
    Raises :class:`PageError`.
    """
    match = _MEDIA_TYPE.fullmatch(content_type)
    found = match[1].lower() if match else ""
    if found in (TEXT, OPENMETRICS):
        return found
    if fallback is None or found == "application/vnd.google.protobuf":
        hint = "; set fallback_scrape_protocol in its scrape config" if fallback is None else ""
        raise PageError(f"the target sent Content-Type {content_type!r}, expected {TEXT} or {OPENMETRICS}{hint}")
    return fallback


def whole(line: bytes, following: Iterator[bytes]) -> bytes:
    """The line with as many of the following as its label values reach over: the text format lets them.

    Raises :class:`PageError` where the page ends within a value.
    """
    start = _BEFORE_LABELS.match(line)
    if start is None or not _ends_in_quotes(line, start.end(), within=False):
        return line
    out = bytearray(line)
    for part in following:
        out += b"\n" + part
        if not _ends_in_quotes(part, 0, within=True):
            return bytes(out)
    raise PageError(f"the label value is not closed: {shown(line)}")


def _ends_in_quotes(line: bytes, at: int, *, within: bool) -> bool:
    """Whether a line, read among labels from ``at`` on, ends in quotes; ``within``: it begins in some."""
    while True:
        if not within:
            at = _end(_BETWEEN, line, at)
            if line[at : at + 1] != b'"':
                return False
            at += 1
        at = _end(_WITHIN, line, at)
        if at == len(line):
            return (at - len(line.rstrip(b"\\"))) % 2 == 0  # a backslash that escapes nothing ends no line
        if line[at : at + 1] != b'"':
            return False
        at, within = at + 1, False


def _end(pattern: re.Pattern[bytes], line: bytes, at: int) -> int:
    """Where what a pattern that matches everywhere matches at ``at`` ends."""
    match = pattern.match(line, at)
    assert match is not None
    return match.end()


def cut(line: bytes, form: str) -> Line:
    """The parts of one sample line. Raises :class:`PageError`."""
    match = (_TEXT_SAMPLE if form == TEXT else _OPEN_SAMPLE).fullmatch(line)
    if match is None or not match["series"]:
        raise PageError(f"expected a sample, a comment or a blank line, got {shown(line)}")
    if form == OPENMETRICS and match["exemplar"]:
        _check_exemplar(match["exemplar"])
    return Line(match["series"], match["value"], match["stamp"] or b"", match["name"] or b"", match["block"] or b"")


def metadata(line: bytes, form: str) -> MetadataLine | None:
    """What a metadata line says, whether Prometheus takes its text or not; None where it is none."""
    match = (_TEXT_META if form == TEXT else _OPEN_META).fullmatch(line)
    if match is None:
        return None
    name = _unquote(match[2]) if match[2].startswith(b'"') else match[2]
    return MetadataLine(match[1], name, match[3][1:], slice(*match.span(2)))


def comment(line: bytes, form: str) -> bytes | None:
    """The type that a comment line sets for the samples after it, or None if it sets none.

    Raises :class:`PageError` for a line that is no comment, and for metadata that Prometheus refuses.
    """
    meta = metadata(line, form)
    if meta is None:
        if form == OPENMETRICS:
            raise PageError(f"expected a sample, HELP, TYPE or UNIT, got {shown(line)}")
        if not line.lstrip(b" \t").startswith(b"#"):
            raise PageError(f"expected a comment, got {shown(line)}")
        if _TEXT_META_START.match(line):
            raise PageError(f"expected a metric name after HELP or TYPE, got {shown(line)}")
        return None
    kind, text = meta.kind, meta.text
    if kind == b"TYPE":
        if text not in (_TEXT_TYPES if form == TEXT else _OPEN_TYPES):
            raise PageError(f"invalid metric type {shown(text)}")
        return text
    if kind == b"UNIT" and text and not meta.name.endswith(b"_" + text):
        raise PageError(f"unit {shown(text)} is not a suffix of its metric {shown(meta.name)}")
    if kind == b"HELP":
        _check_utf8(text)
    return None


def labels(line: Line, form: str, kind: bytes) -> dict[str, str]:
    """The labels of one sample, ``__name__`` among them, empty ones too. Raises :class:`PageError`.

    ``kind`` is the type in force: ``le`` of a histogram and ``quantile`` of a summary are normalised (1 -> 1.0).
    """
    out: dict[str, str] = {}
    for raw, value in _pairs(line.block, form):
        name, text = (raw, value) if value is not None else (b"__name__", raw)
        if value is None and line.name:
            raise PageError(f"the metric name is given twice in {shown(line.series)}")
        _add(out, line, name, text)
    if line.name:
        _add(out, line, b"__name__", line.name)
    if "__name__" not in out:
        raise PageError(f"there is no metric name in {shown(line.series)}")
    bound = {b"histogram": "le", b"summary": "quantile"}.get(kind, "")
    if bound in out:
        out[bound] = _normalised(out[bound])
    return out


def _add(out: dict[str, str], line: Line, name: bytes, value: bytes) -> None:
    try:
        key, text = name.decode(), value.decode()
    except UnicodeDecodeError:
        raise SeriesError(f"invalid UTF-8 in a name of {shown(line.series)}") from None
    if key in out:
        raise SeriesError(f"label name {key!r} is not unique in {shown(line.series)}")
    out[key] = text


def number(raw: bytes) -> float:
    """A value as Go's ParseFloat reads it. Raises :class:`PageError`."""
    try:
        if raw.translate(None, FLOAT_BYTES):
            raise ValueError
        value = float(raw)
        if not math.isfinite(value) and raw.lower() not in FLOAT_WORDS:
            raise ValueError
    except ValueError:
        raise PageError(f"cannot parse {shown(raw)} as a float") from None
    return value


def stamp_ms(raw: bytes, form: str) -> int:
    """An explicit timestamp in milliseconds: text has them so, OpenMetrics in seconds. Raises :class:`PageError`."""
    if form == TEXT:
        stamp = int(raw) if len(raw) < 20 else 1 << 63
        if stamp >= 1 << 63:
            raise PageError(f"timestamp {shown(raw)} is out of range")
        return stamp
    try:
        return int(number(raw) * 1000)
    except (PageError, ValueError, OverflowError):
        raise PageError(f"invalid timestamp {shown(raw)}") from None


def shown(raw: bytes) -> str:
    """Bytes for a message: quoted, cut to a readable length."""
    text = raw[:SHOWN].decode("utf-8", "backslashreplace")
    return repr(text) + ("…" if len(raw) > SHOWN else "")


def label_of(part: re.Match[bytes]) -> bytes:
    """The name of the label that a part is of; a quoted metric name stands alone."""
    return b"__name__" if part["value"] is None else part["name"] or _unquote(part["quoted"])


def parts(block: bytes, form: str) -> Iterator[re.Match[bytes]]:
    """A block's labels as they stand there, by the groups ``name`` or ``quoted``, and ``value``.

    Raises :class:`PageError` where it comes to what Prometheus refuses.
    """
    at, end = 1, len(block) - 1
    if form == OPENMETRICS and block and _blank_outside_quotes(block):
        raise PageError(f"OpenMetrics allows no blank in {shown(block)}")
    while at < end and not (form == TEXT and _BLANKS.fullmatch(block, at, end)):
        match = _LABEL.match(block, at, end)
        if match is None:
            raise PageError(f"expected a label name at {shown(block[at:])}")
        at = match.end()
        quoted, value = match["quoted"], match["value"]
        if value is None and (quoted is None or (not match["comma"] and at < end)):
            raise PageError(f"expected = and a quoted value after {shown(match[0])}")
        if form == OPENMETRICS and not match["comma"] and at < end:
            raise PageError(f"expected a comma or }} at {shown(block[at:])}")
        if value is not None:
            _check_utf8(value)
        yield match


def _pairs(block: bytes, form: str) -> Iterator[tuple[bytes, bytes | None]]:
    """Names and values without quotes and escapes; a quoted metric name stands alone, with None. Values are UTF-8."""
    for match in parts(block, form):
        name, value = match["name"] or _unquote(match["quoted"]), match["value"]
        yield name, None if value is None else _unquote(value)


def _blank_outside_quotes(block: bytes) -> bool:
    return bool(re.search(rb"[ \t\n]", re.sub(_QUOTED, b'""', block)))


def _check_exemplar(raw: bytes) -> None:
    block = re.match(rb" # (" + _BLOCK + rb")", raw)
    assert block is not None  # the sample's pattern holds this one
    if any(value is None for _, value in _pairs(block[1], OPENMETRICS)):
        raise PageError(f"expected label=value in the exemplar {shown(raw)}")
    value, *stamp = raw[block.end() + 1 :].split(b" ")
    try:
        number(value)
    except PageError as e:
        raise PageError(f"exemplar: {e}") from None
    for one in stamp:
        stamp_ms(one, OPENMETRICS)


def _unquote(raw: bytes) -> bytes:
    inner = raw[1:-1]
    return _ESCAPE.sub(lambda m: b"\n" if m[1] == b"n" else m[1], inner) if b"\\" in inner else inner


def _check_utf8(raw: bytes) -> None:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        raise PageError(f"invalid UTF-8 in {shown(raw)}") from None


def _normalised(value: str) -> str:
    """Go's labels.FormatOpenMetricsFloat: the shortest digits, always with a point or an exponent."""
    try:
        bound = number(value.encode())
    except PageError:
        return value
    if not math.isfinite(bound):
        return {math.inf: "+Inf", -math.inf: "-Inf"}.get(bound, "NaN")
    if bound == 0:
        return "0.0"
    exact = Decimal(repr(bound)).normalize()
    if -4 <= exact.adjusted() < 6:
        text = f"{exact:f}"
        return text if "." in text else text + ".0"
    mantissa, _, _ = f"{exact:e}".partition("e")
    return f"{mantissa}e{'-' if exact.adjusted() < 0 else '+'}{abs(exact.adjusted()):02d}"
