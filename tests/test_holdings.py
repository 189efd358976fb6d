"""Holdings: accounts of a product become spells, as counted day by day, and nothing after `as_of` is seen."""

import tempfile
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crmlab as crm
from tests import banks

GAP = crm.policy.load().crosssell.gap_days
FIRST = date(2023, 1, 1)
LAST = date(2024, 3, 31)


def held(folder: Path, accounts: list[dict], as_of: date = LAST, **tables) -> pl.DataFrame:
    """The holdings of a bank of four customers with these accounts."""
    people = [banks.person(f"C{n}", kind="corporate" if n == 4 else "retail") for n in range(1, 5)]
    entries = [banks.entry(str(FIRST), accounts[0]["account_id"], "1.00")]
    given_tables = {
        "products": banks.PRODUCTS, "customers": people, "accounts": accounts, "transactions": entries, **tables,
    }  # fmt: skip
    folder = banks.write(folder / "extracts", **given_tables)
    return crm.panel.holdings(crm.read(folder, as_of=as_of, landed=folder.parent / "landed"))


def days(offset: int) -> date:
    return FIRST + timedelta(days=offset)


def test_holdings_of_six_customers(tmp_path):
    bank = crm.read(banks.six(tmp_path / "x"), as_of="2024-03-31", landed=tmp_path / "landed")
    start = date(2023, 1, 1)
    rows = crm.panel.holdings(bank).select("customer_id", "kind", "product", "line", "opened_on", "closed_on").rows()
    assert rows == [
        (0, "retail", "Current account", "deposits", start, None),
        (0, "retail", "Loan", "loans", date(2024, 2, 5), None),
        (1, "retail", "Current account", "deposits", start, None),
        (2, "corporate", "Current account", "deposits", start, None),
        (3, "retail", "Current account", "deposits", start, None),
        (4, "retail", "Current account", "deposits", start, None),  # joint with the one before
        (4, "retail", "Fund", "wealth", start, None),
        (5, "retail", "Current account", "deposits", date(2024, 1, 10), date(2024, 2, 20)),
    ]


@pytest.mark.parametrize(("gap", "n_spells"), [(GAP, 1), (GAP + 1, 2)])
def test_a_deposit_renewed_in_a_new_account_is_not_taken_anew(tmp_path, gap, n_spells):
    accounts = [
        banks.account("A1", "C1", "P-TD", "2023-01-01", closed_on="2023-04-01"),
        banks.account("A2", "C1", "P-TD", str(date(2023, 4, 1) + timedelta(days=gap))),
    ]
    assert len(held(tmp_path, accounts)) == n_spells


def test_who_may_use_an_account_does_not_hold_it(tmp_path):
    roles = [
        {"account_id": "A1", "customer_id": "C1", "role": "owner", "share": "1"},
        {"account_id": "A1", "customer_id": "C2", "role": "user"},
    ]
    assert held(tmp_path, [banks.account("A1", "C1")], holders=roles)["customer_id"].to_list() == [0]


ACCOUNTS = st.lists(
    st.tuples(
        st.integers(1, 2), st.sampled_from(["P-CUR", "P-TD"]), st.integers(0, 500), st.none() | st.integers(0, 300)
    ),
    min_size=1, max_size=8,
)  # fmt: skip


def extract(drawn: list[tuple]) -> list[dict]:
    rows = []
    for n, (owner, product, start, length) in enumerate([(4, "P-CUR", 0, None), *drawn]):
        end = {} if length is None else {"closed_on": str(days(start + length))}
        rows.append(banks.account(f"A{n}", f"C{owner}", product, str(days(start)), **end))
    return rows


@settings(max_examples=15, deadline=None)
@given(ACCOUNTS, st.integers(100, 455))
def test_spells_are_those_counted_day_by_day(drawn, last):
    """A spell lasts while an account is open or one that closed opens again soon; as it was known then."""
    as_of = days(last)
    with tempfile.TemporaryDirectory() as folder:
        found = held(Path(folder), extract(drawn), min(as_of, LAST))
    expected = set()
    for owner, product in {row[:2] for row in drawn}:
        spans = sorted(
            (start, start + length if length is not None and start + length <= last else 10**6)
            for who, what, start, length in drawn
            if (who, what) == (owner, product) and start <= last
        )
        spells: list[list[int]] = []
        for start, end in spans:
            if spells and start - spells[-1][1] <= GAP:
                spells[-1][1] = max(spells[-1][1], end)
            else:
                spells.append([start, end])
        expected |= {(product, days(start), None if end == 10**6 else days(end), owner) for start, end in spells}
    # Customers are numbered in the order in which they joined; all joined on one day, so by their names.
    told = {
        (product, start, end, number + 1)
        for number, product, start, end in found.select(
            "customer_id", "product_id", "opened_on", "closed_on"
        ).iter_rows()
    }
    assert told - {("P-CUR", FIRST, None, 4)} == expected


def test_the_wall_what_comes_after_as_of_changes_nothing(tmp_path):
    as_of = date(2023, 6, 30)
    before = [banks.account("A1", "C1"), banks.account("A2", "C2", "P-TD", closed_on="2023-06-30")]
    later = [
        {**before[0], "closed_on": "2023-07-01", "close_reason": "request"}, before[1],
        banks.account("A3", "C2", "P-TD", "2023-07-02"), banks.account("A4", "C3", "P-FUND", "2023-07-01"),
    ]  # fmt: skip
    one, two = held(tmp_path / "one", before, as_of), held(tmp_path / "two", later, as_of)
    assert one.equals(two)
    assert one["closed_on"].to_list() == [None, as_of]
