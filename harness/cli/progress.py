"""What a drill prints: its progress while it runs and its verdict at the end, whose layout is in reports."""

import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from driftdrill.durations import rounded_duration
from driftdrill.harness.errors import ConfigError
from driftdrill.reports import text
from driftdrill.reports.data.verdict import Verdict

if TYPE_CHECKING:  # judging loads nothing that drives
    from driftdrill.harness.drive.plan import Progress

EVERY = 5.0
"""Seconds between plain lines."""


class Plain:
    """Progress as plain lines, for a log: one at each change of phase or alerts, and every few seconds."""

    def __init__(self, out: TextIO) -> None:
        self.out = out
        self._said: tuple[object, ...] = ()
        self._at = 0.0

    def __call__(self, p: "Progress") -> None:
        """Tell one step."""
        key = (p.phase, p.pending, p.firing)
        if key == self._said and time.monotonic() - self._at < EVERY:
            return
        self._said, self._at = key, time.monotonic()
        print(line(p), file=self.out, flush=True)


def line(p: "Progress") -> str:
    """One step in one line."""
    strength = " ".join(f"{name} {value:.2f}" for name, value in p.strength.items() if value > 0)
    alerts = " ".join([*(f"{a} pending" for a in p.pending), *(f"{a} FIRING" for a in p.firing)])
    parts = [
        f"{rounded_duration(p.at):>12} of {rounded_duration(p.end)}",
        f"{p.phase.replace('_', '-'):<9}",
        f"{p.rate:7.1f} req/s  {p.sent} sent  {p.failed} failed",
        strength and f"fault {strength}",
        alerts,
    ]
    return "  ".join(part for part in parts if part)


class Live:
    """Progress as one live view in a terminal."""

    def __init__(self) -> None:
        from rich.live import Live as RichLive

        self._live = RichLive(refresh_per_second=8, transient=True)

    def __enter__(self) -> "Callable[[Progress], None]":
        self._live.start()
        return self.step

    def __exit__(self, *exc: object) -> None:
        self._live.stop()

    def step(self, p: "Progress") -> None:
        """Show one step."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        grid = Table.grid(padding=(0, 2))
        grid.add_row(
            "phase",
            Text(p.phase.replace("_", "-"), style="bold"),
            f"{rounded_duration(p.at)} of {rounded_duration(p.end)}",
        )
        grid.add_row("load", f"{p.rate:.1f} req/s", f"{p.sent} sent, {p.failed} failed")
        for name, value in p.strength.items():
            grid.add_row("fault", ProgressBar(total=1.0, completed=value, width=24), f"{value:.2f}  {name}")
        if p.pending or p.firing:
            states = Text(" ".join(p.firing), style="bold red") + Text(" " + " ".join(p.pending), style="yellow")
            grid.add_row("alerts", states, "")
        self._live.update(Group(ProgressBar(total=p.end, completed=p.at, width=60), grid))


def progress() -> "Live | _Lines":
    """The live view in a terminal, plain lines elsewhere."""
    return Live() if sys.stderr.isatty() else _Lines()


class _Lines:
    def __enter__(self) -> "Callable[[Progress], None]":
        return Plain(sys.stderr)

    def __exit__(self, *exc: object) -> None:
        return None


def columns() -> int:
    """How wide to print: as the terminal, but no wider than is easily read; 80 where there is none."""
    return min(shutil.get_terminal_size((80, 24)).columns, 120)


def finish(verdict: Verdict) -> int:
    """Print the verdict; answers the exit code."""
    print(text.render(verdict, width=columns(), colour=sys.stdout.isatty()), flush=True)
    return verdict.exit_code


def write_outputs(verdicts: Sequence[Verdict], given: Mapping[str, Any]) -> None:
    """Write the files that were asked for: ``json_file``, ``junit_file``, ``html_file``, ``markdown_file``.

    Raises :class:`ConfigError` for one that cannot be written.
    """
    from driftdrill.reports import html, junit, markdown

    makers: dict[str, Callable[[], str | bytes]] = {
        "json_file": verdicts[0].to_json,
        "junit_file": lambda: junit.render(verdicts),
        "html_file": lambda: html.render(verdicts),
        "markdown_file": lambda: markdown.render(verdicts),
    }
    for name, make in makers.items():
        if given.get(name) is not None:
            made = make()
            write(Path(given[name]), made if isinstance(made, bytes) else made.encode("utf-8"))


def write(path: Path, content: bytes) -> None:
    """Write a file that was asked for, and say so. Raises :class:`ConfigError` where it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as e:
        raise ConfigError(f"cannot be written: {e.strerror}", where=str(path)) from e
    print(f"written: {path}", flush=True)
