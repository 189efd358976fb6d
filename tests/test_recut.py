"""A book dealt anew: as good as trying every way, kept to its conditions, and told in words."""

from dataclasses import replace
from itertools import product
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import handover
from crmlab.errors import InputError
from crmlab.measures.managers import Names, dealing, proposal
from crmlab.measures.managers.dealing import Deal
from crmlab.policy import Weights, load

CUSTOMERS = pl.DataFrame(
    {
        "customer_id": [1, 2, 3, 4, 5, 6],
        "manager_id": ["M1", "M1", "M1", "M2", "M3", "M3"],
        "branch_id": ["B1", "B1", "B1", "B1", "B1", "B2"],
        "kind": ["retail", "retail", "corporate", "retail", "corporate", "retail"],
        "contribution": [100, 100, 400, 100, 300, 100],
        "contacts": [4, 4, 12, 4, 12, 4],
        "household_id": ["H1", "H1", None, None, None, None],
    }
)
MANAGERS = pl.DataFrame(
    {"manager_id": ["M1", "M2", "M3"], "branch_id": ["B1", "B1", "B2"], "n_contacts": 20, "most": None}
)
LOADS = ("number", "contribution", "contacts")


def weighed(**changes: float) -> Weights:
    """Our own weights with some changed."""
    return replace(load().recut, **changes)


def pair(row: dict, to: str, rows: list[dict], branch: dict[str, str], weights: Weights) -> float:
    """What one customer with one manager costs; M1 is the one who leaves."""
    now, others = row["manager_id"], [o for o in rows if o["manager_id"] != "M1" and o is not row]
    ties = [key for key in ("household_id", "group_id") if row.get(key)]
    tied = {o["manager_id"] for o in others if any(o[key] == row[key] for key in ties)}
    of_kind = [o for o in others if o["manager_id"] == to and o["kind"] == row["kind"]]
    of_industry = [o for o in of_kind if row.get("industry") in (None, o.get("industry"))]
    unfit = 0 if to == now or of_industry else 0.5 if of_kind else 1
    return (
        weights.other_branch * (row["branch_id"] != branch[to])
        + weights.fit * unfit
        + weights.tie * (bool(tied) and to not in tied)
        + weights.taken * (now != "M1" and to != now)
    )


def imbalance(load: float, mean: float, weights: Weights) -> float:
    """What one load off its mean costs: each step dearer than the last, counted one by one."""
    off, step, cost = abs(load - mean), weights.step * mean, 0.0
    for slope, steps in ((0.125, 1), (0.375, 1), (0.625, 1), (0.875, 1), (1.5, 4), (3, 8), (6, 16), (12, 32)):
        part = min(off, steps * step)
        cost, off = cost + slope * part, off - part
    return cost + 16 * off


def counted(after: dict, moving: list[dict], rows: list[dict], branch: dict[str, str], weights: Weights) -> float:
    """What a dealing costs, counted by hand."""
    cost = sum(pair(row, after[row["customer_id"]], rows, branch, weights) for row in moving)
    for what in LOADS:
        total = sum(row[what] for row in rows)
        for manager in branch if total else ():
            load = sum(row[what] for row in rows if after[row["customer_id"]] == manager) * len(rows) / total
            cost += getattr(weights, what) * imbalance(load, len(rows) / len(branch), weights)
    return cost


def keeps(after: dict, rows: list[dict], managers: list[dict], weights: Weights, wider: bool) -> bool:
    """Whether a dealing keeps to every condition."""
    homes = {}
    for row in rows:
        homes.setdefault((row["household_id"] or row["customer_id"], row["manager_id"]), set()).add(
            after[row["customer_id"]]
        )
    book = [row for row in rows if row["manager_id"] == "M1"]
    for manager in managers:
        of = [row for row in rows if after[row["customer_id"]] == manager["manager_id"]]
        before = [row for row in rows if row["manager_id"] == manager["manager_id"]]
        for what, room in (("contacts", 12 * manager["n_contacts"]), ("number", manager["most"])):
            had = 0 if wider else sum(row[what] for row in before)  # who is above it already keeps what they have
            if room is not None and sum(row[what] for row in of) > max(room, had):
                return False
        got = [row["kind"] for row in of if row["manager_id"] == "M1"]
        for kind in {row["kind"] for row in book}:
            share = sum(row["kind"] == kind for row in book) / len(book)
            if abs(got.count(kind) - share * len(got)) > weights.tolerance * len(got) + 1 + 1e-9:
                return False
    return all(len(to) == 1 for home, to in homes.items() if wider or home[1] == "M1")


