"""A book of ten accounts worked by hand: what stands in its tables is what crmlab finds, to the minor unit."""

import re
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

import crmlab as crm
from crmlab import panel
from crmlab.bank.read import Bank
from crmlab.measures import contribution, movement
from tests import banks

BOOK = Path(__file__).parents[2] / "data" / "published" / "ten-accounts.md"
TEXT = BOOK.read_text("utf-8")
DELIVERED = [
    "customers", "products", "branches", "managers", "accounts", "holders", "assignments", "repricings", "loan_status",
    "balances", "fx_rates", "ftp_curve", "transactions",
]  # fmt: skip
COMPONENTS = ["margin", "fee", "service_cost", "expected_loss"]
PLACE = ["customer_id", "month", "line", "manager_id"]
START, END = date(2024, 1, 31), date(2024, 3, 31)
LINES = {"aum": (["deposits", "wealth", "insurance"], 1), "loans": (["loans"], -1)}


def table(name: str) -> list[dict]:
    """The table of the book under the heading that names it."""
    _, _, below = re.split(rf"^(#+ .*`{name}`)$", TEXT, maxsplit=1, flags=re.MULTILINE)
    lines = re.search(r"(?:^\|.*\n)+", below, re.MULTILINE)[0].splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]


def whole(amount: str, digits: int = 2) -> int:
    return int(Decimal(amount).scaleb(digits))


def expected(name: str, keys: list[str], amounts: list[str]) -> list[tuple]:
    rows = [(*(row[key] for key in keys), *(whole(row[of]) for of in amounts)) for row in table(name)]
    return sorted(rows)


def found(frame: pl.DataFrame, keys: list[str], amounts: list[str]) -> list[tuple]:
    """Rows in the words of the book, those that are 0 throughout left out."""
    said = frame.select(pl.col(keys).cast(pl.String).fill_null(""), *amounts)
    return sorted(said.filter(pl.any_horizontal(pl.col(amounts) != 0)).rows())


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Bank:
    home = tmp_path_factory.mktemp("ten")
    folder = banks.write(home / "extracts", **{name: table(name) for name in DELIVERED})
    (folder / "policy.toml").write_text(re.search(r"```toml\n(.*?)```", TEXT, re.DOTALL)[1], "utf-8")
    return crm.read(folder, as_of=END, landed=home / "landed")


@pytest.fixture(scope="module")
def facts(bank) -> pl.LazyFrame:
    return panel.facts(bank)


@pytest.fixture(scope="module")
def names(bank) -> pl.DataFrame:
    """Who bears which number."""
    return bank.table("customers").select("customer_id", "customer_no").collect()


@pytest.fixture(scope="module")
def lines(bank, facts, names) -> pl.DataFrame:
    return named(contribution.lines(facts, bank), names)


@pytest.fixture(scope="module")
def books(bank, facts, names) -> pl.DataFrame:
    return named(panel.books(facts, bank), names)


def named(frame: pl.LazyFrame | pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Customers by the names of the book."""
    numbered = frame.lazy().collect().join(names, on="customer_id", validate="m:1")
    return numbered.with_columns(customer_id="customer_no").drop("customer_no")


def test_every_row_is_loaded(bank):
    assert bank.rejects.n == 0


def test_months_are_cut_where_the_book_cuts_them(bank, facts):
    accounts = bank.table("accounts").select("account_id", "account_no").collect()
    cut = facts.collect().join(accounts, on="account_id").with_columns(account_id="account_no")
    said = cut.select(pl.col("account_id", "starts_on", "ends_on").cast(pl.String), "balance_days")
    assert sorted(said.rows()) == expected("balance_days", ["account_id", "starts_on", "ends_on"], ["balance_days"])


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_customer_is_worth_what_the_book_says(lines, component):
    hand = [row for row in expected("lines", PLACE, [component]) if row[-1]]
    assert found(lines, PLACE, [component]) == hand


def test_points_are_those_of_the_book(lines):
    hand = sorted((*(row[key] for key in PLACE), whole(row["points"], 3)) for row in table("lines"))
    assert found(lines, PLACE, ["points"]) == [row for row in hand if row[-1]]


def test_components_add_to_the_contribution_of_the_book(lines):
    total = contribution.long(lines).lazy().select(pl.col("amount").sum()).collect().item()
    assert total == sum(whole(row["contribution"]) for row in table("lines")) == 113231


def test_dollars_are_told_as_dollars(bank, facts):
    dollars = contribution.lines(facts, bank, currency="USD").group_by("month").agg(pl.col("margin", "fee").sum())
    assert dollars.sort("month").collect().rows() == [
        (date(2024, 1, 31), 1906, 0),
        (date(2024, 2, 29), 1883, 1000),
        (date(2024, 3, 31), 889, 0),
    ]


def test_march_changes_nothing_that_february_knew(bank, names):
    then = replace(bank, as_of=date(2024, 2, 29))
    lines = named(contribution.lines(panel.facts(then), then), names)
    hand = expected("lines", PLACE, COMPONENTS)
    assert found(lines, PLACE, COMPONENTS) == [row for row in hand if row[1] <= "2024-02-29" and any(row[4:])]


def test_books_move_as_in_the_book(books):
    amounts = ["opening", "flow", "interest", "valuation", "fx", "handed", "closing", "balance_days"]
    assert found(books, PLACE, amounts) == expected("books", PLACE, amounts)


@pytest.mark.parametrize("measure", LINES)
def test_the_bridge_is_that_of_the_book(books, measure):
    kept, sign = LINES[measure]
    bridge = movement.bridge(movement.spans(books, START, END, kept, sign), by="manager_id")
    amounts = ["opening", *movement.BUCKETS, "closing"]
    hand = [row[1:] for row in expected("bridge", ["measure", "manager_id"], amounts) if row[0] == measure]
    assert found(bridge, ["manager_id"], amounts) == hand


def test_contribution_is_bridged_as_in_the_book(lines):
    bridge = movement.bridge(movement.contribution_spans(lines, START, END)).row(0, named=True)
    hand = {"opening": 112171, "new": 758, "grown": 1648, "shrunk": 140351, "lost": 0, "handed": 0, "closing": -25774}
    assert {name: bridge[name] for name in hand} == hand
