"""Which cards count: those that are open at the month's end with enough on them over the days of the month."""

from datetime import date

import polars as pl
import pytest

import crmlab as crm
from crmlab.measures import managers
from tests import banks

PRODUCTS = [*banks.PRODUCTS, {"product_id": "CARD", "line": "cards"}]
MARCH, FEBRUARY = date(2024, 3, 31), date(2024, 2, 29)


def cards(folder, opened: str, as_of: str, *entries: tuple[str, str], **more) -> dict[date, int]:
    """The average of each month of a card that belongs to a customer of M1, and of that bank the new cards of March."""
    tables = {
        "products": PRODUCTS, "branches": [{"branch_id": "B1"}], "managers": [{"manager_id": "M1", "branch_id": "B1"}],
        "customers": [banks.person("C1")],
        "accounts": [banks.account("K1", "C1", "CARD", opened, **more), banks.account("D1", "C1", opened="2024-01-01")],
        "transactions": [
            banks.entry("2024-01-01", "D1", "1.00"), *(banks.entry(on, "K1", amount) for on, amount in entries)
        ],
        "assignments": [
            {"manager_id": "M1", "role": "maintains", "scope": "customer", "customer_id": "C1", "from_on": "2023-05-01"}
        ],
    }  # fmt: skip
    bank = crm.read(banks.write(folder / "extracts", **tables), as_of=as_of, landed=folder / "landed")
    facts = crm.panel.facts(bank)
    known = managers.gathered(bank, crm.panel.books(facts, bank), facts)
    averages = dict(known.cards.select("month", "average").rows())
    if as_of == str(MARCH):
        new = managers.assessed(known, "month").filter(pl.col("measure") == "new_cards", pl.col("period") == MARCH)
        averages["new"] = new["value"].item()
    return averages


@pytest.mark.parametrize(
    ("opened", "closed", "entries", "average", "new"),
    [
        # 100.00 are enough: on every day, or 200.00 on 16 of 31; not on the last day alone, unless it is as much
        ("2024-03-01", None, [("2024-03-01", "100.00")], 10_000, 1),
        ("2024-03-16", None, [("2024-03-16", "200.00")], 10_323, 1),
        ("2024-03-17", None, [("2024-03-17", "200.00")], 9_677, 0),
        ("2024-03-31", None, [("2024-03-31", "100.00")], 323, 0),
        ("2024-03-31", None, [("2024-03-31", "-3100.00")], 10_000, 1),
        # nor one that is closed by the end, whatever was on it before
        ("2024-03-01", "2024-03-03", [("2024-03-01", "9000.00"), ("2024-03-03", "-9000.00")], None, 0),
        ("2024-03-01", "2024-03-31", [("2024-03-01", "9000.00"), ("2024-03-31", "-9000.00")], None, 0),
        ("2024-02-01", "2024-03-30", [("2024-02-01", "100.00"), ("2024-03-30", "-100.00")], None, -1),
    ],
)
def test_a_card_counts_by_the_days_of_the_month(tmp_path, opened, closed, entries, average, new):
    found = cards(tmp_path, opened, str(MARCH), *entries, **({"closed_on": closed} if closed else {}))
    assert (found.get(MARCH), found["new"]) == (average, new)
    assert found.get(FEBRUARY) == (10_000 if new < 0 else None)


def test_of_a_month_that_is_not_over_the_days_known_count(tmp_path):
    found = cards(tmp_path, "2024-02-11", "2024-02-20", ("2024-02-11", "100.00"), closed_on="2024-02-25")
    assert found == {FEBRUARY: 5_000}
