"""Lists of offers: as good as trying every list, told in words, and quick to preview."""

from itertools import product

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import InputError
from crmlab.measures.campaigns import Limits, preview, settle

PAIRS = pl.DataFrame(
    {
        "customer_id": [1, 1, 2, 3, 4],
        "product_id": ["D13", "W02", "D13", "W02", "D13"],
        "manager_id": ["M1", "M1", "M1", "M2", "M2"],
        "branch_id": ["B1", "B1", "B1", "B2", "B2"],
        "value": [9_000, 8_000, 7_000, 2_000, 1_000],
        "cost": [100, 400, 100, 300, 100],
        "minutes": [30, 60, 30, 30, 30],
    }
)


@st.composite
def programs(draw):
    """A handful of pairs and limits of every kind, often tight, sometimes impossible."""
    keys = draw(st.lists(st.tuples(st.integers(1, 5), st.integers(1, 3)), min_size=1, max_size=9, unique=True))
    manager = draw(st.lists(st.sampled_from(["M1", "M2"]), min_size=6, max_size=6))
    numbers = {
        name: [draw(st.integers(low, high)) for _ in keys]
        for name, low, high in (("value", -20, 90), ("cost", 0, 7), ("minutes", 0, 9))
    }
    pairs = pl.DataFrame(
        {
            "customer_id": [customer for customer, _ in keys],
            "product_id": [f"P{number}" for _, number in keys],
            "manager_id": [manager[customer] for customer, _ in keys],
            "branch_id": [f"B{manager[customer][1]}" for customer, _ in keys],
            **numbers,
        }
    )
    some = st.none() | st.integers(0, 20)
    limits = Limits(draw(some), draw(some), draw(st.none() | st.integers(0, 3)), draw(st.integers(0, 2)))
    return pairs, limits


def holds(chosen: pl.DataFrame, limits: Limits, branches: list[str]) -> bool:
    """Whether a list keeps to every condition, each counted by hand."""
    by = {name: dict(chosen.group_by(name).agg(pl.len()).iter_rows()) for name in ("product_id", "branch_id")}
    minutes = chosen.group_by("manager_id").agg(pl.col("minutes").sum())["minutes"].to_list()
    return (
        chosen["customer_id"].n_unique() == len(chosen)
        and (limits.budget is None or chosen["cost"].sum() <= limits.budget)
        and (limits.minutes is None or max(minutes, default=0) <= limits.minutes)
        and (limits.most is None or max(by["product_id"].values(), default=0) <= limits.most)
        and all(by["branch_id"].get(branch, 0) >= limits.least for branch in branches)
    )


def best(pairs: pl.DataFrame, limits: Limits) -> int | None:
    """The most that any list within the limits is worth, all of them tried; None where there is none."""
    branches = pairs["branch_id"].unique().to_list()
    lists = (pairs.filter(pl.Series(taken, dtype=pl.Boolean)) for taken in product([False, True], repeat=len(pairs)))
    return max((int(one["value"].sum()) for one in lists if holds(one, limits, branches)), default=None)


@settings(max_examples=60, deadline=None)
@given(programs())
def test_a_small_list_is_the_best_of_all_lists(program):
    pairs, limits = program
    if (worth := best(pairs, limits)) is None:
        with pytest.raises(InputError, match="The conditions clash: branch B"):
            settle(pairs, limits)
        return
    found = settle(pairs, limits)
    assert found.value == worth
    assert holds(found.chosen.select(pairs.columns), limits, pairs["branch_id"].unique().to_list())
    assert found.bound >= worth
    assert 0 <= found.gap <= 1
    sketched = preview(pairs, found.prices, limits)
    assert sketched.bound >= worth - 1e-6
    assert holds(sketched.chosen, Limits(limits.budget, limits.minutes, limits.most), [])
    if sketched.short.is_empty():
        assert sketched.value <= worth


@settings(max_examples=60, deadline=None)
@given(programs(), programs())
def test_no_list_is_worth_more_than_a_preview_says_under_whatever_other_limits(program, other):
    """Also where a condition that had a price is lifted."""
    pairs, limits = program
    try:
        prices = settle(pairs, limits).prices
    except InputError:
        return
    if (worth := best(pairs, other[1])) is not None:
        assert preview(pairs, prices, other[1]).bound >= worth - 1e-6


def test_a_preview_without_limits_is_the_best_there_is():
    prices = settle(PAIRS, Limits(budget=450, minutes=60, most=2)).prices
    assert (prices["price"] > 0).any()
    found = preview(PAIRS, prices, Limits())
    assert (found.value, found.bound, found.gap) == (19_000, 19_000, 0)
    assert (found.chosen["net"] == found.chosen["value"]).all()


def test_a_list_and_its_conditions_are_told_in_words():
    found = settle(PAIRS, Limits(budget=450, minutes={"M1": 75, "M2": 480}, most={"W02": 1}))
    assert found.chosen.select("rank", "customer_id", "product_id").rows() == [
        (1, 1, "D13"), (2, 2, "D13"), (3, 4, "D13"),
    ]  # fmt: skip
    assert (found.value, found.gap) == (17_000, 0.0)
    said = dict(found.prices.select("name", "sentence").iter_rows())
    assert said["M2"] == "Manager M2 has 450 minutes left; more would earn nothing."
    assert all(reason.startswith("Worth ") for reason in found.chosen["reason"])


