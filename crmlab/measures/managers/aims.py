"""Targets of a period, moved with the customers who were handed over since they were set for."""

from datetime import date

import polars as pl

from crmlab.measures.given import in_64_bits, named
from crmlab.measures.managers.amounts import Book, parted
from crmlab.panel.exact import half_even
from crmlab.policy import MEASURES
from crmlab.policy.scoring import COUNT, MONEY

COLUMNS = ["measure", "manager_id", "set_on", "from_on", "to_on", "target"]
# What comes about in a time, so that half the time makes half the target; all else is a level, the same at any time.
OVER_TIME = (
    "net_new_money", "new_loans", "contribution", "deposits_growth", "loans_growth", "investments_growth",
    "contribution_growth", "new_customers", "referred_customers", "new_cards", "complaints", "missed_loan_checks",
    "integrity_breaches", "n_contacts",
)  # fmt: skip
KEY = ["manager_id", "period", "measure"]
AIMS = {"manager_id": pl.String, "period": pl.Date, "measure": pl.String, "target": pl.Int64}


def aims(targets: pl.DataFrame, book: Book, books: pl.LazyFrame, lines: tuple[str, ...]) -> pl.DataFrame:
    """The target of each manager, period and measure.

    A day belongs to the target of the shortest time that covers it, and of several as short to the one set last; none
    counts that was set after the period. So a longer target counts for the days that no shorter one covers. A target of
    something that comes about in a time counts for a period by its days in it; rounded (half even) is what its days up
    to a day make, so that the parts of a time add to the whole. Of a level or a rate the target counts, and whole, that
    the period's last day belongs to.

    Targets of money and counts move with the customers: of a manager's balances on `lines` when the target's time
    began, the part that is with others in the period takes the same part of the target along (half even), so that what
    one loses the others gain. Targets of rates stay, and so does the target of a time that began before the books.

    Parameters
    ----------
    targets
        measure, manager_id (null: a branch's, left out), set_on, from_on, to_on, target in the measure's unit. Measures
        that managers are not assessed by are left out.
    book
        The periods, and who maintains what in them.
    books
        As `panel.books` gives them.
    lines
        By whose balances a target moves: those of deposits and investments.

    Returns
    -------
    pl.DataFrame
        manager_id, period, measure, target.
    """
    named(targets.columns, COLUMNS, "managers.assessed")
    rows = targets.filter(pl.col("manager_id").is_not_null(), pl.col("measure").is_in(list(MEASURES)))
    known = rows.join(book.periods, how="cross").filter(
        pl.col("set_on") <= pl.col("period"),
        pl.col("from_on") <= pl.col("period"),
        pl.col("to_on") >= pl.col("starts_on"),
    )
    is_over_time = pl.col("measure").is_in(list(OVER_TIME))
    of_its_days = _due(pl.col("until")) - _due(pl.col("at"))
    held = _stretches(known).filter(is_over_time | (pl.col("until") > pl.col("period")))
    target = pl.when(is_over_time).then(of_its_days).otherwise("target")
    own = held.group_by(*KEY, "from_on").agg(target.cast(pl.Int64).sum())
    moves = [name for name, unit in MEASURES.items() if unit in (MONEY, COUNT)]
    shifted = own.filter(pl.col("measure").is_in(moves)).join(
        _shifts(own["from_on"].unique().sort().to_list(), book, books, lines), on=["manager_id", "period", "from_on"]
    )
    amount = half_even(
        pl.col("target").cast(pl.Int128) * pl.col("moved").cast(pl.Int128), pl.col("whole").cast(pl.Int128)
    )
    shifted = shifted.with_columns(amount=amount)
    parts = [
        own.select(*KEY, "target"),
        shifted.select(*KEY, target=-pl.col("amount")),
        shifted.select("period", "measure", manager_id="to_id", target="amount").select(*KEY, "target"),
    ]
    sums = pl.concat(parts).filter(pl.col("manager_id").is_not_null()).group_by(KEY)
    return in_64_bits(sums.agg(pl.col("target").cast(pl.Int128).sum())).sort(KEY)


def _due(day: pl.Expr) -> pl.Expr:
    """How much of a target its days before a day make."""
    whole = (pl.col("to_on") - pl.col("from_on")).dt.total_days() + 1
    passed = (day - pl.col("from_on")).dt.total_days()
    return half_even(pl.col("target").cast(pl.Int128) * passed, whole.cast(pl.Int128))


def _stretches(known: pl.DataFrame) -> pl.DataFrame:
    """The days of each period by the target they belong to: its columns, at (the first day), until (the day after)."""
    length = pl.col("to_on") - pl.col("from_on")
    # The shortest first; of those the one set last, of those the one that begins last, then the one that stands last.
    order = known.with_row_index("row").sort(
        length, "set_on", "from_on", "row", descending=[False, True, True, True], maintain_order=True
    )
    first = pl.max_horizontal("from_on", "starts_on")
    last = pl.min_horizontal("to_on", "period").dt.offset_by("1d")
    order = order.with_columns(first=first, last=last, place=pl.int_range(pl.len()))
    cuts = pl.concat([order.select(*KEY, at=name) for name in ("first", "last")]).unique().sort(*KEY, "at")
    days = cuts.with_columns(until=pl.col("at").shift(-1).over(KEY)).drop_nulls("until")
    covered = days.join(order, on=KEY).filter(pl.col("first") <= pl.col("at"), pl.col("last") > pl.col("at"))
    return covered.sort("place").unique([*KEY, "at"], keep="first", maintain_order=True)


def _shifts(starts: list[date], book: Book, books: pl.LazyFrame, lines: tuple[str, ...]) -> pl.DataFrame:
    """What of a manager's balances when a time began is with whom in a period, where that is not the same manager.

    manager_id, from_on, period, to_id (null: the branch), moved, whole (all their balances then, above 0).
    """
    changed = book.handed["customer_id"].unique()
    months = pl.DataFrame({"from_on": starts}, {"from_on": pl.Date}).with_columns(
        month=pl.col("from_on").dt.month_end()
    )
    held = books.filter(pl.col("line").is_in(list(lines)), pl.col("opening") > 0, pl.col("manager_id").is_not_null())
    held = held.join(months.lazy().select("month").unique(), on="month", how="semi")
    held = held.select("customer_id", "line", "manager_id", "month", "opening").collect(engine="streaming")
    whole = held.group_by("manager_id", "month").agg(whole=pl.col("opening").sum())
    then = held.filter(pl.col("customer_id").is_in(changed.implode())).join(months, on="month")
    now = book.handed.filter(pl.col("kept_days") > 0).select(
        "customer_id", "line", "period", "kept_days", to_id="manager_id"
    )
    beside = then.join(now, on=["customer_id", "line"]).filter(pl.col("period") >= pl.col("from_on"))
    key = ["customer_id", "line", "manager_id", "from_on", "period"]
    split = parted(beside.sort(*key, "to_id").rename({"opening": "moved"}), ["moved"], "kept_days", key)
    gone = split.filter(pl.col("to_id").ne_missing(pl.col("manager_id")), pl.col("moved") > 0)
    sums = gone.group_by("manager_id", "from_on", "period", "month", "to_id").agg(pl.col("moved").sum())
    return sums.join(whole, on=["manager_id", "month"]).drop("month")