def cheapest(customers: pl.DataFrame, managers: pl.DataFrame, weights: Weights, wider: bool) -> float:
    """The least any dealing costs, all of them tried; infinite where none keeps to the conditions."""
    rows = customers.with_columns(number=1).to_dicts()
    staff = [manager for manager in managers.to_dicts() if manager["manager_id"] != "M1"]
    branch = {manager["manager_id"]: manager["branch_id"] for manager in staff}
    moving = [row for row in rows if wider or row["manager_id"] == "M1"]
    stay = {row["customer_id"]: row["manager_id"] for row in rows}
    ways = (
        stay | dict(zip([row["customer_id"] for row in moving], to, strict=True))
        for to in product(branch, repeat=len(moving))
    )
    kept = (after for after in ways if keeps(after, rows, staff, weights, wider))
    return min((counted(after, moving, rows, branch, weights) for after in kept), default=np.inf)


@st.composite
def books(draw):
    """A handful of customers of three managers and of one who leaves; capacities often tight, some too small."""
    n = draw(st.integers(2, 6))
    of = lambda *values: [draw(st.sampled_from(values)) for _ in range(n)]  # noqa: E731
    customers = pl.DataFrame(
        {
            "customer_id": range(n), "manager_id": ["M1", *of("M1", "M1", "M2", "M3", "M4")[1:]],
            "branch_id": of("B1", "B2"), "kind": of("retail", "corporate"), "contribution": of(0, 10, 70, 300),
            "contacts": of(0, 4, 12), "household_id": of(None, None, "H1", "H2"),
            "group_id": of(None, None, "G1"), "industry": of(None, "trade", "farming"),
        },
        schema_overrides={"household_id": pl.String, "group_id": pl.String, "industry": pl.String},
    )  # fmt: skip
    managers = pl.DataFrame(
        {
            "manager_id": ["M2", "M3", "M4"], "branch_id": ["B1", "B1", "B2"],
            "n_contacts": [draw(st.integers(0, 4)) for _ in range(3)],
            "most": [draw(st.none() | st.integers(0, 5)) for _ in range(3)],
        },
        schema_overrides={"most": pl.Int64},
    )  # fmt: skip
    costs = {name: draw(st.sampled_from([0.0, 0.5, 2.0])) for name in ("other_branch", "fit", "tie", "taken")}
    tolerance = draw(st.sampled_from([0.0, 0.1, 1.0]))
    weights = weighed(tolerance=tolerance, candidates=draw(st.integers(1, 3)), step=draw(st.sampled_from([0.05, 0.3])))
    return customers, managers, replace(weights, **draw(st.sampled_from([{}, costs]))), draw(st.booleans())


@settings(max_examples=80, deadline=None)
@given(books())
def test_a_small_recut_is_the_cheapest_of_all_of_them(book):
    customers, managers, weights, wider = book
    least = cheapest(customers, managers, weights, wider)
    if np.isinf(least):
        with pytest.raises(InputError, match=r"capacity is below|No re-cut meets|no way to give them out whole"):
            proposal(customers, managers, "M1", weights, wider=wider)
        return
    found = proposal(customers, managers, "M1", weights, wider=wider)
    assert found.cost == pytest.approx(least, abs=1e-6)
    assert found.bound <= least + 1e-9
    assert found.gap == pytest.approx(0, abs=1e-4)
    rows = customers.with_columns(number=1).to_dicts()
    after = dict(customers.select("customer_id", "manager_id").iter_rows())
    after |= dict(found.lines.select("customer_id", "to_id").iter_rows())
    assert keeps(after, rows, managers.to_dicts(), weights, wider)
    assert set(customers.filter(manager_id="M1")["customer_id"]) <= set(found.lines["customer_id"])
    assert found.lines["is_taken"].any() <= wider
    assert found.lines["reason"].str.contains("load .* of the mean.*[.]$").all()
    loads = found.loads
    assert loads["n_after"].sum() == len(customers)
    assert (loads["n_before"] + loads["n_received"] - loads["n_given"]).equals(loads["n_after"], check_names=False)


