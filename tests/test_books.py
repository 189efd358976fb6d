"""Books: the panel's money by who looked after it, on tables worked by hand and on banks drawn at random."""

from collections import defaultdict
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from polars.testing import assert_frame_equal

import crmlab as crm
from tests.banks import PRODUCTS, account, entry, person, write
from tests.brute_worth import Brute, month_end, parts
from tests.random_banks import DAYS, DRAWN, LINE, delivered, written

MOVES = ["opening", "flow", "interest", "valuation", "fx", "handed"]


def m(manager: str, start: str = "2023-01-01", end: str = "", share: str = "1", scope: str = "customer", **of) -> dict:
    """An assignment of C1, or of what `of` names."""
    of = of or {"customer_id": "C1"}
    return {
        "manager_id": manager,
        "role": "maintains",
        "scope": scope,
        "share": share,
        "from_on": start,
        "to_on": end,
    } | of


def bank_of(folder: Path, assignments: list[dict], as_of: str = "2024-01-31", **more):
    """C1 has 100.00, and from 10 January on 110.00."""
    tables = {
        "products": PRODUCTS,
        "branches": [{"branch_id": "B1"}],
        "managers": [{"manager_id": "M1"}, {"manager_id": "M2", "left_on": "2024-01-25"}, {"manager_id": "M3"}],
        "customers": [person("C1"), person("C2")],
        "accounts": [account("A1", "C1")],
        "balances": [{"account_id": "A1", "on": "2023-12-31", "balance": "100.00", "kind": "anchor"}],
        "transactions": [entry("2024-01-01", "A1", "0.00"), entry("2024-01-10", "A1", "10.00", "salary")],
        "assignments": assignments,
    }  # fmt: skip
    return crm.read(write(folder / "extracts", **tables | more), as_of=as_of, landed=folder / "landed")


def rows(bank, *columns: str) -> list[tuple]:
    books = crm.panel.books(crm.panel.facts(bank), bank).collect().with_columns(month=pl.col("month").dt.month())
    return books.sort("month", "customer_id", "line", "manager_id", nulls_last=True).select(columns).rows()


WHOLE = 9 * 10_000 + 22 * 11_000
DEPOSITS = {"customer_id": "C1", "line": "deposits"}


@pytest.mark.parametrize(
    ("assignments", "expected"),
    [
        # manager, opening, flow, handed, closing, balance-days
        ([], [(None, 10_000, 1_000, 0, 11_000, WHOLE)]),
        ([m("M1")], [("M1", 10_000, 1_000, 0, 11_000, WHOLE)]),
        (
            [m("M1", end="2024-01-14"), m("M2", "2024-01-15", "2024-01-20")],
            [
                ("M1", 10_000, 1_000, -11_000, 0, 9 * 10_000 + 5 * 11_000),
                ("M2", 0, 0, 0, 0, 6 * 11_000),
                (None, 0, 0, 11_000, 11_000, 11 * 11_000),
            ],
        ),
        # M2 leaves on 25 January, whatever the assignment says
        ([m("M2")], [("M2", 10_000, 1_000, -11_000, 0, WHOLE - 66_000), (None, 0, 0, 11_000, 11_000, 66_000)]),
        # shares below one, beyond one, none given, and twice of the same manager
        ([m("M1", share="0.3")], [("M1", 3_000, 300, 0, 3_300, 99_600), (None, 7_000, 700, 0, 7_700, 232_400)]),
        (
            [m("M1", share="0.3"), m("M3", share="0.8")],
            [("M1", 2_000, 200, 0, 2_200, 66_400), ("M3", 8_000, 800, 0, 8_800, 265_600)],
        ),
        ([m("M1", share="0.3"), m("M3", share="")], [("M3", 10_000, 1_000, 0, 11_000, WHOLE)]),
        (
            [m("M1", share="0.3"), m("M1", "2023-05-05", share="0.4")],
            [("M1", 4_000, 400, 0, 4_400, 132_800), (None, 6_000, 600, 0, 6_600, 199_200)],
        ),
        # the nearest scope counts: account over line over customer
        ([m("M1"), m("M3", scope="line", **DEPOSITS)], [("M3", 10_000, 1_000, 0, 11_000, WHOLE)]),
        ([m("M1"), m("M3", scope="line", **DEPOSITS | {"line": "loans"})], [("M1", 10_000, 1_000, 0, 11_000, WHOLE)]),
        (
            [m("M1"), m("M3", "2024-01-11", scope="account", account_id="A1"), m("M3", scope="line", **DEPOSITS)],
            [("M3", 10_000, 1_000, 0, 11_000, WHOLE)],
        ),
        (
            [m("M1"), m("M3", "2024-01-10", "2024-01-10", scope="account", account_id="A1")],
            [("M1", 10_000, 0, 1_000, 11_000, WHOLE - 11_000), ("M3", 0, 1_000, -1_000, 0, 11_000)],
        ),
        # neither who originated an account nor who has the branch looks after its customer
        ([m("M1", scope="branch", branch_id="B1")], [(None, 10_000, 1_000, 0, 11_000, WHOLE)]),
        ([m("M1") | {"role": "originates"}], [(None, 10_000, 1_000, 0, 11_000, WHOLE)]),
    ],
)
def test_who_looked_after_what_on_each_day(tmp_path, assignments, expected):
    found = rows(bank_of(tmp_path, assignments), "manager_id", "opening", "flow", "handed", "closing", "balance_days")
    assert [row for row in found if any(row[1:])] == expected


