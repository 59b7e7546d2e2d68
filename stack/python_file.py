"""Running a file of the user's: a scenario, or the functions of a hook."""

import sys
from pathlib import Path
from types import ModuleType


def run_python(source: bytes, path: Path, name: str) -> ModuleType:
    """Run ``source``, the content of the file ``path``, as the module ``name``; raises whatever it raises.

    From its source, never from a cached .pyc, which would pass for that of a file that changed within the same second
    and size; and nothing that it imports meanwhile leaves a ``__pycache__`` beside it. Its folder stays on sys.path, so
    that one of its functions may import what lies beside it when it is called.
    """
    path = path.absolute()
    module = ModuleType(name)
    module.__file__ = str(path)
    sys.modules[name] = module
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    before, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        exec(compile(source, str(path), "exec", dont_inherit=True), vars(module))
    finally:
        sys.dont_write_bytecode = before
    return module
