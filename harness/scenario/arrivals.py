"""How a scenario's rate becomes moments: by chance, evenly, or as a log says ("replay yesterday").

A log is CSV with a header line, or JSON lines. ``time`` is seconds (of any epoch) or ISO 8601, in order; the first
one is scenario second 0. ``body`` is optional: a request body that is sent as it is (in JSON lines any JSON; text is
sent as text).

    time,body                                        {"time": 1714564800.0, "body": {"dep_delay": 3}}
    2024-05-01T12:00:00Z,"{""dep_delay"": 3}"        {"time": 1714564800.25}
"""

import csv
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from driftdrill.harness.errors import ScenarioError


@dataclass(frozen=True)
class Arrivals:
    """``poisson`` and ``even`` follow the scenario's rate; a trace has its own ``times``, seconds from the first.

    ``bodies`` are what is sent, one a time, in place of the scenario's rows; row faults and truth then cannot be.
    """

    kind: Literal["poisson", "even", "trace"]
    times: tuple[float, ...] = ()
    bodies: tuple[bytes, ...] | None = None


poisson = Arrivals("poisson")
even = Arrivals("even")


def trace(path: str | Path, *, speed: float = 1.0) -> Arrivals:
    """The arrivals of a log, ``speed`` times as fast. Raises :class:`ScenarioError` with file and line."""
    if not (isinstance(speed, (int, float)) and math.isfinite(speed) and speed > 0):
        raise ScenarioError(f"trace: speed must be above 0, not {speed!r}")
    file = Path(path)
    times: list[float] = []
    bodies: list[bytes] = []
    for line, record in _records(file):
        where = f"{file}:{line}"
        at = _seconds(record.get("time"), where)
        if times and at < times[-1]:
            raise ScenarioError(f"time {record['time']!r} is before the line above", where=where, hint="sort the log")
        times.append(at)
        if record.get("body") not in (None, ""):
            body = record["body"]
            bodies.append((body if isinstance(body, str) else json.dumps(body)).encode())
        if bodies and len(bodies) != len(times):
            raise ScenarioError("either every line has a body or none", where=where)
    if not times:
        raise ScenarioError("a trace needs at least one line", where=str(file))
    return Arrivals("trace", tuple((t - times[0]) / speed for t in times), tuple(bodies) if bodies else None)


def _records(file: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, fields) of every line that is not blank."""
    try:
        with file.open(encoding="utf-8", newline="") as f:
            if file.suffix == ".csv":
                reader = csv.DictReader(f, strict=True)
                if "time" not in (reader.fieldnames or ()):
                    raise ScenarioError("the header line names no column 'time'", where=f"{file}:1")
                for row in reader:
                    yield reader.line_num, row
                return
            for number, text in enumerate(f, 1):
                if text.strip():
                    yield number, _object(text, f"{file}:{number}")
    except OSError as e:
        raise ScenarioError(f"cannot be read: {e.strerror}", where=str(file)) from e
    except UnicodeDecodeError as e:
        raise ScenarioError(f"not UTF-8: {e.reason} at byte {e.start}", where=str(file)) from e
    except csv.Error as e:
        raise ScenarioError(f"not CSV: {e}", where=f"{file}:{reader.line_num}") from e


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as e:
        raise ScenarioError(f"not JSON: {e}", where=where) from e
    if not isinstance(found, dict):
        raise ScenarioError("expected an object with time, and body if there is one", where=where)
    return found


def _seconds(value: Any, where: str) -> float:
    try:
        at = float(value) if not isinstance(value, bool) else math.nan
    except (TypeError, ValueError):
        try:
            at = datetime.fromisoformat(str(value).strip()).timestamp()
        except ValueError:
            at = math.nan
    if not math.isfinite(at):
        raise ScenarioError(f"time must be seconds or ISO 8601, not {value!r}", where=where)
    return at
