"""The bank behind `contribution` and `bridge`: about three accounts a customer over 24 months, made once a size.

Master data go through `crm.read` as Parquet extracts. The facts do not: postings enough to fill them would be half a
billion rows. They are the months of the panel as it cuts them, with balances that walk at random and counts put in.
"""

import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl

import crmlab as crm
from crmlab.bank.read import Bank
from crmlab.panel.bookkeeping import books_of
from crmlab.panel.calendar import month_ends
from crmlab.panel.credit import credit
from crmlab.panel.months import monthly_facts
from crmlab.panel.relationships import parts_of, register

TMP = Path(__file__).with_name("tmp")
BEGINS, FIRST, LAST = date(2015, 1, 1), date(2023, 1, 1), date(2024, 12, 31)
MANAGERS, BRANCHES = 5_000, 250
# Product: line, term, share of customers who have it, client rate, median balance in minor units.
PRODUCTS = {
    "CUR": ("deposits", "demand", 1.0, "0.0035", 800_000),
    "SAV": ("deposits", "demand", 0.1, "0.009", 2_000_000),
    "TD": ("deposits", "term", 0.5, "0.0215", 5_000_000),
    "LOAN": ("loans", "term", 0.15, "0.045", -30_000_000),
    "CARD": ("cards", "demand", 0.45, "0", -300_000),
    "FUND": ("wealth", "demand", 0.3, None, 4_000_000),
    "EB": ("e-banking", "demand", 0.5, None, 0),
}
TERMS = {"TD": [3, 6, 12, 24, 36], "LOAN": [12, 36, 60, 240]}
CHANNELS = {"counter": 2, "atm": 3, "online": 4, "mobile": 9, "pos": 4}  # up to so many a month, exclusive
TENORS = [0, 3, 6, 12, 24, 36, 60, 120, 240]


class Book(NamedTuple):
    """A landed bank with its facts and books, a file a month."""

    bank: Bank
    facts: Path
    books: Path

    def months(self) -> Iterator[tuple[date, pl.LazyFrame]]:
        """The facts, month by month."""
        for month in month_ends(FIRST, LAST):
            yield month, pl.scan_parquet(self.facts / f"{month:%Y-%m}.parquet")


def book(customers: int) -> Book:
    """The book of so many customers, made unless it is there; the same number gives the same rows."""
    folder = TMP / f"book-{customers}"
    if not (folder / "extract" / "done").exists():
        (folder / "extract").mkdir(parents=True, exist_ok=True)
        _extract(folder / "extract", customers, np.random.default_rng(1))
        (folder / "extract" / "done").touch()
    bank = crm.read(folder / "extract", as_of=LAST, landed=folder / "landed")
    made = Book(bank, *(folder / bank.folder.name / name for name in ("facts", "books")))
    if not (made.books / "done").exists():
        for path in (made.facts, made.books):
            path.mkdir(parents=True, exist_ok=True)
        _facts(made, np.random.default_rng(2))
        _books(made)
        (made.books / "done").touch()
    return made


