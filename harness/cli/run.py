"""driftdrill run: drive a scenario against a target, and judge it."""

from typing import Any

import click

from driftdrill.harness.cli.options import drive_options


@click.command("run")
@drive_options("run")
def command(scenario_file: str, **given: Any) -> int:
    """Drive the scenario FILE against a target, and judge what its monitoring did."""
    from driftdrill.harness.scenario.scenario import load
    from driftdrill.harness.setup.settings import settings_of

    # A mistake in a file is told before Locust is loaded, which takes a second.
    settings = settings_of(**given)
    scenario = load(scenario_file, settings.scenario)
    from driftdrill.harness.cli.drill import drill
    from driftdrill.harness.cli.progress import finish, write_outputs

    path, verdict = drill(scenario, settings)
    assert verdict is not None
    code = finish(verdict)
    click.echo(f"recording: {path}")
    write_outputs([verdict], vars(settings))
    return code
