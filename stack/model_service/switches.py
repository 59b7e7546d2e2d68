"""Ways in which a model is misconfigured and still answers 200: section C of the fault catalogue, on a real model.

Each switch is a value with its parameters; :meth:`start` gives a fresh wrapper around the asking of one row, with
whatever state the fault needs. What stands between caller and metrics is seen by the metrics, as in a real service;
what happens inside the model is not.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal, get_args

import msgspec
from msgspec import Meta
from msgspec.structs import replace

from driftdrill.stack.model_service.model import Category, Model, ModelAnswer, NumberFeature, Row

Ask = Callable[[Model, Row], ModelAnswer]
Wrap = Callable[[Ask], Ask]
Positive = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(ge=0, le=1)]
NumberName = Literal["dep_delay", "distance", "hour"]
Feature = Literal["dep_delay", "carrier", "origin", "dest", "distance", "hour", "month", "weekday"]
TEXTS = ("carrier", "origin", "dest")
Features = Annotated[tuple[Feature, ...], Meta(min_length=1)]


@dataclass(frozen=True)
class Models:
    """The model that should answer, and an older artefact of it."""

    current: Model
    earlier: Model


class _Switch(msgspec.Struct, frozen=True, tag_field="id", forbid_unknown_fields=True):
    """A misconfiguration with its parameters; a fault that is held through the service's admin interface."""

    seam: ClassVar[str] = "switch"
    visible_from: ClassVar[str] = "server"

    @property
    def id(self) -> str:
        """The id under which the fault catalogue has it."""
        return str(self.__struct_config__.tag)


class WrongVersion(_Switch, frozen=True, tag="mis.wrong_version"):
    """An older artefact answers, and the metrics page says so."""

    def start(self, models: Models) -> Wrap:
        return lambda ask: lambda _, row: ask(models.earlier, row)


class TrafficSplit(_Switch, frozen=True, tag="mis.traffic_split"):
    """A share of the rows is routed to an older version that should get none."""

    def start(self, models: Models) -> Wrap:
        return lambda ask: lambda _, row: ask(models.earlier, row)


class FeatureOrder(_Switch, frozen=True, tag="mis.feature_order"):
    """Two columns of one type trade places."""

    one: Feature = "dep_delay"
    other: Feature = "distance"

    def __post_init__(self) -> None:
        if (self.one in TEXTS) != (self.other in TEXTS):
            raise ValueError(f"{self.one} and {self.other} are not of one type: the service would refuse each row")

    def start(self, _: Models) -> Wrap:
        return _arriving(lambda row: {**row, self.one: row.get(self.other), self.other: row.get(self.one)})


class UnitChange(_Switch, frozen=True, tag="mis.unit_change"):
    """A number is read in another unit."""

    feature: NumberName = "dep_delay"
    by: Positive = 60.0

    def start(self, _: Models) -> Wrap:
        return _arriving(_numbers((self.feature,), lambda value: value * self.by))


class ScalerMissing(_Switch, frozen=True, tag="mis.scaler_missing"):
    """Numbers are not standardised."""

    def start(self, _: Models) -> Wrap:
        return _table(lambda model: _scaled(model, lambda n: replace(n, mean=0.0, deviation=1.0)))


class ScalerTwice(_Switch, frozen=True, tag="mis.scaler_twice"):
    """Numbers are standardised twice."""

    def start(self, _: Models) -> Wrap:
        def twice(n: NumberFeature) -> NumberFeature:
            # ((x - mean) / deviation - mean) / deviation
            return replace(n, mean=n.mean * (1 + n.deviation), deviation=n.deviation**2)

        return _table(lambda model: _scaled(model, twice))


class ClassMap(_Switch, frozen=True, tag="mis.class_map"):
    """The two classes are exchanged: 1 - p is answered instead of p."""

    def start(self, _: Models) -> Wrap:
        return _table(lambda model: _score_times(model, -1.0))


class StaleFeatures(_Switch, frozen=True, tag="mis.stale_features"):
    """Features keep the values that they had when this began."""

    features: Features = ("dep_delay",)

    def start(self, _: Models) -> Wrap:
        frozen: dict[str, float | str | None] = {}

        def stale(row: Row) -> Row:
            for name in self.features:
                frozen.setdefault(name, row.get(name))
            return {**row, **frozen}

        return _arriving(stale)


class DefaultImputed(_Switch, frozen=True, tag="mis.default_imputed"):
    """The feature store is down, and its client fills in the model's defaults without a word."""

    features: Features = ("dep_delay",)

    def start(self, models: Models) -> Wrap:
        defaults: dict[str, float | str] = {name: models.current.features[name].default for name in self.features}
        return _arriving(lambda row: {**row, **defaults})


class Dtype(_Switch, frozen=True, tag="mis.dtype"):
    """Inside the model, numbers are cast to one signed byte: beyond 127 they wrap around."""

    features: Annotated[tuple[NumberName, ...], Meta(min_length=1)] = ("dep_delay",)

    def start(self, _: Models) -> Wrap:
        return _inside(_numbers(self.features, lambda value: float((int(value) + 128) % 256 - 128)))


class Threshold(_Switch, frozen=True, tag="mis.threshold"):
    """The decision is taken at another probability."""

    to: Share = 0.05

    def start(self, _: Models) -> Wrap:
        return _table(lambda model: replace(model, threshold=self.to))


class Calibration(_Switch, frozen=True, tag="mis.calibration"):
    """A wrong temperature pulls the probabilities to the middle (above 1) or to the ends (below)."""

    temperature: Positive = 3.0

    def start(self, _: Models) -> Wrap:
        return _table(lambda model: _score_times(model, 1 / self.temperature))


