"""driftdrill up: a recording, opened in a real Prometheus."""

import sys
import tempfile
import threading
from pathlib import Path

import click

from driftdrill.durations import rounded_duration
from driftdrill.harness.errors import MonitoringError
from driftdrill.stack.errors import StackError

FOREVER = "100y"
"""A recording may be older than Prometheus keeps samples by default."""


@click.command("up")
@click.option("--recording", required=True, type=click.Path(path_type=Path), help="NAME.drill")
@click.option("--prometheus", default="auto", type=click.Choice(["auto", "container", "binary"]), help="Which one.")
@click.option("--for", "seconds", type=click.FloatRange(min=0), help="End after so many seconds; default: at Ctrl-C.")
def command(recording: Path, prometheus: str, seconds: float | None) -> int:
    """Open a recording in a real Prometheus at its virtual times, until Ctrl-C."""
    from driftdrill.harness.recording.reader import open_recording
    from driftdrill.stack.prometheus.server import prometheus as started

    opened = open_recording(recording)
    end = opened.meta.phases[-1][2]
    with started(how=prometheus, data=_blocks(recording), extra_flags=_flags()) as server:  # type: ignore[arg-type]
        moment = f"{opened.meta.started_at + end:.0f}"
        click.echo(f"{opened.meta.scenario}: {server.connection.at('graph')}")
        click.echo(f"its last second is {moment} (Unix time), its length {rounded_duration(end)}")
        click.echo(
            f"all alerts: {server.connection.at('api/v1/query')}?query=ALERTS&time={moment}\nCtrl-C ends it.",
        )
        sys.stdout.flush()
        threading.Event().wait(seconds)
    return 0


def _flags() -> list[str]:
    return [f"--storage.tsdb.retention.time={FOREVER}"]


def _blocks(recording: Path) -> dict[str, bytes]:
    """TSDB blocks of the recording, by promtool: file name -> content."""
    from driftdrill.harness.recording.export import openmetrics
    from driftdrill.harness.recording.reader import open_recording
    from driftdrill.stack.prometheus.promtool import find_promtool, run

    try:
        promtool = find_promtool("binary")
    except StackError as e:
        raise MonitoringError(f"blocks are made by a promtool on this machine: {e.cause}", hint=e.hint) from e
    with tempfile.TemporaryDirectory(prefix="driftdrill-") as name:
        folder = Path(name)
        with (folder / "in.om").open("w", encoding="utf-8") as f:
            f.writelines(openmetrics(open_recording(recording)))
        done = run(promtool, ["tsdb", "create-blocks-from", "openmetrics", "in.om", "out"], cwd=folder, timeout=600.0)
        if done.returncode != 0:
            raise MonitoringError(f"promtool cannot make blocks: {(done.stderr or done.stdout).strip()[-300:]}")
        made = folder / "out"
        return {str(p.relative_to(made)): p.read_bytes() for p in sorted(made.rglob("*")) if p.is_file()}
