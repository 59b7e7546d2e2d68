"""How often a standard detector finds our shifts, beside a published figure: writes detection-power.md and its plot.

The detector is the best of Rabanser, Günnemann and Lipton, "Failing Loudly" (NeurIPS 2019): the softmax outputs of a
classifier (black-box shift detection), a Kolmogorov-Smirnov test on each, Bonferroni's correction, level 5 %. Ours
runs on scikit-learn's bundled 8 x 8 digits. Run it from the repository's root: python -m docs.shifts.detection_power
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from driftdrill.shift_generators import Batch, Generator, gaussian_noise, in_order, on_fraction, prior

Floats = npt.NDArray[np.float64]
PIXELS = tuple(f"pixel_{i}" for i in range(64))
PUBLISHED = {10: 0.19, 100: 0.47, 1_000: 0.70, 10_000: 0.79}
"""Rabanser et al., average over their shifts on MNIST and CIFAR-10, BBSDs with univariate tests."""

SIZES = (10, 20, 50, 100, 200, 500)
STRENGTHS = (0.0, 0.1, 0.25, 0.5, 1.0)


def noise(sd: float, share: float = 1.0) -> Generator:
    """Noise of ``sd`` (pixels are 0 to 16) on every pixel of a share of the images."""
    return on_fraction(in_order(*(gaussian_noise(name, sd=sd) for name in PIXELS)), share=share)


SHIFTS: dict[str, Generator] = {
    "noise, sd 1, on 1 of 10 images": noise(1.0, 0.1),
    "noise, sd 4, on half of the images": noise(4.0, 0.5),
    "noise, sd 8, on all images": noise(8.0),
    "no zeros: a tenth of them gone": prior("digit", {0: 0.09}),
    "no zeros: half of them gone": prior("digit", {0: 0.05}),
    "no zeros: all gone": prior("digit", {0: 0.0}),
}


def digits() -> tuple[Callable[[Batch], Floats], Batch, Batch]:
    """A classifier's softmax, the reference's images, and those that windows are drawn from."""
    from sklearn.datasets import load_digits
    from sklearn.linear_model import LogisticRegression

    pixels, digit = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(digit))
    train, old, new = np.split(order, [500, 1100])
    model = LogisticRegression(C=0.01, max_iter=300).fit(pixels[train], digit[train])

    def softmax(batch: Batch) -> Floats:
        return np.asarray(model.predict_proba(np.column_stack([batch[name] for name in PIXELS])))

    def as_batch(rows: npt.NDArray[np.int64]) -> Batch:
        return {**{name: pixels[rows, i] for i, name in enumerate(PIXELS)}, "digit": digit[rows]}

    return softmax, as_batch(old), as_batch(new)


def detection_rate(
    generator: Generator, rows: int, strength: float = 1.0, *, repeats: int = 50, seed: int = 1
) -> float:
    """The share of windows of ``rows`` images in which the detector finds the shift."""
    from scipy.stats import ks_2samp

    softmax, old, new = _DIGITS if _DIGITS else _load()
    reference, found = softmax(old), 0
    solved = generator.solve(new)
    for i in range(repeats):
        rng = np.random.default_rng([seed, rows, i])
        pick = rng.choice(len(new["digit"]), rows, replace=rows > len(new["digit"]))
        window = softmax(solved({name: column[pick] for name, column in new.items()}, strength, rng))
        p = [ks_2samp(reference[:, k], window[:, k], method="asymp").pvalue for k in range(10)]
        found += min(p) < 0.05 / 10
    return found / repeats


_DIGITS: tuple[Callable[[Batch], Floats], Batch, Batch] | tuple[()] = ()


def _load() -> tuple[Callable[[Batch], Floats], Batch, Batch]:
    global _DIGITS  # noqa: PLW0603 - the classifier is trained once
    _DIGITS = digits()
    return _DIGITS


def _table(head: Sequence[object], rows: Sequence[Sequence[object]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def build(folder: Path) -> None:
    """Measure, draw detection-power.png, write detection-power.md."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    by_size = {name: [detection_rate(g, n) for n in SIZES] for name, g in SHIFTS.items()}
    clean = [detection_rate(noise(1.0), n, 0.0) for n in SIZES]
    strong = {n: [detection_rate(noise(8.0), n, s) for s in STRENGTHS] for n in (50, 200)}
    mean = [float(np.mean([rates[i] for rates in by_size.values()])) for i in range(len(SIZES))]
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
    for name, rates in by_size.items():
        left.plot(SIZES, rates, marker="o", linewidth=1, markersize=3, label=name)
    left.plot(SIZES, mean, color="black", linewidth=2, label="mean of ours")
    left.plot(
        list(PUBLISHED), list(PUBLISHED.values()), color="black", linestyle=":", marker="s", label="published mean"
    )
    left.set(xscale="log", xlabel="images in the window", ylabel="share of windows found", ylim=(-0.03, 1.03))
    left.legend(fontsize=6)
    for n, rates in strong.items():
        right.plot(STRENGTHS, rates, marker="o", label=f"noise, sd 8; {n} images")
    right.set(xlabel="strength (share of images hit)", ylim=(-0.03, 1.03))
    right.legend(fontsize=7)
    figure.savefig(folder / "detection-power.png", dpi=90)
    pyplot.close(figure)
    head = ["shift", *SIZES]
    rows = [[name, *(f"{r:.2f}" for r in rates)] for name, rates in by_size.items()]
    rows += [["**mean**", *(f"**{r:.2f}**" for r in mean)], ["no shift (strength 0)", *(f"{r:.2f}" for r in clean)]]
    strengths = _table(["images", *STRENGTHS], [[n, *(f"{r:.2f}" for r in rates)] for n, rates in strong.items()])
    published = _table(["images", *PUBLISHED], [["found", *(f"{r:.2f}" for r in PUBLISHED.values())]])
    (folder / "detection-power.md").write_text(
        _PAGE.format(sizes=_table(head, rows), strengths=strengths, published=published), encoding="utf-8"
    )


_PAGE = """# Detection power

A shift that a standard detector finds too easily, or never, is no test of monitoring. This page shows how often one
finds ours: the softmax outputs of a classifier, a Kolmogorov-Smirnov test on each output, Bonferroni's correction,
level 5 %. It is the best detector of Rabanser, Günnemann and Lipton, *Failing Loudly* (NeurIPS 2019). The images are
scikit-learn's bundled 8 x 8 digits; 50 windows for each figure.

![Share of windows in which the shift is found, by window size and by strength](detection-power.png)

By the number of images in the window:

{sizes}

By strength, noise of sd 8:

{strengths}

Published, averaged over the paper's own shifts on MNIST and CIFAR-10 (other images, other shifts: the comparison is
of the order of size and of the rise, not of a figure):

{published}

Made by `python -m docs.shifts.detection_power`.
"""

if __name__ == "__main__":
    build(Path(__file__).parent)
