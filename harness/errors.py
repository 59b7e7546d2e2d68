"""Every error that driftdrill raises on purpose, drawn as a tree.

    DriftdrillError           cause, hint, where; exit code 2
    ├── UsageError            what the user wrote cannot be a drill
    │   ├── ScenarioError     the scenario file
    │   ├── ConfigError       driftdrill.toml, a flag, or an environment variable that it names
    │   └── RuleError         a rule file
    ├── RigError              something that the drill needs is not there, or went away
    │   ├── TargetError       the model endpoint
    │   ├── MonitoringError   its metrics page, Prometheus, promtool
    │   └── NotUndone         a fault that is still in force: the loudest
    ├── RecordingError        a recording that cannot be read or written
    └── Interrupted           Ctrl-C or SIGTERM; exit code 130

The leaves (``shift_generators``, ``stack``, ``reports``) cannot import this module; their errors carry the
same ``hint`` attribute, and the command line prints both kinds alike.
"""

import sys
from collections.abc import Iterable
from difflib import get_close_matches

EXIT_HELD, EXIT_FAILED, EXIT_USAGE, EXIT_INVALID, EXIT_INTERRUPTED = 0, 1, 2, 3, 130


class DriftdrillError(Exception):
    """A mistake or failure that is printed as one line of cause and one of remedy, never as a traceback.

    ``hint`` is the remedy; a class has one of its own for a cause that says it all.
    """

    exit_code = EXIT_USAGE
    hint = "`driftdrill --help` names the verbs and their options"

    def __init__(self, cause: str, *, hint: str | None = None, where: str | None = None) -> None:
        super().__init__(f"{where}: {cause}" if where else cause)
        self.cause, self.where = cause, where
        self.hint = hint or self.hint


class UsageError(DriftdrillError):
    """What the user wrote cannot be a drill."""


class ScenarioError(UsageError):
    """The scenario file cannot be loaded, or says something impossible."""

    hint = "correct the scenario file"


class ConfigError(UsageError):
    """driftdrill.toml, a flag, or a variable that one of them names."""

    hint = "correct the flag or driftdrill.toml"


class RuleError(UsageError):
    """A rule file that Prometheus would refuse, or a name that no rule has."""

    hint = "correct the rule file"


class RigError(DriftdrillError):
    """Something that the drill needs is not there, or went away."""

    hint = "`driftdrill doctor` says what this machine can run"


class TargetError(RigError):
    """The model endpoint cannot be drilled."""

    hint = "`driftdrill doctor --target URL` asks it"


class MonitoringError(RigError):
    """The metrics page, Prometheus or promtool cannot be used."""


class NotUndone(RigError):
    """A fault that could not be undone; its hint is what to do by hand."""

    hint = "`driftdrill doctor` tries again"


class RecordingError(DriftdrillError):
    """A recording cannot be read or written."""

    hint = "`driftdrill record` makes another"


class Interrupted(DriftdrillError):
    """The user ended the drill (Ctrl-C, SIGTERM). What was recorded so far is kept."""

    exit_code = EXIT_INTERRUPTED
    hint = "start it again"


def told(error: Exception) -> int:
    """Print one line of cause and one of remedy to stderr; answers the exit code."""
    cause, hint = " ".join(str(error).split()), getattr(error, "hint", None) or RigError.hint
    print(f"driftdrill: {cause}\n  {hint}", file=sys.stderr, flush=True)
    return error.exit_code if isinstance(error, DriftdrillError) else EXIT_USAGE


def nearest(name: str, known: Iterable[str]) -> str | None:
    """A hint that names what ``name`` may have meant, or lists what there is; None if there is nothing."""
    names = sorted(set(known))
    close = get_close_matches(name, names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(close)}?"
    if not names:
        return None
    shown = ", ".join(names[:12])
    return f"known: {shown}" + (f" and {len(names) - 12} more" if len(names) > 12 else "")
