"""Spending and outflow to other banks: a few transactions by hand, then what holds of any."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab import panel
from crmlab.bank.read import read
from crmlab.errors import InputError
from crmlab.measures import spending
from tests import banks

START, END = date(2024, 1, 1), date(2024, 12, 31)
SCHEMA = {
    "customer_id": pl.Int32, "booked_on": pl.Date, "amount": pl.Int64, "kind": pl.String, "category": pl.String,
    "counterparty_kind": pl.String, "transaction_id": pl.String, "reverses_id": pl.String,
}  # fmt: skip
SOME = settings(deadline=None, max_examples=60)


def rows(*told: tuple) -> pl.DataFrame:
    """Transactions from customer, day, amount, kind, category, counterparty, and what they reverse."""
    full = [(c, date(2024, *d), a, k, *rest[:2], f"T{i}", *rest[2:]) for i, (c, d, a, k, *rest) in enumerate(told)]
    return pl.DataFrame([(*row, *[None] * (8 - len(row))) for row in full], schema=SCHEMA, orient="row")


BOOK = rows(
    (1, (1, 5), -300, "card", "dining", "merchant"),
    (1, (1, 6), -200, "payment", "dining", "merchant"),
    (1, (1, 7), -500, "payment", None, "merchant"),
    (1, (2, 7), -900, "card", "fuel", "merchant"),  # T3, reversed a month later
    (1, (3, 1), 900, "reversal", None, "merchant", "T3"),
    (1, (2, 8), -800, "transfer", "remittance", "other bank"),  # T5, a part of which comes back
    (1, (2, 9), 300, "reversal", None, "other bank", "T5"),
    (1, (2, 9), -100, "cash", None, None),
    (1, (2, 9), -700, "own_transfer", None, "own"),
    (1, (2, 9), -600, "principal", None, None),
    (1, (2, 9), -10, "fee", None, None),
    (1, (2, 9), 5_000, "transfer", None, "other bank"),  # comes in
    (2, (2, 9), -50, "payment", "fuel", "other bank"),
    (2, (2, 10), 50, "reversal", None, None, None),  # of nobody knows what
    (3, (2, 10), 50, "reversal", None, None, "T99"),
)


def test_purchases_by_hand():
    january, february = date(2024, 1, 31), date(2024, 2, 29)
    assert spending.summary(BOOK, START, END).rows() == [
        (1, january, "dining", 500, 2),
        (1, january, "not told", 500, 1),
        (2, february, "fuel", 50, 1),
    ]
    assert spending.summary(BOOK, date(2024, 1, 6), date(2024, 1, 6)).rows() == [(1, january, "dining", 200, 1)]
    assert spending.summary(BOOK.lazy(), START, END).equals(spending.summary(BOOK.reverse(), START, END))


def test_outflow_by_hand():
    assert spending.outflow(BOOK, START, END).rows() == [
        (1, date(2024, 1, 31), 1_000, 0),
        (1, date(2024, 2, 29), 500 + 100, 500),
        (2, date(2024, 2, 29), 50, 50),
    ]


def test_a_season_is_judged_by_its_months():
    months = [date(2023, 10, 31), date(2023, 12, 31), date(2024, 3, 31), date(2024, 6, 30), date(2024, 9, 30)]
    told = pl.DataFrame({"month": months, "category": ["fuel"] * 5, "amount": [60, 120, 30, 30, 0], "n": [1] * 5})
    told = pl.concat([told, pl.DataFrame({"month": months[:1], "category": "dining", "amount": [20], "n": [2]})])
    year = spending.profile(told, date(2023, 10, 31), date(2024, 9, 30))
    assert year.filter(category="fuel").select("season", "n_months", "amount", "share", "monthly", "index").rows() == [
        ("Q1", 3, 30, 1.0, 10.0, 0.5),
        ("Q2", 3, 30, 1.0, 10.0, 0.5),
        ("Q3", 3, 0, None, 0.0, 0.0),
        ("Q4", 3, 180, 0.9, 60.0, 3.0),
    ]
    assert year.filter(category="dining")["index"].to_list() == [0, 0, 0, 4]
    # a second October to December halves what a month of it is, and without a summer nothing is usual
    longer = spending.profile(told, date(2023, 10, 31), date(2024, 12, 31)).filter(category="fuel")
    assert longer.row(3)[2:7] == (6, 180, 2, 0.9, 30.0)
    part = spending.profile(told, date(2023, 10, 31), date(2024, 6, 30)).filter(category="fuel")
    assert part["index"].to_list() == [None] * 3


def test_shares_of_other_banks_by_hand():
    told = pl.DataFrame(
        {
            "kind": ["a", "a", "b"],
            "n_customers": [10, 10, 0],
            "outflow": [300, 100, 0],
            "other_banks": [100, 0, 0],
            "n_other_banks": [3, 0, 0],
        }
    )
    shares = spending.other_banks(told, "kind")
    assert shares.drop("lower", "upper").rows() == [("a", 400, 100, 0.25, 20, 3, 0.15), ("b", 0, 0, None, 0, 0, None)]
    assert shares.select(pl.col("lower", "upper").round(4)).rows() == [(0.0524, 0.3604), (None, None)]
    assert spending.other_banks(told).select("n", "senders_share").row(0) == (20, 0.15)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: spending.summary(BOOK, END, START), "from 2024-12-31 to 2024-01-01, which is no time"),
        (lambda: spending.summary(BOOK.drop("category"), START, END), "spending.summary needs a column category"),
        (lambda: spending.profile(spending.summary(BOOK, START, END).clear(), START, END), "given no row"),
        (
            lambda: spending.profile(spending.summary(BOOK, START, END), date(2025, 1, 31), date(2025, 3, 31)),
            "No spending lies between 2025-01-31 and 2025-03-31: the rows go from 2024-01-31 to 2024-02-29",
        ),
        (lambda: spending.other_banks(pl.DataFrame({"n_customers": [1]})), "needs a column n_other_banks"),
    ],
)
def test_bad_input_is_told_in_a_sentence(wrong, says):
    with pytest.raises(InputError, match=says):
        wrong()


def test_what_was_reversed_was_not_bought_whatever_the_rate_did_meanwhile(tmp_path):
    moves = [
        banks.entry("2024-01-05", "A4", "-100.00", "card", transaction_id="T1"),
        banks.entry("2024-02-05", "A4", "100.00", "reversal", "bank", reverses_id="T1"),  # at 7.1, bought at 7.0
        banks.entry("2024-01-05", "A4", "-10.00", "card", transaction_id="T2"),
        banks.entry("2024-02-05", "A4", "4.00", "reversal", "bank", reverses_id="T2"),
        banks.entry("2024-03-05", "A4", "-10.00", "card", transaction_id="T3"),
        banks.entry("2024-03-06", "A4", "11.00", "reversal", "bank", reverses_id="T3"),  # more than there was
    ]
    bank = read(banks.six(tmp_path / "bank", transactions=moves), as_of=date(2024, 3, 31), landed=tmp_path / "landed")
    owners = bank.table("accounts").select("account_id", "customer_id", "currency")
    rows = panel.in_base_of_the_day(spending.net(bank.table("transactions")).join(owners, on="account_id"), bank)
    bought = spending.summary(rows, bank.history_from, bank.as_of)
    assert bought.select("month", "amount", "n").rows() == [(date(2024, 1, 31), 42_00, 1)]  # 6 dollars at 7.0


def test_in_one_currency_and_without_joint_accounts_outflow_is_that_of_the_panel(tmp_path):
    moves = [
        banks.entry("2024-01-05", "A1", "-30.00", "card", transaction_id="T1"),
        banks.entry("2024-01-20", "A1", "30.00", "reversal", "bank", reverses_id="T1"),
        banks.entry("2024-01-20", "A1", "-70.00", "transfer", counterparty_kind="other bank"),
        banks.entry("2024-01-20", "A1", "-5.00", "fee", "bank"),
        banks.entry("2024-02-20", "A3", "-80.00", "cash", channel="counter"),
        banks.entry("2024-03-01", "A5", "-0.04", "salary", channel="system"),
        banks.entry("2024-03-02", "A5", "9.00", "cash"),
    ]
    folder = banks.six(tmp_path / "bank", holders=[], transactions=moves)
    bank = read(folder, as_of=date(2024, 3, 31), landed=tmp_path / "landed")
    owners = bank.table("accounts").select("account_id", "customer_id", "currency")
    moves = panel.in_base_of_the_day(bank.table("transactions").join(owners, on="account_id"), bank)
    told = spending.outflow(moves, bank.history_from, bank.as_of)
    assert told.drop("customer_id").rows() == [
        (date(2024, 1, 31), 7_000, 7_000),
        (date(2024, 3, 31), 4, 0),
        (date(2024, 2, 29), 8_000, 0),
    ]
    customers = panel.customers(panel.facts(bank), bank).group_by("customer_id", "month").agg(pl.col("outflow").sum())
    panels = customers.filter(pl.col("outflow") > 0).sort("customer_id", "month").collect()
    assert told.drop("other_banks").equals(panels)


ROW = st.tuples(
    st.integers(1, 4),
    st.integers(0, 500).map(lambda days: START + timedelta(days=days)),
    st.integers(-(10**12), 10**12),
    st.sampled_from([*spending.OUTSIDE, "own_transfer", "reversal", "fee"]),
    st.sampled_from(["dining", "fuel", None]),
    st.sampled_from(["other bank", "merchant", "own", None]),
)
MANY = st.lists(st.tuples(ROW, st.none() | st.integers(0, 15)), max_size=40).map(
    lambda told: pl.DataFrame(
        [(*row, f"T{i}", None if of is None else f"T{of}") for i, (row, of) in enumerate(told)],
        schema=SCHEMA,
        orient="row",
    )
)


@SOME
@given(MANY)
def test_other_banks_are_a_part_of_outflow_and_months_add_up(moves):
    told = spending.outflow(moves, START, END)
    assert (told["outflow"] >= told["other_banks"]).all()
    assert (told["other_banks"] >= 0).all()
    halves = [spending.outflow(moves, START, date(2024, 6, 30)), spending.outflow(moves, date(2024, 7, 1), END)]
    assert pl.concat(halves).sort("customer_id", "month").equals(told)
    assert spending.outflow(moves.reverse(), START, END).equals(told)


@SOME
@given(MANY)
def test_spending_is_a_part_of_outflow_and_shares_add_to_one(moves):
    bought = spending.summary(moves, START, END)
    out = spending.outflow(moves, START, END)
    assert bought["amount"].sum() <= out["outflow"].sum()
    if bought.height:
        told = spending.profile(bought, START, END, by="customer_id")
        assert told["amount"].sum() == bought["amount"].sum()
        sums = told.group_by("customer_id", "season").agg(pl.col("share").sum(), pl.col("amount").sum())
        assert sums.filter(pl.col("amount") > 0)["share"].to_list() == pytest.approx([1.0] * sums["amount"].gt(0).sum())
        index = told.group_by("customer_id", "category").agg(pl.col("index").mean())["index"]
        assert index.to_list() == pytest.approx([1.0] * len(index))
