"""Landmarks: a bank of six by hand, and the wall: nothing that came later changes what was known."""

from datetime import date, timedelta
from math import log

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmlab import policy as rules
from crmlab.errors import InputError
from crmlab.measures import churn
from crmlab.measures.churn.covariates import COVARIATES, Covariate, Past
from crmlab.measures.churn.landmarking import as_known, landmarks, number
from crmlab.panel.timeline import COLUMNS as OF_EVENTS

POLICY = rules.load()
K = POLICY.churn.confirm_months
ENDS = pl.date_range(date(2024, 1, 1), date(2025, 6, 1), "1mo", eager=True).dt.month_end().to_list()
NEEDS = {"customer_id": pl.Int32, "month": pl.Date, "days": pl.Int32, "n_lines": pl.Int32, "last_active_on": pl.Date}
EVENTS = {"customer_id": pl.Int32, "on": pl.Date, "kind": pl.String, "amount": pl.Int64}
EPISODES = {
    "customer_id": pl.Int32, "event": pl.Boolean, "cause": pl.String, "starts_on": pl.Date, "ends_on": pl.Date,
    "known_on": pl.Date, "lost": pl.Int64,
}  # fmt: skip


def standing(*lives: dict, months: list[date] = ENDS[:9]) -> pl.DataFrame:
    """Rows of each customer, a list giving a month's value each, anything else the value of all."""
    rows = [_row(life, n, month) for life in lives for n, month in enumerate(months) if n >= life.get("from", 0)]
    return pl.DataFrame(rows, schema_overrides=NEEDS).drop("from").sort("month", "customer_id")


def _row(life: dict, n: int, month: date) -> dict:
    row = dict.fromkeys(("n_without_average", "maturing", "contribution", "n_acts", "n_card", "aum", "loans"), 0)
    row |= {"kind": "retail", "first_on": date(2020, 1, 1), "n_lines": 1, "last_active_on": None, "average": 0}
    row |= {name: value[n] if isinstance(value, list) else value for name, value in ({"from": 0} | life).items()}
    return row | {"month": month, "days": month.day, "balance_days": row.pop("average") * month.day}


def watched(states: dict[int, list[str]], months: list[date] = ENDS[:9]) -> pl.DataFrame:
    rows = [(who, month, state) for who, of in states.items() for month, state in zip(months, of, strict=True) if state]
    return pl.DataFrame(rows, schema={"customer_id": pl.Int32, "month": pl.Date, "state": pl.String}, orient="row")


def frame(rows: list[tuple], schema: dict) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=schema, orient="row")


