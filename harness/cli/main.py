"""The command line: one file a verb, imported when it is called, so that --help is quick."""

import importlib
import os
import signal
import sys
from typing import Any

import click

from driftdrill.harness.cli.interrupts import raise_again_what_is_swallowed
from driftdrill.harness.errors import EXIT_USAGE, DriftdrillError, Interrupted, told

VERBS = {
    "demo": "See it work: four drills on a real model, one report.",
    "run": "Drive a scenario against a target, and judge it.",
    "record": "Drive a scenario and keep the recording, without judging.",
    "judge": "Judge a recording, against its own rules or others. No load.",
    "mutate": "Change the rules, and say which changes the recordings notice.",
    "edge": "Send each edge case once, and say what the service makes of it.",
    "export": "Turn a recording into OpenMetrics, or into a promtool unit test.",
    "report": "Draw a verdict or a recording as HTML, JUnit XML, JSON or text.",
    "up": "Open a recording in a real Prometheus.",
    "list": "List the scenarios, or every fault of the catalogue.",
    "doctor": "Say what this machine can do, and what is missing.",
}


class Lazy(click.Group):
    """Verbs by name; a verb's module is imported when it is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        module = importlib.import_module(f"driftdrill.harness.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in VERBS:
            from driftdrill.harness.errors import nearest

            raise click.UsageError(f"no verb is named {name!r}; {nearest(name, VERBS)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


@click.group(cls=Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="driftdrill", prog_name="driftdrill")
@click.option("--debug", is_flag=True, help="Show tracebacks.")
def cli(debug: bool) -> None:
    """Fire drills for model monitoring: inject a controlled fault, and see whether the alert fires.

    Exit codes: 0 HELD, 1 FAILED, 2 used wrongly or something is missing, 3 INVALID, 130 interrupted.
    """


def main(args: list[str] | None = None) -> int:
    """Run the command line; answers nothing, ends the process with the exit code."""
    given = list(sys.argv[1:] if args is None else args)
    debug = "--debug" in given
    # --debug is taken anywhere on the line.
    given = [a for a in given if a != "--debug"]
    # As Ctrl-C: what is held is let go, what is open is closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    raise_again_what_is_swallowed()
    code = _run(given, debug)
    sys.stdout.flush()
    sys.exit(code)


def _run(given: list[str], debug: bool) -> int:
    try:
        answer: Any = cli.main(given, prog_name="driftdrill", standalone_mode=False)
        return answer if isinstance(answer, int) else 0
    except click.exceptions.Exit as e:
        return int(e.exit_code)
    except click.ClickException as e:
        e.show()
        return EXIT_USAGE
    except (KeyboardInterrupt, click.Abort):
        return told(Interrupted("interrupted"))
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as e:
        if debug:
            raise
        from driftdrill.stack.errors import StackError

        if isinstance(e, (DriftdrillError, StackError)):
            return told(e)
        defect = DriftdrillError(
            f"{type(e).__name__}: {e}", hint="this is a defect of driftdrill's: `driftdrill --debug …` shows where"
        )
        return told(defect)
