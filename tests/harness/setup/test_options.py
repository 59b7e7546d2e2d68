"""Every option of the one table arrives in Settings from the command line, from Locust's, and from driftdrill.toml."""

import dataclasses
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from driftdrill.harness.cli.locust_entry import settings_under_locust
from driftdrill.harness.errors import ConfigError
from driftdrill.harness.setup.options import OPTIONS, Option
from driftdrill.harness.setup.settings import Settings, settings_of
from driftdrill.harness.traffic.locust_user import Hosted
from tests.harness import scenarios
from tests.harness.command import ROOT, Cli
from tests.harness.toy import Toy

VALUES = {"target": "http://127.0.0.1:9", "prometheus": "binary", "engine": "2.42", "config": "mine.toml"}
"""Of options whose value is not any text."""


def value(option: Option, number: int = 1) -> Any:
    """One that can be told from the default, and from another number's."""
    if option.kind == "number":
        return option.least + number
    if option.kind == "switch":
        return number == 1
    return option.words[-number % len(option.words)] if option.words else VALUES.get(option.name, f"value{number}")


def words_of(option: Option, flag: str, said: Any) -> list[str]:
    """What is typed."""
    if option.kind == "switch":
        return [flag if said else f"--no-{flag[2:]}"]
    return [flag, str(said)]


def by_click(arguments: list[str], verb: str = "run") -> Settings:
    """Settings of the real command line's parser."""
    from driftdrill.harness.cli.main import cli

    command = cli.get_command(cli.make_context("driftdrill", [verb]), verb)
    assert command is not None
    given = dict(command.make_context(verb, ["drill.py", *arguments]).params)
    assert given.pop("scenario_file") == "drill.py"
    return settings_of(**given)


def by_locust(arguments: list[str]) -> Settings:
    """Settings of Locust's own parser, with our arguments in it."""
    from locust.argument_parser import parse_options
    from locust.env import Environment

    options = parse_options(["-f", "drill.py", "--headless", *arguments])
    return settings_under_locust(Hosted(Environment(parsed_options=options, host=options.host), None))  # type: ignore[arg-type]


def toml(option: Option, said: Any) -> str:
    """The option in driftdrill.toml."""
    text = str(said).lower() if option.kind in ("number", "switch") else repr(said)
    table, _, key = option.key.rpartition(".")
    return (f"[{table}]\n" if table else "") + f"{key} = {f'[{text}]' if option.many else text}\n"


def arrived(option: Option, said: Any) -> Any:
    """What Settings holds then."""
    return (said,) if option.many else said


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in, but for a file of targets that one option names."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.toml").write_text("")
    return tmp_path


each = pytest.mark.parametrize("option", OPTIONS, ids=[option.name for option in OPTIONS])


def test_settings_have_a_field_for_each_option_and_no_other_but_two() -> None:
    fields = {field.name for field in dataclasses.fields(Settings)}

    assert fields == {option.name for option in OPTIONS} | {"judge", "file"}


@each
def test_an_option_arrives_from_the_command_line(option: Option) -> None:
    said = value(option)

    for verb in option.verbs:
        assert getattr(by_click(words_of(option, option.flag, said), verb), option.name) == arrived(option, said)
    assert getattr(by_click([]), option.name) == getattr(Settings(), option.name)


@each
def test_an_option_arrives_from_locusts_command_line(option: Option) -> None:
    said = value(option)

    assert getattr(by_locust(words_of(option, option.locust, said)), option.name) == arrived(option, said)
    assert getattr(by_locust([]), option.name) == getattr(Settings(), option.name)


def test_locusts_own_host_names_the_target_too_and_two_of_them_must_agree() -> None:
    assert by_locust(["--host", "http://127.0.0.1:9"]).target == "http://127.0.0.1:9"
    assert by_locust(["--host", "http://a", "--target", "http://a"]).target == "http://a"
    with pytest.raises(ConfigError, match="--target http://b and --host http://a differ"):
        by_locust(["--host", "http://a", "--target", "http://b"])


def test_driftdrill_run_and_locust_take_the_same_flags_but_for_those_that_locust_has_itself() -> None:
    from locust.argument_parser import get_empty_argument_parser, get_parser, setup_parser_arguments

    from driftdrill.harness.cli.main import cli

    bare = get_empty_argument_parser()
    setup_parser_arguments(bare)
    locusts = {flag for action in bare._actions for flag in action.option_strings}
    both = {flag for action in get_parser()._actions for flag in action.option_strings}
    run = cli.get_command(cli.make_context("driftdrill", ["run"]), "run")
    assert run is not None
    ours = {f for p in run.params for f in (*p.opts, *p.secondary_opts) if f.startswith("-")} - {"--promtool"}

    wanted = {f"--drill-{flag[2:]}" if flag in locusts else flag for flag in ours}
    assert both - locusts - {"--promtool"} == wanted
    assert {flag for flag in wanted if flag.startswith("--drill-")} == {
        "--drill-config",
        "--drill-json",
        "--drill-html",
    }


@each
def test_an_option_arrives_from_driftdrill_toml_or_is_refused_there_with_the_reason(
    option: Option, folder: Path
) -> None:
    said = value(option)
    if option.no_key:
        (folder / "driftdrill.toml").write_text(f"{option.name} = {said!r}\n")
        with pytest.raises(ConfigError, match=re.escape(f"`{option.name}` is a flag")) as refused:
            settings_of()
        assert option.no_key in str(refused.value)
        return
    (folder / "driftdrill.toml").write_text(toml(option, said))

    assert getattr(settings_of(), option.name) == arrived(option, said)