# Nine months, looked at in June 2024; what is known at the end of September tells of July.
JUNE = ENDS[5]
SIX = standing(
    {"customer_id": 1, "average": 10_000_00, "n_acts": 5, "n_card": 1, "contribution": 10, "last_active_on": ENDS[:9]},
    {"customer_id": 2, "average": [3_900_00] * 3 + [3_000_00, 2_500_00, 1_900_00, 0, 0, 0],
     "n_acts": [8] * 3 + [3] * 6, "n_card": [1] * 3 + [0] * 6, "last_active_on": date(2024, 6, 20)},
    {"customer_id": 3, "average": 500_00, "first_on": date(2020, 6, 30)},
    {"customer_id": 4, "average": 2_000_00, "aum": 2_000_00, "maturing": 500_00, "loans": 9, "n_without_average":
     [0, 0, 1] + [0] * 6},
    {"customer_id": 5, "average": 0, "n_lines": [3] * 4 + [2] * 5, "loans": None, "aum": None},
    {"customer_id": 6, "average": 700_00, "from": 3},
)  # fmt: skip
HAPPENED = frame(
    [(1, end, "salary", 3) for end in ENDS[:9]]
    + [(3, end - timedelta(3), "salary", 3) for end in ENDS[:5]]
    + [(2, date(2024, 4, 5), "outflow_other_bank", 600_00), (2, date(2024, 6, 30), "outflow_other_bank", 500_00)]
    + [(2, date(2024, 7, 1), "outflow_other_bank", 9_999_00), (2, date(2024, 6, 10), "complaint", None)]
    + [(4, date(2024, 4, 1), "complaint", None), (4, date(2024, 1, 5), "manager_change", None)]
    + [(99, date(2024, 6, 1), "complaint", None)],
    EVENTS,
)
RUNS = {
    **{n: ["at risk"] * 6 for n in (1, 3, 4)},
    2: ["at risk"] * 3 + ["unconfirmed"] * 2 + ["gone"],
    5: ["at risk"] * 4 + ["gone"] * 2,
    6: ["not yet"] * 3 + ["at risk"] * 3,
}
STATES = watched({n: [""] * 3 + states for n, states in RUNS.items()})
SPELLS = frame(
    [(n, False, None, ENDS[3], ENDS[6], None, None) for n in (1, 3, 4)]
    + [(2, True, "run-off", ENDS[3], ENDS[6], ENDS[8], 3_450_00), (6, False, None, ENDS[6], ENDS[6], None, None)]
    + [(5, False, "death", ENDS[3], ENDS[6], ENDS[6], None)],
    EPISODES,
)
# What is known of each in June: customer by customer, where it is not 0 (or 1 line, or no act in 182 days).
KNOWN = {
    1: {"tenure": log(54), "size": log(10_001), "idle": 0, "salary": 1, "contribution": 60, "aum": 10_000_00,
        "aum_change": 0},
    2: {"tenure": log(54), "size": log(1_901), "change": log(2_000 / 4_000), "idle": log(11), "acts": log(4 / 9),
        "no_card": log(4), "away": 1_100 / 5_000, "complaint": 1, "aum": 1_900_00, "aum_change": -2_000_00},
    3: {"tenure": log(49), "size": log(501), "salary": 1, "salary_missed": 1, "aum": 500_00, "aum_change": 0},
    4: {"tenure": log(54), "size": log(2_001), "maturing": 0.25, "new_manager": 1, "loan": 1, "aum": 2_000_00,
        "aum_change": None},
    5: {"tenure": log(54), "lines": 2, "closed": 1, "aum": 0, "aum_change": 0},
}  # fmt: skip
REST = dict.fromkeys(COVARIATES, 0) | {"idle": log(183), "lines": 1, "contribution": 0}


def test_what_is_known_of_six_customers():
    found = landmarks(SIX, HAPPENED, SPELLS, STATES, POLICY, months=[JUNE])
    assert found["customer_id"].to_list() == list(KNOWN)
    for row in found.iter_rows(named=True):
        due = REST | KNOWN[row["customer_id"]]
        told = {name: value for name, value in due.items() if value is not None}
        assert {name: row[name] for name in told} == pytest.approx(told, rel=1e-6), row["customer_id"]
        assert [row[name] for name in due.keys() - told.keys()] == [None] * (len(due) - len(told))


# Months to what came of it, whether that was leaving, and why; July is the last month that can be told.
CAME = [(1, 1, False, None), (2, 1, True, "run-off"), (3, 1, False, None), (4, 1, False, None), (5, 1, False, "death")]


def test_what_came_of_six_customers():
    found = landmarks(SIX, HAPPENED, SPELLS, STATES, POLICY)
    june = found.filter(pl.col("month") == JUNE)
    assert june.select("customer_id", "duration", "event", "cause").rows() == CAME
    assert june.filter("event").select("known_on", "lost").rows() == [(ENDS[8], 3_450_00)]
    assert found.filter(pl.col("month") > ENDS[6])["duration"].unique().to_list() == [0]
    assert found.select("month", "customer_id").equals(found.select("month", "customer_id").sort(pl.all()))
    assert found.filter(pl.col("customer_id") == 2)["duration"].to_list() == [3, 2, 1]


def test_some_months_are_those_of_all():
    whole = landmarks(SIX, HAPPENED, SPELLS, STATES, POLICY)
    some = landmarks(SIX, HAPPENED, SPELLS, STATES, POLICY, months=[ENDS[4], ENDS[7]])
    assert_frame_equal(some, whole.filter(pl.col("month").is_in([ENDS[4], ENDS[7]])))


