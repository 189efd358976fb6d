"""Association rules: in whole numbers, equal to counting by hand, and to what others find on Groceries."""

from fractions import Fraction
from itertools import combinations
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import InputError
from crmlab.measures import crosssell
from crmlab.measures.crosssell import association

ITEMS = "abcdef"
BASKETS = st.lists(st.sets(st.sampled_from(ITEMS)), min_size=1, max_size=25).filter(
    lambda some: len(set().union(*some)) > 1
)


def rows(baskets: list[set[str]]) -> pl.DataFrame:
    """Baskets as rows; an empty one has a row without an item."""
    return pl.DataFrame(
        [(n, item) for n, basket in enumerate(baskets) for item in sorted(basket) or [None]],
        schema={"id": pl.Int64, "item": pl.String}, orient="row",
    )  # fmt: skip


def by_hand(baskets: list[set[str]], support: Fraction, confidence: Fraction, longest: int) -> dict:
    """Every rule of every set, counted basket by basket."""

    def n(items) -> int:
        return sum(set(items) <= basket for basket in baskets)

    found = {}
    for size in range(2, longest + 1):
        for items in combinations(sorted(set().union(*baskets)), size):
            both = n(items)
            if not both or both < support * len(baskets):
                continue
            for n_left in range(1, size):
                for left in combinations(items, n_left):
                    right = tuple(item for item in items if item not in left)
                    if both >= confidence * n(left):
                        found[left, right] = (n(left), n(right), both)
    return found


@settings(deadline=None)
@given(
    BASKETS,
    st.sampled_from(["0.01", "0.1", "0.2", "0.5"]),
    st.sampled_from(["0.1", "0.3", "0.5", "1"]),
    st.integers(1, 4),
)
def test_rules_are_those_counted_by_hand(baskets, support, confidence, longest):
    found = crosssell.rules(rows(baskets), support, confidence, longest)
    told = {(tuple(left), tuple(right)): tuple(n) for left, right, *n in found.select(
        "antecedent", "consequent", "n_antecedent", "n_consequent", "n_both").iter_rows()}  # fmt: skip
    assert told == by_hand(baskets, Fraction(support), Fraction(confidence), longest)
    assert (found["n"] == len(baskets)).all()


@settings(deadline=None)
@given(BASKETS, st.randoms(use_true_random=False))
def test_order_and_repeated_rows_do_not_matter(baskets, chance):
    given_rows = rows(baskets)
    order = [chance.randrange(len(given_rows)) for _ in range(len(given_rows))]
    twice = pl.concat([given_rows[order], given_rows]).sample(fraction=1, shuffle=True, seed=chance.randrange(99))
    assert crosssell.rules(twice, "0.1", "0.3").equals(crosssell.rules(given_rows, "0.1", "0.3"))


@settings(deadline=None)
@given(BASKETS, st.integers(1, 5))
def test_rules_do_not_depend_on_how_many_are_counted_at_a_time(baskets, at_a_time):
    """Items that the first rows do not have, and baskets and ways in several parts."""
    with patch.object(association, "ROWS", at_a_time):
        few = crosssell.rules(rows(baskets), "0.01", "0.1")
    assert few.equals(crosssell.rules(rows(baskets), "0.01", "0.1"))


def test_more_items_than_a_number_has_bits():
    """A basket of three each, no two of which share a pair: 450 pairs of two rules, 150 threes of six."""
    names = [f"item {n:03d}" for n in range(150)]
    baskets = [{names[n], names[(n + 61) % 150], names[(n + 124) % 150]} for n in range(150)]
    found = crosssell.rules(rows(baskets), "0.001", "0.01", 3)
    assert len(found) == 450 * 2 + 150 * 6
    assert (found["n_both"] == 1).all()
    assert {frozenset(left + right) for left, right in found.select("antecedent", "consequent").iter_rows()} == {
        frozenset(part) for basket in baskets for part in [basket, *combinations(basket, 2)]
    }


def test_a_rule_exactly_on_a_threshold_is_in():
    """3 of 10 hold both and 3 of 10 of these the other: as floating point numbers 0.3 is not 3 / 10."""
    baskets = [{"a", "b"}] * 3 + [{"a"}] * 7
    for scale in (1, 7, 11):
        assert len(crosssell.rules(rows(baskets * scale), "0.3", "0.3")) == 2
        assert len(crosssell.rules(rows(baskets * scale), 0.3, 0.3)) == 2
        assert crosssell.rules(rows(baskets * scale), "0.3000001", "0.3").is_empty()


def test_measures_of_a_rule():
    """Of 10 baskets 5 hold a, 4 hold b and 3 both."""
    found = crosssell.rules(rows([{"a", "b"}] * 3 + [{"a"}] * 2 + [{"b"}] + [set()] * 4), "0.1", "0.7")
    assert found.select("antecedent", "consequent", "n", "support", "confidence").row(0) == (
        ["b"],
        ["a"],
        10,
        0.3,
        0.75,
    )
    assert found.select("lift", "leverage").row(0) == pytest.approx((1.5, 0.1))


@pytest.mark.parametrize(("baskets", "sentence"), [
    (pl.DataFrame({"id": [1], "thing": ["a"]}), "needs a column item"),
    (pl.DataFrame({"id": [1, None], "item": ["a", "b"]}), "1 of 2 rows given to crosssell.rules have no id"),
    (rows([{"card"}, {"card"}]), "one item only \\(card\\): a rule needs two"),
    (rows([set()]), "no item"),
])  # fmt: skip
def test_baskets_without_rules_are_told(baskets, sentence):
    with pytest.raises(InputError, match=sentence):
        crosssell.rules(baskets, "0.1", "0.5")


@pytest.mark.parametrize("threshold", ["0", "1.5", "many", float("nan"), "1/0"])
def test_a_threshold_that_is_no_share_is_told(threshold):
    with pytest.raises(InputError, match="has to be a share above 0 and up to 1"):
        crosssell.rules(rows([{"a", "b"}]), threshold, "0.5")
