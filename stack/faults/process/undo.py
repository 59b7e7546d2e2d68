"""How each fault is undone: plain values, so that whoever comes after a killed guardian can do it too."""

from collections.abc import Iterable

import msgspec
import psutil

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process.engine import container, engine_errors, update
from driftdrill.stack.faults.process.steps import Step


class Identity(msgspec.Struct, frozen=True):
    """A process that cannot be mistaken for another of the same number."""

    pid: int
    created: float

    def find(self) -> psutil.Process | None:
        """The process, if it still runs."""
        try:
            process = psutil.Process(self.pid)
            if process.status() == psutil.STATUS_ZOMBIE or abs(process.create_time() - self.created) > 0.1:
                return None
            return process
        except psutil.NoSuchProcess:
            return None

    def family(self) -> list[psutil.Process]:
        """The process and its descendants, those that run."""
        root = self.find()
        if root is None:
            return []
        try:
            return [root, *root.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []


def family(roots: Iterable[Identity]) -> list[psutil.Process]:
    """The processes and their descendants, those that run, each once: parents before their children."""
    return list({process.pid: process for root in roots for process in root.family()}.values())


class Nothing(msgspec.Struct, frozen=True, tag="nothing"):
    """What ends with the guardian anyway."""

    def undo(self) -> None:
        """There is nothing to do."""


class Continue(msgspec.Struct, frozen=True, tag="continue"):
    """SIGCONT."""

    process: Identity
    also: tuple[Identity, ...] = ()

    def undo(self) -> None:
        """Continue the processes and their descendants. Raises :class:`StackError` where one stays stopped."""
        for process in family((self.process, *self.also)):
            try:
                process.resume()
            except psutil.NoSuchProcess:
                continue
            except psutil.AccessDenied as e:
                raise StackError(
                    f"process {process.pid} is stopped and this user may not continue it",
                    hint=f"kill -CONT {process.pid}",
                ) from e


class Limit(msgspec.Struct, frozen=True, tag="limit"):
    """A soft limit as it was: ``resource`` is a number of :mod:`resource`, ``-1`` is no limit."""

    process: Identity
    resource: int
    name: str
    soft: int
    also: tuple[Identity, ...] = ()

    def undo(self) -> None:
        """Set the limit of the processes and their descendants as it was. Raises :class:`StackError`."""
        for process in family((self.process, *self.also)):
            set_soft_limit(process, self.resource, self.name, self.soft)


def set_soft_limit(process: psutil.Process, resource: int, name: str, soft: int) -> None:
    """Change a soft limit and leave the hard one. Raises :class:`StackError` where this user may not."""
    try:
        hard = process.rlimit(resource)[1]
        process.rlimit(resource, (soft, hard))
    except psutil.NoSuchProcess:
        return
    except (psutil.AccessDenied, OSError, ValueError) as e:
        raise StackError(
            f"the limit {name} of process {process.pid} cannot be set to {soft}: {e}",
            hint=f"prlimit --pid {process.pid} --{name}={soft if soft >= 0 else 'unlimited'}:",
        ) from e


class Unpause(msgspec.Struct, frozen=True, tag="unpause"):
    """Continue a paused container."""

    name: str

    def undo(self) -> None:
        """Unpause. Raises :class:`StackError`."""
        with engine_errors(f"docker unpause {self.name}"):
            held = container(self.name)
            if held is not None and held.status == "paused":
                held.unpause()


class Start(msgspec.Struct, frozen=True, tag="start"):
    """Start a container that was killed."""

    name: str

    def undo(self) -> None:
        """Start. Raises :class:`StackError`."""
        with engine_errors(f"docker start {self.name}"):
            held = container(self.name)
            if held is not None and held.status != "running":
                held.start()


class Update(msgspec.Struct, frozen=True, tag="update"):
    """Resources of a container as they were: fields of the engine's update call."""

    name: str
    resources: dict[str, int]

    def undo(self) -> None:
        """Update. Raises :class:`StackError`."""
        shown = " ".join(f"{k}={v}" for k, v in self.resources.items())
        with engine_errors(f"docker update {self.name} ({shown})"):
            if container(self.name) is not None:
                update(self.name, self.resources)


class Restart(msgspec.Struct, frozen=True, tag="restart"):
    """A process that was killed; its environment is not recorded, so only the guardian can start it again.

    ``ports`` are those that it listened on: who does now was started in its place.
    """

    process: Identity
    command: str
    ports: tuple[int, ...] = ()

    def undo(self) -> None:
        """Raises :class:`StackError` where the process is gone, and nobody listens in its place."""
        if self.process.find() is None and not (self.ports and listens(self.ports)):
            where = f", so that it listens on {', '.join(map(str, self.ports))}" if self.ports else ""
            raise StackError(
                f"process {self.process.pid} was killed and not restarted", hint=f"start it{where}: {self.command}"
            )


def listens(ports: Iterable[int]) -> bool:
    """Whether somebody listens on each of these TCP ports of this machine."""
    seen = {c.laddr.port for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr}
    return set(ports) <= seen


class Revert(msgspec.Struct, frozen=True, tag="revert"):
    """The step of a hook that puts the service right."""

    step: Step
    timeout: float

    def undo(self) -> None:
        """Run it. Raises :class:`StackError` with what to do by hand."""
        try:
            self.step.run(self.timeout)
        except StackError as e:
            raise StackError(f"the service was not put right: {e}", hint=str(self.step)) from e


AnyUndo = Nothing | Continue | Limit | Unpause | Start | Update | Restart | Revert
