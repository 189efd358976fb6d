"""Deals: the states of accounts from day to day, and where they cut a month."""

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab.panel.deals import deals
from tests.banks import account, entry, person, write
from tests.brute_worth import Brute
from tests.random_banks import DAYS, DRAWN, PRODUCTS, delivered, written

OPENED = "2024-01-01"


def bank_of(folder: Path, as_of: str = "2024-03-31", policy: str = "", **more):
    tables = {
        "products": PRODUCTS,
        "customers": [person("C1")],
        "accounts": [account("A1", "C1", "LOAN", OPENED, rate="0.05")],
        "transactions": [entry(OPENED, "A1", "-100.00", "principal", "bank")],
    }
    extracts = write(folder / "extracts", **tables | more)
    (extracts / "policy.toml").write_text(policy, "utf-8")
    return crm.read(extracts, as_of=as_of, landed=folder / "landed")


def rate(on: str, value: str) -> dict:
    return {"account_id": "A1", "on": on, "rate": value}


def status(on: str, overdue: int | str = "", grade: str = "", five: str = "") -> dict:
    return {"account_id": "A1", "on": on, "overdue_days": overdue, "risk_grade": grade, "five_grade": five}


MADE = ("01-01", 50_000, "01-01", True, None, None)


@pytest.mark.parametrize(
    ("repricings", "statuses", "expected"),
    [
        # from, rate, priced on, accrues, grade, class
        ([], [], [MADE]),
        ([rate("2024-02-10", "0.04")], [], [MADE, ("02-10", 40_000, "02-10", True, None, None)]),
        # the same rate agreed anew is a new deal
        ([rate("2024-02-10", "0.05")], [], [MADE, ("02-10", 50_000, "02-10", True, None, None)]),
        # repriced on the day of opening, and after as_of
        ([rate("2024-01-01", "0.04"), rate("2024-04-01", "0.03")], [], [("01-01", 40_000, "01-01", True, None, None)]),
        # 88 days overdue on 2 March: 90 on the 4th, which still accrues, 91 on the 5th, which does not
        (
            [],
            [status("2024-03-02", 88, "B")],
            [
                MADE,
                ("03-02", 50_000, "01-01", True, "B", None),
                ("03-05", 50_000, "01-01", False, "B", None),
            ],
        ),
        # said to be as old as it has grown: nothing new; cured the day before it would have passed
        (
            [],
            [status("2024-03-02", 88), status("2024-03-03", 89)],
            [MADE, ("03-05", 50_000, "01-01", False, None, None)],
        ),
        ([], [status("2024-03-02", 88), status("2024-03-04", 0)], [MADE]),
        ([], [status("2024-03-02", 88), status("2024-03-05", 10)], [MADE]),
        # not paid on and paid up; a day overdue is not said, which is none
        (
            [],
            [status("2024-02-02", 91), status("2024-02-20")],
            [MADE, ("02-02", 50_000, "01-01", False, None, None), ("02-20", 50_000, "01-01", True, None, None)],
        ),
        # a status without grades says that there are none any more; a repricing says nothing of grades
        (
            [rate("2024-02-05", "0.04")],
            [status("2024-02-01", 0, "A", "normal"), status("2024-02-09", 0, "", "loss")],
            [
                MADE,
                ("02-01", 50_000, "01-01", True, "A", "normal"),
                ("02-05", 40_000, "02-05", True, "A", "normal"),
                ("02-09", 40_000, "02-05", True, None, "loss"),
            ],
        ),
        # both on one day are one state
        (
            [rate("2024-02-05", "0.04")],
            [status("2024-02-05", 100, "C")],
            [MADE, ("02-05", 40_000, "02-05", False, "C", None)],
        ),
    ],
)
def test_states_of_an_account(tmp_path, repricings, statuses, expected):
    found = deals(bank_of(tmp_path, repricings=repricings, loan_status=statuses)).select(
        pl.col("from_on").dt.strftime("%m-%d"), "rate", pl.col("priced_on").dt.strftime("%m-%d"), "is_accruing",
        "risk_grade", "five_grade",
    )  # fmt: skip
    assert found.rows() == expected


@pytest.mark.parametrize(("limit", "first_day"), [(0, "03-02"), (1, "03-03"), (30, "04-01")])
def test_the_policy_says_when_interest_stops(tmp_path, limit, first_day):
    policy = f"[pricing]\naccrual_days = {limit}\n"
    bank = bank_of(tmp_path, "2024-04-30", policy, loan_status=[status("2024-03-02", 1)])
    stopped = deals(bank).filter(~pl.col("is_accruing"))["from_on"]
    assert stopped.dt.strftime("%m-%d").to_list() == [first_day]


