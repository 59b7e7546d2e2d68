"""Prometheus's relabelling: rules in order, each of which may change a label set or drop it.

Follows model/relabel/relabel.go of Prometheus 3; 2.x refuses label names that are not of the old character set.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.regex import Pattern, expand, fullmatch

ACTIONS = (
    "replace",
    "keep",
    "drop",
    "keepequal",
    "dropequal",
    "hashmod",
    "labelmap",
    "labeldrop",
    "labelkeep",
    "lowercase",
    "uppercase",
)
_DEFAULTS: dict[str, object] = {
    "source_labels": (),
    "separator": ";",
    "regex": "(.*)",
    "modulus": 0,
    "target_label": "",
    "replacement": "$1",
}
_WRITES = ("replace", "hashmod", "lowercase", "uppercase", "keepequal", "dropequal")


@dataclass(frozen=True)
class Relabel:
    """One rule of ``relabel_configs`` or ``metric_relabel_configs``, with Prometheus's own defaults.

    Raises :class:`StackError` for a rule that Prometheus refuses to load.
    """

    action: str = "replace"
    source_labels: tuple[str, ...] = ()
    separator: str = ";"
    regex: str = "(.*)"
    modulus: int = 0
    target_label: str = ""
    replacement: str = "$1"
    pattern: Pattern = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "action", self.action.lower())
        object.__setattr__(self, "pattern", fullmatch(self.regex))
        if self.action not in ACTIONS:
            raise StackError(f"unknown relabel action {self.action!r}", hint="known: " + ", ".join(ACTIONS))
        if self.action in _WRITES and not self.target_label:
            raise StackError(f"relabel action {self.action} needs a target_label")
        if self.action == "hashmod" and self.modulus <= 0:
            raise StackError("relabel action hashmod needs a modulus above 0")
        if self.action == "labelmap" and not self.replacement:
            raise StackError("relabel action labelmap needs a replacement that names a label")
        if self.action in ("keepequal", "dropequal"):
            self._only("source_labels", "target_label")
        if self.action in ("labeldrop", "labelkeep"):
            self._only("regex")
        if self.action in ("lowercase", "uppercase") and self.replacement != "$1":
            raise StackError(f"relabel action {self.action} takes no replacement")

    def written(self) -> dict[str, object]:
        """As it stands in a prometheus.yml; defaults are left out."""
        said = {name: getattr(self, name) for name, default in _DEFAULTS.items() if getattr(self, name) != default}
        return {"action": self.action, **{k: list(v) if isinstance(v, tuple) else v for k, v in said.items()}}

    def _only(self, *allowed: str) -> None:
        for name, default in _DEFAULTS.items():
            if name not in allowed and getattr(self, name) != default:
                raise StackError(f"relabel action {self.action} takes only {' and '.join(allowed)}, not {name}")


def relabel(labels: Mapping[str, str], rules: Sequence[Relabel]) -> dict[str, str] | None:
    """The labels after all rules, without empty ones, or None where a rule dropped them."""
    out = {name: value for name, value in sorted(labels.items()) if value}
    for rule in rules:
        if not _apply(rule, out):
            return None
    return out


def _apply(rule: Relabel, labels: dict[str, str]) -> bool:
    """Changes ``labels`` in place; False drops them."""
    if rule.action.startswith("label"):
        _apply_to_names(rule, labels)
        return True
    value = rule.separator.join(labels.get(name, "") for name in rule.source_labels)
    match rule.action:
        case "keep" | "drop":
            return (rule.pattern.fullmatch(value) is not None) == (rule.action == "keep")
        case "keepequal" | "dropequal":
            return (labels.get(rule.target_label, "") == value) == (rule.action == "keepequal")
        case "lowercase":
            _put(labels, rule.target_label, value.lower())
        case "uppercase":
            _put(labels, rule.target_label, value.upper())
        case "hashmod":
            last = hashlib.md5(value.encode(), usedforsecurity=False).digest()[8:]
            _put(labels, rule.target_label, str(int.from_bytes(last, "big") % rule.modulus))
        case "replace":
            found = rule.pattern.fullmatch(value)
            if found is not None and (target := expand(rule.target_label, found)):
                _put(labels, target, expand(rule.replacement, found))
    return True


def _apply_to_names(rule: Relabel, labels: dict[str, str]) -> None:
    for name, value in list(labels.items()):
        found = rule.pattern.fullmatch(name)
        if rule.action == "labelmap":
            if found is not None:
                _put(labels, expand(rule.replacement, found), value)
        elif (found is None) == (rule.action == "labelkeep"):
            del labels[name]


def _put(labels: dict[str, str], name: str, value: str) -> None:
    """An empty value is no label."""
    if value:
        labels[name] = value
    else:
        labels.pop(name, None)


def attach(labels: Mapping[str, str], target: Mapping[str, str], *, honor_labels: bool) -> dict[str, str]:
    """A scraped series' labels with its target's: on a conflict the target wins and the series' own label is kept
    as ``exported_<name>``; with ``honor_labels`` the series wins, even with an empty label, which then is none.
    """
    out = {name: value for name, value in labels.items() if value}
    if honor_labels:
        return out | {name: value for name, value in target.items() if name not in labels}
    conflicts = sorted(((name, out[name]) for name in sorted(target) if name in out), key=lambda pair: len(pair[0]))
    out.update(target)
    for name, value in conflicts:
        exported = f"exported_{name}"
        while exported in out:
            exported = f"exported_{exported}"
        out[exported] = value
    return out
