"""Faults of processes of this machine: stopped, limited, crashing."""

import math
import os
import resource
import select
import shlex
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from driftdrill.durations import format_duration
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process.crashes import Crashes
from driftdrill.stack.faults.process.faults import CpuLimit, CrashLoop, DescriptorLimit, Hang, MemoryLimit
from driftdrill.stack.faults.process.members import Members, alive
from driftdrill.stack.faults.process.targets import LocalProcess, listening
from driftdrill.stack.faults.process.undo import Continue, Limit, Restart, listens, set_soft_limit

SLICE = 0.1
"""Seconds of one turn of a CPU limit: long against the scheduler's, short against a scrape."""
GONE = 5.0
"""Seconds in which a killed process must be gone."""
BACK = 30.0
"""Seconds in which a restarted one must listen."""


class Stopped:
    """SIGSTOP, for a share of each period."""

    def __init__(self, fault: Hang | CpuLimit, target: LocalProcess) -> None:
        self._fault, self._members = fault, Members(target)
        self.place = f"the signals of process {target.pid}"
        self._strength, self._stopped, self._next = 0.0, False, math.inf

    @property
    def undo(self) -> Continue:
        """All are continued."""
        return Continue(self._members.first, self._members.also)

    def pids(self) -> list[int]:
        """The processes."""
        return self._members.pids()

    def _share(self) -> tuple[float, float]:
        """Seconds of a period, and the share of it that the process is stopped."""
        if isinstance(self._fault, CpuLimit):
            return SLICE, 1 - self._fault.running(self._strength)
        return self._fault.period, self._strength

    def set(self, strength: float) -> None:
        """Stop or continue at once."""
        self._strength = strength
        self._signal(stop=self._share()[1] > 0)
        self._next = time.monotonic() + self._turn()

    def _turn(self) -> float:
        """Seconds until the other state is due."""
        period, share = self._share()
        if share in (0, 1):
            return math.inf
        return period * (share if self._stopped else 1 - share)

    def work(self) -> float:
        """Alternate."""
        if time.monotonic() >= self._next:
            self._signal(stop=not self._stopped)
            self._next = time.monotonic() + self._turn()
        return max(0.0, self._next - time.monotonic())

    def _signal(self, *, stop: bool) -> None:
        if stop and not self._members.stop():
            raise StackError(f"process {self._members.first.pid} has ended")
        if not stop:
            for process in self._members.family():
                with suppress(psutil.NoSuchProcess):
                    process.resume()
        self._stopped = stop

    def check(self) -> str | None:
        """The kernel's word on the state of each; who came since is stopped from now on."""
        if (wrong := self._members.ended()) is not None:
            return wrong
        if self._strength and self._members.grown() and self._stopped:
            self._signal(stop=True)
        deadline = time.monotonic() + 1.0
        while self._stopped and (runs := [p for p in self._members.family() if not _stands(p)]):
            if time.monotonic() > deadline:
                return f"expected process {runs[0].pid} stopped; seen: {runs[0].status()}"
            time.sleep(0.005)  # a thread in a system call stops when that ends
        return None

    def end(self) -> None:
        """Continue."""
        self.undo.undo()
        self._stopped, self._next = False, math.inf