class Locale(_Switch, frozen=True, tag="mis.locale"):
    """A parser that expects a decimal comma takes the point for a thousands separator: 12.0 is read as 120."""

    features: Annotated[tuple[NumberName, ...], Meta(min_length=1)] = ("dep_delay", "distance")

    def start(self, _: Models) -> Wrap:
        return _arriving(_numbers(self.features, lambda value: float(repr(float(value)).replace(".", ""))))


class ConstantOutput(_Switch, frozen=True, tag="mis.constant_output"):
    """A fallback answers every row with one probability."""

    value: Share = 0.2

    def start(self, _: Models) -> Wrap:
        return _leaving(lambda model, answer: answer._replace(probability=self.value, late=model.is_late(self.value)))


class CacheStuck(_Switch, frozen=True, tag="mis.cache_stuck"):
    """A cache in front of the model answers every row with its first answer; the model is not asked."""

    def start(self, _: Models) -> Wrap:
        kept: list[ModelAnswer] = []

        def wrap(ask: Ask) -> Ask:
            def cached(model: Model, row: Row) -> ModelAnswer:
                if not kept:
                    kept.append(ask(model, row))
                    return kept[0]
                return kept[0]._replace(asked=False)

            return cached

        return wrap


class NanOutput(_Switch, frozen=True, tag="mis.nan_output"):
    """The probability is not a number, which JSON says as null."""

    def start(self, _: Models) -> Wrap:
        return _leaving(lambda _, answer: answer._replace(probability=math.nan, late=False))


class Slow(_Switch, frozen=True, tag="sys.latency"):
    """Each answer takes ``delay`` seconds longer, inside the service, where its own metrics see it."""

    delay: Annotated[float, Meta(gt=0, le=60)] = 0.5

    def start(self, _: Models) -> Wrap:
        return lambda ask: ask


class Nondeterministic(_Switch, frozen=True, tag="mis.nondeterministic"):
    """Dropout is left on: each input is ignored with this probability, another one each time."""

    drop: Share = 0.1

    def start(self, models: Models) -> Wrap:
        rng = random.Random(0)
        # A standardised 0, or a level without a weight.
        neutral = {n: f.mean if isinstance(f, NumberFeature) else "" for n, f in models.current.features.items()}

        def dropped(row: Row) -> Row:
            return {name: neutral[name] if rng.random() < self.drop else row.get(name) for name in neutral}

        return _inside(dropped)


Switch = (
    CacheStuck
    | StaleFeatures
    | DefaultImputed
    | Locale
    | UnitChange
    | FeatureOrder
    | ConstantOutput
    | NanOutput
    | WrongVersion
    | TrafficSplit
    | ScalerMissing
    | ScalerTwice
    | ClassMap
    | Calibration
    | Threshold
    | Dtype
    | Nondeterministic
    | Slow
)
"""In the order in which a row meets them, should several be on."""

SWITCHES: dict[str, type[Switch]] = {kind.__struct_config__.tag: kind for kind in get_args(Switch)}
"""Catalogue id -> switch. The tokenizer's fault, mis.vocabulary, needs a model that has one."""


class SwitchOrder(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What to switch on: for a ``share`` of the rows, in equal steps, and for ``ttl`` real seconds at most."""

    switch: Switch
    share: Share = 1.0
    ttl: Annotated[float, Meta(gt=0, le=3600)] = 60.0


class SwitchState(msgspec.Struct, frozen=True):
    """A switch that is on: seconds left, rows that it let pass and rows that it changed."""

    switch: Switch
    share: float
    left: float
    passed: int
    changed: int


def _arriving(change: Callable[[Row], Row]) -> Wrap:
    """Before the metrics and the model."""
    return lambda ask: lambda model, row: ask(model, change(row))


def _inside(change: Callable[[Row], Row]) -> Wrap:
    """Before the model only: the metrics are told the row as it came."""
    return lambda ask: lambda model, row: ask(model, change(row))._replace(row=row)


def _leaving(change: Callable[[Model, ModelAnswer], ModelAnswer]) -> Wrap:
    return lambda ask: lambda model, row: change(model, ask(model, row))


def _table(change: Callable[[Model], Model]) -> Wrap:
    """Another table of coefficients, made once for each model that is asked."""
    made: dict[str, tuple[Model, Model]] = {}

    def changed(model: Model) -> Model:
        base, table = made.get(model.version, (None, None))
        if table is None or base is not model:
            table = change(model)
            made[model.version] = (model, table)
        return table

    return lambda ask: lambda model, row: ask(changed(model), row)


def _numbers(names: tuple[NumberName, ...], change: Callable[[float], float]) -> Callable[[Row], Row]:
    def changed(row: Row) -> Row:
        values = {name: value for name in names if isinstance(value := row.get(name), int | float)}
        return {**row, **{name: change(value) for name, value in values.items()}}

    return changed


def _scaled(model: Model, change: Callable[[NumberFeature], NumberFeature]) -> Model:
    features = {name: change(f) if isinstance(f, NumberFeature) else f for name, f in model.features.items()}
    return replace(model, features=features)


def _score_times(model: Model, factor: float) -> Model:
    """The log-odds multiplied: -1 exchanges the classes, 1/T is a temperature."""

    def scaled(feature: NumberFeature | Category) -> NumberFeature | Category:
        if isinstance(feature, NumberFeature):
            return replace(feature, weight=feature.weight * factor)
        return replace(feature, weights={level: weight * factor for level, weight in feature.weights.items()})

    features = {name: scaled(feature) for name, feature in model.features.items()}
    return replace(model, features=features, intercept=model.intercept * factor)