def test_managers_that_are_named_but_not_delivered_count_all_the_same(tmp_path):
    bank = bank_of(tmp_path, [m("M1"), m("M9", scope="line", **DEPOSITS)], managers=[])
    assert rows(bank, "manager_id", "closing") == [("M9", 11_000)]


def test_a_handover_on_the_first_of_a_month_shows_between_two_months(tmp_path):
    bank = bank_of(tmp_path, [m("M1", end="2024-01-31"), m("M3", "2024-02-01")], as_of="2024-02-29")
    assert rows(bank, "month", "manager_id", "opening", "handed", "closing", "days", "n_open") == [
        (1, "M1", 10_000, 0, 11_000, 31, 1),
        (2, "M3", 11_000, 0, 11_000, 29, 1),
    ]


def test_of_a_joint_account_each_holder_counts_for_the_own_manager(tmp_path):
    holders = [
        {"account_id": "A1", "customer_id": "C1", "role": "owner", "share": "0.6"},
        {"account_id": "A1", "customer_id": "C2", "role": "joint", "share": "0.4"},
    ]
    bank = bank_of(tmp_path, [m("M1"), m("M3", "2024-01-21", customer_id="C2")], holders=holders)
    assert rows(bank, "manager_id", "opening", "flow", "handed", "closing", "balance_days") == [
        ("M1", 6_000, 600, 0, 6_600, WHOLE * 6 // 10),
        ("M3", 0, 0, 4_400, 4_400, 11 * 4_400),
        (None, 4_000, 400, -4_400, 0, 9 * 4_000 + 11 * 4_400),
    ]


def test_parts_of_managers_close_where_rounding_leaves_a_unit_open(tmp_path):
    """1.01 and 2.01 halved, 1.00 halved: 0.51 + 0.50 is not 1.01 for both, so a unit passes as flow."""
    bank = bank_of(
        tmp_path,
        [m("M1", share="0.5"), m("M3", share="0.5")],
        balances=[{"account_id": "A1", "on": "2023-12-31", "balance": "0.01", "kind": "anchor"}],
        transactions=[entry("2024-01-01", "A1", "0.02", "salary"), entry("2024-01-09", "A1", "0.03", "interest")],
    )
    assert rows(bank, "manager_id", "opening", "flow", "interest", "closing") == [
        ("M1", 1, 0, 2, 3),
        ("M3", 0, 2, 1, 3),
    ]


@DRAWN
@given(delivered(), DAYS)
def test_books_are_the_panel_by_manager(tables, as_of):
    with TemporaryDirectory() as folder:
        bank = written(Path(folder), tables, as_of)
        facts = crm.panel.facts(bank)
        books = crm.panel.books(facts, bank).collect()
        customers = crm.panel.customers(facts, bank).collect()
        names = bank.table("customers").select("customer_id", "customer_no").collect()
        monthly = list(crm.panel.monthly(bank))
    assert books.filter(pl.col("closing") != pl.sum_horizontal(MOVES)).is_empty()
    key = ["customer_id", "month", "line"]
    flow = pl.col("inflow") - pl.col("outflow") + pl.col("own_transfer") + pl.col("fees")
    kept = [*key, "days", "opening", "flow", "interest", "valuation", "fx", "closing", "balance_days", "n_open"]
    summed = books.group_by(*key, "days").agg(pl.exclude("manager_id").sum()).sort(key)
    assert_frame_equal(summed.select(kept), customers.with_columns(flow=flow).sort(key).select(kept))
    assert summed["handed"].unique().to_list() == [0]
    for name, whole in (("books", books), ("customers", customers), ("facts", facts.collect())):
        assert_frame_equal(pl.concat([getattr(month, name) for month in monthly]), whole)
    named = books.join(names, on="customer_id").filter(pl.col("closing") != 0)
    found = {row[:4]: row[4] for row in named.select("customer_no", *key[1:], "manager_id", "closing").rows()}
    assert found == closings(Brute(tables, as_of, bank.policy), as_of)


def closings(hand: Brute, as_of: date) -> dict[tuple, int]:
    """What each manager's customers hold at each month's end: the day's balance at its rate, by holder and manager."""
    result = defaultdict(int)
    for of in hand.tables["accounts"]:
        line = LINE[of["product_id"]]
        balances = hand.balances(of)
        for day in balances:
            closes = day in (month_end(day), as_of) or str(day) == of.get("closed_on")
            if not closes:
                continue
            worth = round(balances[day] * hand.rate(of["currency"], day))
            for who, part in parts(worth, hand.holders(of)):
                for manager, amount in parts(part, hand.keepers(of, who, line, day)):
                    result[who, month_end(day), line, manager] += amount
    return {key: amount for key, amount in result.items() if amount}
