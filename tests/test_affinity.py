"""Affinity: penetration, products a customer, pairs and attach rates, as counted customer by customer."""

from datetime import date, timedelta
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmlab.errors import InputError
from crmlab.measures import crosssell, uncertainty

ITEMS = "abcd"
KINDS = ["retail", "corporate"]
PEOPLE = st.lists(st.tuples(st.sampled_from(KINDS), st.sets(st.sampled_from(ITEMS))), min_size=1, max_size=20)
MONTHS = [date(2024, month, 28 if month == 2 else 31) + timedelta(days=month == 2) for month in (1, 2, 3)]


def rows(people: list[tuple[str, set[str]]]) -> pl.DataFrame:
    """Baskets as rows; an empty one has a row without an item."""
    return pl.DataFrame(
        [(n, item, kind) for n, (kind, held) in enumerate(people) for item in sorted(held) or [None]],
        schema={"id": pl.Int64, "item": pl.String, "kind": pl.String}, orient="row",
    )  # fmt: skip


@settings(deadline=None)
@given(PEOPLE, st.sampled_from([None, "kind"]))
def test_penetration_and_pairs_are_those_counted_by_hand(people, by):
    items = sorted(set().union(*(held for _, held in people)))
    groups = (
        {None: people} if by is None else {k: some for k in KINDS if (some := [one for one in people if one[0] == k])}
    )
    expected, pairs = {}, {}
    for name, some in groups.items():
        key = () if by is None else (name,)
        n = {item: sum(item in held for _, held in some) for item in items}
        expected |= {(*key, item): (len(some), n[item]) for item in items}
        for one, other in permutations([item for item in items if n[item]], 2):
            both = sum({one, other} <= held for _, held in some)
            pairs[(*key, one, other)] = (len(some), n[one], n[other], both)
    width = 1 + (by is not None)
    told = crosssell.penetration(rows(people), by).drop("rate", "lower", "upper").rows()
    assert {row[:width]: row[width:] for row in told} == expected
    found = crosssell.together(rows(people), by)
    counts = found.drop("confidence", "lift", "lower", "upper", "leverage").rows()
    assert {row[: width + 1]: row[width + 1 :] for row in counts} == pairs
    assert found.filter((pl.col("lift") < pl.col("lower")) | (pl.col("lift") > pl.col("upper"))).is_empty()
    assert not found.select(pl.any_horizontal(pl.col("lower", "upper").is_nan())).to_series().any()


@settings(deadline=None)
@given(PEOPLE)
def test_pairs_are_the_rules_of_two_items(people):
    if len(set().union(*(held for _, held in people))) < 2:
        return
    measures = ["n", "n_both", "confidence", "lift", "leverage"]
    of_rules = crosssell.rules(rows(people), "0.0001", "0.0001", 2).select(
        pl.col("antecedent").list.first().alias("item"), pl.col("consequent").list.first().alias("other"), *measures
    )
    found = crosssell.together(rows(people)).filter(pl.col("n_both") > 0).select("item", "other", *measures)
    assert_frame_equal(of_rules.sort("item", "other"), found)


@settings(deadline=None)
@given(PEOPLE)
def test_everybody_has_one_number_of_products(people):
    found = crosssell.per_customer(rows(people))
    for kind in KINDS:
        sizes = [len(held) for of, held in people if of == kind]
        own = found.filter(pl.col("kind") == kind)
        assert dict(own.select("n_items", "n").rows()) == {size: sizes.count(size) for size in set(sizes)}
        if sizes:
            assert own["share"].sum() == pytest.approx(1)
            assert own["mean"].to_list() == pytest.approx([sum(sizes) / len(sizes)] * len(own))


def test_lift_and_its_interval():
    """Of 100 customers 40 hold a, 50 hold b and 30 both: Var(log lift) = 1/30 − 1/40 − 1/50 + (2·1.5 − 1)/100."""
    people = (
        [("retail", {"a", "b"})] * 30 + [("retail", {"a"})] * 10 + [("retail", {"b"})] * 20 + [("retail", set())] * 40
    )
    row = crosssell.together(rows(people)).row(0, named=True)
    error = 1.959963984540054 * (1 / 30 - 1 / 40 - 1 / 50 + 0.02) ** 0.5
    assert row["lift"] == 1.5
    assert (row["lower"], row["upper"]) == pytest.approx((1.5 * np.exp(-error), 1.5 * np.exp(error)))


