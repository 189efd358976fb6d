"""Segments against a plain reckoning customer by customer, and what must hold on any history."""

from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from itertools import chain, product

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab.errors import InputError
from crmlab.measures import history
from crmlab.policy import GROWTH, Growth, Level

POLICY = crm.policy.load()
RULES = POLICY.segmentation
MONTHS = pl.date_range(date(2024, 1, 1), date(2024, 10, 1), "1mo", eager=True).dt.month_end().to_list()
STANDING = {
    "customer_id": pl.Int32, "month": pl.Date, "kind": pl.String, "first_on": pl.Date, "is_open": pl.Boolean,
    "balance_days": pl.Int64, "days": pl.Int32, "n_without_average": pl.Int32, "contribution": pl.Int64,
    "last_active_on": pl.Date,
}  # fmt: skip


def standing(rows: list[dict]) -> pl.DataFrame:
    """Rows of customer_id, month (its number) and what differs from the usual; balance is the month's average."""
    usual = {"kind": "retail", "first_on": date(2020, 1, 1), "is_open": True, "n_without_average": 0, "contribution": 0}
    full = []
    for row in rows:
        month = MONTHS[row["month"]]
        days = row.get("days", month.day)
        given = {**usual, "days": days, "last_active_on": month, **row, "month": month}
        full.append({**given, "balance_days": int(row.get("balance", 0) * days)})
    return pl.DataFrame(full, schema=STANDING)


def through(customer_id: int, balances: list, **more) -> list[dict]:
    """One customer's months from the first on; a None is a month without a row, a list goes month by month."""
    return [
        {"customer_id": customer_id, "month": n, "balance": balance}
        | {name: of[n] if isinstance(of, list) else of for name, of in more.items()}
        for n, balance in enumerate(balances)
        if balance is not None
    ]


def last(rows: list[dict], *names: str, policy=POLICY) -> list[tuple]:
    """What is said of everybody in the last month."""
    found = crm.segments.assign(standing(rows), policy)
    return found.filter(pl.col("month") == found["month"].max()).select(names).rows()


@pytest.mark.parametrize(
    ("balances", "growth"),
    [
        # average AUM of six months; rising and falling from 10 % and 1,000.00 on
        ([1_000_000] * 3 + [1_100_000] * 3, "rising"),
        ([1_000_000] * 3 + [1_099_999] * 3, "steady"),
        ([1_000_000] * 3 + [900_000] * 3, "falling"),
        ([1_000_000] * 3 + [900_001] * 3, "steady"),
        ([900_000] * 3 + [990_000] * 3, "steady"),  # 10 %, but 900.00
        ([10_000_000] * 3 + [10_100_000] * 3, "steady"),  # 1,000.00, but 1 %
        ([0] * 3 + [100_000] * 3, "rising"),
        ([None] * 3 + [100_000] * 3, "rising"),  # nothing here before
        ([None] * 5 + [100_000], "steady"),  # a third of it, by days
        ([None] * 5 + [400_000], "rising"),
        ([3_000_000, None, None, None, None, 1_000_000], "falling"),
        ([-1_000_000] * 3 + [-1_100_000] * 3, "falling"),  # overdrawn, deeper
        ([-1_000_000] * 3 + [-900_000] * 3, "rising"),
    ],
)
def test_growth_at_its_bounds(balances, growth):
    found = crm.segments.assign(standing(through(1, balances) + through(2, [0] * 6)), POLICY)
    assert found.filter(pl.col("customer_id") == 1)["growth"].to_list() == [growth]


def test_growth_without_a_least_amount_is_steady_where_nothing_changed():
    loose = replace(POLICY, growth=Growth(3, 0, 0))
    assert last(through(1, [5] * 6), "growth", policy=loose) == [("steady",)]
    assert last(through(1, [5] * 3 + [6] * 3), "growth", policy=loose) == [("rising",)]


@pytest.mark.parametrize(("unknown", "is_told"), [(0, True), (1, False), (6, False)])
def test_an_unknown_average_is_told_as_not_known(unknown, is_told):
    rows = through(1, [100] * 7, n_without_average=[int(n == unknown) for n in range(7)])
    [(activity, earning, growth, segment)] = last(rows, "activity", "earning", "growth", "segment")
    assert (activity, earning) == ("active", "low")
    assert (growth is not None, segment is not None) == (is_told, is_told)


@pytest.mark.parametrize(
    ("idle", "activity"),
    [(0, "active"), (29, "active"), (30, "quiet"), (89, "quiet"), (90, "dormant"), (None, "dormant")],
)
def test_activity_by_the_days_since_the_last_own_act(idle, activity):
    acted = None if idle is None else MONTHS[5] - timedelta(idle)
    assert last(through(1, [0] * 6, last_active_on=acted), "activity") == [(activity,)]


def test_a_month_that_is_not_over_ends_with_its_last_known_day():
    rows = through(1, [0] * 6, days=[*(month.day for month in MONTHS[:5]), 10], last_active_on=date(2024, 5, 31))
    assert last(rows, "activity") == [("active",)]  # ten days before 10 June


