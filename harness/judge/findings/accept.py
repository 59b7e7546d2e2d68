"""Accepted findings: what a team knows and lives with, each with a reason and a day on which that ends.

- check: quiet(everything else)      # a finding's check or code; `*` and `?` match as in file names
  scenario: departure delays *       # optional
  reason: the canary's alert is being rewritten, OPS-1234
  expires: 2027-01-31
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

import yaml

from driftdrill.harness.errors import ConfigError, nearest
from driftdrill.reports.data.verdict import Finding, Verdict

FIELDS = ("check", "scenario", "reason", "expires")


@dataclass(frozen=True)
class Accepted:
    """One accepted finding; patterns as in file names. It counts until the end of ``expires``."""

    check: str
    reason: str
    expires: date
    scenario: str = "*"

    def covers(self, finding: Finding, scenario: str) -> bool:
        """Whether it is about this finding."""
        about = fnmatchcase(finding.check, self.check) or fnmatchcase(finding.code, self.check)
        return about and fnmatchcase(scenario, self.scenario)


def load_accepted(path: str | Path) -> tuple[Accepted, ...]:
    """Read a file of accepted findings. Raises :class:`ConfigError` with the entry that is wrong."""
    where = str(path)
    try:
        entries = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigError(f"cannot be read: {e.strerror}", where=where) from e
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise ConfigError(f"not YAML: {' '.join(str(e).split())}", where=where) from e
    if not isinstance(entries, list):
        raise ConfigError("expected a list of accepted findings", where=where, hint="each: check, reason, expires")
    return tuple(_entry(entry, f"{where}: entry {number}") for number, entry in enumerate(entries, 1))


def _entry(entry: object, where: str) -> Accepted:
    if not isinstance(entry, dict):
        raise ConfigError(f"expected check, reason and expires, not {entry!r}", where=where)
    for name in entry:
        if name not in FIELDS:
            raise ConfigError(f"unknown key {name!r}", where=where, hint=nearest(str(name), FIELDS))
    for name in ("check", "reason"):
        if not isinstance(entry.get(name), str) or not entry[name].strip():
            raise ConfigError(f"{name} must be a non-empty text, not {entry.get(name)!r}", where=where)
    expires = entry.get("expires")
    if not isinstance(expires, date):
        raise ConfigError(f"expires must be a date, not {expires!r}", where=where, hint="expires: 2027-01-31")
    return Accepted(entry["check"], entry["reason"], expires, str(entry.get("scenario", "*")))


def accept(verdict: Verdict, accepted: Sequence[Accepted], today: date | None = None) -> Verdict:
    """The verdict with accepted findings marked; an acceptance that has expired is named in the finding's hint."""
    now = today or date.today()
    findings = []
    for finding in verdict.findings:
        covering = [] if finding.held else [a for a in accepted if a.covers(finding, verdict.scenario)]
        good = [a for a in covering if now <= a.expires]
        if good:
            findings.append(replace(finding, accepted=f"{good[0].reason} (until {good[0].expires})"))
        elif covering:
            ended = f"accepted until {covering[0].expires}: {covering[0].reason}"
            findings.append(replace(finding, hint=f"{finding.hint}; {ended}" if finding.hint else ended))
        else:
            findings.append(finding)
    return replace(verdict, findings=tuple(findings))
