#!/usr/bin/env python3
"""Classes of one name in several modules: one word should have one meaning. Exits 1 where one is not allowed below."""

import ast
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("driftdrill", "harness", "shift_generators", "stack", "reports")
ALLOWED: dict[str, str] = {}
"""Name -> why it may stand for several classes."""

places = defaultdict(list)
for room in ROOMS:
    for file in sorted((ROOT / room).rglob("*.py")):  # rglob follows no links: each room is read once
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{file.relative_to(ROOT)}:{node.lineno}")
several = {name: found for name, found in places.items() if len(found) > 1}
wrong = [f"{name}: {', '.join(found)}" for name, found in sorted(several.items()) if name not in ALLOWED]
wrong += [f"{name}: allowed, and needs it no longer" for name in sorted(ALLOWED) if name not in several]
print(*wrong or [f"{len(places)} classes, no two of one name but for {len(ALLOWED)} that say why"], sep="\n")
sys.exit(bool(wrong))
