"""promtool, from a container image or a binary: found once, run with a time limit; its errors name file and line."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired
from typing import Literal

from driftdrill.durations import format_duration
from driftdrill.stack import container
from driftdrill.stack.errors import StackError
from driftdrill.stack.process import launch
from driftdrill.stack.rules.files import RuleFile, load_rule_files

IMAGE = "prom/prometheus:v3.13.3"
"""The current long-term-support release; promtool comes with it."""


@dataclass(frozen=True)
class Promtool:
    """A promtool to run: ``argv`` is (path,) of a binary, or (image,) of a container."""

    argv: tuple[str, ...]
    version: str
    how: Literal["binary", "container"]


def find_promtool(
    how: Literal["auto", "binary", "container"] = "auto", *, binary: str | None = None, image: str = IMAGE
) -> Promtool:
    """A promtool: ``binary`` or $DRIFTDRILL_PROMTOOL if given, else from the container image, else one on PATH.

    ``auto`` does not pull an image where a binary is at hand. Raises :class:`StackError` with all remedies.
    """
    path = find_binary("promtool", binary)
    chosen = binary or os.environ.get("DRIFTDRILL_PROMTOOL")
    reasons = []
    if how != "binary" and not (how == "auto" and chosen):
        try:
            container.obtain(image, pull=path is None or how == "container")
            return Promtool((image,), _version_in(image), "container")
        except StackError as e:
            if how == "container":
                raise
            reasons.append(e.cause)
    if path is None:
        reasons.append("promtool is not on PATH")
        raise none_to_be_had("promtool", reasons)
    return Promtool((path,), version_of(path), "binary")


_VERSION = re.compile(r"v?(\d+\.\d+(?:\.\d+(?:-[\w.]+)?)?)")
"""2.42 or 3.5.3: what names a promtool by its version."""


def find_engine(
    engine: str | None = None, how: Literal["auto", "binary", "container"] = "auto", *, image: str = IMAGE
) -> Promtool:
    """The promtool that ``engine`` names: "promtool" or None is as :func:`find_promtool` finds one, else a version of
    it (2.42 is any 2.42.x), else the path of one.

    Of a version it looks at $DRIFTDRILL_PROMTOOL, at every ``promtool*`` on PATH and beside this Python, and for a
    whole version at Prometheus's container image. Raises :class:`StackError` that says what was found, and where.
    """
    if engine is None or engine == "promtool":
        return find_promtool(how, image=image)
    version = _VERSION.fullmatch(engine)
    return _of_version(version[1], image) if version else find_promtool("binary", binary=engine)


def _of_version(wanted: str, image: str) -> Promtool:
    found: list[str] = []
    for path in _programs():
        try:
            version = version_of(path)
        except StackError:
            continue  # no promtool, whatever it is called
        if _is(wanted, version):
            return Promtool((path,), version, "binary")
        found.append(f"{version} ({path})")
    tagged = f"{image.rpartition(':')[0]}:v{wanted}"
    try:
        if wanted.count(".") < 2:
            raise StackError(f"a container image has a whole version, as in {wanted}.0")
        container.obtain(tagged)
        return Promtool((tagged,), _version_in(tagged), "container")
    except StackError as e:
        raise StackError(
            f"no promtool of version {wanted}: found {', '.join(found) or 'none'}; {e.cause}",
            hint="put its folder on PATH, or give its path: --engine /opt/prometheus/promtool",
        ) from e


def _programs() -> list[str]:
    """Every promtool that is at hand, each once: the one that is named first, then in the order of PATH."""
    folders = [*os.environ.get("PATH", "").split(os.pathsep), str(Path(sys.prefix) / "bin")]
    named = [shutil.which(os.environ.get("DRIFTDRILL_PROMTOOL") or "promtool")]
    named += [str(path) for folder in folders if folder for path in sorted(Path(folder).glob("promtool*"))]
    known: dict[str, str] = {}
    for path in named:
        if path and os.path.isfile(path) and os.access(path, os.X_OK):
            known.setdefault(os.path.realpath(path), os.path.abspath(path))
    return list(known.values())


def _is(wanted: str, version: str) -> bool:
    return version == wanted or (wanted.count(".") < 2 and version.startswith(f"{wanted}."))


def find_binary(name: str, given: str | None = None) -> str | None:
    """The absolute path of prometheus or promtool: as given, by $DRIFTDRILL_<NAME>, on PATH, or beside this Python.

    Raises :class:`StackError` where a path was given and nothing can be run there.
    """
    chosen = given or os.environ.get(f"DRIFTDRILL_{name.upper()}")
    path = os.pathsep.join([os.environ.get("PATH", ""), str(Path(sys.prefix) / "bin")])
    found = shutil.which(chosen or name, path=path)
    if chosen and found is None:
        raise StackError(
            f"{chosen} is no program that can be run", hint=f"check {name}'s path, or unset DRIFTDRILL_{name.upper()}"
        )
    return os.path.abspath(found) if found else None  # it is started in another folder


def none_to_be_had(name: str, reasons: Iterable[str]) -> StackError:
    """The one error that names all remedies."""
    return StackError(
        f"no {name} to be had: {'; '.join(reasons)}",
        hint="(1) start a container engine, or (2) install the binaries (apt install prometheus, "
        "brew install prometheus), or (3) give the URL of a Prometheus that runs (--prometheus URL)",
    )


@cache
def version_of(path: str) -> str:
    """The version of a prometheus or promtool binary. Raises :class:`StackError` where it does not say."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, check=False)
    except (OSError, TimeoutExpired) as e:
        raise StackError(f"{path} --version: {e}", hint="reinstall it") from e
    return _version(done.stdout + done.stderr, path)