def _extract(folder: Path, customers: int, rng: np.random.Generator) -> None:
    people = np.arange(customers)
    since = rng.integers(0, (date(2022, 12, 31) - BEGINS).days, customers)
    since[0] = 0  # this customer's first account bears the two postings that landing asks for
    branch = _ids("B", rng.integers(0, BRANCHES, customers), 2)
    _put(folder, "customers", customer_id=_ids("C", people), kind="retail", since=_days(since), branch_id=branch)
    n_accounts = _accounts(folder, people, since, branch, rng)
    names = _ids("M", np.arange(MANAGERS), 4)
    _put(folder, "managers", manager_id=names, branch_id=_ids("B", np.arange(MANAGERS) % BRANCHES, 2), joined_on=BEGINS)
    _put(folder, "branches", branch_id=_ids("B", np.arange(BRANCHES), 2))
    _assignments(folder, people, rng)
    joint = rng.choice(n_accounts, n_accounts // 50, replace=False)
    other = rng.integers(0, customers, len(joint))
    held = {"account_id": _ids("A", np.tile(joint, 2)), "role": ["owner"] * len(joint) + ["joint"] * len(joint)}
    owner = pl.read_parquet(folder / "accounts.parquet", columns=["customer_id"])["customer_id"].gather(joint)
    both = pl.concat([owner, _ids("C", other)])
    shares = np.repeat(["0.6", "0.4"], len(joint))
    holders = pl.DataFrame({**held, "customer_id": both, "share": shares}).unique(["account_id", "customer_id"])
    whole = holders.filter(pl.len().over("account_id") == 2)
    whole.sort("account_id", "customer_id").write_parquet(folder / "holders.parquet")
    _prices(folder)
    _put(folder, "transactions", transaction_id=["1", "2"], account_id=_ids("A", np.zeros(2, int)),
         booked_on=[FIRST, LAST], amount="1.00", kind="payment", channel="mobile", initiated_by="customer")  # fmt: skip


def _accounts(folder: Path, people: np.ndarray, since: np.ndarray, branch: pl.Series, rng: np.random.Generator) -> int:
    has = {name: np.flatnonzero(rng.random(len(people)) < share) for name, (_, _, share, *_) in PRODUCTS.items()}
    owner = np.concatenate(list(has.values()))
    product = np.repeat(list(has), [len(of) for of in has.values()])
    term = np.zeros(len(owner), np.int32)
    for name, months in TERMS.items():
        term[product == name] = rng.choice(months, len(has[name]))
    # Most accounts are as old as their customer, the others were opened any day until the middle of the last year.
    later = rng.integers(0, (date(2024, 6, 30) - BEGINS).days, len(owner))
    opened = np.where(rng.random(len(owner)) < 0.7, since[owner], np.maximum(since[owner], later))
    opened[0] = 0
    abroad = (rng.random(len(owner)) < 0.05) & np.isin(product, ["SAV", "TD", "CUR"])
    rates = {name: rate for name, (_, _, _, rate, _) in PRODUCTS.items()}
    home = (product == "LOAN") & (term == 240)
    _put(
        folder, "accounts", account_id=_ids("A", np.arange(len(owner))), customer_id=_ids("C", owner),
        product_id=product, branch_id=branch.gather(owner), currency=np.where(abroad, "USD", "CNY"),
        opened_on=_days(opened), rate=pl.Series(product).replace_strict(rates, return_dtype=pl.String),
        term_months=pl.Series(term).replace(0, None),
        collateral=pl.Series(home).replace_strict({True: "home"}, default=None),
        limit=pl.Series(product).replace_strict({"CARD": "20000.00"}, default=None),
    )  # fmt: skip
    lines = [(name, line, term) for name, (line, term, *_) in PRODUCTS.items()]
    pl.DataFrame(lines, schema=["product_id", "line", "term"], orient="row").write_parquet(folder / "products.parquet")
    loans = np.flatnonzero(product == "LOAN")
    overdue = rng.choice(loans, len(loans) // 30, replace=False)
    fell = rng.integers((FIRST - BEGINS).days, (LAST - BEGINS).days, len(overdue))
    _put(
        folder, "loan_status", account_id=_ids("A", np.concatenate([loans, overdue])),
        on=_days(np.concatenate([opened[loans], np.maximum(fell, opened[overdue] + 1)])),
        risk_grade=np.array(["A", "B", "C"])[rng.integers(0, 3, len(loans) + len(overdue))],
        overdue_days=np.repeat([0, 100], [len(loans), len(overdue)]),
    )  # fmt: skip
    return len(owner)


def _assignments(folder: Path, people: np.ndarray, rng: np.random.Generator) -> None:
    """Most customers have a manager; every twentieth is handed over on some day of the history."""
    kept = people[rng.random(len(people)) < 0.7]
    manager = rng.integers(0, MANAGERS, len(kept))
    handed = rng.choice(len(kept), len(people) // 20, replace=False)
    day = rng.integers((FIRST - BEGINS).days + 1, (LAST - BEGINS).days, len(handed))
    ends = pl.repeat(None, len(kept), dtype=pl.Date, eager=True).scatter(handed, _days(day - 1))
    begins = pl.concat([pl.repeat(BEGINS, len(kept), dtype=pl.Date, eager=True), _days(day)])
    _put(
        folder, "assignments",
        manager_id=_ids("M", np.concatenate([manager, (manager[handed] + 1) % MANAGERS]), 4),
        role="maintains", scope="customer", customer_id=_ids("C", np.concatenate([kept, kept[handed]])),
        from_on=begins, to_on=pl.concat([ends, pl.repeat(None, len(handed), dtype=pl.Date, eager=True)]),
    )  # fmt: skip


def _prices(folder: Path) -> None:
    quarters = pl.date_range(date(2014, 10, 1), LAST, "3mo", eager=True).to_list()
    points = [(currency, line, tenor, on, f"{0.015 + tenor / 20_000 + (line == 'loans') / 200:.4f}")
              for currency in ("CNY", "USD") for line in ("deposits", "loans")
              for tenor in TENORS for on in quarters]  # fmt: skip
    named = ["currency", "line", "term_months", "on", "rate"]
    pl.DataFrame(points, schema=named, orient="row").write_parquet(folder / "ftp_curve.parquet")
    months = month_ends(date(2022, 12, 1), LAST)
    rates = [f"{7 + n / 100:.2f}" for n in range(len(months))]
    _put(folder, "fx_rates", currency="USD", on=months, rate=rates)


def _facts(book: Book, rng: np.random.Generator) -> None:
    """The months of the panel, with balances and counts put in."""
    owned = book.bank.table("accounts").select("account_id", "product_id").sort("account_id").collect()
    product = owned["product_id"]
    medians = product.replace_strict({name: of[4] for name, of in PRODUCTS.items()}, return_dtype=pl.Float64)
    balance = (medians.to_numpy() * rng.lognormal(0, 1, owned.height)).astype(np.int64)
    is_busy = product.is_in(["CUR", "CARD"]).to_numpy()
    for month, frame in zip(month_ends(FIRST, LAST), monthly_facts(book.bank), strict=True):
        account = frame["account_id"].to_numpy()
        # An account that the panel cuts moves in the first part of its month.
        moves = frame["account_id"].is_first_distinct().to_numpy()
        opening, busy = np.where(moves, balance[account], 0), is_busy[account]
        flow = (opening * rng.normal(0, 0.05, len(account))).astype(np.int64)
        interest = opening // 1_000
        fees = np.where(busy & moves & (rng.random(len(account)) < 0.1), -rng.integers(100, 2_000, len(account)), 0)
        balance[account[moves]] += (flow + interest + fees)[moves]
        closing = balance[account]
        opening = np.where(moves, opening, closing)
        counts = {f"n_{name}": rng.integers(0, n, len(account), np.int32) * busy for name, n in CHANNELS.items()}
        frame = frame.with_columns(
            opening=opening, inflow=flow.clip(min=0), outflow=(-flow).clip(min=0), interest=interest, fees=fees,
            own_transfer=pl.lit(0, pl.Int64), valuation=pl.lit(0, pl.Int64), closing=closing,
            balance_days=closing * frame["days"].to_numpy() - (closing - opening) * (frame["days"].to_numpy() // 2),
            n_transactions=sum(counts.values()) + busy, **counts,
        )  # fmt: skip
        frame.cast({name: pl.Int32 for name in ("n_transactions", *counts)}).write_parquet(
            book.facts / f"{month:%Y-%m}.parquet"
        )


def _books(book: Book) -> None:
    of, who = register(book.bank), credit(book.bank)
    for month, facts in book.months():
        books = books_of(parts_of(facts.collect(), of, book.bank), month, of, who, book.bank)
        books.write_parquet(book.books / f"{month:%Y-%m}.parquet")


def _put(folder: Path, table: str, **columns) -> None:
    frame = pl.select(**{name: pl.Series(of) if np.ndim(of) else pl.lit(of) for name, of in columns.items()})
    frame.write_parquet(folder / f"{table}.parquet")


def _ids(letter: str, numbers: np.ndarray, width: int = 7) -> pl.Series:
    return letter + pl.Series(numbers).cast(pl.String).str.zfill(width)


def _days(numbers: np.ndarray) -> pl.Series:
    return (pl.Series(numbers).cast(pl.Int32) + (BEGINS - date(1970, 1, 1)).days).cast(pl.Date)


if __name__ == "__main__":
    book(int(sys.argv[1]))