@each
def test_the_command_line_is_over_driftdrill_toml(option: Option, folder: Path) -> None:
    if option.no_key or option.words == ("silent_failure",):
        return
    here, there = value(option, 2), value(option)
    if option.name in VALUES:
        here = {"target": "http://127.0.0.1:8", "prometheus": "auto", "engine": "promtool"}[option.name]
    (folder / "driftdrill.toml").write_text(toml(option, there))
    wanted = (here, there) if option.adds else arrived(option, here)

    assert getattr(by_click(words_of(option, option.flag, here)), option.name) == wanted
    assert getattr(by_locust(words_of(option, option.locust, here)), option.name) == wanted


def test_zero_and_no_on_a_command_line_are_said(folder: Path) -> None:
    (folder / "driftdrill.toml").write_text("seed = 3\nkeep_rows = true\nmetrics_port = 9\n")
    typed = ["--seed", "0", "--no-keep-rows", "--metrics-port", "0"]

    for settings in (by_click(typed), by_locust(typed)):
        assert (settings.seed, settings.keep_rows, settings.metrics_port) == (0, False, 0)


@pytest.mark.parametrize(
    ("typed", "cause"),
    [
        (["--seed", "-1"], "-1"),
        (["--rows-per-request", "0"], "0"),
        (["--rows-per-request", "10001"], "10001"),
        (["--metrics-port", "x"], "'x'"),
        (["--clock", "sundial"], "sundial"),
        (["--fail-on", "noise"], "noise"),
    ],
)
def test_a_value_that_cannot_be_is_refused_everywhere(
    typed: list[str], cause: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import click

    with pytest.raises(click.UsageError, match=cause):
        by_click(typed)
    with pytest.raises(SystemExit):
        by_locust(typed)
    assert cause in capsys.readouterr().err
    (option,) = [option for option in OPTIONS if option.flag == typed[0]]
    number = option.kind == "number" and typed[1] != "x"
    (folder / "driftdrill.toml").write_text(toml(option, int(typed[1]) if number else f"'{typed[1]}'"))
    with pytest.raises(ConfigError, match=re.escape(f"$.{option.key}")):
        settings_of()


def test_paths_of_the_file_are_relative_to_it(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "mine.toml").write_text(
        "rules = ['rules/*.yml', '/etc/rules.yml']\nout = 'a.drill'\nhtml = '~/v.html'\n"
        "[prometheus]\nengine = 'bin/promtool'\n"
    )
    settings = settings_of(config="sub/mine.toml")

    assert settings.rules == ("sub/rules/*.yml", "/etc/rules.yml")
    assert (settings.out, settings.engine) == ("sub/a.drill", "sub/bin/promtool")
    assert settings.html_file == str(Path.home() / "v.html")


@pytest.mark.parametrize("verb", ["run", "record", "judge", "mutate", "export"])
def test_the_old_promtool_is_refused_by_the_new_name(cli: Cli, verb: str) -> None:
    cause, remedy = cli(verb, "--promtool", "/usr/bin/promtool", "x").refused()

    assert cause == "--promtool is called --engine now"
    assert "3.5.3" in remedy


def test_the_old_promtool_of_the_file_and_of_locust_is_refused_too(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        by_locust(["--promtool", "x"])
    assert "it is called --engine now" in capsys.readouterr().err
    (folder / "driftdrill.toml").write_text("[prometheus]\npromtool = 'x'\n")
    with pytest.raises(ConfigError, match=r"driftdrill\.toml: prometheus: promtool is called engine now") as refused:
        settings_of()
    assert "engine = " in str(refused.value.hint)


def test_a_locust_drill_takes_seed_and_writes_what_is_asked_for(cli: Cli, model: Toy) -> None:
    file = scenarios.write(cli.folder)
    file.write_text(
        file.read_text() + "\nfrom driftdrill import ModelUser\nclass Load(ModelUser):\n    scenario = drill\n"
    )
    (cli.folder / "driftdrill.toml").write_text("seed = 3\nmarkdown = 'v.md'\n")
    outputs = ("--drill-json", "v.json", "--drill-html", "v.html", "--junit", "v.xml", "--html", "locusts.html")
    program = (sys.executable, "-m", "locust")

    done = cli.start("-f", file, "--headless", "--host", model.url, "--seed", 7, *outputs, program=program).wait()

    assert done.code == 0, done
    assert done.recording.meta.seed == 7
    for name in ("v.json", "v.html", "v.xml", "v.md", "locusts.html"):
        assert (cli.folder / name).stat().st_size > 200, name
    assert "HighMean" in (cli.folder / "v.html").read_text()
    assert "HighMean" not in (cli.folder / "locusts.html").read_text()


def test_the_page_of_driftdrill_toml_has_the_table_of_options() -> None:
    def row(o: Option) -> str:
        flag = f"`{o.flag}`" + (f", `--no-{o.flag[2:]}`" if o.kind == "switch" else "")
        key = f"no: {o.no_key}" if o.no_key else f"`{o.key}`"
        under = f"`{o.locust}`"
        if o.locust != o.flag:
            under += f": Locust has a `{o.flag}` of its own"
        more = " May be repeated." * o.many + " What the file says holds too." * o.adds
        return f"| {flag} | {key} | {'the same' if under == f'`{o.flag}`' else under} | {o.whole_help}{more} |"

    table = "\n".join(
        ["| `run`, `record` | driftdrill.toml | `locust -f FILE` | |", "|---|---|---|---|", *map(row, OPTIONS)]
    )
    assert table in (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8"), f"\n{table}\n"
