"""Settings: what the user asked for, the command line over driftdrill.toml. And the target that they name."""

from dataclasses import dataclass, field
from typing import Any, Literal

from driftdrill.harness.errors import ConfigError, nearest
from driftdrill.harness.setup.file import FILE, Config, load_config
from driftdrill.harness.setup.options import NAMED
from driftdrill.harness.setup.target import Target, from_url
from driftdrill.stack.errors import StackError


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What was said on the command line or in driftdrill.toml; None is "not said", and then the scenario's holds.

    The fields down to ``markdown_file`` are the options of :mod:`.options`. Make one with :func:`settings_of`.
    """

    scenario: str | None = None
    target: str | None = None
    replicas: tuple[str, ...] = ()
    """URLs of further addresses of a target that is given by its URL."""
    clock: Literal["virtual", "wall"] | None = None
    rules: tuple[str, ...] = ()
    config: str | None = None
    allow_hosts: tuple[str, ...] = ()
    prometheus: str | None = None
    """auto, container, binary, or the URL of an existing server."""
    engine: str | None = None
    """What evaluates rules in virtual time: promtool, a version, or a path."""
    out: str | None = None
    metrics_port: int = 0
    """Where the drill's own metrics page is served; 0 is a free port."""
    keep_rows: bool = False
    """Keep feature values and bodies in the recording, but for the columns to ``redact``."""
    redact: tuple[str, ...] = ()
    seed: int | None = None
    rows_per_request: int = 1
    fail_on: tuple[str, ...] = ()
    json_file: str | None = None
    junit_file: str | None = None
    html_file: str | None = None
    markdown_file: str | None = None
    judge: bool = True
    """Whether the drill is judged at its end; `driftdrill record` does not."""
    file: Config = field(default_factory=Config)
    """What driftdrill.toml says beside the options: targets, their rows, Prometheus."""


def settings_of(**said: Any) -> Settings:
    """Settings of options by name, those of driftdrill.toml where ``said`` has None or nothing.

    The file is read here. Raises :class:`ConfigError`.
    """
    if unknown := said.keys() - NAMED.keys():
        raise TypeError(f"no option is named {', '.join(sorted(unknown))}")
    file = load_config(said.get("config"))
    values: dict[str, Any] = {}
    for name, option in NAMED.items():
        here, there = said.get(name), file.options.get(name)
        if option.many:
            values[name] = (*(here or ()), *(there or ())) if option.adds else tuple(here or there or ())
        elif here is not None or there is not None:
            values[name] = there if here is None else here
    return Settings(**values, file=file)


def pick_target(settings: Settings) -> Target:
    """The target of a URL or a name in driftdrill.toml; without either, the file's only one.

    Raises :class:`ConfigError`.
    """
    wanted, file = settings.target, settings.file
    if settings.replicas and "://" not in (wanted or ""):
        raise ConfigError(
            "--replica goes with --target URL", hint="a target of driftdrill.toml names its own: replicas"
        )
    if wanted and "://" in wanted:
        same = [t for t in file.targets.values() if t.connection.url.rstrip("/") == wanted.rstrip("/")]
        if same:
            return same[0]
        try:
            return from_url(wanted, *settings.replicas)
        except StackError as e:
            raise ConfigError(f"--target: {e.cause}", hint=e.hint) from e
    if wanted:
        if wanted not in file.targets:
            raise ConfigError(
                f"no target is named {wanted!r}" + (f" in {file.path}" if file.path else f": there is no {FILE}"),
                hint=nearest(wanted, file.targets) or "give a URL: --target http://127.0.0.1:8000",
            )
        return file.targets[wanted]
    if len(file.targets) == 1:
        return next(iter(file.targets.values()))
    raise ConfigError(
        f"{len(file.targets)} targets in {file.path}" if file.targets else "no target",
        hint="give its URL or name: --target http://127.0.0.1:8000",
    )
