"""Faults of processes of this machine: stopped, limited, crashing."""

import math
import os
import resource
import select
import shlex
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
from driftdrill.stack.faults.process.targets import LocalProcess, listening
from driftdrill.stack.faults.process.undo import Continue, Identity, Limit, Restart, listens, set_soft_limit

SLICE = 0.1
"""Seconds of one turn of a CPU limit: long against the scheduler's, short against a scrape."""
GONE = 5.0
"""Seconds in which a killed process must be gone."""
BACK = 30.0
"""Seconds in which a restarted one must listen."""


def identify(target: LocalProcess) -> Identity:
    """The process as it is now. Raises :class:`StackError` where it must not or cannot be drilled."""
    try:
        process = psutil.Process(target.pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            raise StackError(f"{target} has ended and only waits for its parent", hint="name a running process")
        ours = {os.getpid(), *(p.pid for p in psutil.Process().parents())}
    except psutil.NoSuchProcess:
        raise StackError(
            f"there is no process {target.pid}", hint="it may have been restarted: listening(port)"
        ) from None
    if target.pid in ours:
        raise StackError(f"{target} is the drill itself or its parent", hint="name the process of the model")
    if os.geteuid() not in (0, process.uids().real):
        raise StackError(f"{target} belongs to {process.username()}", hint="run the drill as that user, or as root")
    return Identity(target.pid, process.create_time())


class Stopped:
    """SIGSTOP, for a share of each period."""

    def __init__(self, fault: Hang | CpuLimit, target: LocalProcess) -> None:
        self._fault, self._process = fault, identify(target)
        self.place = f"the signals of process {target.pid}"
        self.undo = Continue(self._process)
        self._strength, self._stopped, self._next = 0.0, False, math.inf

    def pid(self) -> int:
        """The process."""
        return self._process.pid

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
        family = self._process.family()
        if not family and stop:
            raise StackError(f"process {self._process.pid} has ended")
        for process in family:
            with suppress(psutil.NoSuchProcess):
                if stop:
                    process.suspend()
                else:
                    process.resume()
        self._stopped = stop

    def check(self) -> str | None:
        """The kernel's word on the state."""
        process = self._process.find()
        if process is None:
            return f"expected process {self._process.pid} to run; seen: it has ended"
        if not self._stopped:
            return None
        deadline = time.monotonic() + 1.0
        while (status := process.status()) not in (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP):
            if time.monotonic() > deadline:
                return f"expected process {process.pid} stopped; seen: {status}"
            time.sleep(0.005)  # a thread in a system call stops when that ends
        return None

    def end(self) -> None:
        """Continue."""
        self.undo.undo()
        self._stopped, self._next = False, math.inf


class Limited:
    """A soft limit, counted from what is in use when it is held."""

    def __init__(self, fault: MemoryLimit | DescriptorLimit, target: LocalProcess) -> None:
        self._fault, self._process = fault, identify(target)
        if not hasattr(psutil.Process, "rlimit"):
            raise StackError(f"{fault!r} needs Linux: no other system changes the limits of a running process")
        memory = isinstance(fault, MemoryLimit)
        self._resource, self._name = (resource.RLIMIT_AS, "as") if memory else (resource.RLIMIT_NOFILE, "nofile")
        self.place = f"the limit {self._name} of process {target.pid}"
        process = psutil.Process(target.pid)
        self._before = process.rlimit(self._resource)[0]
        self.undo = Limit(self._process, self._resource, self._name, self._before)
        self._base: dict[int, int] = {}
        self._set_to = self._before

    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def _in_use(self, process: psutil.Process) -> int:
        if self._resource == resource.RLIMIT_AS:
            return int(process.memory_info().vms)
        # The limit is on the number of a new descriptor, not on how many there are.
        return max((int(fd) for fd in os.listdir(f"/proc/{process.pid}/fd")), default=-1) + 1

    def set(self, strength: float) -> None:
        """Set the limit; at strength 0 as it was."""
        room = self._fault.headroom if isinstance(self._fault, MemoryLimit) else self._fault.spare
        family = self._process.family()
        if not family:
            raise StackError(f"process {self._process.pid} has ended")
        if strength == 0:
            self.undo.undo()
            self._base, self._set_to = {}, self._before
            return
        for process in reversed(family):
            if process.pid not in self._base:
                self._base[process.pid] = self._in_use(process)
            limit = self._base[process.pid] + round(room / strength)
            self._set_to = limit if self._before < 0 else min(limit, self._before)
            set_soft_limit(process, self._resource, self._name, self._set_to)

    def work(self) -> float:
        """Nothing is ever due."""
        return math.inf

    def check(self) -> str | None:
        """The kernel's word on the limit."""
        process = self._process.find()
        if process is None:
            return f"expected process {self._process.pid} to run; seen: it has ended"
        seen = process.rlimit(self._resource)[0]
        return None if seen == self._set_to else f"expected the limit {self._name} {self._set_to}; seen: {seen}"

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
        self._target, self._process = target, identify(target)
        self.place = f"the signals of process {target.pid}"
        self._life = _life(psutil.Process(target.pid), target.restart)
        self._supervised = target.restart == ()
        if self._supervised and not self._life.ports:
            raise StackError(
                f"{target} listens on no port, by which the process that its supervisor starts next could be found",
                hint="name a restart command: LocalProcess(pid, restart=…)",
            )
        self._crashes = Crashes(fault, self._kill, self._start)
        self._children: list[subprocess.Popen[bytes]] = []

    @property
    def undo(self) -> Restart:
        """Only this guardian has the environment."""
        return Restart(self._process, shlex.join(self._life.command), tuple(sorted(self._life.ports)))

    def pid(self) -> int:
        """The process of now."""
        return self._process.pid

    def set(self, strength: float) -> None:
        """The first crash comes at once."""
        self._crashes.set(strength)

    def work(self) -> float:
        """Kill or restart when it is time."""
        return self._crashes.work()

    def _kill(self) -> None:
        if self._supervised and self._crashes.count:
            self._process = identify(listening(min(self._life.ports)))
        family = self._process.family()
        if not family:
            raise StackError(f"process {self._process.pid} ended by itself, not by this fault")
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        for child in self._children:
            child.wait(GONE)
        self._children.clear()
        self._crashes.count += 1
        if not _before(GONE, lambda: all(not _alive(p) for p in family)):
            raise StackError(f"process {self._process.pid} is not gone {format_duration(GONE)} after SIGKILL")

    def _start(self) -> None:
        if self._supervised:
            return
        life = self._life
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
        self._children = [child]
        self._process = Identity(child.pid, psutil.Process(child.pid).create_time())

    def check(self) -> str | None:
        """It crashed, and each crash was followed by a start."""
        if not self._crashes.strength:
            return None
        if not self._crashes.count:
            return "expected a crash; seen: none"
        if self._ended():
            return f"expected a restart; seen: {' '.join(self._life.command)} ended with {self._children[0].returncode}"
        return None

    def _ended(self) -> bool:
        """Whether what was started again has ended by itself."""
        return any(child.poll() is not None for child in self._children)

    def end(self) -> None:
        """It runs, and listens where it listened; an owned one ends."""
        self._crashes.stop()
        if self._target.owned:
            for process in self._process.family() if self._children else ():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            for child in self._children:
                with suppress(subprocess.TimeoutExpired):
                    child.wait(GONE)
            return
        if not self._crashes.count:
            return
        if not self._supervised and self._process.find() is None:
            self._start()
        _before(BACK, lambda: listens(self._life.ports) or self._ended())
        if self._ended() or not listens(self._life.ports):
            raise StackError(
                f"process {self._process.pid} was restarted, and nothing listens on {sorted(self._life.ports)} now",
                hint=f"start it by hand: {self.undo.command}; in LocalProcess(restart=…) give a command with the port",
            )


def _life(process: psutil.Process, restart: tuple[str, ...] | None) -> Life:
    """Raises :class:`StackError` where this user may not read what a restart needs."""
    try:
        command = list(restart) if restart else process.cmdline()
        outputs = (_reopen(process.pid, 0, os.O_RDONLY), _reopen(process.pid, 1), _reopen(process.pid, 2))
        ports = {
            c.laddr.port
            for p in (process, *process.children(recursive=True))
            for c in p.net_connections("tcp")
            if c.status == psutil.CONN_LISTEN
        }
        return Life(command, process.cwd(), process.environ(), outputs, ports)
    except (psutil.AccessDenied, psutil.ZombieProcess, OSError) as e:
        raise StackError(
            f"what a restart of process {process.pid} needs cannot be read: {e}", hint="run the drill as its user"
        ) from e


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


def _alive(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _before(seconds: float, true: Callable[[], bool]) -> bool:
    """Whether something gets true in time."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True
