"""driftdrill run: drive a scenario against a target, and judge it."""

from typing import Any

import click

from driftdrill.harness.cli.options import drive_options, outputs, settings_of, write_outputs


@click.command("run")
@drive_options
@outputs
@click.option("--fail-on", type=click.Choice(["silent_failure"]), multiple=True, help="Also fail if this happens.")
def command(**given: Any) -> int:
    """Drive the scenario FILE against a target, and judge what its monitoring did."""
    from driftdrill.harness.scenario.scenario import load

    # A scenario file with a mistake is told before Locust is loaded, which takes a second.
    scenario = load(given["file"], given["scenario"])
    from driftdrill.harness.cli.drill import drill
    from driftdrill.harness.cli.progress import finish

    path, verdict = drill(scenario, settings_of(given))
    assert verdict is not None
    code = finish(verdict)
    click.echo(f"recording: {path}")
    write_outputs([verdict], given)
    return code
