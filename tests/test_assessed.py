"""The measure × manager table: on customers that can be checked in the head, and on banks drawn at random."""

from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab.errors import InputError
from crmlab.measures import managers, movement
from crmlab.measures.managers.amounts import SUMS, before, book_of, parted
from crmlab.policy import MEASURES, Duty, load
from crmlab.policy.scoring import Scorecard, ScoreRule
from tests import banks
from tests.random_banks import DRAWN, LAST, delivered, known, written

D, DAY = date, timedelta(days=1)
MONTHS = [D(2024, 1, 31), D(2024, 2, 29), D(2024, 3, 31)]
DAYS = {month: month.day for month in MONTHS}
POLICY = load()
BOOK = {
    "customer_id": pl.Int32, "month": pl.Date, "line": pl.String, "manager_id": pl.String, "opening": pl.Int64,
    "flow": pl.Int64, "closing": pl.Int64, "balance_days": pl.Int64, "kept_days": pl.Int64,
    "days": pl.Int32, "n_open": pl.Int32,
}  # fmt: skip
MILLION = 10**6


def held(customer: int, month: int, manager: str | None, average: int, days: int | None = None, **more) -> dict:
    """A row of the books: a customer with so much on every day of a month, or on so many days of it."""
    end = MONTHS[month - 1]
    n = DAYS[end] if days is None else days
    return {
        "customer_id": customer, "month": end, "line": "deposits", "manager_id": manager, "opening": average, "flow": 0,
        "closing": average, "balance_days": average * n, "kept_days": MILLION * n, "days": DAYS[end],
        "n_open": 1,
    } | more  # fmt: skip


def spell(customer: int, manager: str | None, start: date, end: date | None = None) -> dict:
    return {"customer_id": customer, "manager_id": manager, "from_on": start, "to_on": end}


SPELL = {"customer_id": pl.Int32, "manager_id": pl.String, "from_on": pl.Date, "to_on": pl.Date}
LONG_AGO = D(2020, 1, 1)
# 1 stays with M1; 2 goes from M1 to M2 on 1 March; 3 is with M2; 4 with nobody.
HELD = [
    *(held(1, n, "M1", 1_000) for n in (1, 2, 3)),
    held(2, 1, "M1", 500), held(2, 2, "M1", 500), held(2, 3, "M2", 600),
    *(held(3, n, "M2", 100 * n) for n in (1, 2, 3)),
    *(held(4, n, None, 9_000) for n in (1, 2, 3)),
]  # fmt: skip
SPELLS = [
    spell(1, "M1", LONG_AGO), spell(2, "M1", LONG_AGO, D(2024, 2, 29)), spell(2, "M2", D(2024, 3, 1)),
    spell(3, "M2", LONG_AGO), spell(4, None, LONG_AGO),
]  # fmt: skip
ACCOUNT = {
    "customer_id": pl.Int32, "product_id": pl.String, "line": pl.String, "opened_on": pl.Date, "closed_on": pl.Date,
    "close_reason": pl.String,
}  # fmt: skip


def opened(customer: int, product: str = "CUR", start: date = LONG_AGO, end: date | None = None, why=None) -> dict:
    return {"customer_id": customer, "product_id": product, "line": "deposits", "opened_on": start, "closed_on": end,
            "close_reason": why}  # fmt: skip


def person(customer: int, since: date = LONG_AGO, referrer: int | None = None, kind: str = "retail") -> dict:
    return {"customer_id": customer, "kind": kind, "since": since, "referred_by_id": referrer}


PERSON = {"customer_id": pl.Int32, "kind": pl.String, "since": pl.Date, "referred_by_id": pl.Int32}
STAFF = pl.DataFrame(
    {"manager_id": ["M1", "M2"], "branch_id": "B1", "peer_group": "small", "grade": ["manager", "associate"],
     "graded_on": [None, D(2024, 2, 10)]},
    schema_overrides={"graded_on": pl.Date},
)  # fmt: skip


def bank(**more) -> managers.Known:
    """The four customers above, at the end of March 2024."""
    frames = {
        "books": pl.LazyFrame(HELD, BOOK), "managers": STAFF, "keeping": pl.DataFrame(SPELLS, SPELL),
        "brought": pl.DataFrame(schema=SPELL), "customers": pl.DataFrame([person(n) for n in range(1, 5)], PERSON),
        "accounts": pl.DataFrame([opened(n) for n in range(1, 5)], ACCOUNT),
    }  # fmt: skip
    return managers.Known(as_of=MONTHS[-1], policy=POLICY, **frames | more)


def of(table: pl.DataFrame, measure: str, *columns: str) -> list[tuple]:
    rows = table.filter(pl.col("measure") == measure).with_columns(pl.col("period").dt.month())
    return rows.select("manager_id", "period", *(columns or ("value", "base"))).rows()


