"""Where rows come from: mappings, files, and laws of which everything is known."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import expon, kstest, lognorm, multivariate_normal, norm

from driftdrill.shift_generators import (
    BadValue,
    GaussianCopula,
    Synthetic,
    UnknownColumn,
    fit_copula,
    from_columns,
    from_csv,
    from_parquet,
)
from tests.shift_generators.examples import rng

CORRELATION = np.array([[1.0, 0.6], [0.6, 1.0]])


def test_a_mapping_of_lists_becomes_columns() -> None:
    batch = from_columns({"n": [1, None, 2.5], "i": (1, 2, 3), "t": ["a", "b", "c"], "gaps": ["a", None, "c"]})
    assert batch["n"].dtype == np.float64
    assert np.isnan(batch["n"][1])
    assert batch["i"].dtype == np.int64
    assert batch["t"].dtype.kind == "U"
    assert batch["gaps"].tolist() == ["a", None, "c"]


def test_a_pandas_frame_is_a_mapping_of_columns() -> None:
    pandas = pytest.importorskip("pandas")
    batch = from_columns(pandas.DataFrame({"x": [1.0, 2.0], "t": ["a", None]}))
    assert batch["x"].tolist() == [1.0, 2.0]
    assert batch["t"].tolist()[0] == "a"


def test_a_csv_file_is_read_with_its_types_and_gaps(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('i,x,t,g\n1,0.5,"a, b",\n2,NA,c,x\n', encoding="utf-8-sig")
    batch = from_csv(file)
    assert batch["i"].dtype == np.int64
    assert np.isnan(batch["x"][1])
    assert batch["t"].tolist() == ["a, b", "c"]
    assert batch["g"].tolist() == [None, "x"]
    assert list(from_csv(file, columns=["x"])) == ["x"]
    with pytest.raises(UnknownColumn, match="no column 'y'"):
        from_csv(file, columns=["y"])


def test_a_csv_line_of_another_length_is_named(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("a,b\n1,2\n3\n")
    with pytest.raises(BadValue, match=r"rows\.csv:3: 1 values, but the header names 2"):
        from_csv(file)
    file.write_text("a,b\n")
    with pytest.raises(BadValue, match="no rows"):
        from_csv(file)


def test_a_parquet_file_is_read_where_pyarrow_is_there(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    file = tmp_path / "rows.parquet"
    parquet.write_table(pyarrow.table({"x": [1.0, None], "t": ["a", None], "i": [1, 2]}), file)
    batch = from_parquet(file)
    assert np.isnan(batch["x"][1])
    assert batch["t"].tolist() == ["a", None]
    assert batch["i"].tolist() == [1, 2]
    assert list(from_parquet(file, columns=["i"])) == ["i"]
    with pytest.raises(UnknownColumn, match="no column 'j'"):
        from_parquet(file, columns=["j"])


def test_without_pyarrow_a_parquet_file_is_refused_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(BadValue) as refused:
        from_parquet("rows.parquet")
    assert refused.value.hint == "pip install pyarrow"


def test_a_copula_has_the_marginals_and_the_correlation_that_were_chosen() -> None:
    rows = GaussianCopula({"a": lognorm(s=1.0), "b": expon(scale=3.0)}, CORRELATION).sample(50_000, rng(1))
    assert kstest(rows["a"], lognorm(s=1.0).cdf).pvalue > 0.001
    assert kstest(rows["b"], expon(scale=3.0).cdf).pvalue > 0.001
    scores = [norm.ppf(lognorm(s=1.0).cdf(rows["a"])), norm.ppf(expon(scale=3.0).cdf(rows["b"]))]
    assert np.corrcoef(*scores)[0, 1] == pytest.approx(0.6, abs=0.015)


def test_a_copulas_density_is_known() -> None:
    """With normal marginals it is the multivariate normal's; with others the change of variables is exact."""
    rows = {"a": np.array([0.0, 1.0, -2.0]), "b": np.array([0.5, -1.0, 0.3])}
    normal = GaussianCopula({"a": norm(), "b": norm()}, CORRELATION)
    expected = multivariate_normal(cov=CORRELATION).logpdf(np.column_stack([rows["a"], rows["b"]]))
    np.testing.assert_allclose(normal.logpdf(rows), expected, rtol=1e-10)
    skewed = GaussianCopula({"a": lognorm(s=1.0), "b": norm()}, CORRELATION)
    np.testing.assert_allclose(skewed.logpdf({"a": np.exp(rows["a"]), "b": rows["b"]}), expected - rows["a"], rtol=1e-9)


def test_a_fitted_copula_draws_rows_like_its_reference() -> None:
    reference = GaussianCopula({"a": lognorm(s=1.0), "b": expon(scale=3.0)}, CORRELATION).sample(20_000, rng(2))
    reference["whole"] = np.rint(reference["b"] * 2).astype(np.int64)
    fitted = fit_copula(reference, ("a", "b"))
    assert fitted.correlation[0, 1] == pytest.approx(0.6, abs=0.02)
    rows = fitted.sample(20_000, rng(3))
    for name in ("a", "b"):
        assert kstest(rows[name], reference[name]).statistic < 0.02
    assert np.isfinite(fitted.logpdf({name: reference[name][:100] for name in ("a", "b")})).all()
    assert fitted.logpdf({"a": np.array([-1.0]), "b": np.array([1.0])})[0] == -np.inf
    assert set(fit_copula(reference).marginals) == {"a", "b", "whole"}


def test_a_synthetic_truth_follows_its_probability() -> None:
    source = Synthetic(
        GaussianCopula({"a": norm(), "b": norm()}, CORRELATION), {"a": 2.0}, intercept=-1.0, truth="late"
    )
    rows = source.sample(50_000, rng(4))
    p = source.probability(rows)
    np.testing.assert_allclose(p, 1 / (1 + np.exp(1.0 - 2.0 * rows["a"])))
    for low in np.arange(0.0, 1.0, 0.2):
        some = (p >= low) & (p < low + 0.2)
        assert rows["late"][some].mean() == pytest.approx(p[some].mean(), abs=0.02)


@pytest.mark.parametrize(
    "wrong", [np.eye(3), np.array([[1, 0.5], [0.4, 1]]), np.array([[1, 1.0], [1.0, 1]]), 2 * np.eye(2)]
)
def test_a_correlation_that_is_none_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(BadValue, match="correlation must be"):
        GaussianCopula({"a": norm(), "b": norm()}, wrong)
    with pytest.raises(BadValue, match="constant"):
        fit_copula({"a": np.ones(10), "b": np.arange(10.0)})