class Limited:
    """A soft limit, counted from what is in use when it is held."""

    def __init__(self, fault: MemoryLimit | DescriptorLimit, target: LocalProcess) -> None:
        self._fault, self._members = fault, Members(target)
        if not hasattr(psutil.Process, "rlimit"):
            raise StackError(f"{fault!r} needs Linux: no other system changes the limits of a running process")
        memory = isinstance(fault, MemoryLimit)
        self._resource, self._name = (resource.RLIMIT_AS, "as") if memory else (resource.RLIMIT_NOFILE, "nofile")
        self.place = f"the limit {self._name} of process {target.pid}"
        self._before = psutil.Process(target.pid).rlimit(self._resource)[0]
        self._base: dict[int, int] = {}
        self._strength = 0.0

    @property
    def undo(self) -> Limit:
        """The limit of all is as it was."""
        return Limit(self._members.first, self._resource, self._name, self._before, self._members.also)

    def pids(self) -> list[int]:
        """The processes."""
        return self._members.pids()

    def _in_use(self, process: psutil.Process) -> int:
        if self._resource == resource.RLIMIT_AS:
            return int(process.memory_info().vms)
        # The limit is on the number of a new descriptor, not on how many there are.
        return max((int(fd) for fd in os.listdir(f"/proc/{process.pid}/fd")), default=-1) + 1

    def set(self, strength: float) -> None:
        """Set the limit; at strength 0 as it was."""
        family = self._members.family()
        if not family:
            raise StackError(f"process {self._members.first.pid} has ended")
        self._strength = strength
        if strength == 0:
            self.undo.undo()
            self._base = {}
            return
        for process in reversed(family):
            self._limit(process)

    def _limit(self, process: psutil.Process) -> None:
        if process.pid not in self._base:
            self._base[process.pid] = self._in_use(process)
        set_soft_limit(process, self._resource, self._name, self._wanted(process.pid))

    def _wanted(self, pid: int) -> int:
        """The limit of one process now."""
        if not self._strength:
            return self._before
        room = self._fault.headroom if isinstance(self._fault, MemoryLimit) else self._fault.spare
        limit = self._base[pid] + round(room / self._strength)
        return limit if self._before < 0 else min(limit, self._before)

    def work(self) -> float:
        """Nothing is ever due."""
        return math.inf

    def check(self) -> str | None:
        """The kernel's word on the limit of each; who came since is limited from now on."""
        if (wrong := self._members.ended()) is not None:
            return wrong
        if not self._strength:
            return self._differs(psutil.Process(self._members.first.pid))
        self._members.grown()
        for process in filter(alive, self._members.family()):
            if process.pid not in self._base:
                self._limit(process)
            if (wrong := self._differs(process)) is not None:
                return wrong
        return None

    def _differs(self, process: psutil.Process) -> str | None:
        seen, wanted = process.rlimit(self._resource)[0], self._wanted(process.pid)
        if seen == wanted:
            return None
        return f"expected the limit {self._name} {wanted} of process {process.pid}; seen: {seen}"

    def end(self) -> None:
        """As it was."""
        self.undo.undo()


@dataclass
class Life:
    """All that is needed to start a process again."""

    command: list[str]
    folder: str
    environment: dict[str, str]
    outputs: tuple[int, int, int]
    ports: set[int]


class CrashingProcess:
    """SIGKILL and restart, again and again."""

    def __init__(self, fault: CrashLoop, target: LocalProcess) -> None:
        self._target, self._members = target, Members(target)
        self.place = f"the signals of process {target.pid}"
        named = self._members.roots[: 1 if target.restart else None]  # one command starts them all
        self._lives = [_life(psutil.Process(root.pid), target.restart) for root in named]
        self._ports = {target.port} - {0} | {port for life in self._lives for port in life.ports}
        self._supervised = target.restart == ()
        if self._supervised and not self._ports:
            raise StackError(
                f"{target} listens on no port, by which the process that its supervisor starts next could be found",
                hint="name a restart command: LocalProcess(pid, restart=…)",
            )
        self._crashes = Crashes(fault, self._kill, self._start)
        self._children: list[subprocess.Popen[bytes]] = []

    @property
    def undo(self) -> Restart:
        """Only this guardian has the environment."""
        commands = " & ".join(shlex.join(life.command) for life in self._lives)
        return Restart(self._members.first, commands, tuple(sorted(self._ports)))

    def pids(self) -> list[int]:
        """The processes of now; while they are down, the first of those that were killed."""
        return self._members.pids() or [self._members.first.pid]

    def set(self, strength: float) -> None:
        """The first crash comes at once."""
        self._crashes.set(strength)

    def work(self) -> float:
        """Kill or restart when it is time."""
        return self._crashes.work()

    def _kill(self) -> None:
        if self._supervised and self._crashes.count:
            self._members = Members(listening(min(self._ports), host=self._target.host))
        elif self._target.port and not self._crashes.count:
            self._members.grown()
        # Stopped first: a parent that lives a moment longer would bear another child.
        family = self._members.stop()
        if not family:
            raise StackError(f"process {self._members.first.pid} ended by itself, not by this fault")
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for child in self._children:
            child.wait(GONE)
        self._children.clear()
        self._crashes.count += 1
        if not _before(GONE, lambda: all(not alive(p) for p in family)):
            raise StackError(f"process {self._members.first.pid} is not gone {format_duration(GONE)} after SIGKILL")

    def _start(self) -> None:
        if self._supervised:
            return
        for life in self._lives:
            try:
                child = subprocess.Popen(
                    life.command,
                    cwd=life.folder,
                    env=life.environment,
                    stdin=life.outputs[0],
                    stdout=life.outputs[1],
                    stderr=life.outputs[2],
                    start_new_session=True,
                )
            except OSError as e:
                raise StackError(f"{life.command[0]} cannot be started again: {e}", hint=self.undo.command) from e
            self._children.append(child)
        pids = [child.pid for child in self._children]
        self._members = Members(LocalProcess(pids[0], self._target.restart, also=tuple(pids[1:])))

    def check(self) -> str | None:
        """It crashed, and each crash was followed by a start."""
        if not self._crashes.strength:
            return None
        if not self._crashes.count:
            return "expected a crash; seen: none"
        return None if (ended := self._ended()) is None else f"expected a restart; seen: {ended}"

    def _ended(self) -> str | None:
        """What was started again and has ended by itself."""
        for life, child in zip(self._lives, self._children, strict=False):
            if child.poll() is not None:
                return f"{' '.join(life.command)} ended with {child.returncode}"
        return None

    def end(self) -> None:
        """It runs, and listens where it listened; an owned one ends."""
        self._crashes.stop()
        if self._target.owned:
            for process in self._members.family() if self._children else ():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            for child in self._children:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(GONE)
            return
        if not self._crashes.count:
            return
        if not self._supervised and not self._members.family():
            self._start()
        _before(BACK, lambda: listens(self._ports) or self._ended() is not None)
        if self._ended() is not None or not listens(self._ports):
            raise StackError(
                f"process {self._members.first.pid} was restarted, and nothing listens on {sorted(self._ports)} now",
                hint=f"start it by hand: {self.undo.command}; in LocalProcess(restart=…) give a command with the port",
            )


