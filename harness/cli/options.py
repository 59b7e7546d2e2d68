"""click's options, made from the one table of them (:mod:`driftdrill.harness.setup.options`)."""

from collections.abc import Callable
from typing import Any

import click

from driftdrill.harness.setup.options import NAMED, OPTIONS, Option, refuse_promtool

Command = Callable[..., Any]
OUTPUTS = ("json_file", "junit_file", "html_file", "markdown_file")


def options(*names: str) -> Callable[[Command], Command]:
    """The options of these names, each under its name in Settings; a verb that means another thing writes its own."""

    def decorate(command: Command) -> Command:
        for name in reversed(names):
            command = _option(NAMED[name])(command)
            if name == "engine":
                command = _promtool(command)
        return command

    return decorate


def drive_options(verb: str) -> Callable[[Command], Command]:
    """All that `run` or `record` takes: its options, and the scenario file."""
    takes = options(*(option.name for option in OPTIONS if verb in option.verbs))
    return lambda command: click.argument("scenario_file", metavar="FILE")(takes(command))


outputs = options(*OUTPUTS)
"""Where verdicts go besides the terminal."""


def several(name: str, help: str) -> Callable[[Command], Command]:
    """An option of the table that this verb takes several times, and why."""
    option = click.option(NAMED[name].flag, name, multiple=True, help=help)
    return lambda command: _promtool(option(command)) if name == "engine" else option(command)


def _option(option: Option) -> Callable[[Command], Command]:
    if option.kind == "switch":
        flags = f"{option.flag}/--no-{option.flag[2:]}"
        return click.option(flags, option.name, default=None, help=option.whole_help)
    kind: Any = click.Path() if option.kind == "path" else str
    if option.kind == "number":
        kind = click.IntRange(option.least, option.most)
    elif option.words:
        kind = click.Choice(option.words)
    help = option.whole_help + (" May be repeated." if option.many else "")
    return click.option(option.flag, option.name, type=kind, multiple=option.many, help=help)


def _promtool(command: Command) -> Command:
    """The old name of --engine, which scripts may have."""

    def refuse(context: click.Context, parameter: click.Parameter, value: str | None) -> None:
        if value is not None:
            refuse_promtool()

    return click.option("--promtool", hidden=True, expose_value=False, callback=refuse)(command)