def test_who_came_back_has_what_came_of_it_the_second_time():
    states = watched({1: [""] * 3 + ["at risk"] * 2 + ["gone"] * 2 + ["at risk"] * 2})
    spells = frame([(1, True, "closure", ENDS[3], ENDS[5], ENDS[5], 9),
                    (1, False, None, ENDS[7], ENDS[7], None, None)], EPISODES)  # fmt: skip
    found = landmarks(SIX, HAPPENED, spells, states, POLICY)
    assert found["duration"].to_list() == [2, 1, 0, 0]
    assert found["event"].to_list() == [True, True, False, False]


def knows_no_future(covariates: dict[str, Covariate], bank: tuple, at: date) -> bool:
    """Whether what is known at a month end is the same from all rows and from those up to it."""
    rows, events, states = bank
    until = (
        rows.filter(pl.col("month") <= at),
        events.filter(pl.col("on") <= at),
        states.filter(pl.col("month") <= at),
    )
    none = frame([], EPISODES)
    known = [
        landmarks(some, happened, none, seen, POLICY, months=[at], covariates=covariates)
        for some, happened, seen in (bank, until)
    ]
    return known[0].equals(known[1])


def book(seed: int, size: int = 12) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Customers with random lives over 18 months, what happened to them, and who was at risk."""
    rng = np.random.default_rng(seed)
    n = len(ENDS)
    lives = [
        {"customer_id": who, "from": int(rng.integers(0, 6)), "average": rng.integers(-50, 9_000_00, n).tolist(),
         **{name: rng.integers(0, 4, n).tolist() for name in ("n_acts", "n_card", "n_lines", "loans")},
         **{name: rng.integers(0, 9_000_00, n).tolist() for name in ("aum", "maturing", "contribution")},
         "last_active_on": [end if rng.random() < 0.3 else None for end in ENDS]}
        for who in range(1, size + 1)
    ]  # fmt: skip
    kinds = ["salary", "outflow_other_bank", "complaint", "manager_change", "offer"]
    days = (ENDS[-1] - date(2024, 1, 1)).days + 1
    events = [
        (int(rng.integers(1, size + 1)), date(2024, 1, 1) + timedelta(int(rng.integers(days))), kinds[n % 5], n)
        for n in range(40 * size)
    ]
    states = {life["customer_id"]: [""] * (life["from"] + 3) + ["at risk"] * (n - 3 - life["from"]) for life in lives}
    return standing(*lives, months=ENDS), frame(events, EVENTS), watched(states, ENDS)


def _next_month(past: Past) -> np.ndarray:
    """What no covariate may do: the balance-days of the month to come, where there is one."""
    values = np.zeros(past.size)
    if past.number + 1 < len(past.months):
        ahead = past.months[past.number + 1]
        values[ahead.at] = ahead.values["balance_days"]
    return values[past.asked]


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(ENDS[8:-1]))
def test_the_wall(seed: int, at: date):
    assert knows_no_future(COVARIATES, book(seed), at)


def test_the_wall_finds_a_leak():
    bank = book(1)
    assert not knows_no_future(COVARIATES | {"leak": Covariate("what comes next", _next_month)}, bank, ENDS[10])
    assert knows_no_future({"size": COVARIATES["size"]}, bank, ENDS[10])


def departed(at: date, months: dict[int, tuple[int, str]], starts: dict[int, int]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Episodes and watch as known at a month end, of customers who begin to leave in a month, by its place."""
    n, spells, states = ENDS.index(at) + 1, [], {}
    for who, first in starts.items():
        gone, cause = months.get(who, (10**3, None))
        waits = 0 if cause == "death" else K
        states[who] = (["not yet"] * first + ["at risk"] * max(min(gone, n) - first, 0) + ["gone"] * n)[:n]
        if gone + waits < n and gone + K < n:
            spells.append((who, cause != "death", cause, ENDS[first], ENDS[gone], ENDS[gone + waits], who))
        elif first <= n - 1 - K:
            spells.append((who, False, None, ENDS[first], ENDS[n - 1 - K], None, None))
    return frame(spells, EPISODES), watched(states, ENDS[:n])


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(ENDS[8:]))
def test_as_known_is_what_would_have_been_made(seed: int, at: date):
    rng = np.random.default_rng(seed)
    rows, events, _ = book(seed)
    starts = {who: int(rng.integers(6, 8)) for who in range(1, 13)}
    causes = ["closure", "run-off", "death", "maturity"]
    gone = {who: (int(rng.integers(8, 16)), causes[who % 4]) for who in starts if rng.random() < 0.6}
    later = landmarks(rows, events, *departed(ENDS[-1], gone, starts), POLICY)
    cut = rows.filter(pl.col("month") <= at), events.filter(pl.col("on") <= at)
    then = landmarks(*cut, *departed(at, gone, starts), POLICY)
    assert_frame_equal(as_known(later, at, POLICY), then)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(ENDS[9:]))
