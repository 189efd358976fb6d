"""The life cycle of customers worked by hand, and on any history: one state a month, legal moves only, the wall."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab.errors import InputError
from crmlab.measures import history
from crmlab.measures.lifecycle import MOVES, STATES
from crmlab.policy import LifeCycle
from tests.test_segments import MONTHS, standing, through

POLICY = replace(crm.policy.load(), life_cycle=LifeCycle(new_months=2, won_back_months=2))
LETTERS = {"n": "new", "g": "growing", "m": "mature", "d": "declining", "z": "dormant", "l": "left", "w": "won back"}
OLD, ANCHOR = date(2020, 1, 1), [0] * 10
UP, DOWN = [1_000_000] * 7 + [2_000_000] * 3, [2_000_000] * 7 + [1_000_000] * 3
GONE = None  # no row: no account open on any day of the month


@pytest.mark.parametrize(
    ("balances", "more", "states"),
    [
        # ten months; growth can be known from the sixth on; "." is before the first month, O open, X closed at its end
        (ANCHOR, {}, "mmmmmmmmmm"),
        (UP, {}, "mmmmmmmggg"),
        (DOWN, {}, "mmmmmmmddd"),
        (UP, {"n_without_average": [0] * 8 + [1, 0]}, "mmmmmmmgmm"),  # an unknown average: mature
        (ANCHOR, {"last_active_on": date(2024, 3, 2)}, "mmmmzzzzzz"),  # 90 days on 31 May
        (UP, {"last_active_on": None}, "mmzzzzzzzz"),  # 90 days without a sign: dormant before growing
        (ANCHOR, {"first_on": date(2023, 12, 1)}, "nmmmmmmmmm"),  # came in the month before history
        (ANCHOR, {"first_on": date(2023, 11, 30)}, "mmmmmmmmmm"),
        ([GONE, GONE, *[5] * 8], {"first_on": date(2024, 3, 31)}, "..nnmmmmmm"),
        ([GONE, GONE, *[5] * 8], {"first_on": date(2024, 3, 31), "last_active_on": None}, "..nnzzzzzz"),
        ([GONE, GONE, *[5] * 8], {"first_on": OLD}, "..wwmmmmmm"),  # was with us before history, and had left
        ([GONE, GONE, *[5] * 8], {"first_on": None}, "..nmmmmmmm"),
        ([5, 5, 5, *[GONE] * 7], {}, "mmmlllllll"),
        (ANCHOR, {"is_open": [True] * 3 + [False] * 7}, "mmmlllllll"),
        ([GONE, 5, *[GONE] * 8], {"first_on": date(2024, 2, 1), "is_open": False}, ".nllllllll"),  # came and went
        ([5, 5, GONE, 5, 5, 5, *[GONE] * 4], {}, "mmlwwmllll"),
        ([5, 5, GONE, 5, GONE, 5, 5, 5, 5, 5], {}, "mmlwlwwmmm"),  # counted anew from each return
        ([GONE, 5, GONE, *[5] * 7], {"first_on": date(2024, 2, 1)}, ".nlwwmmmmm"),  # won back, not new again
        (ANCHOR, {"is_open": [False, True] + [True] * 8}, "lwwmmmmmmm"),  # with a closed account at first
        ([*[1_000_000] * 6, GONE, *[9_000_000] * 3], {}, "mmmmmmlwwg"),
    ],
)
def test_states_worked_by_hand(balances, more, states):
    rows = standing(through(1, balances, **more) + through(2, ANCHOR))
    found = crm.lifecycle.states(rows, POLICY).filter(pl.col("customer_id") == 1)
    assert found["state"].to_list() == [LETTERS[one] for one in states.strip(".")]
    assert found["month"].to_list() == MONTHS[states.count(".") :]


def test_new_for_six_months_by_our_own_rules():
    rows = standing(through(1, [None, *[5] * 9], first_on=date(2024, 2, 29)) + through(2, ANCHOR))
    found = crm.lifecycle.states(rows, crm.policy.load()).filter(pl.col("customer_id") == 1)
    assert found["state"].to_list() == ["new"] * 6 + ["mature"] * 3


def test_flow_from_state_to_state():
    rows = standing(
        through(1, [5, 5, None]) + through(2, [None, 5, 5], first_on=date(2024, 2, 1)) + through(3, [5] * 3)
    )
    found = crm.lifecycle.flow(crm.lifecycle.states(rows, POLICY))
    assert found.rows() == [
        (MONTHS[1], None, "new", 1), (MONTHS[1], "mature", "mature", 2),
        (MONTHS[2], "new", "new", 1), (MONTHS[2], "mature", "mature", 1), (MONTHS[2], "mature", "left", 1),
    ]  # fmt: skip


def test_moves_are_between_states():
    assert set(MOVES) == set(STATES)
    assert set().union(*MOVES.values()) == set(STATES)
    assert {state for state, after in MOVES.items() if "won back" in after} == {"left", "won back"}
    assert {state for state, after in MOVES.items() if "new" in after} == {"new"}


# -- on any history


@st.composite
def histories(draw) -> pl.DataFrame:
    n = draw(st.integers(2, 10))
    small = st.sampled_from([0, 100_000, 1_000_000, 2_000_000])
    rows = []
    for customer in draw(st.lists(st.integers(1, 40), min_size=1, max_size=8, unique=True)):
        rows += through(
            customer, draw(st.lists(st.none() | small, min_size=n, max_size=n)),
            first_on=draw(st.none() | st.dates(date(2023, 6, 1), date(2024, 8, 31))),
            is_open=draw(st.lists(st.sampled_from([True, True, True, False]), min_size=n, max_size=n)),
            n_without_average=draw(st.lists(st.sampled_from([0] * 9 + [1]), min_size=n, max_size=n)),
            last_active_on=draw(st.none() | st.dates(date(2023, 10, 1), MONTHS[0])),
        )  # fmt: skip
    # Somebody is always there, so that no month is missing.
    return standing(rows + through(0, [100] * n))


@settings(max_examples=80, deadline=None)
@given(histories())
def test_every_month_from_the_first_on_is_in_one_state_and_every_move_is_legal(rows):
    found = crm.lifecycle.states(rows, POLICY)
    months = rows["month"].unique().sort().to_list()
    first = dict(rows.group_by("customer_id").agg(pl.col("month").min()).iter_rows())
    due = [(customer, month) for month in months for customer in sorted(first) if month >= first[customer]]
    assert found.select("customer_id", "month").rows() == due
    assert found["state"].null_count() == 0
    for (customer,), path in found.group_by("customer_id"):
        states = path.sort("month")["state"].to_list()
        assert states[0] in (set(STATES) - {"won back"} if first[customer] == months[0] else {"new", "won back"})
        assert all(after in MOVES[before] for before, after in pairwise(states))


@settings(max_examples=60, deadline=None)
@given(histories())
def test_states_say_what_is_so(rows):
    found = crm.lifecycle.states(rows, POLICY).join(rows, on=["customer_id", "month"], how="left")
    first = pl.col("month") == pl.col("month").min().over("customer_id")
    is_open = pl.col("is_open").fill_null(False)
    came_and_went = first & pl.col("state").is_in(["new", "won back"]) & (pl.col("month") > found["month"].min())
    assert found.filter((pl.col("state") == "left") == is_open).filter(~came_and_went | is_open).is_empty()
    idle = (pl.col("month") - pl.col("last_active_on").fill_null(MONTHS[0] - timedelta(31))).dt.total_days()
    is_told = pl.col("state").is_in(["growing", "mature", "declining", "dormant"])
    assert found.filter(is_told, (pl.col("state") == "dormant") != (idle >= 90)).is_empty()
    grown = crm.segments.assign(rows, POLICY).select("customer_id", "month", "growth")
    both = found.join(grown, on=["customer_id", "month"], how="left").filter(
        pl.col("state").is_in(["growing", "mature", "declining"])
    )
    named = pl.col("growth").cast(pl.String).replace({"rising": "growing", "falling": "declining", "steady": "mature"})
    assert both.filter(pl.col("state").cast(pl.String) != named.fill_null("mature")).is_empty()


@settings(max_examples=40, deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.integers(1, 30))
def test_no_order_of_rows_and_no_size_of_blocks_matters(rows, random, block):
    expected = crm.lifecycle.states(rows, POLICY)
    order = random.sample(range(rows.height), rows.height)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "BLOCK", block)
        assert_frame_equal(crm.lifecycle.states(rows[order], POLICY), expected)


@settings(max_examples=40, deadline=None)
@given(histories(), st.integers(1, 9))
def test_later_months_change_nothing_earlier(rows, n):
    until = pl.col("month") <= MONTHS[n]
    assert_frame_equal(
        crm.lifecycle.states(rows.filter(until), POLICY), crm.lifecycle.states(rows, POLICY).filter(until)
    )


@settings(max_examples=40, deadline=None)
@given(histories())
def test_what_flows_adds_up_to_who_is_there(rows):
    states = crm.lifecycle.states(rows, POLICY)
    flow = crm.lifecycle.flow(states)
    counts = states.group_by("month", "state").agg(n=pl.len().cast(pl.Int64)).sort("month", "state")
    after = flow.group_by("month", "state").agg(pl.col("n").sum()).sort("month", "state")
    assert_frame_equal(after, counts.filter(pl.col("month") > counts["month"].min()))


# -- what cannot be


GOOD = standing(through(1, [100] * 4) + through(2, [100] * 4))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (GOOD.clear(), "lifecycle.states has been given no row"),
        (GOOD.drop("first_on"), "lifecycle.states needs a column first_on"),
        (GOOD.drop("is_open"), "lifecycle.states needs a column is_open"),
        (GOOD.filter(pl.col("month") != MONTHS[1]), "no rows of 2024-02, though there are rows before and after"),
        (pl.concat([GOOD, GOOD[:1]]), r"repeat a month, customer_id \(first: 2024-01-31, 1\)"),
    ],
)
def test_what_has_no_life_cycle_is_said(rows, says):
    with pytest.raises(InputError, match=says):
        crm.lifecycle.states(rows, POLICY)


def test_a_flow_over_a_gap_is_said():
    states = crm.lifecycle.states(GOOD, POLICY)
    with pytest.raises(InputError, match="no rows of 2024-02"):
        crm.lifecycle.flow(states.filter(pl.col("month") != MONTHS[1]))
    with pytest.raises(InputError, match=r"lifecycle\.flow repeat a customer_id, month"):
        crm.lifecycle.flow(pl.concat([states, states[:1]]))