def _life(process: psutil.Process, restart: tuple[str, ...] | None) -> Life:
    """Raises :class:`StackError` where this user may not read what a restart needs."""
    try:
        command, environment = _command(process, restart)
        outputs = (_reopen(process.pid, 0, os.O_RDONLY), _reopen(process.pid, 1), _reopen(process.pid, 2))
        ports = {
            c.laddr.port
            for p in (process, *process.children(recursive=True))
            for c in p.net_connections("tcp")
            if c.status == psutil.CONN_LISTEN
        }
        return Life(command, process.cwd(), environment, outputs, ports)
    except (psutil.AccessDenied, psutil.ZombieProcess, OSError) as e:
        raise StackError(
            f"what a restart of process {process.pid} needs cannot be read: {e}", hint="run the drill as its user"
        ) from e


def _command(process: psutil.Process, restart: tuple[str, ...] | None) -> tuple[list[str], dict[str, str]]:
    """The command to start it again, and its environment: the process's own.

    Some write a title over both (gunicorn does): then the command must be given, and the environment is the drill's.
    Raises :class:`StackError`.
    """
    own, environment = process.cmdline(), process.environ()
    program = os.path.join(process.cwd(), own[0]) if own and "/" in own[0] else "".join(own[:1])
    titled = shutil.which(program, path=environment.get("PATH")) is None
    if titled and restart is None:
        raise StackError(
            f"process {process.pid} cannot be started again by its command line, {' '.join(own)!r}",
            hint='give the command: restart = ["gunicorn", "-w", "3", "wsgi:app"], in driftdrill.toml beside listens',
        )
    return list(restart or own), dict(os.environ) if titled else environment


def _reopen(pid: int, fd: int, mode: int = os.O_WRONLY | os.O_APPEND) -> int:
    """The same file, pipe or terminal for the restarted process; nothing where it cannot be opened again."""
    link = f"/proc/{pid}/fd/{fd}"
    flags = mode | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
    try:
        if not Path(os.readlink(link)).is_absolute() and not os.readlink(link).startswith("pipe:"):
            return subprocess.DEVNULL
        opened = os.open(link, flags)
        os.set_blocking(opened, True)
        watch = select.poll()
        watch.register(opened, 0)
        if any(event & select.POLLERR for _, event in watch.poll(0)):  # a pipe that nobody reads any more
            os.close(opened)
            return subprocess.DEVNULL
        return opened
    except OSError:
        return subprocess.DEVNULL


def _stands(process: psutil.Process) -> bool:
    """Whether a process is stopped, or has ended."""
    try:
        ends = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP, psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        return process.status() in ends
    except psutil.NoSuchProcess:
        return True


def _before(seconds: float, true: Callable[[], bool]) -> bool:
    """Whether something gets true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
