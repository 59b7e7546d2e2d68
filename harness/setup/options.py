"""The options of a drill, once: from this table come click's options, Locust's arguments and the keys of the file.

Each works in all three, or the table says why it has no key. What they make is Settings (:mod:`.settings`): the
command line is over driftdrill.toml, and that is over the scenario.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from driftdrill.harness.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Option:
    """One option. ``no_key`` says why it is missing in driftdrill.toml, to whoever tries it there."""

    name: str
    """The field of Settings."""
    help: str
    flag: str = ""
    """On the command line; by default the name with dashes."""
    kind: Literal["text", "path", "number", "switch"] = "text"
    words: tuple[str, ...] = ()
    """The only values of a text, if any."""
    least: int = 0
    most: int | None = None
    many: bool = False
    """May be given several times; in driftdrill.toml it is a list."""
    adds: bool = False
    """What the command line says is added to what the file says, in place of replacing it."""
    default: str = ""
    """What holds where nobody says it, in words."""
    verbs: tuple[str, ...] = ("run", "record")
    key: str = ""
    """In driftdrill.toml, with a dot where it is in a table; by default the name."""
    no_key: str = ""
    """Why it has no key there."""
    locust: str = ""
    """The flag of `locust -f FILE`: the same, or --drill-… where Locust has one of that name."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "flag", self.flag or "--" + self.name.replace("_", "-"))
        object.__setattr__(self, "locust", self.locust or self.flag)
        object.__setattr__(self, "key", self.key or self.name)

    @property
    def destination(self) -> str:
        """The attribute of Locust's parsed options: Locust has a `json_file` of its own."""
        return f"drill_{self.name}"

    @property
    def whole_help(self) -> str:
        """The help with what holds otherwise."""
        return self.help + (f" Default: {self.default}." if self.default else "")

    def read(self, text: str) -> Any:
        """A value from Locust's command line. Raises :class:`argparse.ArgumentTypeError`."""
        if self.kind != "number":
            return text
        try:
            number = int(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number") from None
        if number < self.least or (self.most is not None and number > self.most):
            to = "" if self.most is None else f" and at most {self.most}"
            raise argparse.ArgumentTypeError(f"{number} is not at least {self.least}{to}")
        return number


_ONLY_RUN = ("run",)

OPTIONS = (
    Option(
        name="scenario",
        help="Name of the scenario, where FILE holds several.",
        no_key="it is one of FILE's: name it where you name FILE",
    ),
    Option(
        name="target",
        help="URL of the model, or a name in driftdrill.toml.",
        default="the file's only target",
    ),
    Option(
        name="replicas",
        flag="--replica",
        help="URL of a further server like the one of the target's URL.",
        many=True,
        no_key="a target of the file names its own: replicas = [...] below [targets.NAME]",
    ),
    Option(
        name="clock",
        help="The clock: an hour in seconds by promtool, or real time by a Prometheus.",
        words=("virtual", "wall"),
        default="the scenario's, which is virtual unless it says wall",
    ),
    Option(name="rules", help="Rule file or glob.", kind="path", many=True, default="the scenario's"),
    Option(
        name="config",
        help="The file to read.",
        kind="path",
        default="driftdrill.toml in this folder, if any",
        no_key="it names the file itself",
        locust="--drill-config",
    ),
    Option(
        name="allow_hosts",
        flag="--allow-host",
        help="A host beyond this machine that may be drilled.",
        many=True,
        adds=True,
    ),
    Option(
        name="prometheus",
        help="auto, container, binary, or the URL of one that runs.",
        default="auto",
        key="prometheus.how",
    ),
    Option(
        name="engine",
        help="What evaluates rules: promtool, a version of it such as 3.5.3 or 2.42, or the path of one.",
        default="promtool, as it is found",
        key="prometheus.engine",
    ),
    Option(
        name="out",
        help="Where the recording goes (NAME.drill).",
        kind="path",
        default="the scenario's name and the time",
    ),
    Option(
        name="metrics_port",
        help="Port of the drill's own metrics page; 0 is a free one.",
        kind="number",
        most=65535,
        default="0",
    ),
    Option(name="keep_rows", help="Keep feature values and bodies in the recording.", kind="switch"),
    Option(
        name="redact",
        help="With --keep-rows: a column whose values are not kept; no body is kept then.",
        many=True,
        adds=True,
    ),
    Option(name="seed", help="Of everything that is drawn.", kind="number", default="the scenario's"),
    Option(
        name="rows_per_request",
        help="More are faster, but change request counters.",
        kind="number",
        least=1,
        most=10_000,
        default="1",
    ),
    Option(name="fail_on", help="Also fail on this.", words=("silent_failure",), many=True, verbs=_ONLY_RUN),
    Option(
        name="json_file",
        flag="--json",
        key="json",
        help="Write the verdict as JSON.",
        kind="path",
        verbs=_ONLY_RUN,
        locust="--drill-json",
    ),
    Option(name="junit_file", flag="--junit", key="junit", help="Write JUnit XML.", kind="path", verbs=_ONLY_RUN),
    Option(
        name="html_file",
        flag="--html",
        key="html",
        help="Write the HTML report.",
        kind="path",
        verbs=_ONLY_RUN,
        locust="--drill-html",
    ),
    Option(
        name="markdown_file",
        flag="--markdown",
        key="markdown",
        help="Write a summary as Markdown.",
        kind="path",
        verbs=_ONLY_RUN,
    ),
)

NAMED = {option.name: option for option in OPTIONS}

ENGINE_GONE = "promtool is called engine now"
ENGINE_SAYS = "give promtool, a version such as 3.5.3, or a path"


def refuse_promtool() -> None:
    """Raise :class:`ConfigError` that tells the new name of an option that scripts may still have."""
    raise ConfigError("--promtool is called --engine now", hint=f"--engine: {ENGINE_SAYS}")


def add_locust_arguments(parser: Any) -> None:
    """Add all of them to Locust's parser; its own --host names the target too."""
    group = parser.add_argument_group("driftdrill")
    group.add_argument("--promtool", action=_Refuse, why=f"it is called --engine now: {ENGINE_SAYS}")
    for option in OPTIONS:
        given: dict[str, Any] = {
            "default": None,
            "dest": option.destination,
            "help": f"driftdrill: {option.whole_help}",
        }
        if option.kind == "switch":
            given["action"] = argparse.BooleanOptionalAction
        else:
            given |= {"type": option.read, "choices": option.words or None, "metavar": None}
            given |= {"action": "append"} if option.many else {}
        group.add_argument(option.locust, **given)


class _Refuse(argparse.Action):
    """A flag that ends with why it is none here."""

    def __init__(self, option_strings: Sequence[str], dest: str, why: str, **_: Any) -> None:
        super().__init__(option_strings, dest, help=f"not here: {why}")
        self._why = why

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Print the reason and exit with status 2."""
        parser.error(f"{self.option_strings[0]}: {self._why}")
