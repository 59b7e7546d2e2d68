"""Command lines forked from a process that has imported the command line already.

Most of a short command's CPU time goes to imports (Locust's above all), and the tests run some hundreds of commands.
A forked one differs from `python -m driftdrill.harness.cli` in what its imports saw, and in what /proc says of its
command line: tests of those start a real one.
"""

import atexit
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(["driftdrill.harness.cli.drill", "driftdrill.harness.cli.main"])


class Forked:
    """One command: as much of :class:`subprocess.Popen` as the tests use."""

    def __init__(self, args: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        self.args = args
        ours, theirs = _FORK.Pipe(duplex=False)
        self._process: BaseProcess = _FORK.Process(target=_main, args=(args, folder, env, theirs))
        self._process.start()
        theirs.close()
        ours.recv()  # it leads a session of its own: from now on a signal to its group reaches it
        ours.close()

    @property
    def pid(self) -> int:
        """Process id, and that of its group."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """The exit code once it has ended."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises :class:`subprocess.TimeoutExpired`."""
        self._process.join(timeout)
        code = self.poll()
        if code is None:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code

    def kill(self) -> None:
        """SIGKILL."""
        self._process.kill()

    def send_signal(self, number: int) -> None:
        """A signal to the command alone."""
        if self.poll() is None:
            os.kill(self.pid, number)


def _main(args: Sequence[str], folder: Path, env: Mapping[str, str], ready: Connection) -> None:
    """In the forked process: what a shell and an interpreter would do for the command, then that."""
    os.setsid()
    os.chdir(folder)
    new = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    for stream, name, flags in ((0, os.devnull, os.O_RDONLY), (1, ".stdout", new), (2, ".stderr", new)):
        opened = os.open(name, flags, 0o600)
        os.dup2(opened, stream)
        os.close(opened)
    ready.send(None)
    ready.close()
    os.environ.clear()
    os.environ.update(env)
    tempfile.tempdir = None
    sys.path.insert(0, str(folder))
    sys.argv = ["driftdrill", *args]
    code = 1
    try:
        runpy.run_module("driftdrill.harness.cli", run_name="__main__", alter_sys=True)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:
        sys.excepthook(*sys.exc_info())
    atexit._run_exitfuncs()  # which multiprocessing leaves out
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
