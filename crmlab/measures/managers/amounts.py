"""The money of each manager, period by period, by the days they maintained it; and what of it was there before."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.measures.given import in_64_bits, named
from crmlab.panel.ahead import ahead
from crmlab.panel.exact import half_even
from crmlab.policy import Policy

PERIODS = {"month": "1mo", "quarter": "1q", "year": "1y"}
SUMS = ["balance_days", "flow", "contribution"]
CELL = ["customer_id", "line", "manager_id", "period"]
WHOSE = ["manager_id", "period", "line", "is_retail"]
NEEDED = ["customer_id", "month", "line", "manager_id", "balance_days", "flow", "kept_days", "days"]
NO_COMPONENT = ["customer_id", "month", "line", "manager_id", "points"]
KEYS = {
    "customer_id": pl.Int32, "line": pl.String, "manager_id": pl.String, "period": pl.Date, "is_retail": pl.Boolean,
}  # fmt: skip
AMOUNTS = {
    "manager_id": pl.String, "period": pl.Date, "measure": pl.String, "value": pl.Int64, "base": pl.Int64,
}  # fmt: skip


def last_day(on: pl.Expr, period: str) -> pl.Expr:
    """The last day of the month, quarter or year in which a day lies.

    Examples
    --------
    >>> from datetime import date
    >>> pl.select(last_day(pl.lit(date(2024, 2, 3)), "quarter")).item()
    datetime.date(2024, 3, 31)
    """
    every = PERIODS[period]
    return on.dt.truncate(every).dt.offset_by(every).dt.offset_by("-1d")


def periods(books: pl.LazyFrame, period: str) -> pl.DataFrame:
    """The periods of which every day is in the books: period (its last day), starts_on, days; in order.

    Examples
    --------
    >>> from datetime import date
    >>> books = pl.LazyFrame({"month": [date(2024, n, 28) for n in range(1, 5)], "days": [31, 29, 31, 10]})
    >>> periods(books.with_columns(pl.col("month").dt.month_end()), "quarter").row(0)
    (datetime.date(2024, 3, 31), datetime.date(2024, 1, 1), 91)
    """
    months = books.group_by("month").agg(pl.col("days").max()).collect(engine="streaming")
    first = pl.col("period").dt.truncate(PERIODS[period])
    return (
        months.group_by(period=last_day(pl.col("month"), period))
        .agg(pl.col("days").sum())
        .select("period", starts_on=first, days=pl.col("days").cast(pl.Int64))
        .filter(pl.col("days") == (pl.col("period") - pl.col("starts_on")).dt.total_days() + 1)
        .sort("period")
    )


class Book(NamedTuple):
    """What each manager's customers had, and each customer who had more than one manager (the branch is one)."""

    periods: pl.DataFrame  # as `periods` gives them
    sums: pl.DataFrame  # manager × period × line × is_retail: balance_days, flow, contribution
    handed: pl.DataFrame  # the same by customer, and kept_days
    has_contribution: bool


