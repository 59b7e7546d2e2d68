"""Text: misspelt, in another case, longer, in another script, with emoji, of other words.

Strength is the share of rows.
Texts are worked on as a matrix of code points, (rows, longest text), in one pass for all hit rows.
"""

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from driftdrill.shift_generators.errors import BadValue
from driftdrill.shift_generators.generator import Batch, Column, Floats, Generator, Rng, hits, missing, shift, written
from driftdrill.shift_generators.kinds.categories import put_text
from driftdrill.shift_generators.kinds.maps import finite
from driftdrill.shift_generators.kinds.missing import check_rate

Points = npt.NDArray[np.uint32]
"""Code points, uint32 (rows, longest), 0 beyond a text's end."""

_SPACE = 32
_CELLS = 4_000_000  # a piece of the matrix: 16 MB, whatever the batch's size

_SCRIPTS = {
    "cyrillic": ("abcdefghijklmnopqrstuvwxyz", "абцдефгхийклмнопярстуввхыз"),
    "greek": ("abcdefghijklmnopqrstuvwxyz", "αβψδεφγηιξκλμνοπχρστυωωχυζ"),
}


@shift("text.typo")
def text_typo(column: str, *, rate: float = 0.1) -> Generator:
    """In the hit rows, ``rate`` of the letters change places with the next one, in (0, 1]."""
    call = written("text_typo", column, rate=rate)
    check_rate(call, rate)

    def swapped(points: Points, rng: Rng) -> Points:
        rows, width = points.shape
        if width < 2:
            return points
        first = (rng.random((rows, width - 1)) < rate) & _letters(points[:, :-1]) & _letters(points[:, 1:])
        # A letter changes places once: of neighbours that are all to do so, every other one does.
        at = np.arange(width - 1)
        first &= (at - np.maximum.accumulate(np.where(first, -1, at), axis=1)) % 2 == 1
        out = points.copy()
        out[:, :-1][first] = points[:, 1:][first]
        out[:, 1:][first] = points[:, :-1][first]
        return out

    return _on_points(call, column, swapped)


@shift("text.case")
def text_case(column: str, *, to: str = "upper") -> Generator:
    """The hit rows come in ``to`` "upper", "lower" or "swapped" case."""
    call = written("text_case", column, to=to)
    cases = {"upper": str.upper, "lower": str.lower, "swapped": str.swapcase}
    if to not in cases:
        raise BadValue(f"{call}: to must be upper, lower or swapped, not {to!r}")
    ascii_table = np.array([ord(cases[to](chr(i))) for i in range(128)], dtype=np.uint32)

    def changed(texts: Column, rng: Rng) -> Column:
        points = texts.view(np.uint32)
        if points.max(initial=0) < 128:
            return np.asarray(ascii_table[points].view(texts.dtype))
        # Beyond ASCII a letter may become two.
        return np.array([cases[to](text) for text in texts.tolist()], dtype=str)

    return _on_texts(call, column, changed)


@shift("text.length")
def text_length(column: str, *, by: float = 3.0) -> Generator:
    """The hit rows are ``by`` times as long: repeated after a space, or cut off. At least one character is kept."""
    call = written("text_length", column, by=by)
    finite(call, by=by)
    if by <= 0 or by == 1:
        raise BadValue(f"{call}: by must be above 0 and not 1, but is {by!r}")

    def resized(texts: Column, rng: Rng) -> Column:
        spaced = np.char.add(texts, " ")
        out = texts
        for _ in range(math.ceil(by) - 1):
            out = np.char.add(spaced, out)
        lengths = np.char.str_len(texts)
        wanted = np.where(lengths > 0, np.maximum(np.rint(lengths * by), 1), 0)
        points = out.view(np.uint32).reshape(len(out), -1)
        # Points beyond a text's end are 0: cutting a text is zeroing its tail.
        points[np.arange(points.shape[1]) >= wanted[:, None]] = 0
        return out

    return _on_texts(call, column, resized)


@shift("text.language")
def text_language(column: str, *, script: str = "cyrillic") -> Generator:
    """The hit rows come in another script, "cyrillic" or "greek", letter by letter: to a vocabulary, other words."""
    call = written("text_language", column, script=script)
    if script not in _SCRIPTS:
        raise BadValue(f"{call}: script must be one of {', '.join(_SCRIPTS)}, not {script!r}")
    table = _table(*_SCRIPTS[script])
    return _on_points(call, column, lambda points, rng: _translate(points, table))


@shift("text.vocabulary")
def text_vocabulary(column: str, *, rate: float = 1.0) -> Generator:
    """In the hit rows, ``rate`` of the words become unknown ones: same length and case, each letter 13 places on."""
    call = written("text_vocabulary", column, rate=rate)
    check_rate(call, rate)
    letters = "abcdefghijklmnopqrstuvwxyz"
    table = _table(letters, letters[13:] + letters[:13])

    def unknown(points: Points, rng: Rng) -> Points:
        word = np.cumsum(points == _SPACE, axis=1)
        chosen = rng.random((len(points), int(word.max(initial=0)) + 1)) < rate
        return np.where(np.take_along_axis(chosen, word, axis=1), _translate(points, table), points)

    return _on_points(call, column, unknown)


@shift("text.emoji")
def text_emoji(column: str, *, emoji: str = "🙂") -> Generator:
    """The hit rows end in a space and ``emoji``."""
    call = written("text_emoji", column, emoji=emoji)
    if not emoji:
        raise BadValue(f"{call}: emoji must not be empty")
    return _on_texts(call, column, lambda texts, rng: np.char.add(texts, f" {emoji}"))


def _letters(points: Points) -> npt.NDArray[np.bool_]:
    folded = points | 32
    return np.asarray(((folded >= 97) & (folded <= 122)) | (points >= 0xC0), dtype=np.bool_)


def _table(old: str, new: str) -> Points:
    table = np.arange(128, dtype=np.uint32)
    for a, b in zip(old + old.upper(), new + new.upper(), strict=True):
        table[ord(a)] = ord(b)
    return table


def _translate(points: Points, table: Points) -> Points:
    return np.where(points < len(table), table[np.minimum(points, len(table) - 1)], points)


def _on_points(call: str, column: str, change: Callable[[Points, Rng], Points]) -> Generator:
    def changed(texts: Column, rng: Rng) -> Column:
        width = texts.dtype.itemsize // 4
        if width == 0 or len(texts) == 0:
            return texts
        rows = max(_CELLS // width, 1)
        pieces = [_one_piece(texts[i : i + rows], width, change, rng) for i in range(0, len(texts), rows)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)

    return _on_texts(call, column, changed)


def _one_piece(texts: Column, width: int, change: Callable[[Points, Rng], Points], rng: Rng) -> Column:
    points = np.ascontiguousarray(texts).view(np.uint32).reshape(len(texts), width)
    new = np.ascontiguousarray(change(points, rng), dtype=np.uint32)
    return new.view(f"U{new.shape[1]}").reshape(len(texts))


def _on_texts(call: str, column: str, change: Callable[[Column, Rng], Column]) -> Generator:
    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        x = batch[column]
        rows = np.flatnonzero(hits(strength * ~missing(x), rng))
        return {column: put_text(x, rows, change(x[rows].astype(str), rng))} if len(rows) else {}

    return Generator(call, (column,), "share", kernel, kind="text")
