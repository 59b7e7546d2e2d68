"""Composition: several shifts in order, on a fraction of the rows, or on a slice."""

from dataclasses import replace

import numpy as np

from driftdrill.shift_generators.errors import BadValue
from driftdrill.shift_generators.generator import Batch, Floats, Generator, Kernel, Mask, Rng, hits, written
from driftdrill.shift_generators.generator import share as scaled
from driftdrill.shift_generators.kinds.missing import check_rate
from driftdrill.shift_generators.kinds.slices import Where, mask_of


def in_order(*generators: Generator) -> Generator:
    """One after the other, each at the same strength; a later one sees what the earlier ones left.

    Each draws from a stream of its own: adding one at the end, or another in its place, changes no other's draws.
    """
    call = written("in_order", *generators)
    if not generators or any(not isinstance(g, Generator) for g in generators):
        raise BadValue(f"{call}: name one or more generators")

    def kernel(batch: Batch, strength: Floats, rng: Rng, solved: tuple[Generator, ...]) -> Batch:
        out = batch
        for generator, own in zip(solved, rng.spawn(len(solved)), strict=True):
            out = generator(out, strength, own)
        return _changed(batch, out)

    whole = any(not g.columns for g in generators)
    return Generator(
        call,
        () if whole else _union(*(g.columns for g in generators)),
        "share" if all(g.scales == "share" for g in generators) else "size",
        kernel,
        reads=_union(*(g.columns for g in generators), *(g.reads for g in generators)),
        truth=next((g.truth for g in generators if g.truth), None),
        prepare=lambda reference: tuple(g.solve(reference) for g in generators),
        mixture=False,
        id="+".join(g.id for g in generators),
    )


def on_fraction(generator: Generator, *, share: float = 1.0) -> Generator:
    """The generator at full size, on a share of the rows in (0, 1]: old and new rows mixed. Strength scales the share.

    This turns an incremental drift into a gradual one; a mixture reaches sizes that a map of whole numbers jumps over.
    """
    call = written("on_fraction", generator, share=share if share < 1 else None)
    check_rate(call, share)

    def kernel(batch: Batch, strength: Floats, rng: Rng, solved: Generator) -> Batch:
        return _on_rows(batch, hits(scaled(strength, share), rng), np.ones_like(strength), solved, rng)

    return replace(_around(generator, call, kernel), limit=1.0 / share)


def on_slice(generator: Generator, *, where: Where) -> Generator:
    """The generator on the rows of a slice only; its reference is the slice of the reference."""
    call = written("on_slice", generator, where=where)

    def kernel(batch: Batch, strength: Floats, rng: Rng, solved: Generator) -> Batch:
        return _on_rows(batch, mask_of(where, batch, call), strength, solved, rng)

    def sliced(reference: Batch) -> Generator:
        inside = mask_of(where, reference, call)
        if not inside.any():
            raise BadValue(f"{call}: no row is in the slice", hint="check the value's spelling and type")
        return generator.solve({name: column[inside] for name, column in reference.items()})

    around = _around(generator, call, kernel)
    return replace(around, scales=generator.scales, mixture=generator.mixture, prepare=sliced)


def _around(generator: Generator, call: str, kernel: Kernel) -> Generator:
    return Generator(
        call,
        generator.columns,
        "share",
        kernel,
        reads=generator.reads,
        truth=generator.truth,
        prepare=generator.solve,
        id=generator.id,
    )


def _on_rows(batch: Batch, rows: Mask, strength: Floats, generator: Generator, rng: Rng) -> Batch:
    """The columns that the generator changes in those rows, the other rows as they were."""
    if not rows.any():
        return {}
    part = {name: column[rows] for name, column in batch.items()}
    changed = {}
    for name, new in _changed(part, generator(part, strength[rows], rng)).items():
        whole = batch[name].astype(np.result_type(batch[name], new))
        whole[rows] = new
        changed[name] = whole
    return changed


def _changed(before: Batch, after: Batch) -> Batch:
    return {name: column for name, column in after.items() if column is not before[name]}


def _union(*names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for some in names for name in some))
