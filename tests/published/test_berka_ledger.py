"""Balance-days of the published Berka bank (PKDD'99) against a daily ledger kept by brute force, to the haler."""

import csv
import gzip
import random
from collections import Counter, defaultdict
from datetime import date, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest

import crmlab as crm
from crmlab.bank import berka
from crmlab.bank.check import check
from tests import brute
from tests.conftest import shared

SIGN = {"PRIJEM": 1, "VYDAJ": -1, "VYBER": -1}
FIRST, CUT, EVE = date(1993, 1, 1), date(1993, 7, 1), date(1993, 6, 30)
LOST, STATED = 539, 15  # accounts older than the cut: without any balance, and with one recorded on its day
AS_OF = [date(1994, 2, 28), date(1994, 3, 30)]
OTHERS = ("account", "client", "disp", "order", "loan", "card", "district")


class Posting(NamedTuple):
    """A row of the published file: the amount with its sign, and the balance recorded beside it."""

    account: str
    on: date
    amount: int
    balance: int


class Published(NamedTuple):
    """What the files say, read without a line of ours."""

    lines: list[str]
    postings: dict[str, list[Posting]]
    opened: dict[str, date]


def day(text: str) -> date:
    return datetime.strptime(f"19{text}", "%Y%m%d").date()


def haler(text: str) -> int:
    return int(Decimal(text) * 100)


@pytest.fixture(scope="module")
def folder() -> Path:
    return shared("berka")


@pytest.fixture(scope="module")
def published(folder) -> Published:
    text = gzip.decompress((folder / "trans.asc.gz").read_bytes()).decode("ascii")
    postings = defaultdict(list)
    for row in csv.DictReader(StringIO(text), delimiter=";"):
        posting = Posting(
            row["account_id"], day(row["date"]), SIGN[row["type"]] * haler(row["amount"]), haler(row["balance"])
        )
        postings[posting.account].append(posting)
    with (folder / "account.asc").open(encoding="ascii", newline="") as file:
        opened = {row["account_id"]: day(row["date"]) for row in csv.DictReader(file, delimiter=";")}
    return Published(text.splitlines(), postings, opened)


@pytest.fixture(scope="module")
def cut(folder, published, tmp_path_factory) -> Path:
    """The same files, but with the postings from 1993-07-01 on only."""
    copy = tmp_path_factory.mktemp("cut") / "berka"
    copy.mkdir()
    for name in OTHERS:
        (copy / f"{name}.asc").symlink_to(folder / f"{name}.asc")
    head, *rows = published.lines
    kept = [row for row in rows if row.split(";")[2] >= "930701"]
    assert 0 < len(kept) < len(rows)
    with gzip.open(copy / "trans.asc.gz", "wt", encoding="ascii", compresslevel=1) as file:
        file.write("\n".join([head, *kept]))
    return copy


@pytest.fixture(scope="module")
def anchored(cut, published, tmp_path_factory) -> Path:
    """The cut bank as CSV files of the dictionary, with each older account's closing of 1993-06-30 as an anchor."""
    copy = tmp_path_factory.mktemp("anchored") / "extracts"
    copy.mkdir()
    tables = {name: next(iter(read())).rows for name, read in berka.find(cut).tables.items()}
    older = [account for account, opened in published.opened.items() if opened < CUT]
    closing = [f"{ledger(published, account, FIRST, EVE)[EVE] / 100:.2f}" for account in older]
    anchors = pl.DataFrame({"account_id": older, "balance": closing}).with_columns(
        on=pl.lit("1993-06-30"), kind=pl.lit("anchor")
    )
    tables["balances"] = pl.concat([tables["balances"].cast(pl.String), anchors], how="diagonal")
    for name, rows in tables.items():
        rows.write_csv(copy / f"{name}.csv")
    return copy


def ledger(published: Published, account: str, first: date, last: date, opening: int = 0) -> dict[date, int]:
    flows = [(posting.on, posting.amount) for posting in published.postings[account] if posting.on >= first]
    return brute.daily_balances(first, last, opening, flows)


def months(published: Published, account: str, as_of: date, first: date = FIRST, opening: int = 0) -> list[tuple]:
    """Month, days, closing and balance-days from `first`, or from the day an account was opened if that is later."""
    first = max(first, published.opened[account])
    return brute.by_month(ledger(published, account, first, as_of, opening)).rows()


def sample(published: Published, as_of: date) -> list[str]:
    """50 random accounts among those open at `as_of`."""
    return random.Random(1993).sample(sorted(account for account, on in published.opened.items() if on <= as_of), 50)


def read(folder: Path, as_of: date):
    """The bank, and months of its accounts by number as `months` gives them."""
    bank = crm.read(folder, as_of=as_of, landed=folder.parent / "landed")
    numbers = bank.table("accounts").select("account_id", "account_no")
    facts = crm.panel.facts(bank).join(numbers, on="account_id")
    columns = ["month", pl.col("days").cast(pl.Int64), "closing", "balance_days"]
    found = facts.select("account_no", *columns).sort("account_no", "month").collect()
    return bank, {account: rows.drop("account_no").rows() for (account,), rows in found.group_by("account_no")}


