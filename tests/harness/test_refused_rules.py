"""A rule file that the engine refuses is a usage error with file and line, in whatever judges."""

from pathlib import Path

import pytest

from driftdrill import fires
from driftdrill.pytest_plugin import RecordedDrill
from driftdrill.stack.errors import StackError
from tests.harness.command import Cli
from tests.harness.made import make

GOOD = "groups:\n- name: g\n  rules:\n  - {alert: Hot, expr: heat > 10}\n"
BAD = GOOD + "  - {alert: Bad, expr: 'sum by (heat'}\n"


@pytest.fixture
def drill(cli: Cli) -> Path:
    return make(cli.folder, {"heat": lambda t: 20.0 if 1000 < t < 1700 else 1.0}, GOOD, expect=[fires("Hot")]).path


@pytest.fixture
def bad(cli: Cli) -> Path:
    file = cli.folder / "bad.yml"
    file.write_text(BAD)
    return file


@pytest.mark.parametrize("verb", ["judge", "mutate", "export"])
def test_every_verb_that_judges_refuses_it(cli: Cli, drill: Path, bad: Path, verb: str) -> None:
    more = ["--as-promtool-test", "--out", cli.folder / "out"] if verb == "export" else []
    assert cli("judge", drill).code == 0
    cause, _ = cli(verb, drill, "--rules", bad, *more).refused()
    assert "bad.yml:5" in cause
    assert "unclosed left parenthesis" in cause


def test_so_does_the_plug_in(drill: Path, bad: Path) -> None:
    assert RecordedDrill(drill).judge().failures == []
    with pytest.raises(StackError, match=r"bad\.yml:5: promtool check rules: .*unclosed left parenthesis"):
        RecordedDrill(drill, (str(bad),)).judge()
