"""Options that several verbs share."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftdrill.harness.errors import ConfigError

if TYPE_CHECKING:
    from driftdrill.harness.setup.prepare import Settings
    from driftdrill.reports.data.verdict import Verdict

Command = Callable[..., Any]


def _stack(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    for option in reversed(options):
        command = option(command)
    return command


def drive_options(command: Command) -> Command:
    """What `run` and `record` take."""
    return _stack(
        [
            click.argument("file", type=click.Path(path_type=Path)),
            click.option("--scenario", help="Which scenario, where FILE holds several."),
            click.option("--target", help="URL, or a name in driftdrill.toml."),
            click.option("--replica", "replicas", multiple=True, help="URL of a further server like --target URL."),
            click.option("--clock", type=click.Choice(["virtual", "wall"]), help="Default: the scenario's own."),
            click.option("--rules", multiple=True, help="Rule file or glob; may be repeated."),
            click.option("--config", type=click.Path(), help="Default: driftdrill.toml in this folder, if any."),
            click.option("--allow-host", multiple=True, help="A host beyond this machine that may be drilled."),
            click.option("--prometheus", help="auto, container, binary, or a running one's URL."),
            click.option("--promtool", help="Path of the promtool that evaluates rules in virtual time."),
            click.option("--out", type=click.Path(), help="Where the recording goes (NAME.drill)."),
            click.option("--metrics-port", type=click.IntRange(0, 65535), default=0, help="For the drill's metrics."),
            click.option("--keep-rows", is_flag=True, help="Keep feature values and bodies in the recording."),
            click.option("--redact", multiple=True, help="With --keep-rows: a column to leave out."),
            click.option("--seed", type=click.IntRange(min=0), help="Default: what the scenario says."),
            click.option(
                "--rows-per-request",
                type=click.IntRange(min=1, max=10_000),
                default=1,
                help="Rows in one request: faster, but a service then counts fewer requests.",
            ),
        ],
        command,
    )


def settings_of(given: Mapping[str, Any]) -> "Settings":
    """The options as settings."""
    from driftdrill.harness.setup.prepare import Settings

    return Settings(
        target=given["target"],
        replicas=tuple(given["replicas"]),
        metrics_port=given["metrics_port"],
        keep_rows=given["keep_rows"],
        redact=tuple(given["redact"]),
        clock=given["clock"],
        rules=tuple(given["rules"]),
        config=given["config"],
        allow_hosts=tuple(given["allow_host"]),
        out=given["out"],
        prometheus=given["prometheus"],
        promtool=given["promtool"],
        seed=given["seed"],
        rows_per_request=given["rows_per_request"],
        fail_on=tuple(given.get("fail_on", ())),
    )


def outputs(command: Command) -> Command:
    """Where verdicts go besides the terminal."""
    return _stack(
        [
            click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the verdict as JSON."),
            click.option("--junit", "junit_file", type=click.Path(path_type=Path), help="Write JUnit XML."),
            click.option("--html", "html_file", type=click.Path(path_type=Path), help="Write the HTML report."),
            click.option("--markdown", "markdown_file", type=click.Path(path_type=Path), help="Write a summary."),
        ],
        command,
    )


def write_outputs(verdicts: "Sequence[Verdict]", given: Mapping[str, Any]) -> None:
    """Write the files that were asked for. Raises :class:`ConfigError` for one that cannot be written."""
    from driftdrill.reports import html, junit, markdown

    makers: dict[str, Callable[[], str | bytes]] = {
        "json_file": verdicts[0].to_json,
        "junit_file": lambda: junit.render(verdicts),
        "html_file": lambda: html.render(verdicts),
        "markdown_file": lambda: markdown.render(verdicts),
    }
    for name, make in makers.items():
        path: Path | None = given.get(name)
        if path is None:
            continue
        made = make()
        write(path, made if isinstance(made, bytes) else made.encode("utf-8"))


def write(path: Path, content: bytes) -> None:
    """Write a file that was asked for, and say so. Raises :class:`ConfigError` where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as e:
        raise ConfigError(f"cannot be written: {e.strerror}", where=str(path)) from e
    click.echo(f"written: {path}")
