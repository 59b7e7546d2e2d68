"""driftdrill record: drive a scenario and keep the recording, without judging."""

from dataclasses import replace
from typing import Any

import click

from driftdrill.harness.cli.options import drive_options


@click.command("record")
@drive_options("record")
def command(scenario_file: str, **given: Any) -> int:
    """Drive the scenario FILE against a target and keep the recording; `driftdrill judge` judges it."""
    from driftdrill.harness.scenario.scenario import load
    from driftdrill.harness.setup.settings import settings_of

    # A mistake in a file is told before Locust is loaded, which takes a second.
    settings = settings_of(**given)
    scenario = load(scenario_file, settings.scenario)
    from driftdrill.harness.cli.drill import drill

    path, _ = drill(scenario, replace(settings, judge=False))
    click.echo(f"recording: {path}")
    return 0
