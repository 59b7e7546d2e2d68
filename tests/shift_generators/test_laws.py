"""Laws that every generator keeps, whatever the batch, the strength and the seed."""

import hashlib
import multiprocessing
import random
import re

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from driftdrill import shift_generators
from driftdrill.shift_generators import Batch, Generator
from tests.shift_generators.examples import BECOMES, GENERATORS, IDS, make_batch, rng

REFERENCE = make_batch(2000, seed=99)
SOLVED = tuple(g.solve(REFERENCE) for g in GENERATORS)

each = pytest.mark.parametrize("generator", SOLVED, ids=[re.sub(r"[^\w.=]+", "_", repr(g))[:80] for g in GENERATORS])
batches = st.builds(make_batch, st.integers(1, 40), st.integers(0, 2**32))
quick = settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)


def raw(batch: Batch) -> dict[str, tuple[object, ...]]:
    """The batch as it can be compared: bytes, or type and value where they are objects.

    A string stands for itself: some are megabytes long, and shared by every row of a column.
    """
    return {
        name: tuple((type(v), v if isinstance(v, str) else repr(v)) for v in column.tolist())
        if column.dtype == object
        else (column.dtype.str, column.tobytes())
        for name, column in batch.items()
    }


def digest(batch: Batch) -> str:
    """What :func:`raw` tells, short enough to be sent from process to process."""
    made = hashlib.blake2b()
    for name, parts in raw(batch).items():
        made.update(f"\n{name} {len(parts)}".encode())
        for part in parts:
            kind, value = part if isinstance(part, tuple) else ("", part)
            made.update(f"\n{kind} ".encode())
            made.update(value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogatepass"))
    return made.hexdigest()


@st.composite
def strengths(draw: st.DrawFn, n: int) -> np.ndarray:
    kind = draw(st.sampled_from(["zero", "one", "level", "ramp", "mixed"]))
    if kind == "ramp":
        return np.linspace(0.0, 1.0, n)
    if kind == "mixed":
        return rng(draw(st.integers(0, 2**32))).choice([0.0, 0.3, 1.0], n)
    return np.full(n, {"zero": 0.0, "one": 1.0, "level": 0.4}[kind])


@each
@given(data=st.data(), batch=batches)
@quick
def test_shape_type_and_input_are_kept_and_rows_of_strength_0_keep_their_bytes(
    generator: Generator, data: st.DataObject, batch: Batch
) -> None:
    n = len(batch["y"])
    strength = data.draw(strengths(n))
    before, seed = raw(batch), data.draw(st.integers(0, 2**32))
    out = generator(batch, strength, rng(seed))
    assert raw(batch) == before, "the input must never be changed"
    assert list(out) == list(batch)
    assert raw(generator(batch, strength, rng(seed))) == raw(out), "same seed, same bytes"
    for name, column in out.items():
        assert column.shape == (n,)
        if generator.columns and name not in generator.columns:
            assert column is batch[name], "columns that are not touched are shared"
            continue
        expected = {
            batch[name].dtype.kind,
            *(k for (c, col), k in BECOMES.items() if repr(generator).startswith(c) and col == name),
        }
        assert column.dtype.kind in expected
        still = strength == 0.0
        old, new = batch[name][still], column[still]
        if old.dtype == new.dtype and old.dtype != object:
            assert old.tobytes() == new.tobytes()
        else:
            assert old.tolist() == new.tolist() or old.dtype.kind in "iu"


@each
def test_strength_0_is_the_identity(generator: Generator) -> None:
    batch = make_batch(30, seed=3)
    out = generator(batch, np.zeros(30), rng())
    assert all(out[name] is batch[name] for name in batch)


@each
def test_full_strength_changes_something(generator: Generator) -> None:
    batch = make_batch(100, seed=5)
    out = generator(batch, np.ones(100), rng())
    assert raw(out) != raw(batch)
    assert generator.scales in ("size", "share")


def test_every_id_of_the_catalogue_has_a_generator() -> None:
    assert {g.id for g in GENERATORS} >= IDS


def test_a_generator_prints_as_it_was_written() -> None:
    """The repr goes into recordings: evaluated with the package's names, it gives the generator again."""
    names = {name: getattr(shift_generators, name) for name in shift_generators.__all__}
    for generator in GENERATORS:
        if "half" not in repr(generator):
            assert repr(eval(repr(generator), dict(names))) == repr(generator)


def _made(blocks: list[int]) -> dict[int, list[str]]:
    batches = {block: make_batch(20, seed=block) for block in blocks}
    return {
        block: [digest(g(batch, np.full(20, 0.7), np.random.default_rng([7, block]))) for g in SOLVED]
        for block, batch in batches.items()
    }


def test_blocks_are_the_same_however_many_workers_share_them() -> None:
    """Nothing is kept between blocks: two processes with half of the blocks each make what one makes of all."""
    alone = _made([0, 1, 2, 3])
    with multiprocessing.get_context("fork").Pool(2) as pool:
        first, second = pool.map(_made, [[2, 0], [3, 1]])
    assert {**first, **second} == alone


def test_no_generator_touches_a_global_seed() -> None:
    """jenga seeds numpy's global generator; anything else that draws from it then repeats itself."""
    random.seed(1)
    np.random.seed(1)
    before = (random.getstate(), np.random.get_state()[1].tobytes())  # type: ignore[union-attr]
    batch = make_batch(40)
    for g in SOLVED:
        g(batch, np.ones(40), rng())
    assert (random.getstate(), np.random.get_state()[1].tobytes()) == before  # type: ignore[union-attr]


def test_two_blocks_do_not_repeat_each_other() -> None:
    """Augmentation libraries repeat themselves across workers that share a seed: here the block is part of the seed."""
    batch = {"x": np.zeros(50)}
    noise = shift_generators.gaussian_noise("x")
    first, second = (noise(batch, np.ones(50), np.random.default_rng([7, block]))["x"] for block in (0, 1))
    assert not np.isin(first, second).any()


def test_the_public_names_are_these() -> None:
    assert sorted(shift_generators.__all__) == sorted(
        [
            "BadValue",
            "Batch",
            "ColumnSize",
            "Distance",
            "EDGES",
            "Edge",
            "Empirical",
            "GaussianCopula",
            "Generator",
            "METRICS",
            "Marginal",
            "Realised",
            "ShiftError",
            "Synthetic",
            "TooFewEffective",
            "UnknownColumn",
            "Unreachable",
            "WrongKind",
            "affine",
            "between",
            "case_category",
            "clipped",
            "concept_flip",
            "concept_logit",
            "concept_reverse",
            "constant_column",
            "correlation_break",
            "distance",
            "domain_auc",
            "duplicates",
            "edge",
            "edges_for",
            "effective",
            "equals",
            "fit_copula",
            "from_columns",
            "from_csv",
            "from_parquet",
            "gaussian_noise",
            "in_order",
            "knockout_category",
            "linear",
            "log_unit",
            "mar",
            "mcar",
            "mean_shift",
            "merge_categories",
            "mnar",
            "noise_floor",
            "novel_category",
            "on_fraction",
            "on_slice",
            "outliers",
            "prior",
            "quantile_warp",
            "realised",
            "rescale",
            "rotation",
            "rounding",
            "scale",
            "selection",
            "shift_time",
            "shuffle_column",
            "sized",
            "sized_by",
            "stuck",
            "subgroup",
            "swap_columns",
            "temperature",
            "text_case",
            "text_emoji",
            "text_language",
            "text_length",
            "text_typo",
            "text_vocabulary",
            "tilt",
            "time_format",
            "timezone",
            "typo_category",
            "window",
            "wrong_join",
        ]
    )
    assert all(hasattr(shift_generators, name) for name in shift_generators.__all__)