def book_of(
    books: pl.LazyFrame,
    contribution: pl.LazyFrame | None,
    retail: pl.Series,
    period: str,
    also: pl.Series | None = None,
) -> Book:
    """The books summed by period, in one pass over who kept whom and one over the months.

    Parameters
    ----------
    books
        As `panel.books` gives them.
    contribution
        As `contribution.lines` gives them.
    retail
        The customers who are persons.
    period
        month, quarter or year.
    also
        Customers to be held one by one, whoever kept them.
    """
    named(books.collect_schema().names(), NEEDED, "managers.assessed")
    whole = periods(books, period)
    sources = [books.select(NEEDED[:-1])]
    if contribution is not None:
        components = [name for name in contribution.collect_schema().names() if name not in NO_COMPONENT]
        amount = pl.sum_horizontal(components).cast(pl.Int64).alias("contribution")
        sources.append(contribution.select(*NO_COMPONENT[:-1], amount))
    months = books.select("month").unique().sort("month").collect(engine="streaming")
    within = months.filter(last_day(pl.col("month"), period).is_in(whole["period"].implode()))["month"]
    changed = _changed([source.filter(pl.col("month").is_in(within.implode())) for source in sources])
    is_retail = _among(retail)
    is_held = _among(changed if also is None else pl.concat([changed, also.cast(changed.dtype)]))

    def read(item: tuple[date, pl.LazyFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
        month, source = item
        rows = source.filter(pl.col("month") == month).with_columns(period=last_day(pl.col("month"), period))
        rows = rows.drop("month").collect()
        customer = rows["customer_id"]
        rows = rows.with_columns(is_retail=is_retail(customer))
        return _summed(rows), rows.filter(is_held(customer))

    found = list(ahead(read, [(month, source) for month in within for source in sources]))
    sums, cells = [one for one, _ in found], [one for _, one in found]
    handed = _wide(cells, [*CELL, "is_retail"], ["kept_days"])
    return Book(whole, _wide(sums, WHOSE), handed, contribution is not None)


def _changed(sources: list[pl.LazyFrame]) -> pl.Series:
    """The customers whom more than one kept."""
    kept = pl.concat([source.select("customer_id", "manager_id") for source in sources]).unique()
    changed = kept.group_by("customer_id").len().filter(pl.col("len") > 1).select("customer_id")
    return changed.collect(engine="streaming")["customer_id"]


def _among(some: pl.Series) -> Callable[[pl.Series], pl.Series]:
    """Whether customers are among some. They are numbers from 0 on, so each is looked up at its place."""
    is_one = np.zeros((some.max() or 0) + 2, bool)  # the last place is that of all who come later
    is_one[some.to_numpy()] = True
    return lambda customer: pl.Series(is_one[np.minimum(customer.to_numpy(), len(is_one) - 1)])


def _summed(rows: pl.DataFrame) -> pl.DataFrame:
    """One month by manager."""
    sums = rows.lazy().group_by(WHOSE).agg(pl.col(name).sum() for name in SUMS if name in rows.columns)
    return sums.collect(engine="streaming")


def _wide(parts: list[pl.DataFrame], key: list[str], more: Sequence[str] = ()) -> pl.DataFrame:
    """Parts with some of the columns each, summed by a key; what is not there is 0."""
    columns = [*SUMS, *more]
    like = pl.DataFrame(schema={name: KEYS[name] for name in key} | dict.fromkeys(columns, pl.Int64))
    rows = pl.concat([like, *parts], how="diagonal")
    return in_64_bits(rows.group_by(key).agg(pl.col(columns).cast(pl.Int128).sum()).sort(key, nulls_last=True))


def passed_on(book: Book, passed: pl.DataFrame, lines: Sequence[str]) -> Book:
    """The book with what moved in and out of some customers in a period laid to another manager.

    Parameters
    ----------
    book
        As `book_of` gives it, these customers held one by one.
    passed
        customer_id, period, from_id (who kept them), manager_id (who answers for them; null: the branch).
    lines
        Whose flow it is: those of deposits and investments. What was paid back of a loan is nobody's loss.
    """
    keys = ["customer_id", "period", "manager_id"]
    whose = passed.select("customer_id", "period", manager_id="from_id", to_id="manager_id")
    of_lines = book.handed.filter(pl.col("line").is_in(list(lines)))
    gone = of_lines.join(whose, on=keys, nulls_equal=True).select(*CELL, "is_retail", "to_id", "flow")
    given = gone.with_columns(-pl.col("flow")).drop("to_id")
    moved = [given, gone.drop("manager_id").rename({"to_id": "manager_id"}).select(given.columns)]
    return book._replace(
        handed=_wide([book.handed, *moved], [*CELL, "is_retail"], ["kept_days"]),
        sums=_wide([book.sums, *(part.drop("customer_id") for part in moved)], WHOSE),
    )


def before(book: Book, n: int) -> pl.DataFrame:
    """The sums of `n` periods before, as they would have been, had today's managers had today's customers then.

    What a customer had on a line is split among those who maintain it in the period, by days and shares (largest
    remainder), so that a handover moves it by equal and opposite amounts; what nobody has any more stays where it was.
    Periods without one before are not there.
    """
    days = book.periods["period"]
    later = pl.DataFrame({"period": days[: max(len(days) - n, 0)], "later": days[n:]})

    def then(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.join(later, on="period").drop("period").rename({"later": "period"})

    cells = then(book.handed.drop("kept_days"))
    now = book.handed.filter(pl.col("kept_days") > 0).select(*CELL, "kept_days")
    whole = cells.group_by("customer_id", "line", "period", "is_retail").agg(pl.col(SUMS).sum())
    key = ["customer_id", "line", "period"]
    split = whole.join(now, on=key).sort(*key, "kept_days", "manager_id", descending=[False] * 3 + [True, False])
    is_whole = pl.len().over(key) == 1
    # Nearly all are with one manager; only the others are split.
    split = pl.concat([split.filter(is_whole), parted(split.filter(~is_whole), SUMS, "kept_days", key)])
    stays = cells.join(now, on=key, how="anti")
    # All that was, less what those had who changed hands, and that again by who has it now.
    minus = cells.with_columns(-pl.col(SUMS))
    parts = [then(book.sums), *(part.select(*WHOSE, *SUMS) for part in (minus, split, stays))]
    return _wide(parts, WHOSE)


def parted(rows: pl.DataFrame, values: list[str], weight: str, whole: list[str]) -> pl.DataFrame:
    """Rows whose `values`, the same within `whole`, are split by whole weights above 0, so that the parts add to them.

    What is left over after rounding down goes by remainders; ties go to the row that stands first.

    Examples
    --------
    >>> rows = pl.DataFrame({"c": [1, 1, 2], "x": [100, 100, -7], "days": [2, 1, 5]})
    >>> parted(rows, ["x"], "days", ["c"])["x"].to_list()
    [67, 33, -7]
    """
    weighed = pl.col(weight).cast(pl.Int128)
    split = rows.with_columns(total_=weighed.sum().over(whole))
    for name in values:
        # A step at a time: a sum over groups within a sum over groups would be worked out group by group.
        product = pl.col(name).cast(pl.Int128) * weighed
        split = split.with_columns(part_=product // pl.col("total_"), product_=product)
        split = split.with_columns(rest_=pl.col("product_") - pl.col("part_") * pl.col("total_"))
        left_over = pl.col(name).cast(pl.Int128) - pl.col("part_").sum().over(whole)
        rank = pl.col("rest_").rank("ordinal", descending=True).over(whole)
        part = pl.col("part_") + (rank <= left_over).cast(pl.Int128)
        split = split.with_columns(part.cast(pl.Int64).alias(name))
    return split.select(rows.columns)


def amounts(book: Book, policy: Policy) -> pl.DataFrame:
    """Averages, growth, contribution, net new money and net new loans of each manager and period, and their base.

    Credit is by day and share, as the books have it. An average is balance-days over the days of the period (half to
    even); growth is the average less that of the period before, moved with handovers, and the base of growth that
    growth a period earlier, moved likewise. `savings_average` and `new_loans` are of retail customers alone; net new
    loans are what was drawn less what was paid back.

    Net new money is the flow on deposits and investments: moved in less moved out, own transfers to loans included,
    without interest, valuation and exchange rates. It is what the bars of the bridge (`bridge`) add to that are the
    manager's own, new customers + net new money − lost, but for two things: what leaves soon after a handover is laid
    to who handed over (`passed_on`), and what no flow explains of a customer, such as money on an account closed with
    a balance, the bridge tells as flow.

    Returns
    -------
    pl.DataFrame
        manager_id, period, measure, value, base (null where there is no period before), in minor units.
    """
    steps = [book.sums, before(book, 1), before(book, 2)]
    known = [_measured(rows, book, policy, n) for n, rows in enumerate(steps)]
    key = ["manager_id", "period", "measure"]
    wide = (
        known[0]
        .join(known[1].rename({"value": "base"}), on=key, how="full", coalesce=True)
        .join(known[2].rename({"value": "earlier"}), on=key, how="full", coalesce=True)
    )
    days = book.periods["period"]
    has = [pl.col("period").is_in(days[n:].implode()) for n in (1, 2)]
    wide = wide.with_columns(
        pl.col("value").fill_null(0),
        base=pl.when(has[0]).then(pl.col("base").fill_null(0)),
        earlier=pl.when(has[1]).then(pl.col("earlier").fill_null(0)),
    )
    grown = wide.filter(pl.col("measure").is_in(list(GROWTH))).with_columns(
        pl.col("measure").replace(GROWTH),
        value=pl.col("value") - pl.col("base"),
        base=pl.col("base") - pl.col("earlier"),
    )
    return pl.concat([wide, grown]).select(list(AMOUNTS)).sort(key)


GROWTH = {
    "deposits_average": "deposits_growth", "loans_average": "loans_growth", "investments_average": "investments_growth",
    "contribution": "contribution_growth",
}  # fmt: skip


def measured(policy: Policy) -> dict[str, tuple[str, pl.Expr, int]]:
    """Of each measure of money the sum it is made of, which rows of `line` and `is_retail` count, and with which sign.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> {name: column for name, (column, *_) in measured(load()).items() if not name.endswith("average")}
    {'net_new_money': 'flow', 'new_loans': 'flow', 'contribution': 'contribution'}
    """
    deposits, loans, investments = (
        pl.col("line").is_in(policy.lines_of(name)) for name in ("deposits", "loans", "investments")
    )
    retail = pl.col("is_retail")
    return {
        "deposits_average": ("balance_days", deposits, 1),
        "savings_average": ("balance_days", deposits & retail, 1),
        "loans_average": ("balance_days", loans, -1),
        "investments_average": ("balance_days", investments, 1),
        "net_new_money": ("flow", deposits | investments, 1),
        "new_loans": ("flow", loans & retail, -1),
        "contribution": ("contribution", pl.lit(True), 1),
    }


def _measured(rows: pl.DataFrame, book: Book, policy: Policy, n: int) -> pl.DataFrame:
    """The measures of sums that are `n` periods old, a row a manager, period and measure; the branch's are left out."""
    then = book.periods.select("period", days=pl.col("days").shift(n))
    of = measured(policy)
    if not book.has_contribution:
        del of["contribution"]
    # What is asked of a row is asked of all rows at once: within groups it would be asked of each group.
    told = rows.filter(pl.col("manager_id").is_not_null()).with_columns(
        pl.when(some).then(sign * pl.col(column)).otherwise(0).alias(name) for name, (column, some, sign) in of.items()
    )
    sums = told.group_by("manager_id", "period").agg(pl.col(list(of)).sum())
    averages = [name for name in of if name.endswith("average")]
    return (
        sums.join(then, on="period")
        .with_columns(half_even(pl.col(name), pl.col("days")).alias(name) for name in averages)
        .drop("days")
        .unpivot(index=["manager_id", "period"], variable_name="measure", value_name="value")
    )