OVERDRAFT = [
    # product, opening, entries, days on which a period begins
    ("OD", "10.00", [("01-05", "-10.00"), ("01-07", "-0.01"), ("01-09", "5.00")], ["01-01", "01-07", "01-09"]),
    ("OD", "-1.00", [("01-05", "1.00"), ("01-07", "-1.00")], ["01-01", "01-05", "01-07"]),
    ("OD", "10.00", [("01-05", "-20.00"), ("01-05", "30.00")], ["01-01"]),  # only how a day ends counts
    ("OD", "10.00", [("01-01", "-20.00"), ("01-31", "20.00")], ["01-01", "01-31"]),
    ("OD", "", [("01-05", "-20.00")], ["01-01"]),  # a balance that nobody knows has no sign
    ("DEMAND", "10.00", [("01-05", "-20.00")], ["01-01"]),  # may not be overdrawn
    ("LOAN", "10.00", [("01-05", "-20.00")], ["01-01"]),
]


@pytest.mark.parametrize(("product", "opening", "entries", "expected"), OVERDRAFT)
def test_a_month_is_cut_where_a_balance_changes_its_sign(tmp_path, product, opening, entries, expected):
    bank = bank_of(
        tmp_path,
        "2024-01-31",
        accounts=[account("A1", "C1", product), account("A2", "C1")],
        products=[*PRODUCTS, {"product_id": "P-CUR", "line": "deposits"}],
        balances=[{"account_id": "A1", "on": "2023-12-31", "balance": opening, "kind": "anchor"}] if opening else [],
        transactions=[entry("2024-01-01", "A2", "1.00")]
        + [entry(f"2024-{day}", "A1", amount, channel="counter") for day, amount in entries],
    )
    of = bank.table("accounts").filter(pl.col("account_no") == "A1").select("account_id")
    facts = crm.panel.facts(bank).join(of, on="account_id", maintain_order="left").collect()
    assert facts["starts_on"].dt.strftime("%m-%d").to_list() == expected
    assert facts["closing"][:-1].to_list() == facts["opening"][1:].to_list()


def test_a_valuation_of_a_deposit_changes_its_sign_too(tmp_path):
    bank = bank_of(
        tmp_path,
        "2024-01-31",
        accounts=[account("A1", "C1", "OD", OPENED)],
        transactions=[entry("2024-01-01", "A1", "1.00"), entry("2024-01-20", "A1", "2.00")],
        balances=[{"account_id": "A1", "on": "2024-01-10", "balance": "-1.50", "kind": "valuation"}],
    )
    found = crm.panel.facts(bank).select("starts_on", "closing").collect()
    assert found.rows() == [(date(2024, 1, 1), 100), (date(2024, 1, 10), -150), (date(2024, 1, 20), 50)]


def test_a_history_stated_by_month_is_not_cut(tmp_path):
    bank = bank_of(
        tmp_path,
        accounts=[account("A1", "C1", "LOAN", OPENED, rate="0.05", history_kind="month_end")],
        repricings=[rate("2024-02-10", "0.04")],
    )
    assert crm.panel.facts(bank).collect()["starts_on"].dt.day().to_list() == [1, 1, 1]


@DRAWN
@given(delivered(), DAYS)
def test_states_and_periods_equal_those_told_day_by_day_on_both_engines(tables, as_of):
    with TemporaryDirectory() as folder:
        bank = written(Path(folder), tables, as_of)
        numbers = bank.table("accounts").select("account_id", account="account_no").collect()
        facts = crm.panel.facts(bank).collect()
        assert_frame_equal(crm.panel.facts(bank, engine="duckdb").collect(), facts)
        states = deals(bank).join(numbers, on="account_id").sort("account", "from_on")
    hand = Brute(tables, as_of, bank.policy)
    periods = {
        (of["account_id"], days[0][0], days[-1][0], sum(balance for _, balance in days))
        for of in tables["accounts"]
        for _, days in hand.periods(of)
    }
    facts = facts.join(numbers, on="account_id")
    assert set(facts.select("account", "starts_on", "ends_on", "balance_days").rows()) == periods
    for of in tables["accounts"]:
        mine = states.filter(pl.col("account") == of["account_id"])
        for day in hand.balances(of):
            last = mine.filter(pl.col("from_on") <= day).row(-1, named=True)
            told = (last["rate"], last["priced_on"], last["is_accruing"], last["risk_grade"], last["five_grade"])
            assert told == (*hand.deal(of, day), *hand.status(of, day))
