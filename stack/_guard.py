"""Run one command; at a word on the control pipe (stdin), or when that closes, end it and remove its folder.

Started by :mod:`driftdrill.stack.process` as a script, never imported: it starts in 25 ms and holds 8 MB. The pipe
closes on every exit of the parent, SIGKILL included.
Forked copies of the parent may hold its other end open, so the parent
says a word when it lets go in order, and its pid is watched.

Arguments: the parent's pid, seconds between SIGTERM and SIGKILL, the folder to remove ("" for none), the command.
Exit status: the command's own; 128 + n where signal n ended it; 127 where it could not be started.
"""

import ctypes
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

POLL = 0.5
PR_SET_PDEATHSIG = 1


def spawn(command: list[str]) -> int:
    """Fork and exec in a process group of its own; on Linux the command dies with this guard even if that is killed."""
    pid = os.fork()
    if pid:
        with suppress(OSError):  # both sides set it: whoever comes first, the group exists before it is needed
            os.setpgid(pid, pid)
        return pid
    try:
        os.setpgid(0, 0)
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execvp(command[0], command)
    except OSError as e:
        os.write(2, f"{command[0]}: {e.strerror}\n".encode())
    os._exit(127)


def status_of(pid: int) -> int | None:
    """The exit status of the child if it has ended, without waiting."""
    done, status = os.waitpid(pid, os.WNOHANG)
    if not done:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def end(pid: int, grace: float) -> int:
    """SIGTERM to the command's process group, SIGKILL after ``grace`` seconds."""
    deadline = time.monotonic() + grace
    if grace:
        os.killpg(pid, signal.SIGTERM)
    while (status := status_of(pid)) is None:
        if time.monotonic() >= deadline:
            os.killpg(pid, signal.SIGKILL)
        time.sleep(0.01)
    return status


def remove(folder: str) -> None:
    """Remove the folder, if one was given."""
    if folder:
        import shutil

        shutil.rmtree(folder, ignore_errors=True)


def watch(pid: int, parent: int, grace: float, folder: str) -> int:
    """Wait for the command to end by itself, which leaves its folder and log to the parent, or for the parent to let
    go; the command's status."""
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    while (status := status_of(pid)) is None:
        readable, _, _ = select.select([0, woken], [], [], POLL)
        if 0 in readable or os.getppid() != parent:
            try:
                return end(pid, grace)
            finally:
                remove(folder)
        if woken in readable:
            os.read(woken, 64)
    return status


def main(argv: Sequence[str]) -> int:
    """Guard one command to its end."""
    parent, grace, folder, *command = argv
    pid = spawn(command)
    for ignored in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):  # after the fork: the command must not inherit it
        signal.signal(ignored, signal.SIG_IGN)
    return watch(pid, int(parent), float(grace), folder)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