def test_what_a_handful_holds_is_not_sure_and_what_thirteen_hold_may_be():
    """All 6 of 81 who hold a hold b, as 73 of 81 do; of 56 who hold a 13 hold b, as 161 of 3,394 do."""
    for n_both, n_a, n_b, n, is_sure in ((6, 6, 73, 81, False), (1, 1, 298, 3394, False), (13, 56, 161, 3394, True)):
        held = [{"a", "b"}] * n_both + [{"a"}] * (n_a - n_both) + [{"b"}] * (n_b - n_both)
        people = [("retail", one) for one in held + [set()] * (n - len(held))]
        row = crosssell.together(rows(people)).row(0, named=True)
        assert (row["lower"] > 1) == is_sure
        assert row["lower"] < row["lift"] < row["upper"]


def test_a_pair_that_nobody_holds_may_yet_be_held():
    row = crosssell.together(rows([("retail", {"a"})] * 5 + [("retail", {"b"})] * 5)).row(0, named=True)
    assert (row["lift"], row["lower"], row["n_both"]) == (0, 0, 0)
    assert row["upper"] > 1  # of ten customers that says nothing


def test_an_item_that_everybody_holds_goes_with_nothing():
    found = crosssell.together(rows([("retail", {"a", "b"})] * 3 + [("retail", {"a"})] * 3)).row(0, named=True)
    assert (found["lift"], found["leverage"]) == (1, 0)
    assert found["lower"] < 1 < found["upper"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("p_both", "p_one", "p_other", "n"),
    [(0.0006, 0.0165, 0.035, 3394), (0.067, 0.074, 0.9, 81), (0.00045, 0.0005, 0.9, 3394), (0.06, 0.2, 0.3, 60)],
)
def test_of_pairs_that_few_hold_the_interval_holds_the_true_lift_at_least_so_often(p_both, p_one, p_other, n):
    chances = [p_both, p_one - p_both, p_other - p_both, 1 - p_one - p_other + p_both]
    drawn = np.random.default_rng(20261122).multinomial(n, chances, 1000)
    counts = pl.DataFrame({"both": drawn[:, 0], "one": drawn[:, :2].sum(axis=1), "other": drawn[:, [0, 2]].sum(axis=1)})
    counts = counts.filter(pl.col("one") > 0, pl.col("other") > 0)
    rarer, larger = pl.min_horizontal("one", "other"), pl.max_horizontal("one", "other")
    ends = counts.select(uncertainty.ratio(pl.col("both"), rarer, larger, pl.lit(n)))
    true = p_both / (p_one * p_other)
    assert ends.select(((pl.col("lower") <= true) & (pl.col("upper") >= true)).mean()).item() >= 0.95
    assert ends.select((pl.col("lower") > true).mean()).item() <= 0.025 + 0.015  # its 99.9 % quantile


@pytest.mark.slow
@pytest.mark.parametrize(("p_both", "p_one", "p_other", "n"), [(0.06, 0.2, 0.3, 800), (0.02, 0.05, 0.1, 2000)])
def test_the_interval_of_lift_holds_the_true_one(p_both, p_one, p_other, n):
    rng = np.random.default_rng(20261122)
    chances = [p_both, p_one - p_both, p_other - p_both, 1 - p_one - p_other + p_both]
    held = 0
    for both, one, other, _ in rng.multinomial(n, chances, 1000):
        baskets = pl.DataFrame({
            "id": np.r_[np.arange(both + one), np.arange(both), both + one + np.arange(other), n - 1],
            "item": ["a"] * (both + one) + ["b"] * (both + other) + [None],
        })  # fmt: skip
        filled = pl.concat([baskets, pl.DataFrame({"id": np.arange(n), "item": [None] * n}, baskets.schema)])
        row = crosssell.together(filled).row(0, named=True)
        held += row["lower"] <= p_both / (p_one * p_other) <= row["upper"]
    assert 930 <= held <= 970


