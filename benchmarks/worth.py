"""What customers are worth, timed on a large book: the cases, and the bare pass beside each."""

import polars as pl

from benchmarks.book import FIRST, LAST, Book
from crmlab.measures import movement
from crmlab.measures.contribution import ledger
from crmlab.measures.contribution.statement import NEEDED
from crmlab.measures.managers.amounts import amounts, book_of
from crmlab.panel.ahead import ahead
from crmlab.panel.bookkeeping import books_of
from crmlab.panel.calendar import month_end
from crmlab.panel.credit import credit
from crmlab.panel.relationships import parts_of, register

ENDS = month_end(FIRST), LAST


def contribution(book: Book) -> None:
    """`contribution.lines` month by month, as the build makes them."""
    of = ledger(book.bank)
    for _ in ahead(lambda item: of.lines(item[1].select(NEEDED).collect(), item[0]), book.months()):
        pass


def bare_contribution(book: Book) -> None:
    """The same columns of facts, grouped by account and month and summed."""
    keys, rest = ["account_id", "month"], ["starts_on"]
    sums = [name for name in NEEDED if name not in [*keys, *rest]]
    for _, facts in book.months():
        facts.group_by(keys).agg(pl.col(rest).first(), pl.col(sums).sum()).collect(engine="streaming")


def bridge(book: Book) -> None:
    """`movement.spans` of AUM from the first month to the last, and `movement.bridge` by manager and by branch."""
    aum = book.bank.policy.lines_of("deposits", "investments")
    spans = movement.spans(pl.scan_parquet(book.books), *ENDS, aum)
    movement.bridge(spans, by="manager_id")
    people = book.bank.table("customers").select("customer_id", "branch_id").collect()
    movement.bridge(spans.join(people, on="customer_id", how="left"), by="branch_id")


def bare_bridge(book: Book) -> None:
    """The same columns of books, grouped by customer and manager and summed."""
    rows = pl.scan_parquet(book.books).group_by(movement.KEYS)
    sums = pl.col(*movement.FLOWS, "closing", "n_open").sum()
    rows.agg(sums, pl.col("month", "line").first()).collect(engine="streaming")


def assessed(book: Book) -> None:
    """What each manager's customers had and moved, quarter by quarter, with bases that move with every handover."""
    retail = book.bank.table("customers").select("customer_id").collect()["customer_id"]
    amounts(book_of(pl.scan_parquet(book.books), None, retail, "quarter"), book.bank.policy)


def bare_assessed(book: Book) -> None:
    """The same columns of books beside each customer's first manager, grouped by manager, month and line and summed."""
    first = book.bank.table("assignments").group_by("customer_id").agg(pl.col("manager_id").first())
    rows = pl.scan_parquet(book.books).drop("manager_id").join(first, on="customer_id", how="left")
    sums = pl.col("balance_days", "flow", "kept_days").sum()
    rows.group_by("manager_id", "month", "line").agg(sums).collect(engine="streaming")


def books(book: Book) -> None:
    """`panel.books` month by month, as the build makes them."""
    of, who = register(book.bank), credit(book.bank)
    for month, facts in book.months():
        books_of(parts_of(facts.collect(), of, book.bank), month, of, who, book.bank)
