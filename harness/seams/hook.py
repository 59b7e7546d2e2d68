"""Faults that whoever runs the service puts in force and reverts: control hooks."""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from driftdrill.harness.errors import RigError, ScenarioError, nearest
from driftdrill.harness.seams.seam import Ground, InForce, Injected, Seam, Site

if TYPE_CHECKING:  # which loads an HTTP client, and a scenario needs none
    from driftdrill.harness.setup.target import Target


@dataclass(frozen=True)
class Control:
    """A control hook that the target offers, by its name; see :func:`control`."""

    seam: ClassVar[str] = "hook"

    name: str

    def __repr__(self) -> str:
        return f"control({self.name!r})"


def control(name: str) -> Control:
    """A fault that the target's own control hook of that name puts in force (driftdrill.toml, ``hooks``)."""
    if not isinstance(name, str) or not name.strip():
        raise ScenarioError(f"control: name must be a non-empty text, not {name!r}")
    return Control(name)


class HookSeam(Seam):
    """A hook in the scenario (:func:`driftdrill.faults.hook`), or one of the target's by its name."""

    name: ClassVar[str] = "hook"

    def check(self, fault: Injected, ground: Ground) -> None:
        """The target must offer a hook that is named."""
        super().check(fault, ground)
        _hook(fault, ground.target)

    def asks_golden(self, fault: Injected, target: "Target") -> bool:
        """Where the hook has no check of its own."""
        return _hook(fault, target).check is None

    def enter(self, fault: Injected, site: Site) -> AbstractContextManager[InForce]:
        """Once, whatever the number of addresses."""
        from driftdrill.stack.faults.process.hold import hold

        return hold(_hook(fault, site.target))


def _hook(fault: Injected, target: "Target") -> Any:
    """The hook itself. Raises :class:`RigError` where the target has none of that name."""
    if not isinstance(fault.how, Control):
        return fault.how
    name = fault.how.name
    if name not in target.hooks:
        raise RigError(
            f"target {target.name!r} offers no control hook {name!r}",
            hint=nearest(name, target.hooks) or f"[targets.{target.name}.hooks.{name}] in driftdrill.toml",
        )
    return target.hooks[name]