def test_as_known_under_the_definition_in_force(seed: int, at: date):
    """A third of the customers lose their money in some month, some close all, one dies: what was known then holds."""
    rng = np.random.default_rng(seed)
    rows, events, _ = book(seed, size=30)
    who = pl.Series("customer_id", range(1, 31), pl.Int32)
    gone = pl.DataFrame([who, pl.Series("gone", rng.integers(6, 40, 30))])
    is_gone = (pl.col("month").dt.month() + 12 * (pl.col("month").dt.year() - 2024)) > pl.col("gone")
    rows = rows.join(gone, on="customer_id", maintain_order="left").with_columns(
        balance_days=pl.when(is_gone).then(0).otherwise(900_000 * pl.col("days")),
        is_open=~(is_gone & (pl.col("customer_id") % 3 == 0)),
        own_transfer=pl.lit(0, pl.Int64),
    )
    died = frame([(3, ENDS[9] - timedelta(4), "closed", None)], EVENTS).with_columns(reason=pl.lit("deceased"))
    events = pl.concat([events, died], how="diagonal")
    missing = [pl.lit(None, of).alias(name) for name, of in OF_EVENTS.items() if name not in events.columns]
    events = events.with_columns(*missing, pl.col("kind").cast(OF_EVENTS["kind"])).sort("customer_id", "on")

    def made(last: date) -> pl.DataFrame:
        known = rows.filter(pl.col("month") <= last), events.filter(pl.col("on") <= last)
        return landmarks(*known, churn.episodes(*known, POLICY.churn), churn.watch(*known, POLICY.churn), POLICY)

    later = made(ENDS[-1])
    assert later["event"].any()
    assert_frame_equal(as_known(later, at, POLICY), made(at))


def test_month_numbers_run_on():
    assert number(date(2025, 1, 31)) - number(date(2024, 12, 31)) == 1


def test_what_cannot_be_used_is_told():
    with pytest.raises(InputError, match=r"churn\.landmarks needs a column n_acts"):
        landmarks(SIX.drop("n_acts"), HAPPENED, SPELLS, STATES, POLICY)
    with pytest.raises(InputError, match=r"54 of 54|of 51 rows given to churn\.landmarks have no n_lines"):
        landmarks(SIX.with_columns(n_lines=pl.lit(None, pl.Int32)), HAPPENED, SPELLS, STATES, POLICY)
    with pytest.raises(InputError, match=r"Nobody was at risk of leaving.*least_months"):
        landmarks(SIX, HAPPENED, SPELLS, STATES.with_columns(state=pl.lit("not yet")), POLICY)
    with pytest.raises(InputError, match=r"The books hold no rows of 2024-05"):
        landmarks(SIX.filter(pl.col("month") != ENDS[4]), HAPPENED, SPELLS, STATES, POLICY)
    with pytest.raises(
        InputError, match=r"No landmark lies at or before 2023-12-31\. The first landmark is 2024-04-30"
    ):
        as_known(landmarks(SIX, HAPPENED, SPELLS, STATES, POLICY), date(2023, 12, 31), POLICY)