SPELLS = st.lists(
    st.tuples(
        st.integers(0, 4), st.sampled_from("abc"), st.integers(-60, 90), st.none() | st.integers(0, 80), st.booleans()
    ),
    min_size=1, max_size=14,
)  # fmt: skip


def spells(drawn: list[tuple]) -> pl.DataFrame:
    """Holdings from days counted from 2024-01-01; the line of a product is its own, or shared."""
    start = date(2024, 1, 1)
    table = [
        (who, KINDS[who % 2], item, "shared" if is_shared else item, start + timedelta(days=first),
         None if length is None else start + timedelta(days=first + length))
        for who, item, first, length, is_shared in [(0, "a", -90, None, False), *drawn]
    ]  # fmt: skip
    names = {"customer_id": pl.Int32, "kind": pl.String, "product": pl.String, "line": pl.String}
    return pl.DataFrame(table, schema=names | {"opened_on": pl.Date, "closed_on": pl.Date}, orient="row")


@settings(deadline=None)
@given(SPELLS, st.sampled_from(["product", "line"]))
def test_attach_rates_are_those_counted_by_hand(drawn, item):
    holdings = spells(drawn)
    found = crosssell.attached(holdings, MONTHS, item=item)
    facts = list(holdings.select("customer_id", "kind", item, "opened_on", "closed_on").iter_rows())
    expected = {}
    for month in MONTHS:
        eve = month.replace(day=1) - timedelta(days=1)
        held = {(who, what) for who, _, what, start, end in facts if start <= eve and (end is None or end > eve)}
        new = {(who, what) for who, _, what, start, _ in facts if eve < start <= month}
        for kind in {kind for who, kind, *_ in facts if any(who == other for other, _ in held)}:
            there = {who for who, own, *_ in facts if own == kind and any(who == other for other, _ in held)}
            for what in {what for _, _, what, start, _ in facts if start <= month}:
                without = {who for who in there if (who, what) not in held}
                expected[month, kind, what] = len(without), len({who for who in without if (who, what) in new})
    assert {row[:3]: row[3:] for row in found.drop("rate", "lower", "upper").iter_rows()} == expected


def test_attach_rates_by_where_customers_stood():
    """Customer 0 was base at the end of January and gold a month later; of customer 1 nothing is known."""
    holdings = spells([(0, "b", 40, None, False), (0, "c", 70, None, False), (1, "a", -10, None, False)])
    standing = pl.DataFrame({"customer_id": 0, "month": MONTHS[:2], "segment": ["base", "gold"]})
    found = crosssell.attached(holdings, MONTHS[1:], "segment", standing=standing).filter(pl.col("item") != "a")
    assert found.select("month", "segment", "item", "n", "n_taken").rows() == [
        (MONTHS[1], "base", "b", 1, 1), (MONTHS[1], None, "b", 1, 0),
        (MONTHS[2], "gold", "b", 0, 0), (MONTHS[2], "gold", "c", 1, 1),
        (MONTHS[2], None, "b", 1, 0), (MONTHS[2], None, "c", 1, 0),
    ]  # fmt: skip


def test_what_is_closed_that_day_is_not_held_any_more():
    holdings = spells([(1, "b", 0, 10, False)])
    on = date(2024, 1, 10)
    assert len(crosssell.baskets(holdings, on)) == 2
    assert len(crosssell.baskets(holdings, on + timedelta(days=1))) == 1


@pytest.mark.parametrize(("call", "sentence"), [
    (lambda held: crosssell.baskets(held, date(2020, 1, 1)), "none is open at the end of 2020-01-01"),
    (lambda held: crosssell.baskets(held, MONTHS[0], "produkt"), "needs a column produkt. Did you mean product?"),
    (lambda held: crosssell.attached(held, []), "has been given no month"),
    (lambda held: crosssell.attached(held, [date(2020, 1, 31)]), "Nobody holds anything on 2019-12-31"),
    (lambda held: crosssell.attached(held, MONTHS, "segment"), "needs a column segment"),
    (lambda held: crosssell.penetration(held), "needs a column item"),
    (lambda held: crosssell.together(rows([])), "given no row"),
])  # fmt: skip
def test_holdings_of_which_nothing_can_be_told(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call(spells([]))