def test_a_recut_that_the_solver_simplifies_into_an_infeasible_one_is_proven_all_the_same():
    customers = pl.DataFrame(
        {
            "customer_id": range(6), "manager_id": ["M1", "M3", "M1", "M1", "M3", "M1"], "branch_id": "B1",
            "kind": "retail", "contribution": [0, 0, 0, 0, 0, 10], "contacts": [4, 0, 12, 12, 0, 12],
        }
    )  # fmt: skip
    managers = pl.DataFrame(
        {"manager_id": ["M2", "M3", "M4"], "branch_id": ["B1", "B1", "B2"], "n_contacts": [2, 3, 0],
         "most": [1, None, None]}
    )  # fmt: skip
    found = proposal(customers, managers, "M1", weighed(tolerance=0.0, candidates=1))
    assert found.cost == pytest.approx(65.65)
    assert found.gap < 1e-4


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 8))
def test_pairs_left_out_are_priced_until_none_lowers_the_cost(seed, most):
    """With few candidates the split program ends where that of all pairs does: its bound is the same."""
    rng = np.random.default_rng(seed)
    units, managers = 30, 9
    loads = np.column_stack([np.ones(units), rng.lognormal(0, 1, units)])
    aim = np.tile(loads.sum(0) / managers, (managers, 1))
    deal = Deal(rng.integers(0, 5, (units, managers)) / 2.0, loads, aim, 0.05 * aim[0], np.ones(2), loads[:, :1],
                np.full((managers, 1), 5.0), np.zeros(2))  # fmt: skip
    with patch.multiple(dealing, CORE=0, LARGE=0, FIRST=2, MORE=1):
        few = dealing.dealt(deal, most)
    with patch.multiple(dealing, CORE=0, LARGE=0, FIRST=managers):
        all_pairs = dealing.dealt(deal, managers)
    assert all_pairs.rounds == 1
    assert all_pairs.dearer == np.inf
    assert few.prices.bound == pytest.approx(all_pairs.prices.bound, abs=1e-5)
    assert few.dearer >= -1e-6
    assert few.bound <= few.value + 1e-9
    assert not deal.excess(few.who).any()


def test_no_prices_promise_more_than_the_best_dealing():
    """Lagrange's bound holds for any prices, good or bad; it is what a reader may check the proof with."""
    rng = np.random.default_rng(3)
    for _ in range(50):
        grain = rng.choice([[0.0, 0.0], [1.0, 1.0], [1.0, 0.0]])  # all loads below are whole
        loads = rng.integers(1, 5, (5, 2)).astype(float)
        aim = np.tile(loads.sum(0) / 3, (3, 1))
        deal = Deal(
            rng.random((5, 3)), loads, aim, 0.05 * aim[0], np.ones(2), loads[:, :1], np.full((3, 1), 12.0), grain
        )
        ways = (np.array(way) for way in product(range(3), repeat=5))
        best = min(deal.value(way) for way in ways if not deal.excess(way).any())
        assert dealing._priced(deal, rng.normal(0, 1, (3, 2)), -rng.random((3, 1))).bound <= best + 1e-9


def test_between_two_multiples_of_the_grain_a_load_costs_no_less_than_it_would():
    """What the program is given in place of the imbalance: the same where a load can be, never less between."""
    rng = np.random.default_rng(5)
    for grain in (0.0, 0.3, 1.0, 7.0):
        one, aim, step = np.ones((1, 1)), rng.normal(0, 9, (4, 1)), np.array([0.7])
        deal = Deal(np.zeros((1, 4)), one, aim, step, np.array([2.0]), one, np.ones((4, 1)), np.array([grain]))
        at, cost = deal.knots()
        assert (np.diff(at) >= -1e-9).all()
        for m in range(4):
            loads = np.sort(rng.uniform(at[m, 0].min(), at[m, 0].max(), 200))
            whole = np.round(loads / grain) * grain if grain else loads
            inside = whole[(whole >= at[m, 0].min()) & (whole <= at[m, 0].max())]
            true = [float(deal.imbalance(np.array([load]), m)) for load in inside]
            assert np.interp(inside, at[m, 0], cost[m, 0]) == pytest.approx(true, abs=1e-6)
            between = [float(deal.imbalance(np.array([load]), m)) for load in loads]
            assert (np.interp(loads, at[m, 0], cost[m, 0]) >= np.array(between) - 1e-6).all()


