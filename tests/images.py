"""A container image laid out like prom/prometheus, made from this machine's own binaries: no registry is asked.

By `docker import` of a root file system, since a COPY in a Dockerfile would lose the owner of /prometheus.
"""

import hashlib
import io
import re
import subprocess
import tarfile
from pathlib import Path

import docker.errors
import requests

from driftdrill.stack import container
from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus.promtool import find_binary, version_of

REPOSITORY = "driftdrill-test/prometheus"
CHANGES = [
    "USER nobody",
    "EXPOSE 9090",
    "VOLUME /prometheus",
    "WORKDIR /prometheus",
    'ENTRYPOINT ["/bin/prometheus"]',
    'CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]',
    "ENV PATH=/bin",
]


def make_prometheus_image() -> str:
    """The image's name, made if it is not there yet. Raises StackError where no engine or no binary is to be had."""
    programs = [path for name in ("prometheus", "promtool") if (path := find_binary(name))]
    if len(programs) < 2:
        raise StackError("prometheus and promtool are not on PATH", hint="apt install prometheus")
    stamps = [f"{path} {Path(path).stat().st_size} {Path(path).stat().st_mtime_ns}" for path in programs]
    tag = f"{version_of(programs[0]).partition('+')[0]}-{hashlib.sha256(repr(stamps).encode()).hexdigest()[:12]}"
    image = f"{REPOSITORY}:{tag}"
    try:
        container.obtain(image, pull=False)
    except StackError as e:
        if not e.hint or not e.hint.startswith("docker pull"):
            raise
        try:
            container.engine().api.import_image_from_data(_root(programs), REPOSITORY, tag, changes=CHANGES)
        except (docker.errors.DockerException, requests.RequestException) as refused:
            raise StackError(f"the container engine takes no image: {refused}") from refused
    return image


def _root(programs: list[str]) -> bytes:
    """The root file system as a tar: the programs, the libraries that they load, nobody, and its data folder."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, mode, owner in (("tmp", 0o1777, 0), ("etc/prometheus", 0o755, 65534), ("prometheus", 0o755, 65534)):
            info = tarfile.TarInfo(name)
            info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, owner, owner
            tar.addfile(info)
        for name, text in (
            ("etc/passwd", "nobody:x:65534:65534::/home:/bin/false\n"),
            ("etc/group", "nobody:x:65534:\n"),
        ):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            tar.addfile(info, io.BytesIO(text.encode()))
        for path in programs:
            tar.add(Path(path).resolve(), f"bin/{Path(path).name}")
        for library in sorted({library for path in programs for library in _libraries(path)}):
            tar.add(Path(library).resolve(), library.lstrip("/"))
    return out.getvalue()


def _libraries(path: str) -> list[str]:
    listed = subprocess.run(["ldd", path], capture_output=True, text=True, timeout=20, check=False).stdout
    return re.findall(r"(?:=> |^\s*)(/\S+) \(0x", listed, re.MULTILINE)
