"""Write a page for each id that is no shift of rows, and the index: python -m docs.faults.build [folder]."""

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from docs.faults.entries import ENTRIES, Entry
from driftdrill import Fault
from driftdrill.durations import rounded_duration
from driftdrill.harness.seams.catalogue import FAMILIES, MISSING, WAYS, ids, kinds
from driftdrill.stack.faults.kind import Kind

HERE = Path(__file__).resolve().parent
MEASURED = HERE / "measured.json"
HARM = 0.02
"""The smallest drop of accuracy that matters."""
MISCONFIGURED = HERE.parent / "misconfigured.md"
MORE = dict.fromkeys(("Fault", "control", "load", "minutes"), "driftdrill") | {"hook": "driftdrill.faults"}
"""Names that an example may use beside kinds, and where they are imported from."""


def measured() -> dict[str, Any]:
    """What measure.py found, by id."""
    return json.loads(MEASURED.read_text(encoding="utf-8")) if MEASURED.exists() else {}  # type: ignore[no-any-return]


def written(entry: Entry) -> str:
    """The example of an entry, as an author writes it."""
    replica = "" if entry.replica is None else f", replica={entry.replica}"
    named = "" if _names_itself(entry) else f', id="{entry.id}"'
    call = f'Fault("{_called(entry)}", {entry.how}{replica}{named})'
    used = re.findall(r"\b[A-Za-z_]\w*\b", re.sub(r"\"[^\"]*\"", "", call))
    homes: dict[str, set[str]] = {}
    for name in used:
        home = MORE.get(name) or _home(entry, name)
        if home:
            homes.setdefault(home, set()).add(name)
    lines = [f"from {home} import {', '.join(sorted(names))}" for home, names in sorted(homes.items())]
    return "\n".join([*lines, "", call])


def fault_of(entry: Entry) -> Fault:
    """The example itself."""
    *imports, call = written(entry).splitlines()
    names: dict[str, Any] = {}
    exec("\n".join(imports), names)
    fault: Fault = eval(call, names)
    return fault


def build(folder: Path) -> None:
    """Write all pages and the index into ``folder``, and the table of misconfigured models into its page."""
    found = measured()
    if folder == HERE:
        MISCONFIGURED.write_text(compared(MISCONFIGURED.read_text(encoding="utf-8"), found), encoding="utf-8")
    for entry in ENTRIES:
        (folder / f"{entry.id}.md").write_text(page(entry, found.get(entry.id)), encoding="utf-8")
    (folder / "README.md").write_text(_index(), encoding="utf-8")


def page(entry: Entry, found: dict[str, Any] | None) -> str:
    """One page."""
    parts = [f"# {entry.id}", entry.life]
    if own := kinds_of(entry.id):
        parts.append(_table(own))
    elif entry.id in WAYS:
        parts.append(f"It is a way to use what there is: {WAYS[entry.id]}.")
    elif entry.id in MISSING:
        parts.append(f"**It cannot be injected**: {MISSING[entry.id]}.")
    if entry.example:
        parts.append(entry.example)
    elif entry.how:
        parts.append(f"```python\n{written(entry)}\n```")
    parts += ["## Who sees it", entry.seen]
    if entry.rule:
        parts.append(f"```promql\n{entry.rule}\n```")
    if found:
        parts += ["## On the demo model", _came_of_it(found)]
    if entry.note:
        parts += ["## To know", entry.note]
    return "\n\n".join(parts) + "\n"


def compared(text: str, found: dict[str, Any]) -> str:
    """The page of misconfigured models with its table made anew."""
    before, head, after = text.partition("| switch |")
    rows = []
    for id_ in (e.id for e in ENTRIES if e.id.startswith("mis.") and e.id in found):
        fired = {a: f"{a} {rounded_duration(s)}" for a, s in found[id_]["fired"].items()}
        canary = [fired.pop(a) for a in tuple(fired) if a.startswith("Canary")]
        own = ", ".join(fired.values()) or "**nothing**"
        accuracy = found[id_]["accuracy"][1]
        rows.append(f"| [{id_}](faults/{id_}.md) | {accuracy:.3f} | {', '.join(canary) or '**nothing**'} | {own} |")
    _, blank, rest = after.partition("\n\n")
    columns = " accuracy | the canary, after | the model's own metrics, after |\n|---|---|---|---|\n"
    return before + head + columns + "\n".join(rows) + blank + rest


