"""Rules across tables: each on two rows, the first sound and the second broken."""

from datetime import date

import polars as pl
import pytest

from crmlab.bank import relations
from crmlab.bank.schema import REQUIRED, TABLES

CUSTOMERS = pl.DataFrame({"id": ["C1"], "number": [0], "since": [date(2020, 1, 1)]})
ACCOUNTS = pl.DataFrame(
    {
        "id": ["A1"], "number": [0], "opened_on": [date(2020, 1, 1)], "closed_on": [date(2024, 1, 31)],
        "currency": ["CNY"], "digits": [2],
    }
)  # fmt: skip
PRODUCTS = pl.DataFrame({"id": ["P1"], "number": [0]})
KNOWN = {"customers": CUSTOMERS, "accounts": ACCOUNTS, "products": PRODUCTS}

CASES = {
    ("accounts", "customer_id|unknown"): {"customer_id": ["C1", "C2"]},
    ("accounts", "product_id|unknown"): {"product_id": ["P1", "P2"]},
    ("accounts", "opened_on|before customer"): {"opened_on": [date(2020, 1, 1), date(2019, 12, 31)]},
    ("holders", "account_id|unknown"): {"account_id": ["A1", "A2"]},
    ("holders", "customer_id|unknown"): {"customer_id": ["C1", "C2"]},
    ("transactions", "account_id|unknown"): {"account_id": ["A1", "A2"]},
    ("transactions", "booked_on|before opening"): {"booked_on": [date(2020, 1, 1), date(2019, 12, 31)]},
    ("transactions", "booked_on|after closing"): {"booked_on": [date(2024, 1, 31), date(2024, 2, 1)]},
    ("balances", "on|before opening"): {"on": [date(2020, 1, 1), date(2019, 12, 31)]},
    ("balances", "on|after closing"): {"on": [date(2024, 2, 1), date(2024, 2, 1)], "balance": [0, 1]},
    ("repricings", "on|before opening"): {"on": [date(2020, 1, 1), date(2019, 12, 31)]},
    ("loan_status", "on|before opening"): {"on": [date(2020, 1, 1), date(2019, 12, 31)]},
    ("leads", "product_id|unknown"): {"product_id": [None, "P2"]},
    ("relations", "other_id|unknown"): {"other_id": ["C1", "C2"]},
}
SOUND = {
    "account_id": "A1", "customer_id": "C1", "other_id": "C1", "product_id": "P1", "branch_id": "B1",
    "manager_id": "M1", "campaign_id": "K1", "opened_on": date(2023, 1, 1), "booked_on": date(2023, 1, 1),
    "on": date(2023, 1, 1), "balance": 1,
}  # fmt: skip


@pytest.mark.parametrize(("table", "rule"), CASES)
def test_rule(table, rule):
    changed = pl.DataFrame(CASES[table, rule])
    rows = changed.with_columns(
        pl.lit(value).alias(name) for name, value in SOUND.items() if name not in changed.columns
    )
    beside = relations.with_parents(rows, table, KNOWN)
    broken = {
        name: beside.select(is_.fill_null(False)).to_series().to_list()
        for name, is_ in relations.rules(table, KNOWN).items()
    }
    assert {name for name, found in broken.items() if any(found)} == {rule}
    assert broken[rule] == [False, True]


def test_every_rule_has_a_case():
    everything = dict.fromkeys(TABLES)
    named = {(table, rule) for table in relations.RULES for rule in relations.RULES[table]}
    assert named <= CASES.keys()
    assert all(
        f"{column}|unknown" in relations.rules(table, everything)
        for table in relations.PARENTS
        for column in relations.PARENTS[table]
    )


def test_parents_that_were_not_delivered_are_not_asked_for():
    assert set(relations.rules("accounts", KNOWN)) == {
        "customer_id|unknown",
        "product_id|unknown",
        "opened_on|before customer",
    }


def test_parents_are_landed_before_their_children():
    assert sorted(relations.ORDER) == sorted(TABLES)
    place = {table: i for i, table in enumerate(relations.ORDER)}
    assert all(
        place[parent] < place[table] for table, parents in relations.PARENTS.items() for parent in parents.values()
    )
    assert set(REQUIRED) <= place.keys()


def test_columns_that_name_a_parent_are_in_the_dictionary():
    for table, parents in relations.PARENTS.items():
        assert parents.keys() <= TABLES[table].columns().keys()


@pytest.mark.parametrize(
    ("shares", "uneven"),
    [
        ([1_000_000, 0], False),
        ([333_333, 333_333, 333_334], False),
        ([500_000, 499_999], True),
        ([None, None], False),
        ([1_000_000, None], False),
        ([600_000, None], True),
    ],
)
def test_shares_of_an_account_add_to_one_or_are_not_given(shares, uneven):
    rows = pl.DataFrame({"account_id": 1, "role": "owner", "share": pl.Series(shares, dtype=pl.Int64)})
    assert relations.uneven_shares(rows).to_list() == [uneven] * len(shares)