def levels(*contributions: int, kinds: list[str] | None = None) -> list[str]:
    """The level of earning of customers with such contributions, each in its first of three months."""
    people = [
        through(n, [0] * 6, contribution=[0, 0, 0, amount, 0, 0], kind=(kinds or ["retail"] * 99)[n])
        for n, amount in enumerate(contributions)
    ]
    return [level for (level,) in last([*chain(*people)], "earning")]


def test_earning_is_by_rank_and_ties_share_a_level():
    assert levels(*range(10)) == ["low"] * 5 + ["middle"] * 3 + ["high"] * 2
    assert levels(7, 7, 7, 7, 7) == ["low"] * 5
    assert levels(0, 0, 0, 0, 0, 0, 0, 0, 0, 9) == ["low"] * 9 + ["high"]
    assert levels(0, 0, 0, 0, 1, 9, 9, 9, 9, 9) == ["low"] * 5 + ["middle"] * 5  # five of ten are no top fifth
    assert levels(-3, -1) == ["low", "middle"]


def test_earning_is_within_kind():
    assert levels(1, 2, 100, 200, kinds=["retail", "retail", "corporate", "corporate"]) == ["low", "middle"] * 2


def test_earning_by_amount():
    amounts = replace(RULES, earning=(Level("low", None, None), Level("middle", 0, None), Level("high", 100, None)))
    rows = chain(*(through(n, [0] * 6, contribution=amount) for n, amount in enumerate([-1, 0, 33, 34])))
    found = last([*rows], "earning", policy=replace(POLICY, segmentation=amounts))
    assert found == [("low",), ("middle",), ("middle",), ("high",)]


def test_who_is_gone_at_the_end_of_a_month_is_in_no_segment_then():
    rows = through(1, [100] * 8, is_open=[True] * 6 + [False, True]) + through(2, [100] * 8)
    found = crm.segments.assign(standing(rows), POLICY)
    assert found.group_by("month", maintain_order=True).agg("customer_id")["customer_id"].to_list() == [
        [1, 2],
        [2],
        [1, 2],
    ]


def test_nobody_is_told_before_history_is_long_enough():
    found = crm.segments.assign(standing(through(1, [100] * 5)), POLICY)
    full = crm.segments.assign(standing(through(1, [100] * 6)), POLICY)
    assert (found.height, found.schema) == (0, full.schema)
    long = replace(POLICY, segmentation=replace(RULES, contribution_months=8))
    assert crm.segments.assign(standing(through(1, [100] * 10)), long)["month"].to_list() == MONTHS[7:]


def test_cells_are_27_and_each_of_one_segment():
    cells = crm.segments.cells(POLICY)
    assert cells.rows() == sorted(cells.rows(), key=lambda row: cells.rows().index(row))
    names = [level.name for level in RULES.activity], [level.name for level in RULES.earning], GROWTH
    assert cells.select("activity", "earning", "growth").rows() == list(product(*names))
    owners = {cell: row.name for row in RULES.rows for cell in row.cells()}
    assert [owners[row[:3]] for row in cells.rows()] == cells["segment"].to_list()


# -- on any history


@st.composite
def histories(draw) -> pl.DataFrame:
    n = draw(st.integers(6, 9))
    small = st.sampled_from([-200_000, 0, 0, 90_000, 100_000, 110_000, 1_000_000])
    rows = []
    for customer in draw(st.lists(st.integers(1, 40), min_size=1, max_size=9, unique=True)):
        balances = draw(st.lists(st.none() | small, min_size=n, max_size=n))
        acted = draw(st.none() | st.dates(date(2023, 10, 1), MONTHS[0]))
        row = through(
            customer, balances, kind=draw(st.sampled_from(["retail", "corporate"])),
            contribution=draw(st.lists(st.sampled_from([-5, 0, 3, 3, 8]), min_size=n, max_size=n)),
            is_open=draw(st.lists(st.sampled_from([True, True, True, False]), min_size=n, max_size=n)),
            n_without_average=draw(st.lists(st.sampled_from([0] * 9 + [1]), min_size=n, max_size=n)),
            last_active_on=acted,
        )  # fmt: skip
        rows += row
    # Somebody is always there, so that no month is missing.
    return standing(rows + through(0, [100] * n))


def reckoned(rows: pl.DataFrame) -> list[tuple]:
    """The same by hand: no array, no window."""
    days = dict(rows.select("month", "days").iter_rows())
    of = {(row["customer_id"], row["month"]): row for row in rows.iter_rows(named=True)}
    found = []
    for t in range(5, len(days)):
        span = MONTHS[t - 5 : t + 1]
        earned = {
            row["customer_id"]: sum(
                of.get((row["customer_id"], month), {}).get("contribution", 0) for month in span[3:]
            )
            for row in rows.filter(pl.col("month") == MONTHS[t], "is_open").iter_rows(named=True)
        }
        for customer in sorted(earned):
            row = of[customer, MONTHS[t]]
            acted = row["last_active_on"]
            idle = 10**6 if acted is None else (MONTHS[t] - acted).days
            activity = "active" if idle < 30 else "quiet" if idle < 90 else "dormant"
            peers = [amount for other, amount in earned.items() if of[other, MONTHS[t]]["kind"] == row["kind"]]
            below = Fraction(sum(amount < earned[customer] for amount in peers), len(peers))
            earning = "high" if below >= Fraction(4, 5) else "middle" if below >= Fraction(1, 2) else "low"
            growth = _growth([of.get((customer, month)) for month in span], [days[month] for month in span])
            segment = next(
                (one.name for one in RULES.rows if (activity, earning, growth) in one.cells()), None
            )  # fmt: skip
            found.append((customer, MONTHS[t], row["kind"], activity, earning, growth, segment))
    return found


