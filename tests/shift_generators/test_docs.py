"""The pages are there, they are true, and they can be made again."""

import re
from pathlib import Path

import numpy as np
import pytest

from docs.shifts.build import build
from docs.shifts.pages import PAGES
from docs.shifts.rows import SOURCE, rows
from driftdrill import shift_generators
from driftdrill.shift_generators import Generator
from tests.shift_generators.examples import IDS

FOLDER = Path(__file__).parent.parent.parent / "docs" / "shifts"
NAMES = {name: getattr(shift_generators, name) for name in shift_generators.__all__}


def test_every_id_and_every_generator_has_a_page_and_a_plot() -> None:
    assert {page.generator.id for page in PAGES} >= IDS - {i for i in IDS if i.startswith("edge.")}
    made_by = {repr(page.generator).split("(")[0] for page in PAGES}
    assert made_by == {page.function for page in PAGES}
    for page in PAGES:
        assert (FOLDER / f"{page.function}.md").exists(), "run: python -m docs.shifts.build"
        assert (FOLDER / f"{page.function}.png").stat().st_size < 40_000
        assert f"({page.function}.md)" in (FOLDER / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.function)
def test_the_call_on_a_page_runs_and_is_the_one_that_is_drawn(page: object) -> None:
    function, generator = page.function, page.generator  # type: ignore[attr-defined]
    text = (FOLDER / f"{function}.md").read_text(encoding="utf-8")
    (call,) = re.findall(r"```python\n(.*?)\n```", text, re.DOTALL)
    made = eval(call, {**NAMES, "probability": SOURCE.probability})
    assert isinstance(made, Generator)
    assert repr(made) == repr(generator)
    batch = rows(300)
    out = made(batch, np.ones(300), np.random.default_rng(0))
    assert any(out[name] is not batch[name] for name in batch)


def test_the_example_of_the_index_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)\n```", (FOLDER / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    exec(example, {})
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("sized(mean_shift('dep_delay', by=1.0), psi=0.25) at ")
    assert float(printed[1]) == pytest.approx(0.25, rel=0.01)


def test_a_page_can_be_made_again(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    page = next(page for page in PAGES if page.function == "rescale")
    build(tmp_path, (page,))
    assert (tmp_path / "rescale.md").read_text(encoding="utf-8") == (FOLDER / "rescale.md").read_text(encoding="utf-8")
    assert (tmp_path / "rescale.png").stat().st_size > 1000