def kinds_of(id_: str) -> tuple[Kind, ...]:
    """The kinds of an id."""
    return tuple(k for k in kinds() if k.id == id_)


def _table(own: Iterable[Kind]) -> str:
    lines = ["| written | from | acts on | seen first by | what it does |", "|---|---|---|---|---|"]
    for k in own:
        call = f"`{k.name}({', '.join(k.parameters)})`" if k.home else f"`{k.name}`"
        home = f"`{k.home}`" if k.home else "`driftdrill mutate`"
        acts = "the rules" if not k.home else k.acts
        lines.append(f"| {call} | {home} | {acts} | {k.visible_from} | {k.description} |".replace(":func:", ""))
    return "\n".join(lines)


def _came_of_it(found: dict[str, Any]) -> str:
    wall = found["clock"] == "wall"
    rules = "demo_seconds.yml" if wall else "demo.yml"
    lasting = "22 seconds, on the wall clock" if wall else "24 minutes, in virtual time"
    text = f"Driven for {lasting}, with [{rules}](../../scenarios/rules/{rules}): {_fired(found)}"
    before, during = found["accuracy"]
    return text if before is None else f"{text}\n\n{_harm(before, during, found['unanswered'])}"


def _harm(before: float, during: float, unanswered: float) -> str:
    if before - during < HARM:
        text = f"Accuracy stays, as far as two samples of rows can tell: {before:.3f} before it, {during:.3f} under it."
    else:
        text = f"Accuracy goes from {before:.3f} to {during:.3f}."
    if unanswered:
        text += f" {unanswered:.1%} of the rows get no prediction, and count as wrong."
    return text


def _fired(found: dict[str, Any]) -> str:
    if not found["fired"]:
        return "**no alert fires**."
    lines = [f"| {alert} | {rounded_duration(after)} |" for alert, after in found["fired"].items()]
    return "\n\n".join(["these alerts fire.", "\n".join(["| alert | after |", "|---|---|", *lines])])


def _called(entry: Entry) -> str:
    return entry.id.partition(".")[2].replace("_", " ")


def _names_itself(entry: Entry) -> bool:
    """Whether the example's ``how`` has the entry's id by itself."""
    first = re.match(r"\w+", entry.how)
    return first is not None and any(k.id == entry.id for k in kinds() if k.name == first.group())


def _home(entry: Entry, name: str) -> str:
    """Where a kind of that name is imported from: the entry's own kind, if several have it."""
    homes = [k.home for k in sorted(kinds(), key=lambda k: k.id != entry.id) if k.name == name and k.home]
    return homes[0] if homes else ""


def _index() -> str:
    pages = {entry.id for entry in ENTRIES}
    shifts = {k.id: k.name for k in kinds() if k.acts == "rows" and k.name != "edge"}
    known = ids() | MISSING.keys()
    lines = []
    for family in (*FAMILIES, "replica"):
        for id_ in sorted(i for i in known if i.partition(".")[0] == family):
            own = kinds_of(id_)
            link = f"[{id_}]({id_}.md)" if id_ in pages else f"[{id_}](../shifts/{shifts[id_]}.md)"
            acts = ", ".join(dict.fromkeys(k.acts for k in own))
            seen = ", ".join(dict.fromkeys(k.visible_from for k in own))
            named = ", ".join(f"`{n}`" for n in dict.fromkeys(k.name for k in own))
            lines.append(f"| {link} | {named or WAYS.get(id_) or MISSING[id_]} | {acts} | {seen} |")
    return _INDEX + "\n".join(lines) + "\n"


_INDEX = """# The catalogue of faults

Every fault by its id, as `driftdrill list faults` prints it. An id is a public name: scenarios may say it
(`Fault(..., id="mis.wrong_version")`), recordings and reports carry it.

**Seen first by** is the earliest place where a fault can be seen. One between client and model is not in the model's
own metrics as such; one that nothing but labels can tell is seen `nowhere`.

The pages say how a fault comes about, how it is written, who sees it, what the demo's rules made of it (measured by
`python -m docs.faults.measure`), and an expression that catches it. How faults are put in and undone is in
[injecting](../injecting.md); misconfigured models are [compared](../misconfigured.md), and so are the
[traps](../traps.md) in which alerts stay silent.

| id | written | acts on | seen first by |
|---|---|---|---|
"""


if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