@pytest.mark.parametrize("as_of", AS_OF, ids=str)
def test_balance_days_of_50_accounts_of_PKDD99_equal_a_daily_ledger(folder, published, tmp_path, as_of):  # noqa: N802
    copy = tmp_path / "berka"
    copy.symlink_to(folder)
    _, found = read(copy, as_of)
    for account in sample(published, as_of):
        assert (account, found[account]) == (account, months(published, account, as_of))


@pytest.mark.parametrize("as_of", AS_OF, ids=str)
def test_history_cut_at_July_1993_with_anchors_gives_the_same_ledger(anchored, published, as_of):  # noqa: N802
    bank, found = read(anchored, as_of)
    assert bank.history_from == CUT
    for account in {*sample(published, as_of), *opening_stated_on_the_first_day(published)}:
        since = [row for row in months(published, account, as_of) if row[0] >= CUT]
        assert (account, found[account]) == (account, since)
    assert check(bank, crm.panel.facts(bank)).unanchored.is_empty()


@pytest.mark.parametrize("as_of", AS_OF, ids=str)
def test_history_cut_at_July_1993_without_anchors_knows_no_balance_of_older_accounts(cut, published, as_of):  # noqa: N802
    bank, found = read(cut, as_of)
    young = {account for account, on in published.opened.items() if CUT <= on <= as_of}
    stated = opening_stated_on_the_first_day(published)
    lost = {account for account, on in published.opened.items() if on < CUT} - stated.keys()
    assert (len(lost), len(stated)) == (LOST, STATED)

    unknown = {(closing, balance_days) for account in lost for *_, closing, balance_days in found[account]}
    assert unknown == {(None, None)}
    report = check(bank, crm.panel.facts(bank))
    assert report.unanchored["account_no"].to_list() == sorted(lost)
    assert f"kept out of averages: {LOST}" in report.text
    assert not report.is_clean

    for account in set(sample(published, as_of)) & young:
        assert (account, found[account]) == (account, months(published, account, as_of))
    for account, opening in stated.items():
        assert (account, found[account]) == (account, months(published, account, as_of, CUT, opening))


def opening_stated_on_the_first_day(published: Published) -> dict[str, int]:
    """Older accounts with one posting on the first day: the balance beside it, less its amount, opens their history."""
    of_day = {
        account: [posting for posting in postings if posting.on == CUT]
        for account, postings in published.postings.items()
        if published.opened[account] < CUT
    }
    return {account: rows[0].balance - rows[0].amount for account, rows in of_day.items() if len(rows) == 1}


def test_the_mart_of_PKDD99_adds_up_to_the_ledgers_of_all_accounts(folder, published, tmp_path):  # noqa: N802
    as_of = AS_OF[0]
    mart = crm.build(folder, as_of, tmp_path / "mart")
    known = [account for account, on in published.opened.items() if on <= as_of]
    closing, balance_days = Counter(), Counter()
    for account in known:
        for month, _, at_end, over_days in months(published, account, as_of):
            closing[month] += at_end
            balance_days[month] += over_days
    deposits = mart.page("trend").filter(pl.col("class") == "deposits").group_by("month")
    sums = deposits.agg(pl.col("closing", "balance_days").sum(), pl.col("n_holders").sum()).sort("month")
    assert {month: rest for month, *rest in sums.select("month", "closing", "balance_days").iter_rows()} == {
        month: [closing[month], balance_days[month]] for month in closing
    }
    roster = mart.page("roster")
    assert roster.height == sums["n_holders"][-1] == len(known)
    assert roster["aum"].sum() == closing[as_of]


def test_the_roster_knows_no_balance_of_accounts_older_than_the_cut_history(cut, published, tmp_path):
    roster = crm.build(cut, AS_OF[0], tmp_path / "mart").page("roster")
    unknown = roster.filter(pl.col("aum").is_null())
    assert unknown.height == LOST
    assert unknown.select("aum_average", "deposits", "aum_change_month").null_count().row(0) == (LOST,) * 3
    closing = sum(
        months(published, account, AS_OF[0])[-1][2] for account, on in published.opened.items() if CUT <= on <= AS_OF[0]
    )
    stated = opening_stated_on_the_first_day(published).items()
    closing += sum(months(published, account, AS_OF[0], CUT, opening)[-1][2] for account, opening in stated)
    assert roster["aum"].sum() == closing


def test_the_sample_holds_older_and_younger_accounts_of_PKDD99(published):  # noqa: N802
    for as_of in AS_OF:
        older = sum(published.opened[account] < CUT for account in sample(published, as_of))
        assert 10 <= older <= 40
