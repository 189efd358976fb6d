"""Published figures: association rules of arules' Groceries, and that mlxtend finds the same."""

import warnings

import polars as pl
import pytest

from crmlab.measures import crosssell
from tests.conftest import shared


@pytest.fixture(scope="module")
def baskets() -> pl.DataFrame:
    lines = (shared("groceries") / "groceries.csv").read_text("utf-8").splitlines()
    rows = [(n, item) for n, line in enumerate(lines) for item in line.split(",")]
    return pl.DataFrame(rows, schema=["id", "item"], orient="row")


def test_whole_milk_is_in_2513_of_9835_baskets_of_169_items(baskets):
    assert (baskets["id"].n_unique(), baskets["item"].n_unique()) == (9835, 169)
    assert baskets.filter(item="whole milk")["id"].n_unique() == 2513


def test_fifteen_rules_of_one_percent_and_one_half_against_arules(baskets):
    """Hahsler, Grün, Hornik (2005), arules: rules <- apriori(Groceries, list(support = .01, confidence = .5)): 15."""
    found = crosssell.rules(baskets, "0.01", "0.5").filter(pl.col("consequent").list.len() == 1)
    assert len(found) == 15
    best = found.row(0, named=True)
    assert (best["antecedent"], best["consequent"]) == (["citrus fruit", "root vegetables"], ["other vegetables"])
    measures = [best[name] for name in ("support", "confidence", "lift")]
    assert measures == pytest.approx([0.01037112, 0.5862069, 3.029608], abs=5e-7)


def test_rules_against_mlxtend(baskets):
    from mlxtend.frequent_patterns import association_rules, fpgrowth

    wide = baskets.with_columns(is_in=True).pivot("item", index="id", values="is_in").fill_null(False).drop("id")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sets = fpgrowth(wide.to_pandas(), 0.002, use_colnames=True, max_len=3)
        theirs = association_rules(sets, metric="confidence", min_threshold=0.25)
    measures = ["support", "confidence", "lift", "leverage"]
    told = {
        (tuple(sorted(left)), tuple(sorted(right))): numbers
        for left, right, *numbers in theirs[["antecedents", "consequents", *measures]].itertuples(index=False)
    }
    found = crosssell.rules(baskets, "0.002", "0.25")
    ours = {(tuple(left), tuple(right)): of for left, right, *of in found.select(
        "antecedent", "consequent", *measures).iter_rows()}  # fmt: skip
    assert len(ours) > 1000
    assert ours.keys() == told.keys()
    assert all(of == pytest.approx(told[rule], rel=1e-12) for rule, of in ours.items())
