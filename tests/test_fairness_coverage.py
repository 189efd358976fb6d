"""What fairness promises: intervals hold 95 % over managers drawn anew, and who adds nothing is seldom called out.

Seeds were fixed before looking. Where managers hardly differ, or not at all, long-run values are the expected ones, and
their intervals hold more than they say.
"""

import numpy as np
import polars as pl
import pytest
from scipy.stats import binom

from crmlab.measures.managers.fairness import assessment
from tests.books_of_managers import drawn

REPLICATIONS = 1000
CLEAR = ["clearly above", "clearly below"]


def assessed(seed: int, kind: str, added: float, heavy: bool = False) -> pl.DataFrame:
    rng, found = np.random.default_rng(seed), []
    for _ in range(REPLICATIONS):
        rows, truth = drawn(rng, kind=kind, added=added, heavy=heavy)
        found.append(assessment(rows, ["tier"], kind=kind).join(truth, on="manager_id", maintain_order="left"))
    return pl.concat(found).filter(pl.col("verdict") != "too few to say")


def at_most(n: int, share: float) -> float:
    """So many of `n` are seldom exceeded, if each is flagged with this chance."""
    return binom.ppf(0.999, n, share)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "added", "seed"), [("rate", 0.1, 1975), ("rate", 0.3, 1977), ("amount", 0.2, 1983)])
def test_long_run_values_are_covered_and_ordinary_differences_are_not_called_out(kind, added, seed):
    found = assessed(seed, kind, added)
    held = found.select(pl.col("truth").is_between(pl.col("lower"), pl.col("upper")).mean()).item()
    assert 0.93 <= held <= 0.97, held
    # Over-dispersed, and nobody stands out of the others: what is called out is chance.
    assert found["verdict"].is_in(CLEAR).sum() <= at_most(len(found), 0.002)
    assert (found["score"].abs() > 1.96).sum() <= at_most(len(found), 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "heavy", "seed"), [("rate", False, 2005), ("amount", False, 2006), ("amount", True, 2007)]
)
def test_who_adds_nothing_is_seldom_called_out(kind, heavy, seed):
    found = assessed(seed, kind, 0.0, heavy)
    assert found["verdict"].is_in(CLEAR).sum() <= at_most(len(found), 0.002)
    assert (found["score"].abs() > 1.96).sum() <= at_most(len(found), 0.05)
    assert found.select(pl.col("truth").is_between(pl.col("lower"), pl.col("upper")).mean()).item() >= 0.95


@pytest.mark.slow
def test_who_was_handed_a_rich_book_is_not_called_out():
    rng, n_called, n_naive = np.random.default_rng(1995), 0, 0
    for _ in range(REPLICATIONS):
        rows, _ = drawn(rng)
        # Manager 0 is handed 200 customers of the highest tier, who do as such customers do.
        rich = pl.DataFrame({
            "manager_id": 0, "customer_id": range(10**6, 10**6 + 200), "tier": 2, "n": 1,
            "value": (rng.random(200) < 0.5).astype(int),
        })  # fmt: skip
        rows = pl.concat([rows.filter(pl.col("manager_id") > 0), rich.cast(rows.schema)])
        of_zero = assessment(rows, ["tier"]).row(0, named=True)
        n_called += of_zero["verdict"] in CLEAR
        n_naive += rich["value"].mean() > 1.2 * rows["value"].mean()
    assert n_called <= at_most(REPLICATIONS, 0.002)
    assert n_naive > 0.99 * REPLICATIONS  # against the mean of all, the book alone would look like merit


@pytest.mark.slow
def test_money_that_left_at_its_maturity_with_one_customer_is_no_verdict():
    """Each customer keeps all or nothing; what matures is as uneven as money is, and half of a book may be one's."""
    rng, found = np.random.default_rng(2011), []
    for share in (0.75, 0.97, 0.97, 0.97, 0.97) * 20:
        manager = np.repeat(np.arange(40), rng.integers(20, 60 if share > 0.9 else 160, 40))
        amount = np.round(1e6 * np.exp(rng.normal(0, 1.2, len(manager)))).astype(int)
        rows = pl.DataFrame({
            "manager_id": manager, "customer_id": range(len(manager)), "tier": 0, "n": amount,
            "value": np.where(rng.random(len(manager)) < share, amount, 0),
        })  # fmt: skip
        found.append(assessment(rows, ["tier"]).with_columns(share=share))
    sure = pl.concat(found).filter(pl.col("verdict") != "too few to say")
    assert sure["share"].unique().to_list() == [0.75]
    assert sure["verdict"].is_in(CLEAR).sum() <= at_most(len(sure), 0.002)
    assert (sure["score"].abs() > 1.96).sum() <= at_most(len(sure), 0.05)