def test_a_household_stays_together_and_reasons_say_why():
    found = proposal(CUSTOMERS, MANAGERS, "M1")
    to = dict(found.lines.select("customer_id", "to_id").iter_rows())
    assert to[1] == to[2]
    first = found.lines.row(0, named=True)
    load = found.loads.filter(manager_id=first["to_id"])["load_after"].item()
    assert first["reason"].startswith("Same branch; goes with 1 other of the household; looks after others of the kind")
    assert f"load {load:.2f} of the mean" in first["reason"]
    assert found.loads["load_after"].mean() == pytest.approx(1)


def test_who_looks_after_the_household_gets_the_customer():
    tied = CUSTOMERS.with_columns(household_id=pl.Series(["H1", None, None, None, "H1", None]))
    found = proposal(tied, MANAGERS.with_columns(branch_id=pl.lit("B1")), "M1", weighed(tie=50.0))
    assert found.lines.row(0, named=True)["to_id"] == "M3"
    assert "looks after their household" in found.lines["reason"][0]


def test_only_a_wider_recut_takes_customers_and_says_from_whom():
    crowd = pl.DataFrame({"customer_id": range(40), "manager_id": ["M1"] * 2 + ["M2"] * 36 + ["M3"] * 2}).with_columns(
        branch_id=pl.lit("B1"), kind=pl.lit("retail"), contribution=100, contacts=4
    )
    staff = MANAGERS.with_columns(branch_id=pl.lit("B1"))
    assert not proposal(crowd, staff, "M1").lines["is_taken"].any()
    found = proposal(crowd, staff, "M1", weighed(taken=1.0), wider=True)
    taken = found.lines.filter("is_taken")
    assert set(taken["from_id"]) == {"M2"}
    assert "taken from M2, whose load was 1.80" in taken["reason"][0]
    dear = proposal(crowd, staff, "M1", weighed(taken=99.0), wider=True)
    assert not dear.lines["is_taken"].any()


def test_reasons_and_refusals_name_managers_and_branches():
    names = Names({"M1": "Li", "M2": "Xu", "M3": "Wu"}, {"B1": "Riverside", "B2": "Old Town"})
    apart = MANAGERS.with_columns(branch_id=pl.lit("B2"))
    reasons = proposal(CUSTOMERS.with_columns(branch_id=pl.lit("B1")), apart, "M1", names=names).lines["reason"]
    assert reasons.str.contains("Branch Old Town in place of Riverside").all()
    assert not reasons.str.contains(r"\b[MB]\d").any()
    narrow = MANAGERS.with_columns(n_contacts=pl.Series([0, 9, 1]))
    kept_apart = pl.DataFrame({"customer_id": [3], "manager_id": ["M2"]})
    with pytest.raises(InputError, match=r"In the way: Wu has room for 12\.0 contacts a year too few"):
        proposal(CUSTOMERS, narrow, "M1", excluded=kept_apart, names=names)


def test_an_excluded_pair_is_not_made():
    free = proposal(CUSTOMERS, MANAGERS, "M1").lines.filter(customer_id=3)["to_id"].item()
    excluded = pl.DataFrame({"customer_id": [3], "manager_id": [free]})
    assert proposal(CUSTOMERS, MANAGERS, "M1", excluded=excluded).lines.filter(customer_id=3)["to_id"].item() != free


