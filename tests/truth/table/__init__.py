"""The table, a file a kind of lie; each kind with its healthy twins."""

from tests.truth.entry import Entry
from tests.truth.table import clocks, evaluation, expectations, harm, odd, pages, places, refused, silences, traps

KINDS = {
    "rules that the engine refuses": refused.ENTRIES,
    "odd samples and names": odd.ENTRIES,
    "a rule is its place, and whose alert it is": places.ENTRIES,
    "expectations": expectations.ENTRIES,
    "evaluation": evaluation.ENTRIES,
    "harm": harm.ENTRIES,
    "pages": pages.ENTRIES,
    "clocks, load and traffic": clocks.ENTRIES,
    "traps": traps.ENTRIES,
    "silences": silences.ENTRIES,
}
ENTRIES: list[Entry] = [entry for entries in KINDS.values() for entry in entries]
