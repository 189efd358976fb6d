"""The rows behind an assessment: which customers, and that they add up to it exactly."""

from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crmlab as crm
from crmlab.errors import InputError
from crmlab.measures import managers
from crmlab.policy import MEASURES
from tests.random_banks import DRAWN, LAST, delivered, written
from tests.test_assessed import (
    ACCOUNT,
    BOOK,
    COUNTS,
    HELD,
    LONG_AGO,
    MONTHS,
    SPELL,
    SPELLS,
    D,
    bank,
    frame,
    held,
    on,
    opened,
    spell,
)

KEY = ["manager_id", "period", "measure"]
BASED = ("deposits_average", "savings_average", "loans_average", "investments_average", "net_new_money", "new_loans",
         "contribution")  # fmt: skip
MARCH = MONTHS[2]
HANDED = [
    *(row for row in HELD if (row["customer_id"], row["month"]) != (2, MARCH)),
    held(2, 3, "M1", 620, days=11), held(2, 3, "M2", 620, days=20, opening=0),
]  # fmt: skip
INSIDE = [
    *(one for one in SPELLS if one["customer_id"] != 2),
    spell(2, "M1", LONG_AGO, D(2024, 3, 11)), spell(2, "M2", D(2024, 3, 12)),
]  # fmt: skip


def behind(known: managers.Known, measure: str, *columns: str, period: str = "month") -> list[tuple]:
    """The rows of March behind a measure."""
    asked = managers.assessed(known, period).filter(pl.col("measure") == measure, pl.col("period") == MARCH)
    rows = managers.rows_behind(known, asked, period)
    return rows.select("manager_id", "customer_id", *columns).rows()


def differing(known: managers.Known, period: str) -> tuple[pl.DataFrame, set[str]]:
    """Where rows do not add up to the assessment, and the measures that have rows."""
    table = managers.assessed(known, period)
    rows = managers.rows_behind(known, table, period)
    sums = rows.group_by(KEY).agg(pl.col("value", "n", "n_events", "base").sum())
    told = table.filter(pl.col("value").is_not_null()).join(sums, on=KEY, how="left", suffix="_rows")
    told = told.with_columns(pl.col("value_rows", "n_rows", "n_events_rows", "base_rows").fill_null(0))
    is_rate, is_based = pl.col("n").is_not_null(), pl.col("measure").is_in(list(BASED))
    adds = pl.when(is_rate).then((pl.col("n") == pl.col("n_rows")) & (pl.col("n_events") == pl.col("n_events_rows")))
    adds = adds.otherwise(pl.col("value") == pl.col("value_rows"))
    based = pl.when(is_based).then(pl.col("base").fill_null(0) == pl.col("base_rows")).otherwise(pl.lit(True))
    assert rows.join(table, on=KEY, how="anti").is_empty()
    return told.filter(~(adds & based)), set(rows["measure"])


def test_money_is_told_by_customer_with_what_was_handed_over_on_which_day():
    known = bank(books=pl.LazyFrame(HANDED, BOOK), keeping=pl.DataFrame(INSIDE, SPELL))
    day = D(2024, 3, 12)
    assert behind(known, "deposits_average", "why", "on", "share", "value", "base") == [
        ("M1", 1, "kept", None, 1_000_000, 1_000, 1_000), ("M1", 2, "handed out", day, 354_838, 220, 177),
        ("M2", 2, "handed in", day, 645_161, 400, 323), ("M2", 3, "kept", None, 1_000_000, 300, 200),
    ]  # fmt: skip
    assert behind(known, "deposits_growth", "why", "value", "base") == [
        ("M1", 2, "handed out", 43, None), ("M2", 2, "handed in", 77, None), ("M2", 3, "kept", 100, None),
    ]  # fmt: skip


def test_what_left_soon_after_a_handover_is_taken_from_one_and_laid_to_the_other():
    books = [row | ({"flow": -600} if (row["customer_id"], row["month"]) == (2, MARCH) else {}) for row in HELD]
    accounts = [opened(n) for n in (1, 3, 4)] + [opened(2, end=D(2024, 3, 20), why="request")]
    known = bank(books=pl.LazyFrame(books, BOOK), accounts=pl.DataFrame(accounts, ACCOUNT))
    assert behind(known, "net_new_money", "why", "on", "value") == [
        ("M1", 2, "answered for", D(2024, 3, 20), -600),
        ("M2", 2, "handed in", D(2024, 3, 1), -600), ("M2", 2, "answered for", D(2024, 3, 20), 600),
    ]  # fmt: skip
    assert behind(known, "retention", "why", "on", "n", "n_events") == [
        ("M1", 1, "kept", MARCH, 1, 1), ("M1", 2, "answered for", D(2024, 3, 20), 1, 0), ("M2", 3, "kept", MARCH, 1, 1)
    ]  # fmt: skip


def test_what_is_counted_is_told_one_by_one_with_its_day():
    assert behind(bank(**COUNTS["satisfaction"]), "satisfaction", "on", "n", "n_events") == [
        ("M1", 1, D(2024, 3, 2), 1, 7), ("M1", 1, D(2024, 3, 9), 1, 10), ("M2", 2, D(2024, 3, 9), 1, 4),
    ]  # fmt: skip
    assert behind(bank(**COUNTS["complaints"]), "complaints", "on", "value") == [("M2", 2, D(2024, 3, 1), 1)]
    spoken = bank(contacts=frame([on(1, D(2024, 1, 5), outcome="reached")], on=pl.Date, outcome=pl.String))
    assert behind(spoken, "contacts_on_schedule", "n", "n_events", period="quarter")[:1] == [
        ("M1", 1, 1, 1)
    ]  # fmt: skip


@pytest.mark.parametrize("period", ["month", "quarter"])
@pytest.mark.parametrize("part", [{}, *COUNTS.values()], ids=["nothing more", *COUNTS])
def test_rows_add_up_to_what_was_assessed(part, period):
    money = {"books": pl.LazyFrame(HANDED, BOOK), "keeping": pl.DataFrame(INSIDE, SPELL)}
    wrong, _ = differing(bank(**money | part), period)
    assert wrong.rows() == []


@DRAWN
@given(delivered(), st.sampled_from([LAST, D(2024, 3, 31)]))
def test_rows_add_up_on_any_bank(tables, as_of):
    with TemporaryDirectory() as folder:
        bank_ = written(Path(folder), tables, as_of)
        facts = crm.panel.facts(bank_)
        books, customers = crm.panel.books(facts, bank_), crm.panel.customers(facts, bank_)
        earned = crm.contribution.lines(facts, bank_)
        known = managers.gathered(bank_, books, facts, earned, customers)
        try:
            wrong, _ = differing(known, "month")
        except InputError as error:
            assert "Nobody maintains" in str(error)  # noqa: PT017 - nothing is assessed, so nothing is behind it
            return
    assert wrong.rows() == []


def test_only_what_is_asked_for_is_told():
    known = bank(**COUNTS["complaints"])
    table = managers.assessed(known, "month")
    asked = table.filter(pl.col("manager_id") == "M2", pl.col("measure").is_in(["complaints", "collection"]))
    assert managers.rows_behind(known, asked, "month")["manager_id"].unique().to_list() == ["M2"]
    assert managers.rows_behind(known, asked.clear(), "month").is_empty()
    assert "collection" in MEASURES  # no table tells of it, so that it has no rows
    with pytest.raises(InputError, match="There is no period week"):
        managers.rows_behind(known, asked, "week")
    with pytest.raises(InputError, match=r"managers\.rows_behind needs a column value"):
        managers.rows_behind(known, asked.drop("value"), "month")