@cache
def _version_in(image: str) -> str:
    done = _run_in_container(image, ["--version"], None, 30.0)
    return _version(done.stdout + done.stderr, image)


def _version(said: str, where: str) -> str:
    match = re.search(r"version (\d+\.\d+\.\d+[^\s+]*)", said)
    if match is None:
        raise StackError(f"`promtool --version` said {said[:200]!r}", where=where, hint="is this Prometheus's own?")
    return match[1]


def run(promtool: Promtool, args: Sequence[str], *, cwd: Path, timeout: float = 60.0) -> CompletedProcess[str]:
    """Run promtool in the folder ``cwd``; arguments name the files in it relatively, and it may read no others.

    Any exit status of its own is returned. Raises :class:`StackError` where it was killed, or took more than
    ``timeout`` seconds and was ended. It does not outlive this process.
    """
    inside = _run_in_container if promtool.how == "container" else _run_binary
    done = inside(promtool.argv[0], args, cwd, timeout)
    if done.returncode >= 126:
        raise StackError(
            f"promtool {' '.join(args[:2])} was killed (status {done.returncode}) {done.stderr[-300:]}".strip(),
            hint="out of memory? judge fewer or shorter recordings at once",
        )
    return done


def _run_binary(path: str, args: Sequence[str], cwd: Path, timeout: float) -> CompletedProcess[str]:
    # Ended by force it leaves its storage behind, so that is put where the caller cleans up.
    env = {**os.environ, "TMPDIR": str(cwd.absolute())}
    guarded = launch([path, *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=cwd, env=env, grace=0.0)
    try:
        out, err = guarded.guard.communicate(timeout=timeout)
    except TimeoutExpired:
        raise _too_slow(args, timeout) from None
    finally:
        guarded.finish()
    return CompletedProcess([path, *args], guarded.guard.returncode, out.decode(), err.decode("utf-8", "replace"))


def _run_in_container(image: str, args: Sequence[str], cwd: Path | None, timeout: float) -> CompletedProcess[str]:
    found = [path for path in cwd.rglob("*") if path.is_file()] if cwd else []
    files = {str(path.relative_to(cwd)): path.read_bytes() for path in found} if cwd else {}
    with container.running(image, args, folder="/driftdrill", files=files, entrypoint="promtool", network="none") as c:
        deadline = time.monotonic() + timeout
        while True:
            if time.monotonic() >= deadline:
                raise _too_slow(args, timeout)
            if (status := c.exit_code()) is not None:
                break
            time.sleep(0.02)
        out, err = c.output()
    return CompletedProcess([image, *args], status, out, err)


def _too_slow(args: Sequence[str], timeout: float) -> StackError:
    return StackError(
        f"promtool {' '.join(args[:2])} took more than {format_duration(timeout)}", hint="judge less at once"
    )


def check_rules(promtool: Promtool, patterns: Iterable[str | Path]) -> tuple[RuleFile, ...]:
    """``promtool check rules`` on files and globs (PrometheusRule objects too); returns the rule files read.

    Raises :class:`StackError` with promtool's message, and the file and line that it means.
    """
    rule_files = load_rule_files(patterns)
    check_loaded(promtool, rule_files)
    return rule_files


def check_loaded(promtool: Promtool, rule_files: Sequence[RuleFile]) -> None:
    """``promtool check rules`` on rule files that were read. Raises as :func:`check_rules`."""
    with tempfile.TemporaryDirectory(prefix="driftdrill-") as folder:
        names = [f"{number}.yml" for number in range(len(rule_files))]
        for name, rule_file in zip(names, rule_files, strict=True):
            (Path(folder) / name).write_text(rule_file.text, encoding="utf-8")
        done = run(promtool, ["check", "rules", "--lint=none", *names], cwd=Path(folder))
    if done.returncode:
        raise _complaint(done.stderr, rule_files)


def _complaint(said: str, rule_files: Sequence[RuleFile]) -> StackError:
    """promtool's first complaint, at the line of the author's own file."""
    match = re.search(r"^\s*(\d+)\.yml: (?:(\d+):\d+: )?(.*)$", said, re.MULTILINE)
    if match is None:
        return StackError(f"promtool check rules: {said.strip()}", hint="run promtool check rules on the file")
    rule_file, line, message = rule_files[int(match[1])], match[2], match[3]
    # A field that this version does not know is named in a line of its own.
    if field := re.match(r"\s*line (\d+): (.*)", said[match.end() :]):
        line, message = field[1], field[2]
    if not rule_file.verbatim or not line:
        line = _line_of(message, rule_file)
    where = f"{rule_file.path}:{line}" if line else str(rule_file.path)
    more = len(re.findall(r"^\s*\d+\.yml: ", said, re.MULTILINE)) - 1
    rest = f" (and {more} more)" if more else ""
    return StackError(f"promtool check rules: {message}{rest}", where=where, hint="correct the rule file")


def _line_of(message: str, rule_file: RuleFile) -> str:
    """Where the rule stands that promtool calls ``group "g", rule 3``, "" if it names none."""
    match = re.search(r'group "(.*?)", rule (\d+)', message)
    for group in rule_file.groups:
        if match and group.name == match[1] and 0 < int(match[2]) <= len(group.rules):
            return str(group.rules[int(match[2]) - 1].line)
    return ""
