"""driftdrill export: a recording in other people's formats."""

from pathlib import Path

import click

from driftdrill.harness.cli.options import options
from driftdrill.harness.errors import ConfigError, UsageError


@click.command("export")
@click.argument("recording", type=click.Path(path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path), help="File, or folder with --as-promtool-test.")
@click.option("--as-promtool-test", is_flag=True, help="Write rules.yml and test.yml into the folder --out.")
@click.option("--rules", multiple=True, help="With --as-promtool-test: rule files; default: the drill's own.")
@options("engine")
def command(recording: Path, out: Path, as_promtool_test: bool, rules: tuple[str, ...], engine: str | None) -> int:
    """Write RECORDING as OpenMetrics, for `promtool tsdb create-blocks-from`, or as a promtool unit test."""
    from driftdrill.harness.judge.engine.unit_test import unit_test
    from driftdrill.harness.judge.judge import recorded_rules
    from driftdrill.harness.judge.rules.rules import Rules
    from driftdrill.harness.recording.export import openmetrics
    from driftdrill.harness.recording.reader import open_recording
    from driftdrill.stack.prometheus.promtool import find_engine
    from driftdrill.stack.rules.files import load_rule_files

    opened = open_recording(recording)
    if rules and not as_promtool_test:
        raise UsageError("--rules goes with --as-promtool-test")
    try:
        if not as_promtool_test:
            with out.open("w", encoding="utf-8") as f:
                f.writelines(openmetrics(opened))
        else:
            files = load_rule_files(rules) if rules else recorded_rules(opened)
            made = unit_test(opened, Rules(tuple(files)), find_engine(engine))
            out.mkdir(parents=True, exist_ok=True)
            (out / "rules.yml").write_text(made.rules, encoding="utf-8")
            (out / "test.yml").write_text(made.test, encoding="utf-8")
    except OSError as e:
        raise ConfigError(f"cannot be written: {e.strerror}", where=str(out)) from e
    click.echo(f"written: {out}")
    if as_promtool_test:
        click.echo(f"run it: cd {out} && promtool test rules test.yml")
    return 0