def test_another_hour_earns_what_is_said():
    alike = pl.DataFrame(
        {
            "customer_id": range(40), "product_id": "D13", "manager_id": "M017", "branch_id": "B1",
            "value": [50_000 - 1_000 * i for i in range(40)], "cost": 0, "minutes": 30,
        }
    )  # fmt: skip
    found = settle(alike, Limits(minutes=300 + 15))
    more = settle(alike, Limits(minutes=300 + 15 + 30))
    assert found.prices["price"].item() * 30 == pytest.approx(more.value - found.value)
    assert found.prices["sentence"].item() == "One more hour of manager M017 is worth 800."


@pytest.mark.parametrize(("minutes", "worth"), [(300, 40_000), (299, 41_000), (1_200, 0), (30, 49_000)])
def test_another_hour_is_told_where_offers_fill_the_time_to_the_minute(minutes, worth):
    """What one more offer earns, and not what one less would lose; nothing where all customers have theirs."""
    alike = pl.DataFrame(
        {
            "customer_id": range(40), "product_id": "D13", "manager_id": "M017", "branch_id": "B1",
            "value": [50_000 - 1_000 * i for i in range(40)], "cost": 0, "minutes": 30,
        }
    )  # fmt: skip
    assert settle(alike, Limits(minutes=minutes)).prices["price"].item() * 30 == pytest.approx(worth)
    # A minimum costs what the next offer asked would lose; where there is no next one, what the last did.
    n = minutes // 30
    least = settle(alike.with_columns(pl.col("value") - 50_500), Limits(least=n)).prices
    assert least["price"].item() == pytest.approx(500 + 1_000 * min(n, 39))


def test_offers_a_branch_must_have_are_told_apart():
    found = settle(PAIRS, Limits(budget=200, least={"B2": 1}))
    reason = found.chosen.filter(pl.col("branch_id") == "B2")["reason"].item()
    assert reason.startswith("Worth 10. Needed for the 1 offer asked of branch B2: what it uses would earn 70")
    assert found.prices["sentence"][1].startswith("One more offer asked of branch B2 would cost about ")


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(minutes=45, least={"B1": 2}), "branch B1 is to have 2 offers and can have 1. In the way: the 45 min"),
        (Limits(budget=150, least={"B1": 2}), "can have 1. In the way: the budget of 1.50"),
        (Limits(least={"B1": 3}), "can have 2. In the way: the customers who may be offered anything"),
        (Limits(least={"B9": 1}), "branch B9 is to have 1 offer and can have 0. In the way: that nobody"),
        (Limits(minutes=30, least=2), "can have 1, and 1 more branch falls short (2 offers in all). In the way: the"),
        (Limits(budget=-1), "The limit of the budget is -1. Give 0 or more."),
        (Limits(minutes={"M1": 60}), "1 of 2 managers have no minutes (first: M2)"),
    ],
)  # fmt: skip
def test_limits_that_cannot_be_met_are_named(limits, said):
    with pytest.raises(InputError) as error:
        settle(PAIRS, limits)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("pairs", "said"),
    [
        (PAIRS.vstack(PAIRS[:1]), "1 of 6 rows given to campaigns.settle repeat a customer_id, product_id"),
        (PAIRS.drop("minutes"), "campaigns.settle needs a column minutes"),
        (PAIRS.with_columns(pl.col("value") / 2), "value given to campaigns.settle is Float64"),
        (PAIRS.with_columns(minutes=-30), "5 of 5 pairs of campaigns.settle have a minutes below 0 (first: D13 for 1)"),
        (PAIRS.clear(), "campaigns.settle has been given no row"),
    ],
)  # fmt: skip
def test_pairs_that_cannot_be_settled_are_named(pairs, said):
    with pytest.raises(InputError) as error:
        settle(pairs, Limits())
    assert said in str(error.value)


def test_without_limits_everybody_gets_the_best_offer_that_earns():
    found = settle(PAIRS, Limits())
    assert (found.value, found.gap, len(found.prices)) == (19_000, 0.0, 0)
    assert all(found.chosen["reason"].str.ends_with("nothing that it uses is scarce."))


def test_values_of_any_size_give_the_same_list():
    limits = Limits(budget=450, minutes=75)
    huge = settle(PAIRS.with_columns(pl.col("value") * 10**9), limits)
    assert huge.chosen["customer_id"].to_list() == settle(PAIRS, limits).chosen["customer_id"].to_list()


def test_pairs_of_a_page_can_be_settled_as_they_are():
    found = settle(PAIRS.with_columns(rank=pl.lit(5), customer_no=pl.format("C{}", "customer_id")), Limits(minutes=30))
    assert found.chosen.select("customer_no", "rank").rows() == [("C1", 1), ("C3", 2)]
