"""Write the pages of the generators and their plots: python -m docs.shifts.build [folder]."""

import inspect
import sys
from pathlib import Path

import numpy as np

from docs.shifts.looks import LOOKS
from docs.shifts.pages import PAGES, Page
from docs.shifts.rows import rows
from driftdrill import shift_generators as sg
from driftdrill.shift_generators import Batch


def build(folder: Path, pages: tuple[Page, ...] = PAGES) -> None:
    """Write one page and one plot for each of ``pages``, and the index, into ``folder``."""
    reference = rows()
    for page in pages:
        solved = page.generator.solve(reference)
        after = solved(reference, np.ones(len(reference["late"])), np.random.default_rng(1))
        _plot(page, reference, after, folder / f"{page.function}.png")
        (folder / f"{page.function}.md").write_text(_page(page, reference, after), encoding="utf-8")
    if pages == PAGES:
        (folder / "README.md").write_text(_index(), encoding="utf-8")


def _plot(page: Page, before: Batch, after: Batch, file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context({"font.size": 7, "axes.spines.top": False, "axes.spines.right": False}):
        figure, (left, right) = pyplot.subplots(1, 2, figsize=(5.2, 1.9), layout="constrained")
        LOOKS[page.look](left, right, before, after, page.columns)
        left.set_title("before", fontsize=8)
        right.set_title("after, strength 1", fontsize=8)
        figure.savefig(file, dpi=80, metadata={"Software": None})
        pyplot.close(figure)


def _page(page: Page, before: Batch, after: Batch) -> str:
    function = getattr(sg, page.function)
    told = (inspect.getdoc(function) or "").replace("``", "`").replace(":func:", "").replace(":class:", "")
    told = told.replace(":meth:", "").replace(":data:", "")
    generator = page.generator
    moved = "whole rows" if not generator.columns else ", ".join(f"`{name}`" for name in generator.columns)
    return _PAGE.format(
        name=page.function,
        id=generator.id,
        signature=_signature(page.function),
        told=told,
        call=repr(generator).replace("'", '"'),
        scales="the size of the change in every row"
        if generator.scales == "size"
        else "the share of rows that are hit",
        moved=moved,
        seen=page.seen,
        sizes=_sizes(page, before, after) + (_edges() if page.function == "edge" else ""),
    )


def _signature(name: str) -> str:
    signature = inspect.signature(getattr(sg, name))
    bare = [p.replace(annotation=inspect.Parameter.empty) for p in signature.parameters.values()]
    return f"{name}{signature.replace(parameters=bare, return_annotation=inspect.Signature.empty)}"


def _sizes(page: Page, before: Batch, after: Batch) -> str:
    report = sg.realised(page.generator, before, after)
    lines = ["| column | PSI | KS | Wasserstein | Hellinger | Jensen-Shannon | AUC | missing |", "| --- " * 8 + "|"]
    for size in report.columns:
        numbers = (size.psi, size.ks, size.wasserstein, size.hellinger, size.jensen_shannon, size.auc, size.missing)
        shown = " | ".join("" if n is None else f"{n:.3g}" for n in numbers)
        lines.append(f"| {size.column} | {shown} |")
    if report.effective < len(before["late"]):
        share = report.effective / len(before["late"])
        lines.append(f"\nEffective sample {share:.0%} of the rows; largest weight {report.largest_weight:.2f}.")
    return "\n".join(lines)


def _edges() -> str:
    lines = [f"| {e.name} | `{e.id}` | {e.kind} | {e.why} |" for e in sg.EDGES]
    head = "| name | id | column of | why it is an edge |\n| --- | --- | --- | --- |\n"
    return "\n\n## All edge values\n\n" + head + "\n".join(lines)


def _index() -> str:
    lines = [
        f"| [{page.function}]({page.function}.md) | `{page.generator.id}` | {page.generator.scales} | {_first(page)} |"
        for page in PAGES
    ]
    return _INDEX.replace("{pages}", "\n".join(lines))


def _first(page: Page) -> str:
    """The first sentence of the function's docstring."""
    paragraph = " ".join((inspect.getdoc(getattr(sg, page.function)) or "").split("\n\n")[0].split())
    return paragraph.split(". ")[0].rstrip(".").replace("``", "`")


_PAGE = """# {name}

`{id}`

```
{signature}
```

{told}

![Before and after]({name}.png)

```python
{call}
```

- Strength scales {scales}.
- It changes {moved}.
- What sees it: {seen}

What this call came to at strength 1, by ten bins of the reference:

{sizes}
"""

_INDEX = """# Shift generators

A generator is a pure function on rows: `generator(batch, strength, rng) -> batch`. A batch is a dict of column name to
numpy array; strength is a number in [0, 1] for each row, 1 being the stated size; `rng` is a `numpy.random.Generator`.
The input is never changed, a row with strength 0 keeps its bytes, and the same seed gives the same bytes.

```python
import numpy as np
from driftdrill.shift_generators import distance, mean_shift, sized

rng = np.random.default_rng(0)
rows = {"dep_delay": rng.normal(12.0, 18.0, 10_000)}
shift = sized(mean_shift("dep_delay"), psi=0.25).solve(rows)
after = shift(rows, np.linspace(0.0, 1.0, 10_000), rng)  # a ramp inside one batch
print(shift)
print(round(distance("psi", rows["dep_delay"])(shift(rows, 1.0, rng)["dep_delay"]), 3))
```

Missing values are NaN among numbers (whole numbers become float64), NaT among timestamps, None among text.

| generator | id | strength scales | what it does |
| --- | --- | --- | --- |
{pages}

## Sizes

`sized(generator, psi=0.25)` asks for a size instead of a knob: `psi`, `ks`, `wasserstein`, `hellinger`,
`jensen_shannon` or `auc` of one column, `domain_auc` of a classifier that sees all columns of numbers, or
`accuracy_drop` of a scorer against the truth. `solve(reference)` reaches it to 1 % or raises `Unreachable` with the
attainable range and, where there is one, a solved alternative. PSI depends on its recipe: bins are the reference's
quantiles, frozen; missing values and values that fill a bin have bins of their own; half a row is added to each bin.
`sized_by` takes a distance with a reference or a formula of your own, and `realised` reports an application under
every metric, with the effective sample size and the largest weight of what was drawn by weight.

Maps of whole numbers and of columns with many equal values jump over sizes: a mixture (`on_fraction`) or a tilt does
not, and the error names the one that reaches it.

## How large a window

`noise_floor("psi", 1200)` is what a clean window of 1,200 rows stays below in 999 of 1,000 cases, and
`window("psi", 0.25)` the smallest window that shows a PSI of .25 above that floor with power .9. How often a standard
detector finds our shifts is measured in [detection power](detection-power.md); speed and memory in
[benchmarks](../benchmarks-shifts.md).

Made by `python -m docs.shifts.build`.
"""

if __name__ == "__main__":
    build(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
