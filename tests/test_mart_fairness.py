"""What managers are compared by in a year: the money of their customers, and the days they answer for it."""

from datetime import date

import polars as pl
import pytest

from crmlab.mart.fairness import amounts
from tests.test_assessed import ACCOUNT, BOOK, DAYS, LONG_AGO, MONTHS, SPELL, bank, held, opened, spell

D = date
JANUARY, FEBRUARY, MARCH = MONTHS
YEAR = DAYS[FEBRUARY] + DAYS[MARCH]  # it began with February


def days_of(books: list[dict], spells: list[dict], accounts: list[dict], there: tuple[int, ...] = (1,)) -> dict:
    """By measure and manager, days and money; everybody earns us 7 a row of the books."""
    lines = pl.DataFrame(books, BOOK).select("customer_id", "month", "line", "manager_id", margin=pl.lit(7, pl.Int64))
    known = bank(keeping=pl.DataFrame(spells, SPELL), accounts=pl.DataFrame(accounts, ACCOUNT))
    rows = amounts(
        pl.LazyFrame(books, BOOK), lines.lazy(), known, pl.Series(there, dtype=pl.Int32), JANUARY, MARCH
    )  # fmt: skip
    of = rows.group_by("measure", "manager_id").agg(pl.col("n", "value").sum())
    return {row[:2]: (round(row[2] / 1e6, 3), row[3]) for row in of.rows()}


STAYS = [opened(1)]
WITH_M1 = [spell(1, "M1", LONG_AGO)]
HANDED = [spell(1, "M1", LONG_AGO, JANUARY), spell(1, "M2", D(2024, 2, 1))]
GONE = held(1, 2, "M1", 500, days=20, net_inflow=-500)
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
            [held(1, 2, "M1", 500, days=20, kept_days=12_000_000, net_inflow=-300),
             held(1, 2, "M2", 500, days=20, kept_days=8_000_000, net_inflow=-200)],
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