def _growth(rows: list[dict | None], days: list[int]) -> str | None:
    if any(row and row["n_without_average"] for row in rows):
        return None
    held = [row["balance_days"] if row else 0 for row in rows]
    before, now = sum(held[:3]) // sum(days[:3]), sum(held[3:]) // sum(days[3:])
    if abs(now - before) < 100_000 or 10 * abs(now - before) < abs(before):
        return "steady"
    return "rising" if now > before else "falling"


@settings(max_examples=60, deadline=None)
@given(histories())
def test_against_a_plain_reckoning(rows):
    assert crm.segments.assign(rows, POLICY).rows() == reckoned(rows)


@settings(max_examples=30, deadline=None)
@given(histories(), st.randoms(use_true_random=False), st.integers(1, 30))
def test_no_order_of_rows_and_no_size_of_blocks_matters(rows, random, block):
    expected = crm.segments.assign(rows, POLICY)
    order = random.sample(range(rows.height), rows.height)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "BLOCK", block)
        assert_frame_equal(crm.segments.assign(rows[order], POLICY), expected)


@settings(max_examples=30, deadline=None)
@given(histories())
def test_segments_are_a_partition_and_add_up_to_the_bank(rows):
    found = crm.segments.assign(rows, POLICY)
    told = crm.segments.cells(POLICY)
    is_open = rows.filter("is_open", pl.col("month") >= MONTHS[5]).sort("month", "customer_id")
    assert_frame_equal(found.select("customer_id", "month", "kind"), is_open.select("customer_id", "month", "kind"))
    assert found.join(told, on=["activity", "earning", "growth", "segment"], how="anti")["segment"].is_null().all()
    money = found.join(rows, on=["customer_id", "month"], validate="1:1")
    by_segment = money.group_by("segment").agg(pl.len(), pl.col("balance_days", "contribution").sum())
    assert by_segment.drop("segment").sum().row(0) == (
        is_open.height, is_open["balance_days"].sum(), is_open["contribution"].sum(),
    )  # fmt: skip


@settings(max_examples=30, deadline=None)
@given(histories())
def test_later_months_change_nothing_earlier(rows):
    whole = crm.segments.assign(rows, POLICY)
    cut = crm.segments.assign(rows.filter(pl.col("month") <= MONTHS[5]), POLICY)
    assert_frame_equal(cut, whole.filter(pl.col("month") <= MONTHS[5]))


@settings(max_examples=30, deadline=None)
@given(histories())
def test_another_kind_changes_nothing_within_a_kind(rows):
    retail = pl.col("kind") == "retail"  # customer 0 is one of them, in every month
    alone = crm.segments.assign(rows.filter(retail), POLICY)
    assert_frame_equal(alone, crm.segments.assign(rows, POLICY).filter(retail))


# -- what cannot be


GOOD = standing(through(1, [100] * 7) + through(2, [100] * 7))


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        (GOOD.clear(), "segments.assign has been given no row"),
        (GOOD.drop("contribution"), "segments.assign needs a column contribution"),
        (GOOD.drop("last_active_on"), "segments.assign needs a column last_active_on"),
        (GOOD.drop("kind"), "segments.assign needs a column kind"),
        (GOOD.filter(pl.col("month") != MONTHS[3]), "no rows of 2024-04, though there are rows before and after"),
        (pl.concat([GOOD, GOOD[3:4]]), r"repeat a month, customer_id \(first: 2024-04-30, 1\)"),
        (GOOD.with_columns(kind=pl.lit(None, pl.String)), "14 of 14 rows given to segments.assign have no kind"),
        (GOOD.with_columns(balance_days=pl.lit(2**62)), "4.61e.18 over 3 months is too much for 64 bits"),
        (GOOD.with_columns(kind=pl.lit("retial")), "2 customers are of no known kind .first: retial.. Did you mean re"),
        (
            GOOD.with_columns(balance_days=pl.lit(2**61) * pl.col("customer_id")),
            "is too much for 64 bits. Check its unit",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_segmented_is_said(rows, says):
    with pytest.raises(InputError, match=says):
        crm.segments.assign(rows, POLICY)


def test_a_change_of_many_digits_and_a_balance_of_many_is_said():
    fine = replace(POLICY, growth=Growth(3, 123_457, 0))
    rows = GOOD.with_columns(balance_days=pl.col("days").cast(pl.Int64) * 10**14)
    with pytest.raises(InputError, match=r"A change of 2.14e.14 times 1,000,000 is too much .* fewer digits"):
        crm.segments.assign(rows, fine)
