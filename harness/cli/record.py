"""driftdrill record: drive a scenario and keep the recording, without judging."""

from dataclasses import replace
from typing import Any

import click

from driftdrill.harness.cli.options import drive_options, settings_of


@click.command("record")
@drive_options
def command(**given: Any) -> int:
    """Drive the scenario FILE against a target and keep the recording; `driftdrill judge` judges it."""
    from driftdrill.harness.scenario.scenario import load

    # A scenario file with a mistake is told before Locust is loaded, which takes a second.
    scenario = load(given["file"], given["scenario"])
    from driftdrill.harness.cli.drill import drill

    path, _ = drill(scenario, replace(settings_of(given), judge=False))
    click.echo(f"recording: {path}")
    return 0
