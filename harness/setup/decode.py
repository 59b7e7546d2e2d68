"""From what a TOML file holds to values of our types: msgspec's conversion, and what it does not do for dataclasses.

Unknown keys are refused with the nearest name, paths become relative to the file's folder, and a table that may be one
of several things (a step of a hook, a process) is the one that one of its keys names.
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import inspect

from driftdrill.harness.errors import nearest
from driftdrill.stack.errors import StackError

T = TypeVar("T")
Program = Annotated[str, msgspec.Meta(extra={"program": True})]
"""A program by its path, or by a name on PATH."""


def decode(raw: Any, kind: type[T], base: Path) -> T:
    """``raw`` as a ``kind``; its paths are relative to ``base``.

    Raises :class:`StackError` for an unknown key, :class:`msgspec.ValidationError` for a value of another type, and
    what a value's own checks raise.
    """
    return msgspec.convert(_prepared(raw, inspect.type_info(kind), "$", base), kind)


def _prepared(raw: Any, kind: inspect.Type, at: str, base: Path) -> Any:
    """``raw`` as msgspec can convert it. A value of another type is left for msgspec to refuse."""
    match kind, raw:
        case inspect.UnionType(types=types), _:
            members = {t.tag: t for t in types if isinstance(t, inspect.StructType)}
            if len(members) < 2 or not isinstance(raw, dict):
                return _prepared(raw, types[0], at, base)  # the other type is None, which TOML has not
            made = _named_by_its_key(raw, _STEPS if "command" in members else _PROCESSES, at, base)
            tag = made.pop("type")
            return {**_fields(made, _known(members[tag]), at, base), "type": tag}
        case inspect.Metadata(extra={"path": True}), str():
            return _relative(raw, base)
        case inspect.Metadata(extra={"program": True}), str() if "/" in raw:
            return _relative(raw, base)
        case inspect.Metadata(extra={"keys": keys}, type=inspect.TupleType(item_types=types)), dict():
            found = _fields(raw, dict(zip(keys, types, strict=True)), at, base)
            if missing := [key for key in keys if key not in found]:
                raise StackError(f"missing required field `{missing[0]}` - at `{at}`")
            return [found[key] for key in keys]
        case inspect.Metadata(type=inner), _:
            return _prepared(raw, inner, at, base)
        case ((inspect.StructType() | inspect.DataclassType()), dict()):
            return _fields(raw, _known(kind), at, base)
        case inspect.DictType(value_type=inner), dict():
            return {key: _prepared(value, inner, f"{at}.{key}", base) for key, value in raw.items()}
        case inspect.VarTupleType(item_type=inner), list():
            return [_prepared(value, inner, f"{at}[{i}]", base) for i, value in enumerate(raw)]
    return raw


def _known(kind: inspect.StructType | inspect.DataclassType) -> dict[str, inspect.Type]:
    return {field.encode_name: field.type for field in kind.fields}


def _fields(raw: Mapping[str, Any], known: Mapping[str, inspect.Type], at: str, base: Path) -> dict[str, Any]:
    for key in raw:
        if key not in known:
            raise StackError(f"unknown key `{key}` - at `{at}`", hint=nearest(key, known))
    return {key: _prepared(value, known[key], f"{at}.{key}", base) for key, value in raw.items()}


def _relative(path: str, base: Path) -> str:
    return str(base / os.path.expanduser(path))


Makers = Mapping[str, Callable[[Any, Path], dict[str, Any]]]
"""By the key that names a table's kind: its value and the file's folder, to that kind's tag and fields."""


def _named_by_its_key(raw: Mapping[str, Any], makers: Makers, at: str, base: Path) -> dict[str, Any]:
    given = [key for key in makers if raw.get(key) not in (None, False)]
    if len(given) != 1:
        raise StackError(f"{at.removeprefix('$.')} needs one of {', '.join(makers)}")
    made = makers[given[0]](raw[given[0]], base)
    rest = {key: value for key, value in raw.items() if key not in makers}
    if twice := sorted(rest.keys() & made.keys() - {"do"}):
        raise StackError(f"unknown key `{twice[0]}` - at `{at}`", hint=f"beside `{given[0]}` there is no such key")
    return made | rest


def _function(value: Any, base: Path) -> dict[str, Any]:
    file, _, name = str(value).rpartition(":")
    return {"type": "function", "file": os.path.abspath(_relative(file, base)), "name": name}


def _listens(value: Any, _: Path) -> dict[str, Any]:
    if value is not True:
        raise StackError(f"process: listens must be true, not {value!r}")
    return {"type": "listens"}


def _pid_in(value: Any, base: Path) -> dict[str, Any]:
    file = Path(_relative(str(value), base))
    try:
        return {"type": "process", "owned": False, "pid": int(file.read_text(encoding="utf-8").split()[0])}
    except (OSError, ValueError, IndexError) as e:
        raise StackError(f"process: {file} holds no process id: {e}") from e


_STEPS: Makers = {
    "command": lambda value, base: {"type": "command", "argv": value, "folder": str(base.absolute())},
    "call": lambda value, _: {"type": "call", "url": value},
    "function": _function,
    "container": lambda value, _: {"type": "operate", "on": {"container": value}, "do": "restart"},
}
_PROCESSES: Makers = {
    "listens": _listens,
    "pid": lambda value, _: {"type": "process", "pid": value, "owned": False},
    "pid_file": _pid_in,
    "container": lambda value, _: {"type": "container", "name": value},
}
