"""Scenario: one drill, as its author wrote it. Loading one does no work and holds no URL."""

import importlib.util
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from types import ModuleType

import numpy as np
import numpy.typing as npt

from driftdrill.durations import rounded_duration
from driftdrill.harness.errors import ScenarioError, nearest
from driftdrill.harness.scenario.arrivals import Arrivals, poisson
from driftdrill.harness.scenario.canary import Canary
from driftdrill.harness.scenario.curve import Curve
from driftdrill.harness.scenario.expect import Expectation
from driftdrill.harness.scenario.fault import Batch, Fault
from driftdrill.harness.scenario.measure import Losses, Measure, Percent, chosen, refuse_smallest
from driftdrill.harness.scenario.old_imports import new_import
from driftdrill.reports.data.timeline import Phase
from driftdrill.stack.python_file import run_python


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One drill: traffic, faults and expectations over four phases.

    ``rows`` answers the rows that are drawn from, i.i.d. with replacement; ``truth`` names its column of ground
    truth, numbers or labels, which is never sent. ``measure`` is what predictions and truth are compared by;
    ``smallest_harm`` is the change for the worse that matters, in the measure's unit, or ``10 * percent`` of the
    baseline's loss. ``segments`` names columns for each of whose values harm is told too. ``rate`` is requests per
    second over seconds from scenario start. ``warm_up``, ``baseline``, ``fault`` and ``recovery`` are seconds.
    ``threshold`` turns a score into a decision where truth is 0 or 1.

    Raises :class:`ScenarioError` that names the field.
    """

    name: str
    story: str
    rows: Callable[[], Batch]
    rate: Curve
    warm_up: float
    baseline: float
    fault: float
    recovery: float
    faults: Sequence[Fault]
    expect: Sequence[Expectation]
    truth: str | None = None
    smallest_harm: float | Percent | None = None
    measure: Measure | Losses | None = None
    """None: accuracy of labels, of two values, and of at most 20 whole numbers; else the mean absolute error."""
    segments: Sequence[str] = ()
    threshold: float = 0.5
    rules: Sequence[str | Path] = field(default=())
    """Rule files that are used where neither the command line nor driftdrill.toml names any."""
    clock: str = "virtual"
    scrape_interval: float = 15.0
    evaluation_interval: float = 15.0
    seed: int = 0
    canary: Canary | None = None
    """Golden requests beside the load; their deviation is a metric that rules can read."""
    arrivals: Arrivals = poisson
    """How the rate becomes moments; a trace has its own, and may have its own bodies."""
    late_after: float = 1.0
    """Wall clock: seconds after which a send that the generator itself began too late counts as missed."""

    def __post_init__(self) -> None:
        where = f"Scenario {self.name!r}"
        for name in ("name", "story"):
            value = getattr(self, name)
            if not isinstance(value, str) or not value.strip():
                raise ScenarioError(f"{where}: {name} must be a non-empty text, not {value!r}")
        if not callable(self.rows):
            raise ScenarioError(f"{where}: rows must be a function that answers a batch, not {self.rows!r}")
        if not isinstance(self.rate, Curve):
            raise ScenarioError(f"{where}: rate must be a Curve", hint=f"rate=constant({self.rate!r})")
        self._check_numbers(where)
        ours = any(f.seam.changes_requests for f in self.faults if isinstance(f, Fault))
        if self.arrivals.bodies is not None and (self.truth or ours):
            raise ScenarioError(
                f"{where}: a trace with bodies is sent as it is: no truth, and no fault of rows or requests",
                hint="leave the bodies out of the log to send the scenario's rows at its times",
            )
        if self.arrivals.times and self.arrivals.times[-1] < self.phases[2].start:
            raise ScenarioError(
                f"{where}: the trace ends before the fault phase, at {rounded_duration(self.arrivals.times[-1])}"
            )
        for fault in self.faults:
            if not isinstance(fault, Fault):
                raise ScenarioError(f"{where}: faults holds {fault!r}, which is no Fault")
        for expectation in self.expect:
            if not isinstance(expectation, Expectation):
                raise ScenarioError(f"{where}: expect holds {expectation!r}", hint="use fires, quiet, resolves, …")
        names = [f.name for f in self.faults]
        if len(set(names)) != len(names):
            raise ScenarioError(f"{where}: two faults have one name: {sorted(names)}")
        self._check_harm(where)

    def _check_harm(self, where: str) -> None:
        measure = chosen(self.measure, where)
        object.__setattr__(self, "measure", measure)
        if isinstance(self.segments, str) or not all(isinstance(s, str) and s for s in self.segments):
            raise ScenarioError(f"{where}: segments must be names of columns, not {self.segments!r}")
        for name, given in (("smallest_harm", self.smallest_harm), ("measure", measure), ("segments", self.segments)):
            if given is not None and (not isinstance(given, Sequence) or len(given)) and self.truth is None:
                raise ScenarioError(f"{where}: {name} needs truth, the name of the ground-truth column")
        # Without a measure, what can be a harm is known once the rows are there; a number above 0 it always is.
        refuse_smallest(measure, self.smallest_harm, where)
        if isinstance(self.smallest_harm, Real):  # numpy's too, which JSON has not
            object.__setattr__(self, "smallest_harm", float(self.smallest_harm))

    def _check_numbers(self, where: str) -> None:
        lowest = {"warm_up": 0.0, "baseline": 1e-9, "fault": 1e-9, "recovery": 0.0}
        lowest |= {"scrape_interval": 1e-3, "evaluation_interval": 1e-3, "late_after": 1e-3}
        for name, least in lowest.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, (int, float)) or not least <= value < 1e9:
                raise ScenarioError(f"{where}: {name} must be seconds, {least:g} or more, not {value!r}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise ScenarioError(f"{where}: seed must be a whole number, 0 or more, not {self.seed!r}")
        if self.clock not in ("virtual", "wall"):
            raise ScenarioError(f"{where}: clock must be 'virtual' or 'wall', not {self.clock!r}")

    @property
    def phases(self) -> tuple[Phase, ...]:
        """The four phases in order, seconds from scenario start."""
        a = float(self.warm_up)
        b = a + self.baseline
        c = b + self.fault
        return (
            Phase("warm_up", 0.0, a),
            Phase("baseline", a, b),
            Phase("fault", b, c),
            Phase("recovery", c, c + self.recovery),
        )

    def strength(self, fault: Fault, at: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The fault's strength at scenario seconds ``at``, float64, clipped to [0, 1], 0 outside the fault phase."""
        phase = self.phases[2]
        inside = (at >= phase.start) & (at < phase.end)
        return np.where(inside, np.clip(fault.strength(at - phase.start), 0.0, 1.0), 0.0)

    def faults_of(self, seam: str) -> list[Fault]:
        """The faults of one seam, in the author's order."""
        return [fault for fault in self.faults if fault.seam.name == seam]

    @property
    def duration(self) -> float:
        """Seconds from start to end."""
        return self.phases[-1].end


