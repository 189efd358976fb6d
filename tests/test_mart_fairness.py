"""What managers are compared by in a year: their customers' money, how much is asked of whom, and who answers."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from crmlab.mart.fairness import amounts, sizes
from crmlab.measures import managers
from tests.test_assessed import ACCOUNT, BOOK, DAYS, LONG_AGO, MONTHS, SPELL, bank, held, opened, spell

D = date
JANUARY, FEBRUARY, MARCH = MONTHS
PART = {"customer_id": pl.Int32, "kind": pl.String, "tenth": pl.Int64}
YEAR = DAYS[FEBRUARY] + DAYS[MARCH]  # it began with February


def days_of(books: list[dict], spells: list[dict], accounts: list[dict], there: tuple[int, ...] = (1,)) -> dict:
    """By measure and manager, days and money; everybody earns us 7 a row of the books."""
    lines = pl.DataFrame(books, BOOK).select("customer_id", "month", "line", "manager_id", margin=pl.lit(7, pl.Int64))
    known = bank(keeping=pl.DataFrame(spells, SPELL), accounts=pl.DataFrame(accounts, ACCOUNT))
    had = pl.DataFrame({"customer_id": there, "size": YEAR * 1e6}, {"customer_id": pl.Int32, "size": pl.Float64})
    rows = amounts(pl.LazyFrame(books, BOOK), lines.lazy(), known, had, JANUARY, MARCH)
    of = rows.group_by("measure", "manager_id").agg(pl.col("n", "value").sum())
    return {row[:2]: (round(row[2] / 1e6, 3), row[3]) for row in of.rows()}


STAYS = [opened(1)]
WITH_M1 = [spell(1, "M1", LONG_AGO)]
HANDED = [spell(1, "M1", LONG_AGO, JANUARY), spell(1, "M2", D(2024, 2, 1))]
GONE = held(1, 2, "M1", 500, days=20, flow=-500)
TAKEN = GONE | {"manager_id": "M2"}
LOANS = {"line": "loans"}


@pytest.mark.parametrize(
    ("books", "spells", "accounts", "money", "earned"),
    [
        # who stays counts for the year, by day where there was a handover
        ([held(1, n, "M1", 500) for n in (1, 2, 3)], WITH_M1, STAYS, {"M1": (YEAR, 0)}, {"M1": (YEAR, 14)}),
        (
            [held(1, 2, "M1", 500), held(1, 3, "M1", 500, days=11), held(1, 3, "M2", 500, days=20)],
            [spell(1, "M1", LONG_AGO, D(2024, 3, 11)), spell(1, "M2", D(2024, 3, 12))], STAYS,
            {"M1": (40, 0), "M2": (20, 0)}, {"M1": (40, 14), "M2": (20, 7)},
        ),
        # who leaves counts for the year all the same
        ([GONE], WITH_M1, [opened(1, end=D(2024, 2, 20), why="request")], {"M1": (YEAR, -500)}, {"M1": (YEAR, 7)}),
        # but who died does not
        (
            [GONE], WITH_M1, [opened(1, end=D(2024, 2, 20), why="deceased")],
            {"M1": (DAYS[FEBRUARY], -500)}, {"M1": (DAYS[FEBRUARY], 7)},
        ),
        # soon after a handover it is the loss of who handed over; what was earned till then is not
        (
            [TAKEN], HANDED, [opened(1, end=D(2024, 2, 20), why="request")],
            {"M1": (YEAR, -500)}, {"M1": (DAYS[MARCH], 0), "M2": (DAYS[FEBRUARY], 7)},
        ),
        (
            [TAKEN], [spell(1, "M1", LONG_AGO, D(2023, 10, 1)), spell(1, "M2", D(2023, 10, 2))],
            [opened(1, end=D(2024, 2, 20), why="request")], {"M2": (YEAR, -500)}, {"M2": (YEAR, 7)},
        ),
        # who has the loans alone is not asked for deposits; where there are none, who has the loans could bring some
        (
            [*(held(1, n, "M1", 500) for n in (2, 3)), *(held(1, n, "M2", 9, **LOANS) for n in (2, 3))],
            WITH_M1, STAYS, {"M1": (YEAR, 0)}, {"M1": (YEAR / 2, 14), "M2": (YEAR / 2, 14)},
        ),
        ([held(1, n, "M2", 9, **LOANS) for n in (2, 3)], WITH_M1, STAYS, {"M2": (YEAR, 0)}, {"M2": (YEAR, 14)}),
        # shares 60 and 40, also of the days after the leaving
        (
            [held(1, 2, "M1", 500, days=20, kept_days=12_000_000, flow=-300),
             held(1, 2, "M2", 500, days=20, kept_days=8_000_000, flow=-200)],
            WITH_M1, [opened(1, end=D(2024, 2, 20), why="request")],
            {"M1": (YEAR * 0.6, -300), "M2": (YEAR * 0.4, -200)}, {"M1": (YEAR * 0.6, 7), "M2": (YEAR * 0.4, 7)},
        ),
        # the branch's days are nobody's
        (
            [held(1, 2, None, 500), held(1, 3, "M1", 500)], [spell(1, "M1", D(2024, 3, 1))], STAYS,
            {"M1": (DAYS[MARCH], 0)}, {"M1": (DAYS[MARCH], 7)},
        ),
    ],
)  # fmt: skip
def test_days_of_the_year_are_those_one_answers_for(books, spells, accounts, money, earned):
    found = days_of(books, spells, accounts)
    for measure, expected in (("net_new_money", money), ("contribution", earned)):
        assert {who: told for (name, who), told in found.items() if name == measure} == expected


def test_who_came_within_the_year_has_no_past_to_be_compared_by():
    assert days_of([held(2, 3, "M1", 500), held(1, 2, "M1", 1)], WITH_M1, STAYS)["net_new_money", "M1"][1] == 0
    assert days_of([held(2, 3, "M1", 500)], WITH_M1, STAYS) == {}


def test_more_is_asked_of_those_who_had_more():
    books = [
        held(1, 1, "M1", 600), held(1, 1, "M2", -400, line="loans"), held(1, 1, "M1", 99, line="settlement"),
        held(2, 1, "M1", 300), held(3, 1, "M1", 0), held(4, 1, "M1", 70), held(1, 2, "M1", 10**9),
    ]  # fmt: skip
    there = pl.DataFrame({"customer_id": [1, 2, 3, 4, 5], "kind": ["a", "a", "a", "b", "c"]})
    found = sizes(pl.LazyFrame(books, BOOK), bank(), there.cast({"customer_id": pl.Int32}), JANUARY)
    # With 0.3 of the medians of kinds, 300 and 70; of whom nothing is known, next to nothing.
    assert found.rows() == [(1, 1_090), (2, 390), (3, 90), (4, 91), (5, 1)]


@pytest.mark.parametrize("rich", [2.0, -2.0])
def test_who_was_handed_the_richest_or_the_poorest_is_not_called_out(rich):
    """Everybody brings what they have, and chance; manager 0 has those far up in the highest tenth, or down."""
    rng, called = np.random.default_rng(1899), 0
    for _ in range(20):
        manager = np.repeat(np.arange(40), rng.integers(80, 200, 40))
        balance = np.exp(10 + 1.3 * rng.normal(rich * (manager == 0))).round().astype(int)
        brought = (balance * (1 + rng.normal(0, 0.5, len(manager)))).astype(int)
        books = pl.concat(
            pl.DataFrame(
                {"customer_id": range(len(manager)), "line": "deposits", "manager_id": [f"M{one}" for one in manager],
                 "flow": brought * (month == MARCH), "balance_days": balance * DAYS[month], "month": month,
                 "days": DAYS[month], "kept_days": DAYS[month] * 10**6},
                schema_overrides={"customer_id": pl.Int32},
            )
            for month in MONTHS
        ).lazy()  # fmt: skip
        tenth = pl.Series(balance).rank("ordinal").cast(pl.Int64) * 10 // (len(manager) + 1)
        mix = pl.DataFrame({"customer_id": range(len(manager)), "kind": "retail", "tenth": tenth}, PART)
        known = bank(keeping=pl.DataFrame(schema=SPELL), accounts=pl.DataFrame(schema=ACCOUNT))
        earned = books.select("customer_id", "month", "line", "manager_id", margin="flow")
        rows = amounts(books, earned, known, sizes(books, known, mix, JANUARY), JANUARY, MARCH).join(
            mix, on="customer_id"
        )
        told = managers.assessment(rows, ["kind", "tenth"], kind="amount", by=["measure"]).filter(manager_id="M0")
        called += told["verdict"].is_in(["clearly above", "clearly below"]).sum()
    assert called <= 1
