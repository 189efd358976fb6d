"""Life events against cases worked by hand, and the wall: what comes later changes none that is told."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import crmlab as crm
from tests import banks
from tests.banks import account, entry, person

FOUND = ["inflow_stayed", "maturing_soon", "salary_rise"]
MONTHS = [date(2024, month, 10) for month in range(1, 13)]
PRODUCTS = [
    banks.PRODUCTS[0],
    {"product_id": "P-TERM", "name": "Term", "line": "deposits"},
    {"product_id": "P-LOAN", "name": "Loan", "line": "loans"},
]


def bank_of(tmp_path, entries, accounts=None, as_of="2024-12-31", customers=("C1",)):
    accounts = accounts or [account("A1", "C1", opened_on="2023-05-02")]
    folder = banks.write(
        tmp_path / "extracts",
        products=PRODUCTS,
        customers=[person(number) for number in customers],
        accounts=accounts,
        transactions=[entry("2024-01-01", accounts[0]["account_id"], "0.01", kind="interest"), *entries],
    )
    return crm.read(folder, as_of=as_of, landed=tmp_path / "landed")


def life(bank) -> list[tuple]:
    rows = crm.panel.events(bank).filter(pl.col("kind").cast(pl.String).is_in(FOUND))
    return rows.select("on", pl.col("kind").cast(pl.String), "amount", "detail").collect().rows()


def monthly(amount: str, months=MONTHS, **more) -> list[dict]:
    return [entry(str(day), "A1", amount, **more) for day in months]


USUAL = monthly("5000.00") + monthly("-5000.00")


@pytest.mark.parametrize(
    ("more", "told"),
    [
        # July brings 20,000 more, five times the usual month, and it is still there on 15 August
        ([("2024-07-20", "20000.00")], [(date(2024, 8, 15), "inflow_stayed", 25_000_00, "× 5.0")]),
        # a fifth of it may go by then, a cent more may not
        (
            [("2024-07-20", "20000.00"), ("2024-08-15", "-4000.00")],
            [(date(2024, 8, 15), "inflow_stayed", 25_000_00, "× 5.0")],
        ),
        ([("2024-07-20", "20000.00"), ("2024-08-15", "-4000.01")], []),
        ([("2024-07-20", "20000.00"), ("2024-07-21", "-20000.00")], []),
        # what leaves on the 16th had stayed
        (
            [("2024-07-20", "20000.00"), ("2024-08-16", "-20000.00")],
            [(date(2024, 8, 15), "inflow_stayed", 25_000_00, "× 5.0")],
        ),
        # three times the usual month and the floor, exactly, and a cent less
        ([("2024-07-20", "15000.00")], [(date(2024, 8, 15), "inflow_stayed", 20_000_00, "× 4.0")]),
        ([("2024-07-20", "14999.99")], []),
        # six months before are not known in June
        ([("2024-06-20", "20000.00")], []),
        # too late to be known
        ([("2024-12-20", "20000.00")], []),
    ],
)
def test_an_inflow_that_stays(tmp_path, more, told):
    entries = [entry(on, "A1", amount) for on, amount in more]
    assert life(bank_of(tmp_path, USUAL + entries)) == told


def test_money_reversed_did_not_come_and_a_transfer_between_own_deposits_does_not_go(tmp_path):
    accounts = [account("A1", "C1", opened_on="2023-05-02"), account("A2", "C1", opened_on="2023-05-02")]
    moved = [
        entry("2024-07-25", "A1", "-20000.00", kind="own_transfer"),
        entry("2024-07-25", "A2", "20000.00", kind="own_transfer"),
    ]
    came = entry("2024-07-20", "A1", "20000.00")
    told = [(date(2024, 8, 15), "inflow_stayed", 25_000_00, "× 5.0")]
    assert life(bank_of(tmp_path / "own", [*USUAL, came, *moved], accounts)) == told
    back = entry("2024-07-21", "A1", "-20000.00", kind="reversal")
    assert life(bank_of(tmp_path / "back", [*USUAL, came, back], accounts)) == []


def test_who_has_no_usual_month_needs_the_floor_and_who_is_new_is_not_told(tmp_path):
    quiet = [entry("2024-09-03", "A1", "20000.00")]
    assert life(bank_of(tmp_path / "old", quiet)) == [(date(2024, 10, 15), "inflow_stayed", 20_000_00, None)]
    for opened, told in (("2024-03-01", 1), ("2024-03-02", 0)):
        accounts = [account("A0", "C2", opened_on="2023-05-02"), account("A1", "C1", opened_on=opened)]
        bank = bank_of(tmp_path / opened, quiet, accounts, customers=("C1", "C2"))
        assert len(life(bank)) == told


def test_a_deposit_about_to_mature_is_told_once_while_it_runs(tmp_path):
    term = {"product_id": "P-TERM", "opened_on": "2024-01-10"}
    accounts = [
        account("A1", "C1", opened_on="2023-05-02"),
        account("A2", "C1", matures_on="2024-07-10", **term),
        account("A3", "C1", matures_on="2024-01-20", **term),  # runs ten days only
        account("A4", "C1", matures_on="2024-07-10", closed_on="2024-06-10", **term),  # broken the day it would be told
        account("A5", "C1", matures_on="2024-07-10", closed_on="2024-06-11", **term),
        account("A6", "C1", matures_on="2024-07-10", **(term | {"product_id": "P-LOAN"})),
        account("A7", "C1", matures_on="2025-01-30", **term),
        account("A8", "C1", matures_on="2025-01-31", **term),
    ]
    assert life(bank_of(tmp_path, [], accounts)) == [
        (date(2024, 1, 10), "maturing_soon", None, "Term"),
        (date(2024, 6, 10), "maturing_soon", None, "Term"),
        (date(2024, 6, 10), "maturing_soon", None, "Term"),
        (date(2024, 12, 31), "maturing_soon", None, "Term"),
    ]


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        # 1.2 times, exactly, from July on: known at the end of September and told once
        ([5000] * 6 + [6000] * 6, [(date(2024, 9, 30), "salary_rise", 6000_00, "+20 %")]),
        ([5000] * 6 + [5999.99] * 6, []),
        # a bonus is no rise, and neither is a rise of two months
        ([5000] * 6 + [20000] + [5000] * 5, []),
        ([5000] * 6 + [7000] * 2 + [5000] * 4, []),
        # a month without one: nothing is known of usual
        ([5000] * 3 + [0] + [5000] * 2 + [7000] * 6, []),
        # one that goes on rising is told once
        ([1000] * 6 + [1500] * 3 + [4000] * 3, [(date(2024, 9, 30), "salary_rise", 1500_00, "+50 %")]),
    ],
)  # fmt: skip
def test_a_rise_in_salary(tmp_path, amounts, told):
    paid = [
        entry(str(day), "A1", f"{amount:.2f}", kind="salary")
        for day, amount in zip(MONTHS, amounts, strict=True)
        if amount
    ]
    found = [row for row in life(bank_of(tmp_path, paid)) if row[1] == "salary_rise"]
    assert found == told


def test_no_life_event_is_told_before_it_can_be_known(tmp_path):
    """The bank read at every day around the events tells exactly those that the last day tells up to then."""
    paid = [entry(str(day), "A1", "5000.00" if day.month < 5 else "7000.00", kind="salary") for day in MONTHS]
    came = [entry("2024-07-20", "A1", "90000.00"), entry("2024-08-17", "A1", "-90000.00")]
    accounts = [
        account("A1", "C1", opened_on="2023-05-02"),
        account(
            "A2", "C1", product_id="P-TERM", opened_on="2024-02-02", matures_on="2024-11-20", closed_on="2024-10-30"
        ),
    ]
    policy = crm.policy.load()
    short = tuple(
        replace(rule, months=2, months_before=3) if rule.kind == "salary_rise" else rule for rule in policy.triggers
    )
    bank = bank_of(tmp_path, paid + came, accounts)
    bank = replace(bank, policy=replace(policy, triggers=short))
    whole = crm.panel.events(bank).collect()
    told = whole.filter(pl.col("kind").cast(pl.String).is_in(FOUND))
    assert sorted(told["kind"].cast(pl.String)) == FOUND
    for on in told["on"]:
        for day in (on - timedelta(1), on, on + timedelta(1), on + timedelta(40)):
            then = crm.panel.events(replace(bank, as_of=min(day, bank.as_of))).collect()
            cut = whole.filter(pl.col("on") <= day)
            assert_frame_equal(then.drop("reason", "detail"), cut.drop("reason", "detail"))


def test_a_bank_that_declares_none_has_none(tmp_path):
    bank = bank_of(tmp_path, [*USUAL, entry("2024-07-20", "A1", "20000.00")])
    assert life(replace(bank, policy=replace(bank.policy, triggers=()))) == []