def test_who_is_handed_a_book_is_handed_its_base():
    table = managers.assessed(bank(), "month")
    assert of(table, "deposits_average") == [
        ("M1", 1, 1_500, None), ("M1", 2, 1_500, 1_500), ("M1", 3, 1_000, 1_000),
        ("M2", 1, 100, None), ("M2", 2, 200, 100), ("M2", 3, 900, 700),
    ]  # fmt: skip
    assert of(table, "deposits_growth") == [
        ("M1", 1, None, None), ("M1", 2, 0, None), ("M1", 3, 0, 0),
        ("M2", 1, None, None), ("M2", 2, 100, None), ("M2", 3, 200, 100),
    ]  # fmt: skip
    why = table.filter(pl.col("measure") == "deposits_growth")["why"].to_list()
    assert why[:2] == ["There is no period before.", None]
    assert table.group_by("manager_id", "period").len()["len"].unique().to_list() == [len(MEASURES)]


def test_a_handover_inside_a_month_is_credited_by_the_day():
    rows = [row for row in HELD if (row["customer_id"], row["month"]) != (2, MONTHS[2])]
    shared = [held(2, 3, "M1", 620, days=11), held(2, 3, "M2", 620, days=20, opening=0)]
    spells = [
        *(one for one in SPELLS if one["customer_id"] != 2),
        spell(2, "M1", LONG_AGO, D(2024, 3, 11)), spell(2, "M2", D(2024, 3, 12)),
    ]  # fmt: skip
    given_ = bank(books=pl.LazyFrame(rows + shared, BOOK), keeping=pl.DataFrame(spells, SPELL))
    found = of(managers.assessed(given_, "month"), "deposits_average")
    # 620 × 11 / 31 and 620 × 20 / 31; of the base of 500 × 29 balance-days the same parts
    assert [row for row in found if row[1] == 3] == [("M1", 3, 1_220, 1_177), ("M2", 3, 700, 523)]


def test_two_who_swap_their_only_customers_swap_their_bases():
    rows = [held(n, month, f"M{n}", 500 * n) for month in (1, 2) for n in (1, 2)]
    rows += [held(1, 3, "M2", 500), held(2, 3, "M1", 1_000)]
    found = of(managers.assessed(bank(books=pl.LazyFrame(rows, BOOK)), "month"), "deposits_average")
    assert [row for row in found if row[1] == 3] == [("M1", 3, 1_000, 1_000), ("M2", 3, 500, 500)]


