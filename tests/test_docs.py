"""Documentation that tests keep true: words, faults, verbs, and every page that is linked."""

import os
import re
from pathlib import Path

from tests.shared import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_word_of_a_verdict_is_explained_in_the_readme() -> None:
    from driftdrill.reports.words import WORDS

    explained = {word for row in re.findall(r"^\| (\*\*.*?) \|", README, re.MULTILINE) for word in bold(row)}
    assert explained == WORDS.keys()


def bold(text: str) -> list[str]:
    return re.findall(r"\*\*(.+?)\*\*", text)


def test_the_faults_of_the_readme_are_faults() -> None:
    (python,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "faults = [" in block]
    names: dict[str, object] = {}
    exec(python, names)
    assert len(names["faults"]) == 7  # type: ignore[arg-type]


def test_every_page_that_is_linked_exists() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            there = Path(os.path.normpath(page.parent / link))
            in_an_sdist = ROOT / "driftdrill" / there.relative_to(ROOT)
            assert there.exists() or in_an_sdist.exists(), f"{page.relative_to(ROOT)} links {link}"


def test_every_verb_is_in_the_readme_or_in_docs() -> None:
    from driftdrill.harness.cli.main import VERBS

    text = README + "".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs").rglob("*.md"))
    missing = [verb for verb in VERBS if f"driftdrill {verb}" not in text and f"`{verb}`" not in text]
    assert not missing