def test_the_order_of_rows_changes_nothing():
    found = proposal(CUSTOMERS, MANAGERS, "M1")
    again = proposal(CUSTOMERS.reverse(), MANAGERS.reverse(), "M1")
    assert again.lines.equals(found.lines)
    assert again.cost == found.cost


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (
            {"managers": MANAGERS[:1]},
            "There is no manager left to look after the customers of M1. Name others who may.",
        ),
        ({"customers": pl.concat([CUSTOMERS, CUSTOMERS[2:3]])}, "1 of 7 rows .* repeat a customer_id .first: 3."),
        ({"managers": pl.concat([MANAGERS, MANAGERS[2:]])}, "1 of 3 rows .* repeat a manager_id .first: M3."),
        (
            {"managers": MANAGERS.with_columns(n_contacts=pl.Series([20, None, 9]))},
            "1 of 2 managers have no capacity .first: M2.. Say how many contacts a month they can make, or 0.",
        ),
        (
            {"excluded": pl.DataFrame({"customer_id": [3, 3], "manager_id": ["M2", "M3"]})},
            "All 2 managers are excluded for 1 of 3 customers, .* .first: 3.. Allow one, or name further managers.",
        ),
        ({"leaving": "M9"}, "M9 looks after nobody, so there is nothing to deal. Check the manager_id"),
        (
            {"managers": MANAGERS.with_columns(n_contacts=1)},
            "capacity is below what is asked: 3 customers need room for 20 contacts a year, and 2 managers have room "
            "for 8. Name",
        ),
        (
            {"managers": MANAGERS.with_columns(most=2)},
            "The capacity is below what is asked: 3 customers need room for 3 customers, and 2 managers have room "
            "for 1.",
        ),
        (
            {
                "managers": MANAGERS.with_columns(n_contacts=pl.Series([0, 9, 1])),
                "excluded": pl.DataFrame({"customer_id": [3], "manager_id": ["M2"]}),
            },
            "No re-cut meets all conditions. In the way: M3 has room for 12.0 contacts a year too few. Give more room",
        ),
        (
            {"customers": CUSTOMERS.with_columns(contacts=0.3)},
            "contacts given to managers.proposal is Float64. Give whole",
        ),
        ({"customers": CUSTOMERS.drop("kind")}, "managers.proposal needs a column kind"),
    ],
)
def test_bad_input_is_named(given, says):
    with pytest.raises(InputError, match=says):
        proposal(**{"customers": CUSTOMERS, "managers": MANAGERS, "leaving": "M1"} | given)


def test_a_book_of_300_is_proven_within_half_a_percent():
    found = handover.recut(handover.held(300))
    assert found.gap < 0.005
    assert found.pairs["dearer"] >= -1e-6
    assert found.pairs["n_most"] <= 30
    assert found.pairs["n_candidates"] + found.pairs["n_omitted"] == found.pairs["n"]
    assert (found.loads["contacts_after"] <= 12 * found.loads["n_contacts"]).all()
    book = found.kinds.with_columns(of=pl.col("n").sum().over("manager_id"))
    off = (book["share"] - book["book_share"]).abs() * book["of"]
    assert (off <= 0.1 * book["of"] + 1 + 1e-9).all()


@pytest.mark.slow
@pytest.mark.parametrize(("branch", "gap"), [(5.0, 0.0015), (load().recut.other_branch, 0.003)])
def test_a_book_of_2000_over_40_managers_is_proven(branch, gap):
    """The dearer another branch, the more there is to round."""
    leaving = f"M{handover.MANAGERS}"
    found = proposal(*handover.held(2_000), leaving, weighed(other_branch=branch))
    assert found.gap < gap
    assert found.lines["customer_id"].n_unique() == 2_000


def test_nobody_far_above_the_mean_is_given_the_better_part_of_a_book():
    """Of three who could take 30 customers the two from the next branch take most, since they have few."""
    has = {"M1": 30, "M2": 40, "M3": 10, "M4": 10}
    branch = {"M1": "B1", "M2": "B1", "M3": "B2", "M4": "B2"}
    rows = [(manager, branch[manager]) for manager, n in has.items() for _ in range(n)]
    customers = pl.DataFrame(rows, schema=["manager_id", "branch_id"], orient="row").with_row_index("customer_id")
    customers = customers.with_columns(kind=pl.lit("retail"), contribution=100, contacts=4)
    managers = pl.DataFrame({"manager_id": ["M2", "M3", "M4"], "branch_id": ["B1", "B2", "B2"], "n_contacts": 99})
    found = proposal(customers, managers, "M1", weighed(other_branch=5.0))
    after = dict(found.loads.select("manager_id", "n_after").rows())
    assert after["M2"] < 46