def test_grades_before_a_promotion_are_not_told():
    table = managers.assessed(bank(), "month").filter(pl.col("measure") == "retention")
    assert table.select("manager_id", "grade").rows() == [
        ("M1", "manager"), ("M1", "manager"), ("M1", "manager"), ("M2", None), ("M2", "associate"), ("M2", "associate"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("left_on", "why", "m1", "m2", "money"),
    [
        (None, None, (2, 2), (1, 1), {"M1": 0, "M2": -600}),  # handed over on 1 March: protected until 29 May
        (D(2024, 3, 20), "request", (2, 1), (1, 1), {"M1": -600, "M2": 0}),
        (D(2024, 3, 20), "deceased", (1, 1), (1, 1), {"M1": 0, "M2": -600}),
    ],
)
def test_what_leaves_after_a_handover_is_the_loss_of_who_handed_over(left_on, why, m1, m2, money):
    rows = [row | ({"flow": -600} if row["customer_id"] == 2 and row["month"] == MONTHS[2] else {}) for row in HELD]
    accounts = [opened(n) for n in (1, 3, 4)] + [opened(2, end=left_on, why=why)]
    table = managers.assessed(bank(books=pl.LazyFrame(rows, BOOK), accounts=pl.DataFrame(accounts, ACCOUNT)), "month")
    stayed = [row[2:] for row in of(table, "retention", "n", "n_events") if row[1] == 3]
    assert stayed == [m1, m2]
    assert {row[0]: row[2] for row in of(table, "net_new_money") if row[1] == 3} == money


def test_net_new_money_is_the_bridges_own_bars_but_for_who_answers_for_what_left():
    left = {"flow": -500, "closing": 0, "n_open": 0}  # of what 2 had when handed over
    books = pl.DataFrame(
        [row | (left if (row["customer_id"], row["month"]) == (2, MONTHS[2]) else {}) for row in HELD], BOOK
    )
    accounts = [opened(n) for n in (1, 3, 4)] + [opened(2, end=D(2024, 3, 20), why="request")]
    table = managers.assessed(bank(books=books.lazy(), accounts=pl.DataFrame(accounts, ACCOUNT)), "month")
    wide = books.filter(pl.col("customer_id") == 2).with_columns(interest=0, valuation=0, fx=0, branch_id=pl.lit("B1"))
    spans = movement.spans(wide, *MONTHS[1:], ["deposits"]).with_columns(branch_id=pl.lit("B1"))
    bars = managers.bridge(spans, STAFF).select("manager_id", "lost", "handed_in", "handed_out")
    assert sorted(bars.rows()) == [("M1", 0, 0, 500), ("M2", 500, 500, 0)]
    assert of(table, "net_new_money")[2::3] == [("M1", 3, -500, 0), ("M2", 3, 0, 0)]


def test_long_after_a_handover_who_received_answers():
    spells = [*(one for one in SPELLS if one["customer_id"] != 2), spell(2, "M2", D(2023, 12, 1))]
    spells.append(spell(2, "M1", LONG_AGO, D(2023, 11, 30)))
    accounts = [opened(n) for n in (1, 3, 4)] + [opened(2, end=D(2024, 3, 20), why="request")]
    table = managers.assessed(
        bank(keeping=pl.DataFrame(spells, SPELL), accounts=pl.DataFrame(accounts, ACCOUNT)), "month"
    )
    assert [row[2:] for row in of(table, "retention", "n", "n_events") if row[1] == 3] == [(1, 1), (2, 1)]


def frame(rows: list[dict], **types) -> pl.DataFrame:
    return pl.DataFrame(rows, {"customer_id": pl.Int32} | types)


def on(customer: int, day: date, **more) -> dict:
    return {"customer_id": customer, "on": day} | more


COUNTS = {
    "complaints": {"complaints": frame(
        [on(2, D(2024, 2, 29)), on(2, D(2024, 3, 1)), on(4, D(2024, 3, 1))], on=pl.Date
    )},
    "satisfaction": {"surveys": frame(
        [on(1, D(2024, 3, 2), score=7), on(1, D(2024, 3, 9), score=10), on(2, D(2024, 3, 9), score=4)],
        on=pl.Date, score=pl.Int32,
    )},
    "new_customers": {
        "customers": pl.DataFrame([person(n, since=D(2024, 3, 5)) for n in (1, 2, 3)], PERSON),
        "brought": pl.DataFrame([spell(3, "M1", D(2024, 3, 5))], SPELL),
    },
    "referred_customers": {"customers": pl.DataFrame(
        [person(1, D(2024, 3, 2), referrer=2), person(3, D(2024, 2, 2), referrer=2), person(4, D(2024, 3, 3))], PERSON
    )},
    "products_per_customer": {"accounts": pl.DataFrame(
        [opened(1), opened(1, "FUND"), opened(1, "FUND"), opened(2), opened(3, end=D(2024, 3, 31)), opened(3, "TD")],
        ACCOUNT,
    )},
    "ebanking_activation": {"channels": frame(
        [{"customer_id": 1, "month": MONTHS[2], "n_online": 0, "n_mobile": 3},
         {"customer_id": 2, "month": MONTHS[1], "n_online": 9, "n_mobile": 0},
         {"customer_id": 3, "month": MONTHS[2], "n_online": 0, "n_mobile": 0}],
        month=pl.Date, n_online=pl.Int32, n_mobile=pl.Int32,
    ).lazy()},
    "maturity_retention": {"maturities": frame(
        [{"customer_id": 2, "matures_on": D(2024, 3, 10), "amount": 400, "retained": 100},
         {"customer_id": 3, "matures_on": D(2024, 3, 10), "amount": 300, "retained": 300},
         {"customer_id": 3, "matures_on": D(2024, 3, 30), "amount": 300, "retained": None}],
        matures_on=pl.Date, amount=pl.Int64, retained=pl.Int64,
    )},
    "new_cards": {"cards": frame(
        [{"customer_id": 1, "account_id": 1, "month": MONTHS[1], "average": 10_000},
         {"customer_id": 1, "account_id": 1, "month": MONTHS[2], "average": 9_999},
         {"customer_id": 2, "account_id": 2, "month": MONTHS[2], "average": 10_000},
         {"customer_id": 3, "account_id": 3, "month": MONTHS[1], "average": 20_000},
         {"customer_id": 3, "account_id": 3, "month": MONTHS[2], "average": 20_000}],
        account_id=pl.Int32, month=pl.Date, average=pl.Int64,
    )},
    "overdue_loans": {"loans": frame(
        [{"customer_id": 1, "account_id": 1, "month": MONTHS[2], "owed": 700, "overdue_days": 30},
         {"customer_id": 1, "account_id": 2, "month": MONTHS[2], "owed": 90, "overdue_days": 0},
         {"customer_id": 2, "account_id": 3, "month": MONTHS[2], "owed": 50, "overdue_days": 91}],
        account_id=pl.Int32, month=pl.Date, owed=pl.Int64, overdue_days=pl.Int32,
    )},
    "kyc_in_time": {"identified": frame(
        [{"customer_id": 1, "kyc_due_on": D(2024, 3, 31)}, {"customer_id": 2, "kyc_due_on": D(2024, 3, 30)},
         {"customer_id": 3, "kyc_due_on": None}],
        kyc_due_on=pl.Date,
    )},
    "file_completeness": {"completeness": frame(
        [{"customer_id": 2, "n_required": 8, "n_filled": 6}], n_required=pl.Int32, n_filled=pl.Int32
    )},
}  # fmt: skip


@pytest.mark.parametrize(
    ("measure", "m1", "m2"),
    [  # value, n, n_events, base in March
        ("complaints", (0, None, None, 1), (1, None, None, 0)),
        ("satisfaction", (8_500, 2, 17, None), (4_000, 1, 4, None)),
        ("new_customers", (3, None, None, 0), (0, None, None, 0)),  # M1 brought 3, and was the first to keep 1 and 2
        ("referred_customers", (0, None, None, 1), (1, None, None, 0)),
        ("products_per_customer", (2_000, 1, 2, 2_000), (1_000, 2, 2, 1_500)),
        ("ebanking_activation", (1_000_000, 1, 1, 0), (0, 2, 0, 500_000)),
        ("maturity_retention", (250_000, 400, 100, None), (1_000_000, 300, 300, None)),
        ("new_cards", (-1, None, None, 1), (1, None, None, 1)),
        ("overdue_loans", (700, None, None, 0), (50, None, None, 0)),
        ("kyc_in_time", (1_000_000, 1, 1, None), (0, 1, 0, None)),
        ("file_completeness", (None, None, None, None), (750_000, 8, 6, None)),
    ],
)
def test_what_is_counted_of_customers(measure, m1, m2):
    table = managers.assessed(bank(**COUNTS[measure]), "month").filter(pl.col("period") == MONTHS[2])
    found = {row[0]: row[2:] for row in of(table, measure, "value", "n", "n_events", "base")}
    assert found == {"M1": m1, "M2": m2}
    if measure == "overdue_loans":
        assert [of(table, f"overdue_{n}", "value")[0][2] for n in (1, 2, 3, 4)] == [1, 0, 0, 0]
        assert [of(table, f"overdue_{n}", "value")[1][2] for n in (1, 2, 3, 4)] == [0, 0, 0, 1]


def test_the_card_of_who_has_left_is_the_loss_of_who_kept_them_last():
    """2 had a card in February, left M2 on 20 March and is nobody's since."""
    spells = [one for one in SPELLS if (one["customer_id"], one["manager_id"]) != (2, "M2")]
    spells += [spell(2, "M2", D(2024, 3, 1), D(2024, 3, 20)), spell(2, None, D(2024, 3, 21))]
    cards = [{"customer_id": 2, "account_id": 2, "month": MONTHS[1], "average": 10_000}]
    known_ = bank(
        keeping=pl.DataFrame(spells, SPELL),
        accounts=pl.DataFrame(
            [*(opened(n) for n in (1, 3, 4)), opened(2, end=D(2024, 2, 2)), opened(2, end=D(2024, 3, 20))], ACCOUNT
        ),
        cards=frame(cards, account_id=pl.Int32, month=pl.Date, average=pl.Int64),
    )
    found = {row[:2]: row[2] for row in of(managers.assessed(known_, "month"), "new_cards", "value")}
    assert found == {("M1", 1): None, ("M2", 1): None, ("M1", 2): 1, ("M2", 2): 0, ("M1", 3): 0, ("M2", 3): -1}


def test_a_new_customer_is_theirs_who_brought_them_also_after_they_have_left_the_bank():
    brought = [spell(3, "M1", D(2024, 3, 5), D(2024, 3, 20)), spell(3, None, D(2024, 3, 21))]
    known_ = bank(
        customers=pl.DataFrame([person(3, since=D(2024, 3, 5))], PERSON), brought=pl.DataFrame(brought, SPELL)
    )
    found = of(managers.assessed(known_, "month"), "new_customers", "value")
    assert [row[2] for row in found if row[1] == 3] == [1, 0]


def test_who_keeps_nobody_has_rows_of_what_they_did_alone():
    """M3 brought 3, made a contact, and handed 2, who left soon after, over to M2; M4's only customer is gone."""
    spells = [*(one for one in SPELLS if one["customer_id"] != 2), spell(2, "M3", LONG_AGO, D(2024, 2, 29))]
    spells += [spell(2, "M2", D(2024, 3, 1))]
    left = {"flow": -500, "closing": 0, "n_open": 0}
    books = [row | (left if (row["customer_id"], row["month"]) == (2, MONTHS[2]) else {}) for row in HELD]
    books = [
        row | ({"manager_id": "M3"} if (row["customer_id"], row["manager_id"]) == (2, "M1") else {}) for row in books
    ]
    books.append(held(5, 2, "M4", 700))
    staff = pl.DataFrame([*STAFF.rows(), *((name, "B1", "small", "associate", None) for name in ("M3", "M4"))],
                         STAFF.schema, orient="row")  # fmt: skip
    known_ = bank(
        books=pl.LazyFrame(books, BOOK), keeping=pl.DataFrame(spells, SPELL), managers=staff,
        accounts=pl.DataFrame(
            [*(opened(n) for n in (1, 3, 4)), opened(2, end=D(2024, 3, 20), why="request")], ACCOUNT
        ),
        customers=pl.DataFrame([person(n) for n in (1, 2, 4)] + [person(3, since=D(2024, 3, 5))], PERSON),
        brought=pl.DataFrame([spell(3, "M3", D(2024, 3, 5))], SPELL),
        contacts=frame(
            [{"customer_id": 1, "manager_id": "M3", "on": D(2024, 3, 7), "outcome": "reached"}],
            manager_id=pl.String, on=pl.Date, outcome=pl.String,
        ),
    )  # fmt: skip
    table = managers.assessed(known_, "month")
    march = table.filter(pl.col("period") == MONTHS[2], pl.col("manager_id") == "M3")
    assert march.select("measure", "value", "n", "branch_id", "grade").rows() == [
        ("net_new_money", -500, None, "B1", "associate"), ("new_customers", 1, None, "B1", "associate"),
        ("n_contacts", 1, None, "B1", "associate"), ("retention", 0, 1, "B1", "associate"),
    ]  # fmt: skip
    assert set(table.group_by("manager_id", "period").len()["len"]) == {len(MEASURES), len(march)}
    assert table.filter(pl.col("manager_id") == "M4")["period"].unique().to_list() == [MONTHS[1]]
    # what they did is in the sum of all
    assert sum(row[2] for row in of(table, "net_new_money", "value") if row[1] == 3) == -500


def test_leads_count_once_it_is_known_how_they_ended():
    days = [D(2023, 12, 10), D(2023, 12, 20), D(2023, 12, 21), D(2024, 1, 5)]
    leads = pl.DataFrame(
        {"lead_id": ["L1", "L2", "L3", "L4"], "customer_id": [None, 1, 2, 3], "manager_id": ["M1", "M1", "M1", "M2"],
         "contacted_on": days, "responded_on": None, "offered_on": None,
         "opened_on": [D(2024, 1, 2), D(2024, 3, 25), None, D(2024, 1, 6)], "lost_on": None,
         "cost": [3_000, 5_000, 1_000, 100]},
        schema_overrides={"customer_id": pl.Int32, "responded_on": pl.Date, "offered_on": pl.Date, "lost_on": pl.Date},
    )  # fmt: skip
    table = managers.assessed(bank(leads=leads), "month").filter(pl.col("period") == MONTHS[2])
    # settled after 90 days: begun from 2 December to 1 January; L2 was won too late
    assert of(table, "contact_to_sale", "value", "n", "n_events")[0] == ("M1", 3, 333_333, 3, 1)
    assert of(table, "cost_per_win", "value", "n", "n_events")[0] == ("M1", 3, 9_000, 1, 9_000)
    assert of(table, "contact_to_sale", "value", "why")[1] == ("M2", 3, None, "There is nothing to judge.")


def test_what_was_spent_without_a_win_is_said():
    lead = {"lead_id": ["L1"], "customer_id": [1], "manager_id": ["M1"], "contacted_on": [D(2023, 12, 21)],
            "responded_on": None, "offered_on": None, "opened_on": None, "lost_on": None, "cost": [5_000]}  # fmt: skip
    dates = dict.fromkeys(("responded_on", "offered_on", "opened_on", "lost_on"), pl.Date)
    table = managers.assessed(bank(leads=pl.DataFrame(lead, schema_overrides=dates)), "month")
    found = of(table.filter(pl.col("period") == MONTHS[2]), "cost_per_win", "value", "n", "n_events", "why")
    assert found == [
        ("M1", 3, None, 0, 5_000, "Nothing was won for what was spent."),
        ("M2", 3, None, None, None, "There is nothing to judge."),
    ]


@pytest.mark.parametrize(
    ("why", "closed_on", "m1"),
    [("request", D(2024, 3, 20), (250_000, 400)), ("deceased", D(2024, 3, 20), (None, None)),
     ("deceased", D(2024, 8, 20), (250_000, 400))],
)  # fmt: skip
def test_money_that_matured_for_heirs_is_nobodys_loss(why, closed_on, m1):
    accounts = [opened(n) for n in (1, 3, 4)] + [opened(2, end=closed_on, why=why)]
    table = managers.assessed(bank(**COUNTS["maturity_retention"], accounts=pl.DataFrame(accounts, ACCOUNT)), "month")
    found = of(table.filter(pl.col("period") == MONTHS[2]), "maturity_retention", "value", "n")
    assert found == [("M1", 3, *m1), ("M2", 3, 1_000_000, 300)]


def test_contacts_on_schedule_are_those_the_duties_ask_for():
    spoken = [
        *(on(1, D(2024, month, 5), outcome="reached") for month in (1, 2, 3)),
        on(3, D(2024, 3, 1), outcome="not reached"),
    ]  # fmt: skip
    known_ = bank(contacts=frame(spoken, on=pl.Date, outcome=pl.String))
    quarter = managers.assessed(known_, "quarter")
    rest = next(duty for duty in POLICY.duties if duty.by == "manager" and "rest" in duty.who)
    assert (rest.times, rest.per) == (1, "quarter")
    assert of(quarter, "contacts_on_schedule", "value", "n", "n_events") == [
        ("M1", 3, 1_000_000, 1, 1), ("M2", 3, 0, 1, 0),  # M2 was handed one on the way: nobody is judged by a part
    ]  # fmt: skip


def test_contacts_on_schedule_is_what_planning_tells():
    """One idea, one place: the table has what `on_schedule` counts of the same duties."""
    spoken = [*(on(1, D(2024, month, 5), outcome="reached") for month in (1, 3)), on(3, D(2024, 2, 1), outcome=None)]
    monthly = replace(POLICY, duties=(Duty(("rest",), "manager", 1, "month"),))
    known_ = bank(contacts=frame(spoken, on=pl.Date, outcome=pl.String))._replace(policy=monthly)
    table = managers.assessed(known_, "month").filter(pl.col("measure") == "contacts_on_schedule")
    owed = managers.duties(managers.spans(known_.keeping, managers.with_us(known_.accounts)), monthly)
    told = managers.on_schedule(owed, known_.contacts, MONTHS[-1], MONTHS[0].replace(day=1), "month")
    assert (
        table.select("manager_id", "period", "n", "n_events").rows()
        == told.select("manager_id", "period", "n", "n_events").rows()
    )
    assert told["n"].to_list() == [2, 2, 1, 1, 1, 2]


def test_contacts_made_are_theirs_who_made_them_and_can_have_a_target():
    spoken = [
        on(1, D(2024, 3, 5), manager_id="M2", outcome="reached"),
        on(3, D(2024, 3, 6), manager_id=None, outcome=None),
        on(3, D(2024, 3, 7), manager_id="M2", outcome="not reached"),
    ]
    aim = {"measure": "n_contacts", "branch_id": "B1", "manager_id": "M2", "set_on": D(2023, 12, 1),
           "from_on": D(2024, 1, 1), "to_on": D(2024, 12, 31), "target": 366}  # fmt: skip
    known_ = bank(
        contacts=frame(spoken, on=pl.Date, manager_id=pl.String, outcome=pl.String),
        targets=pl.DataFrame([aim], TARGET),
    )
    found = of(managers.assessed(known_, "month"), "n_contacts", "value", "target")
    assert found == [
        ("M1", 1, 0, None), ("M1", 2, 0, None), ("M1", 3, 0, None),
        ("M2", 1, 0, 31), ("M2", 2, 0, 29), ("M2", 3, 2, 31),
    ]  # fmt: skip


def test_what_a_table_would_tell_is_null_without_it_and_says_so():
    table = managers.assessed(bank(), "month")
    why = dict(
        table.filter(pl.col("period") == MONTHS[2], pl.col("manager_id") == "M1").select("measure", "why").rows()
    )
    assert why["complaints"] == "There is no table complaints."
    assert why["ebanking_activation"] == "There is no table customers of the panel."
    assert why["collection"] == "No table tells what was due on loans."
    assert why["retention"] is None
    told = managers.assessed(bank(identified=COUNTS["kyc_in_time"]["identified"]), "month")
    assert of(told, "kyc_in_time", "why")[1] == ("M1", 2, "It is known of 2024-03-31 alone.")


TARGET = {
    "measure": pl.String, "branch_id": pl.String, "manager_id": pl.String, "set_on": pl.Date, "from_on": pl.Date,
    "to_on": pl.Date, "target": pl.Int64,
}  # fmt: skip


def aim(measure: str, manager: str | None, target: int, to: date = MONTHS[2], set_on: date = LONG_AGO) -> dict:
    return {"measure": measure, "branch_id": "B1", "manager_id": manager, "set_on": set_on,
            "from_on": D(2024, 1, 1), "to_on": to, "target": target}  # fmt: skip


def test_targets_go_by_days_and_move_with_customers():
    targets = [
        aim("net_new_money", "M1", 9_100), aim("net_new_money", "M2", 910), aim("deposits_average", "M1", 3_000),
        aim("retention", "M1", 950_000), aim("net_new_money", None, 77), aim("n_contacts", "M1", 5),
        aim("complaints", "M1", 4, set_on=D(2024, 3, 1)),
    ]  # fmt: skip
    table = managers.assessed(bank(targets=pl.DataFrame(targets, TARGET)), "month")
    # a third of M1's 1,500 went to M2 on 1 March, and a third of the target with it
    assert of(table, "net_new_money", "target") == [
        ("M1", 1, 3_100), ("M1", 2, 2_900), ("M1", 3, 2_067), ("M2", 1, 310), ("M2", 2, 290), ("M2", 3, 310 + 1_033),
    ]  # fmt: skip
    assert [row[2] for row in of(table, "deposits_average", "target")] == [3_000, 3_000, 2_000, None, None, 1_000]
    assert [row[2] for row in of(table, "retention", "target")] == [950_000] * 3 + [None] * 3
    assert [row[2] for row in of(table, "complaints", "target")][:3] == [None, None, 1]


def test_the_table_can_be_scored():
    table = managers.assessed(bank(**COUNTS["complaints"]), "month")
    rule = ScoreRule("Complaints", "complaints", "deduction", "deductions", points=2_000)
    totals = managers.totals(managers.scores(table, Scorecard("All", (rule,), digits=2)), Scorecard("All", (rule,), 2))
    assert totals["points"].to_list() == [0, -2_000, 0, 0, 0, -2_000]


@pytest.mark.parametrize(
    ("change", "period", "said"),
    [
        ({}, "quarters", "There is no period quarters. Did you mean quarter"),
        ({}, "year", "No year is whole"),
        (
            {"books": pl.LazyFrame([held(4, n, None, 9) for n in (1, 2, 3)], BOOK)},
            "month",
            "Nobody maintains a customer",
        ),
        (
            {"managers": STAFF.head(1)},
            "month",
            "1 of 2 managers keep or bring customers or are named, but are not in the table managers .first: M2",
        ),
        ({"books": pl.LazyFrame(HELD, BOOK).drop("kept_days")}, "month", "managers.assessed needs a column kept_days"),
        (
            {"books": pl.LazyFrame([held(1, n, "M1", 1, balance_days=2**62) for n in (1, 2, 3)], BOOK)},
            "quarter",
            "balance_days adds up to 1.38e.19, too much for 64 bits",
        ),
    ],
)
def test_what_cannot_be_assessed_is_said(change, period, said):
    with pytest.raises(InputError, match=said):
        managers.assessed(bank(**change), period)


@given(st.integers(-(10**15), 10**15), st.lists(st.integers(1, 10**9), min_size=1, max_size=5))
def test_parts_add_to_the_whole_and_are_less_than_a_unit_off(value, weights):
    rows = pl.DataFrame({"w": weights}).with_columns(v=pl.lit(value), c=1)
    parts = parted(rows, ["v"], "w", ["c"])["v"].to_list()
    assert sum(parts) == value
    assert all(abs(part - Fraction(value * w, sum(weights))) < 1 for part, w in zip(parts, weights, strict=True))


@DRAWN
@given(delivered(), st.sampled_from([LAST, D(2024, 3, 31), D(2024, 3, 10)]))
def test_sums_are_the_books_and_a_base_is_what_customers_had_before_by_who_has_them_now(tables, as_of):
    with TemporaryDirectory() as folder:
        bank_ = written(Path(folder), tables, as_of)
        books = crm.panel.books(crm.panel.facts(bank_), bank_).collect()
    book = book_of(books.lazy(), None, pl.Series([0, 1], dtype=pl.Int32), "month")
    whole = book.periods["period"].to_list()
    names = [name for name in SUMS if name != "contribution"]
    expected = (
        books.filter(pl.col("month").is_in(whole))
        .group_by("manager_id", "line", period="month")
        .agg(pl.col(names).sum())
        .sort("manager_id", "line", "period")
    )
    found = (
        book.sums.group_by("manager_id", "line", "period").agg(pl.col(names).sum()).sort("manager_id", "line", "period")
    )
    assert_frame_equal(found.select(expected.columns), expected)
    for n in (1, 2):
        shifted = before(book, n)
        slow = slow_base(books, whole, n)
        sums = shifted.group_by("manager_id", "line", "period").agg(pl.col("balance_days").sum())
        assert {row[:3]: row[3] for row in sums.rows() if row[3]} == slow


def slow_base(books: pl.DataFrame, whole: list[date], n: int) -> dict[tuple, int]:
    """What each manager and line had `n` months before, a customer after the other."""
    result = defaultdict(int)
    rows = books.rows(named=True)
    for then, now in zip(whole[: max(len(whole) - n, 0)], whole[n:], strict=True):
        for customer, line in {(row["customer_id"], row["line"]) for row in rows}:
            mine = [row for row in rows if (row["customer_id"], row["line"]) == (customer, line)]
            was = {row["manager_id"]: row["balance_days"] for row in mine if row["month"] == then}
            has = {row["manager_id"]: row["kept_days"] for row in mine if row["month"] == now and row["kept_days"]}
            total, value = sum(has.values()), sum(was.values())
            if not has or (set(was) == set(has) and len(has) == 1):
                parts = was
            else:
                parts = {who: value * days // total for who, days in has.items()}
                order = sorted(
                    has, key=lambda who: (-(value * has[who] % total), -has[who], who is not None, who or "")
                )
                for who in order[: value - sum(parts.values())]:
                    parts[who] += 1
            for who, part in parts.items():
                result[who, line, now] += part
    return {key: value for key, value in result.items() if value}


@DRAWN
@given(delivered(), st.sampled_from([D(2024, 2, 29), D(2024, 3, 31)]))
def test_nothing_after_the_day_changes_an_assessment(tables, as_of):
    found = []
    for given_ in (tables, known(tables, as_of)):
        with TemporaryDirectory() as folder:
            bank_ = written(Path(folder), given_, as_of)
            facts = crm.panel.facts(bank_)
            books, customers = crm.panel.books(facts, bank_), crm.panel.customers(facts, bank_)
            gathered = managers.gathered(bank_, books, facts, channels=customers)
            try:
                found.append(managers.assessed(gathered, "month"))
            except InputError as error:
                found.append(str(error))
    if isinstance(found[0], str):
        assert found[0] == found[1]
    else:
        # Grades and dates of identification are of today: a day before the extract's they are not told.
        assert_frame_equal(*found)


def test_what_is_gathered_of_a_bank(tmp_path):
    tables = {
        "products": [*banks.PRODUCTS, {"product_id": "CARD", "line": "cards"}],
        "branches": [{"branch_id": "B1", "peer_group": "small"}],
        "managers": [
            {"manager_id": "M1", "branch_id": "B1", "grade": "senior"}, {"manager_id": "M2", "grade": "junior"}
        ],
        "manager_events": [{"manager_id": "M1", "on": "2024-02-10", "kind": "promoted"}],
        "customers": [banks.person("C1", kyc_due_on="2024-06-30"), banks.person("C2", referred_by_id="C1")],
        "accounts": [
            banks.account("L1", "C1", "P-LOAN"), banks.account("K1", "C2", "CARD", currency="USD"),
            banks.account("D1", "C1", closed_on="2024-02-20", close_reason="request"),
        ],
        "holders": [
            {"account_id": "D1", "customer_id": who, "role": role, "share": "0.5"}
            for who, role in (("C1", "owner"), ("C2", "joint"))
        ],
        "balances": [
            {"account_id": number, "on": "2023-12-31", "balance": balance, "kind": "anchor"}
            for number, balance in (("L1", "-700.00"), ("K1", "-15.50"), ("D1", "0.00"))
        ],
        "transactions": [
            banks.entry("2024-01-01", "L1", "1.00", "principal"), banks.entry("2024-02-29", "L1", "1.00", "principal"),
        ],
        "loan_status": [{"account_id": "L1", "on": "2024-01-10", "overdue_days": 5}],
        "fx_rates": [{"currency": "USD", "on": "2024-01-01", "rate": "2"}],
        "assignments": [
            {"manager_id": who, "role": role, "scope": "customer", "customer_id": "C1", "from_on": "2023-05-01"}
            for who, role in (("M1", "maintains"), ("M2", "originates"))
        ],
    }  # fmt: skip
    bank_ = crm.read(banks.write(tmp_path / "extracts", **tables), as_of="2024-02-29", landed=tmp_path / "landed")
    facts = crm.panel.facts(bank_)
    found = managers.gathered(bank_, crm.panel.books(facts, bank_), facts)
    assert found.managers.rows() == [
        ("M1", "B1", "small", "senior", D(2024, 2, 10)),
        ("M2", None, None, "junior", None),
    ]
    assert found.loans.select("month", "owed", "overdue_days").rows() == [
        (D(2024, 1, 31), 69_900, 26), (D(2024, 2, 29), 69_800, 55)
    ]  # fmt: skip
    assert found.cards.select("month", "average").rows() == [(D(2024, 1, 31), 3_100), (D(2024, 2, 29), 3_100)]
    names = dict(bank_.table("customers").select("customer_id", "customer_no").collect().rows())
    held = found.accounts.select("customer_id", "line", "closed_on").rows()
    assert sorted((names[who], line) for who, line, _ in held) == [
        ("C1", "deposits"), ("C1", "loans"), ("C2", "cards"), ("C2", "deposits")
    ]  # fmt: skip
    assert found.brought.drop_nulls("manager_id")["manager_id"].to_list() == ["M2"]
    assert found.identified["kyc_due_on"].drop_nulls().to_list() == [D(2024, 6, 30)]
    assert (found.surveys, found.contacts, found.targets) == (None, None, None)
    table = managers.assessed(found, "month")
    assert of(table, "overdue_1", "value") == [("M1", 1, 1), ("M1", 2, 0)]
    assert of(table, "overdue_2", "value") == [("M1", 1, 0), ("M1", 2, 1)]
    assert of(table, "loans_average", "value", "base") == [("M1", 1, 69_900, None), ("M1", 2, 69_897, 69_900)]
    assert of(table, "new_loans", "value") == [("M1", 1, -100), ("M1", 2, -100)]
    early = crm.read(tmp_path / "extracts", as_of="2024-02-15", landed=tmp_path / "landed")
    known_then = managers.gathered(early, crm.panel.books(facts, bank_), facts)
    assert known_then.managers["grade"].to_list() == [None, None]
    assert known_then.identified is None