def load(path: str | Path, name: str | None = None) -> Scenario:
    """The scenario of a file; ``name`` picks one where it holds several.

    Raises :class:`ScenarioError` with file and line for a file that cannot be read, parsed or run, that holds
    no scenario, two of one name, or several without ``name``.
    """
    found = load_all(path)
    if name is not None:
        known = [s.name for s in found]
        found = [s for s in found if s.name == name]
        if not found:
            raise ScenarioError(f"no scenario is named {name!r}", where=str(path), hint=nearest(name, known))
    if len(found) > 1:
        names = ", ".join(repr(s.name) for s in found)
        raise ScenarioError(f"{len(found)} scenarios: {names}", where=str(path), hint="pick one with --scenario NAME")
    return found[0]


def load_all(path: str | Path) -> list[Scenario]:
    """Every scenario of a file, in the order of the file. Raises as :func:`load`."""
    module = _run(Path(path))
    found: list[Scenario] = []
    for value in vars(module).values():
        candidate = value if isinstance(value, Scenario) else getattr(value, "scenario", None)
        if isinstance(candidate, Scenario) and not any(candidate is s for s in found):
            found.append(candidate)
    if not found:
        raise ScenarioError(
            "no scenario in this file", where=str(path), hint="bind one at the top level: drill = Scenario(name=…)"
        )
    names = [s.name for s in found]
    for name in names:
        if names.count(name) > 1:
            raise ScenarioError(f"two scenarios are named {name!r}", where=str(path), hint="give each its own name")
    return found


def built_in() -> Path:
    """The folder of the scenarios that come with driftdrill, in a checkout and in an installed wheel."""
    spec = importlib.util.find_spec("driftdrill.scenarios")
    if spec is None or spec.origin is None:
        raise ScenarioError("the built-in scenarios are not installed", hint="install driftdrill again")
    return Path(spec.origin).parent


def _run(path: Path) -> ModuleType:
    if not path.exists() and len(path.parts) == 1 and (built_in() / f"{path.stem}.py").is_file():
        path = built_in() / f"{path.stem}.py"
    if not path.is_file():
        raise ScenarioError(
            "no such scenario file" if not path.exists() else "not a file",
            where=str(path),
            hint="`driftdrill list` shows the built-in ones",
        )
    if path.suffix != ".py":
        raise ScenarioError("a scenario file must end in .py", where=str(path))
    try:
        source = path.read_bytes()
    except OSError as e:
        raise ScenarioError(f"cannot be read: {e.strerror}", where=str(path)) from e
    try:
        return run_python(source, path, f"_scenario_{path.stem}")
    except ScenarioError:
        raise
    except SyntaxError as e:
        where = f"{e.filename or path}:{e.lineno}" if e.lineno else str(path)
        raise ScenarioError(f"{e.msg}: {(e.text or '').strip()}".removesuffix(": "), where=where) from e
    except (Exception, SystemExit) as e:
        raise ScenarioError(f"{type(e).__name__}: {e}", where=_line_of(e, path), hint=_meant(e)) from e


def _meant(error: BaseException) -> str:
    """The new line for an import of before there was one package; the nearest name where there is none of a name."""
    line = new_import(error)
    if line:
        return f"write: {line}"
    missing = re.match(r"cannot import name '(\w+)'", str(error))
    there = sys.modules.get(error.name or "") if isinstance(error, ImportError) else None
    return (nearest(missing[1], dir(there)) if missing and there else None) or "--debug shows it all"


def _line_of(error: BaseException, path: Path) -> str:
    """file:line of the innermost frame that lies in the scenario file."""
    line, trace, file = None, error.__traceback__, path.absolute()
    while trace is not None:
        if Path(trace.tb_frame.f_code.co_filename) == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return f"{path}:{line}" if line else str(path)
