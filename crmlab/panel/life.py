"""Life events that show in the flows: money that came and stayed, a salary that rose."""

from datetime import date

import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.bank.read import Bank
from crmlab.panel.moves import OUTSIDE
from crmlab.panel.rates import in_base_of_the_day
from crmlab.policy import Trigger

OF_MONTH = ["customer_id", "month"]  # months are counted: year × 12 + month − 1


def inflows_that_stayed(bank: Bank, rule: Trigger) -> pl.LazyFrame:
    """Months that brought a multiple of what is usual, most of which was still there some days after their end.

    The money is that of deposits and investments in the owner's name: what came in from outside less what was reversed,
    against the median of the months before, in all of which the customer was here. What is still there is all that
    flowed in and out of these accounts since the month began, transfers between them netted, against what exceeded
    the median. Accounts whose history is not transactions tell of neither.

    Returns
    -------
    pl.LazyFrame
        customer_id, on (so many days after the month: not known before), kind, amount (what came in, minor units of
        the base currency), detail (times the usual month; null where none was usual).

    Examples
    --------
    >>> from crmlab.policy import load
    >>> load().triggers[0].days  # of March it is known on 15 April
    15
    """
    sums = _by_month(bank, rule.days).lazy()
    came = sums.filter(pl.col("inflow") >= max(rule.floor, 1)).join(_known_since(bank), on="customer_id")
    came = came.filter(pl.col("month") - rule.months >= pl.col("first"))
    exceeds, usual = pl.col("inflow") - pl.col("usual"), pl.col("usual").cast(pl.Int128)
    return (
        came.join(_usual(came, sums, rule.months), on=OF_MONTH)
        .join(sums.select("customer_id", pl.col("month") - 1, then="early"), on=OF_MONTH, how="left")
        .filter(
            pl.col("inflow").cast(pl.Int128) * MILLION >= usual * rule.times,
            (pl.col("net") + pl.col("then").fill_null(0)).cast(pl.Int128) * MILLION
            >= exceeds.cast(pl.Int128) * rule.share,
        )
        .select(
            "customer_id",
            on=_day(pl.col("month")).dt.month_end() + pl.duration(days=rule.days),
            kind=pl.lit(rule.kind),
            amount="inflow",
            detail=pl.when(pl.col("usual") > 0).then(
                pl.format("× {}", (pl.col("inflow") / pl.col("usual")).round(1).cast(pl.String))
            ),
        )
    )


def rises_in_salary(salaries: pl.LazyFrame, as_of: date, rule: Trigger) -> pl.LazyFrame:
    """The first month in which each of the last salaries was a multiple of the mean of those before.

    Salaries are added up by calendar month, and come in every one of these months: a bonus is no rise.

    Parameters
    ----------
    salaries
        customer_id, on, amount (minor units of the base currency).
    as_of
        A month that is not over by then is not looked at.
    rule
        How many months are held against how many before.

    Returns
    -------
    pl.LazyFrame
        customer_id, on (the month's end), kind, amount (the last months' mean), detail (by how much it is more).
    """
    last, before = rule.months, rule.months_before
    lasting = pl.col("amount").rolling_sum(last).over("customer_id")
    least = pl.col("amount").rolling_min(last).over("customer_id")
    earlier = pl.col("amount").rolling_sum(before).shift(last).over("customer_id")
    in_a_row = pl.col("month") - pl.col("month").shift(last + before - 1).over("customer_id") == last + before - 1
    risen = in_a_row & (least.cast(pl.Int128) * (MILLION * before) >= earlier.cast(pl.Int128) * rule.times)
    was_risen = pl.col("is_risen").shift().over("customer_id") & (
        pl.col("month").shift().over("customer_id") == pl.col("month") - 1
    )
    more = (pl.col("lasting") * before * 100 / (pl.col("earlier") * last) - 100).round(0).cast(pl.Int64)
    return (
        salaries.group_by("customer_id", month=_number(pl.col("on")))
        .agg(pl.col("amount").sum())
        .sort(OF_MONTH)
        .with_columns(is_risen=risen.fill_null(False), lasting=lasting, earlier=earlier)
        .filter(pl.col("is_risen") & ~was_risen.fill_null(False))
        .select(
            "customer_id",
            on=_day(pl.col("month")).dt.month_end(),
            kind=pl.lit(rule.kind),
            amount=pl.col("lasting") // last,
            detail=pl.format("+{} %", more),
        )
        .filter(pl.col("on") <= as_of)
    )


def _by_month(bank: Bank, days: int) -> pl.DataFrame:
    """What came in, what moved in all, and what moved within its first days, of a customer's AUM in each month."""
    products = bank.table("products").select("product_id", pl.col("line").cast(pl.String))
    held = (
        bank.table("accounts")
        .join(products, on="product_id")
        .filter(pl.col("line").is_in(bank.policy.lines_of("deposits", "investments")))
        .select("account_id", "customer_id", "currency")
    )
    amount, kind = pl.col("amount"), pl.col("kind").cast(pl.String)
    came = (kind.is_in(OUTSIDE) & (amount > 0)) | ((kind == "reversal") & (amount < 0))
    return (
        bank.table("transactions")
        .select("account_id", "booked_on", "amount", "kind")
        .join(held, on="account_id")
        .pipe(in_base_of_the_day, bank)
        .group_by("customer_id", month=_number(pl.col("booked_on")))
        .agg(
            inflow=amount.filter(came).sum(),
            net=amount.sum(),
            early=amount.filter(pl.col("booked_on").dt.day() <= days).sum(),
        )
        .collect(engine="streaming")
    )


def _known_since(bank: Bank) -> pl.LazyFrame:
    """The first month that a customer was here for as a whole, and that the history tells of."""
    start = bank.history_from.replace(day=1)
    opened = pl.max_horizontal(pl.col("opened_on").min(), pl.lit(start))
    whole = pl.when(opened.dt.day() == 1).then(_number(opened)).otherwise(_number(opened) + 1)
    return bank.table("accounts").group_by("customer_id").agg(first=whole)


def _usual(came: pl.LazyFrame, sums: pl.LazyFrame, months: int) -> pl.LazyFrame:
    """The median of the months before; a month without a posting brought nothing, a mean of two is rounded down."""
    return (
        came.select(OF_MONTH)
        .join(pl.LazyFrame({"back": range(1, months + 1)}, schema={"back": pl.Int32}), how="cross")
        .with_columns(then=pl.col("month") - pl.col("back"))
        .join(
            sums.select("customer_id", then="month", brought=pl.col("inflow").clip(lower_bound=0)),
            on=["customer_id", "then"],
            how="left",
        )
        .group_by(OF_MONTH)
        .agg(pl.col("brought").fill_null(0).sort())
        .select(
            *OF_MONTH,
            usual=(pl.col("brought").list.get((months - 1) // 2) + pl.col("brought").list.get(months // 2)) // 2,
        )
    )


def _number(day: pl.Expr) -> pl.Expr:
    return day.dt.year() * 12 + day.dt.month().cast(pl.Int32) - 1


def _day(month: pl.Expr) -> pl.Expr:
    """The first day of a month."""
    return pl.date(month // 12, month % 12 + 1, 1)
