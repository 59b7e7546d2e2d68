"""What to write where a scenario imports a room as a package of its own, as was right before there was one package."""

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import TracebackType

ROOMS = frozenset({"harness", "shift_generators", "stack", "reports", "scenarios"})

RENAMED = {("stack.proxy", "MergePatch"): "Patch", ("stack.scrape.pagefaults", "WrongType"): "WrongMetricType"}
"""Kinds of faults that got a name of their own."""
MOVED = {
    "harness.expect": "harness.scenario.expect",
    "harness.fault": "harness.scenario.fault",
    "harness.scenario": "harness.scenario.scenario",
    "stack.held": "stack.faults.process",
    "stack.promtool": "stack.prometheus.promtool",
    "stack.prometheus": "stack.prometheus.server",
    "stack.proxy": "stack.faults.network",
    "stack.rulefiles": "stack.rules.files",
    "stack.scrape.jobfaults": "stack.faults.jobs",
    "stack.scrape.pagefaults": "stack.faults.pages",
}
"""Modules that a scenario may have imported, and where they are now."""


def new_import(error: BaseException) -> str | None:
    """The line that takes the place of the import at which ``error`` arose; None where that named no room."""
    if not isinstance(error, ImportError) or _room(error.name) not in ROOMS:
        return None
    *_, statement = [None, *_imports(error.__traceback__, _room(error.name))]  # the last is where it arose
    if statement is None:
        return None
    line = _of_names(statement) if isinstance(statement, ast.ImportFrom) else _of_modules(statement)
    # Where it found a package, that is the user's own with a room's name: only our names are known to be meant.
    theirs = "." in str(error.name) or str(error).startswith("cannot import name")
    return None if theirs and not re.match(r"from driftdrill(\.faults)? import", line) else line


def _imports(trace: TracebackType | None, room: str) -> Iterator[ast.Import | ast.ImportFrom]:
    """The statements in a traceback, from its start, that import ``room`` as a package of its own."""
    while trace is not None:
        tree = ast.Module([], [])
        with suppress(OSError, SyntaxError, ValueError):
            tree = ast.parse(Path(trace.tb_frame.f_code.co_filename).read_bytes())
        for node in ast.walk(tree):
            if not isinstance(node, ast.Import | ast.ImportFrom):
                continue
            named = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module]
            here = node.lineno <= trace.tb_lineno <= (node.end_lineno or node.lineno)
            if here and room in map(_room, named):
                yield node
        trace = trace.tb_next


def _of_modules(statement: ast.Import) -> str:
    """`import stack.proxy` becomes what binds the same name."""
    lines = []
    for a in statement.names:
        new = "driftdrill" if a.name == "harness" else f"driftdrill.{MOVED.get(a.name, a.name)}"
        if _room(a.name) not in ROOMS:
            lines.append(f"import {_spelt(a.name, a.asname)}")
        elif a.asname or "." not in a.name:
            lines.append(f"import {new} as {a.asname or a.name}")
        else:
            lines += [f"import {new}", f"from driftdrill import {_room(a.name)}"]
    return "; ".join(lines)


def _of_names(statement: ast.ImportFrom) -> str:
    """`from harness import Fault, rescale` becomes a line for each module that has them now."""
    found: dict[str, list[str]] = {}
    for a in statement.names:
        home, name = _home(str(statement.module), a.name)
        found.setdefault(home, []).append(_spelt(name, a.asname or a.name))
    return "; ".join(f"from {home} import {', '.join(names)}" for home, names in found.items())


def _home(module: str, name: str) -> tuple[str, str]:
    """Where an author imports a name from that was imported from an old module, and what it is called there."""
    if (module, name) == ("harness", "*"):
        return "driftdrill", "*"
    if new := RENAMED.get((module, name)):
        return "driftdrill.faults", new
    old = f"driftdrill.{MOVED.get(module, module)}"
    meant = None
    with suppress(ImportError):
        meant = getattr(import_module(old), name, None) or import_module(f"{old}.{name}")
    # By name: what lies below does not import the face.
    for face in (import_module("driftdrill"), import_module("driftdrill.faults")):
        if name in face.__all__ and (meant is None or meant is getattr(face, name)):
            return face.__name__, name
    return old, name


def _room(module: str | None) -> str:
    return (module or "").partition(".")[0]


def _spelt(name: str, bound: str | None) -> str:
    return name if bound in (None, name) else f"{name} as {bound}"
