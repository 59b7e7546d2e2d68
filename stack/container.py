"""Containers that cannot outlive us, on the engine that testcontainers finds. Linux engines on this machine only.

A container shares this machine's network (``--network host``): a target on 127.0.0.1 is scraped at 127.0.0.1, with
the same configuration and the same labels as from a plain process. A forwarder on the bridge address would open the
target to every container, cost a copy of each byte, and change ``instance``; it would gain only engines that run
elsewhere, in a virtual machine say, where a binary serves better. Such engines are told apart and refused.

Files enter by ``put_archive`` before the start, owned by the user that the container runs as, mode 0600: no bind
mount, so neither SELinux labels nor a remapped root nor a temporary folder's 0700 stand in the way.
"""

import io
import secrets
import socket
import sys
import tarfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from driftdrill.durations import format_duration
from driftdrill.stack.errors import StackError
from driftdrill.stack.process import controlled

USER = 65534
"""``nobody``, as prom/prometheus has it."""
_REAPER = Path(__file__).with_name("_reaper.py")
_ANSWER = 10.0
"""Seconds that the engine may take for one answer, the first word from a registry included."""
_PULL = 180.0
"""Seconds that a whole pull may take."""


@cache
def engine() -> Any:
    """The container engine's client (a ``docker.DockerClient``).

    Raises :class:`StackError` where none answers, or where it is not an engine of this machine.
    """
    import docker.errors
    import requests
    from testcontainers.core.docker_client import DockerClient

    try:
        client = DockerClient(timeout=_ANSWER).client
        info = client.info()
    except (docker.errors.DockerException, requests.RequestException, OSError) as e:
        root = _root_cause(e)
        denied = isinstance(root, PermissionError)
        hint = "add yourself to the group docker" if denied else "start Docker, or Podman's socket"
        raise StackError(f"no container engine answers ({_first_line(root)})", hint=hint) from e
    if info.get("Name") != socket.gethostname() or "name=rootless" in (info.get("SecurityOptions") or ()):
        raise StackError(
            f"the container engine ({info.get('OperatingSystem')}, {info.get('Name')}) has a network of its own; "
            "its containers cannot reach 127.0.0.1 here",
            hint="use a prometheus binary on PATH",
        )
    return client


def obtain(image: str, *, pull: bool = True) -> None:
    """Make sure that the engine has ``image``. Raises :class:`StackError` that says why it cannot be had."""
    import docker.errors

    client = engine()
    try:
        client.images.get(image)
    except docker.errors.ImageNotFound:
        reason = _pull(image) if pull else "it is not here yet"
        if reason:
            raise StackError(f"image {image} cannot be had: {reason}", hint=f"docker pull {image}") from None


@cache
def _pull(image: str) -> str:
    """Pull, bounded; the reason of failure or "". Cached: a registry out of reach is asked once a process."""
    import docker.errors
    import docker.utils
    import requests

    name, tag = docker.utils.parse_repository_tag(image)
    deadline = time.monotonic() + _PULL
    try:
        for event in engine().api.pull(name, tag=tag or "latest", stream=True, decode=True):
            if "error" in event:
                return str(event["error"])
            if time.monotonic() > deadline:
                return f"the pull took more than {format_duration(_PULL)}"
    except (docker.errors.DockerException, requests.RequestException) as e:
        return _first_line(e)
    return ""


@dataclass(frozen=True)
class RunningContainer:
    """A container of ours. ``folder`` is its working directory."""

    handle: Any
    folder: str = "/"

    def exit_code(self) -> int | None:
        """None while it runs; 137 where somebody removed it, or the engine is gone."""
        import docker.errors
        import requests

        try:
            self.handle.reload()
        except (docker.errors.DockerException, requests.RequestException):
            return 137
        state = self.handle.attrs["State"]
        return None if state["Status"] in ("created", "running") else int(state["ExitCode"])

    def log(self) -> str:
        """The last lines that it printed."""
        try:
            return self._printed(tail=12)
        except StackError as e:
            return e.cause

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files into its folder. Raises :class:`StackError`."""
        import docker.errors
        import requests

        try:
            self.handle.put_archive("/", _archive(self.folder, files))
        except (docker.errors.DockerException, requests.RequestException) as e:
            raise StackError(f"the container engine does not answer: {_first_line(e)}") from e

    def output(self) -> tuple[str, str]:
        """All that it wrote to stdout and to stderr. Raises :class:`StackError`."""
        return self._printed(stderr=False), self._printed(stdout=False)

    def _printed(self, **which: int) -> str:
        import docker.errors
        import requests

        try:
            return str(self.handle.logs(**which).decode("utf-8", "replace"))
        except (docker.errors.DockerException, requests.RequestException) as e:
            raise StackError(f"the container engine does not answer: {_first_line(e)}") from e


@contextmanager
def running(
    image: str,
    command: Sequence[str],
    *,
    folder: str,
    files: Mapping[str, bytes],
    entrypoint: str | None = None,
    network: str = "host",
) -> Iterator[RunningContainer]:
    """A container with ``files`` (name -> content) in ``folder``, its working directory and writable.

    On leaving, and whatever ends this process, it is removed together with its volumes. Raises :class:`StackError`
    where it cannot be created or started.
    """
    import docker.errors
    import requests

    client = engine()
    name = f"driftdrill-{secrets.token_hex(6)}"
    reaper = controlled([sys.executable, "-P", str(_REAPER), name])
    container: Any = None
    try:
        try:
            container = client.containers.create(
                image,
                list(command),
                name=name,
                entrypoint=entrypoint,
                user=f"{USER}:{USER}",
                working_dir=folder,
                network_mode=network,
                userns_mode="host",  # an engine with remapped users refuses the host's network otherwise
                labels={"org.driftdrill": "1"},
            )
            container.put_archive("/", _archive(folder, files))
            container.start()
        except (docker.errors.DockerException, requests.RequestException) as e:
            raise StackError(f"container of {image}: {_first_line(e)}") from e
        yield RunningContainer(container, folder)
    finally:
        if container is not None:
            with suppress(docker.errors.DockerException, requests.RequestException, OSError):
                container.remove(force=True, v=True)
                reaper.control.write(b"removed")  # spares the reaper its imports
        reaper.finish(_ANSWER)


def _archive(folder: str, files: Mapping[str, bytes]) -> bytes:
    """A tar of ``folder`` with ``files`` below it, private to :data:`USER`."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        root = folder.strip("/")
        parents = {str(p) for name in files for p in Path(name).parents}
        for directory in sorted({".", *parents}):
            info = tarfile.TarInfo(f"{root}/{directory}")
            info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, 0o700, USER, USER
            tar.addfile(info)
        for name, content in files.items():
            info = tarfile.TarInfo(f"{root}/{name}")
            info.size, info.mode, info.uid, info.gid = len(content), 0o600, USER, USER
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _root_cause(error: BaseException) -> BaseException:
    while error.__context__ is not None:
        error = error.__context__
    return error


def _first_line(error: BaseException) -> str:
    return (str(error) or type(error).__name__).splitlines()[0][:300]
