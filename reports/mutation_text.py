"""What became of mutants, as text for a terminal: the survivors by rule, each with the drill that would kill it."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from driftdrill.reports.data.mutation import MutantResult, Mutation
from driftdrill.reports.rows import Row, laid_out
from driftdrill.reports.words import plain, where

_HANG, _LONGEST = 19, 60


def render(mutation: Mutation, *, width: int = 80, colour: bool = False) -> str:
    """The report in lines of at most ``width`` (40 or more) columns, with a trailing line end."""
    count = mutation.counts
    valid = sum(count.values()) - count["INVALID"]
    told = [f"{n} {fate}" for fate, n in count.items() if n and fate != "KILLED"]
    drills = f"{len(mutation.recordings)} drill{'s' if len(mutation.recordings) != 1 else ''}"
    rows = [
        Row(" · ".join([f"{mutation.share:.0%} KILLED", *told]), indent=0),
        Row(
            f"{drills} killed {count['KILLED']} of {valid} mutants of {', '.join(map(plain, mutation.rules))}", indent=0
        ),
    ]
    for title, body in (
        ("survivors, and the drill that would kill each", list(_survivors(mutation))),
        ("not covered", list(_by_reason(mutation, "NOT_COVERED"))),
        ("invalid, and not counted", list(_by_reason(mutation, "INVALID"))),
        ("killed, by mistake made", list(_by_operator(mutation))),
        ("without mutants", [Row("", f"{plain(name)}: {plain(why)}") for name, why in mutation.left_out.items()]),
        ("drills", [Row("", f"{plain('; '.join(mutation.recordings))}; {plain(mutation.engine)}")]),
    ):
        if body:
            rows += [Row("", indent=0), Row(title, indent=0), *body]
    return laid_out(rows, width=width, colour=colour)


def _survivors(mutation: Mutation) -> Iterator[Row]:
    for place, group in groupby(mutation.mutants, key=lambda m: (m.rule, m.where)):
        each = list(group)
        kept = [m for m in each if m.fate == "SURVIVED"]
        if not kept:
            continue
        count = f"{plain(place[0])} ({where(place[1])}): {len(kept)} of {len(each)} survive"
        blind = next((m for m in kept if m.blind), None)
        if blind is None:
            yield Row("", count)
            yield from (Row(m.operator, f"{_change(m)}: {_told(m)}", indent=4, hang=_HANG) for m in kept)
        else:  # while the whole rule may go, what else may be wrong in it is not worth a line
            yield Row("", f"{count}, {blind.operator} among them: {_told(blind)}")


def _change(m: MutantResult) -> str:
    return f"`{_cut(m.was)}`" + (f" becomes `{_cut(m.now)}`" if m.now else " goes")


def _told(m: MutantResult) -> str:
    return (f"{plain(m.seen)} in {plain(m.recording)}: " if m.seen else "") + plain(m.remedy)


def _cut(text: str) -> str:
    whole = plain(text)
    return whole if len(whole) <= _LONGEST else whole[: _LONGEST - 1] + "…"


def _by_reason(mutation: Mutation, fate: str) -> Iterator[Row]:
    found = sorted((m for m in mutation.mutants if m.fate == fate), key=lambda m: (m.rule, m.where, m.seen))
    for (rule, place, seen), group in groupby(found, key=lambda m: (m.rule, m.where, m.seen)):
        names = ", ".join(dict.fromkeys(m.operator for m in group))
        yield Row("", f"{plain(rule)} ({where(place)}): {names}: {plain(seen)}")


def _by_operator(mutation: Mutation) -> Iterator[Row]:
    valid: Sequence[MutantResult] = [m for m in mutation.mutants if m.fate != "INVALID"]
    for name in dict.fromkeys(m.operator for m in valid):
        its = [m for m in valid if m.operator == name]
        known = f" ({its[0].id})" if its[0].id else ""
        yield Row(name, f"{sum(m.fate == 'KILLED' for m in its)} of {len(its)}{known}", hang=_HANG)
