"""Deals: what was agreed for each account, and in what state it is, from one day to the next."""

import polars as pl

from crmlab.bank.read import Bank

STATE = ["rate", "priced_on", "is_accruing", "risk_grade", "five_grade"]


def deals(bank: Bank) -> pl.DataFrame:
    """The states of each account in the order of their days, as known at `as_of`.

    A state holds until the next one. A deal is made on the day of opening and made anew with each repricing. A loan
    accrues no interest from the day on which it is more than the policy's `accrual_days` overdue, and accrues again
    when its status says so; a loan of which nothing is said accrues.

    Returns
    -------
    pl.DataFrame
        account_id, from_on (first day of the state; the first one's is the day of opening), rate (client rate,
        millionths a year; null if unknown), priced_on (day the deal was made or last repriced), is_accruing,
        risk_grade, five_grade (null if unknown); by account and day.
    """
    accounts = bank.table("accounts").select("account_id", "opened_on", "rate").collect()
    made = accounts.select("account_id", "rate", from_on="opened_on", priced_on="opened_on", is_accruing=pl.lit(True))
    changes = [_repriced(bank), *_statuses(bank)]
    touched = pl.concat([change.select("account_id") for change in changes]).unique()
    if touched.is_empty():
        return _shaped(made.with_columns(risk_grade=pl.lit(None, pl.String), five_grade=pl.lit(None, pl.String)))
    opened = accounts.select("account_id", "opened_on")
    moving = (
        pl.concat([made.join(touched, on="account_id", how="semi"), *changes], how="diagonal")
        .join(opened, on="account_id", maintain_order="left")
        .with_columns(pl.max_horizontal("from_on", "opened_on").alias("from_on"))
        .sort("account_id", "from_on", maintain_order=True)
        .with_columns(pl.col("rate", "priced_on", "is_accruing", "status").forward_fill().over("account_id"))
        .unique(["account_id", "from_on"], keep="last", maintain_order=True)
        .unnest("status")
        .filter(_differs_from_before())
    )
    still = made.join(touched, on="account_id", how="anti")
    return _shaped(pl.concat([still, moving], how="diagonal"))


def _repriced(bank: Bank) -> pl.DataFrame:
    rows = bank.table("repricings").select("account_id", "rate", from_on="on", priced_on="on")
    return rows.sort("account_id", "from_on").collect()


def _statuses(bank: Bank) -> list[pl.DataFrame]:
    """What is said of loans, and the days on which arrears grow past the limit while nothing new is said."""
    limit = bank.policy.pricing.accrual_days
    said = (
        bank.table("loan_status")
        .sort("account_id", "on")
        .with_columns(pl.col("overdue_days").fill_null(0))
        .filter(~_says_again())
        .collect()
    )
    said = said.with_columns(next_on=pl.col("on").shift(-1).over("account_id"))
    passes = pl.col("on") + pl.duration(days=limit + 1 - pl.col("overdue_days"))
    before_next = (pl.col("from_on") < pl.col("next_on")) | pl.col("next_on").is_null()
    # Both grades as one value: a status that names none says that there is none any more.
    status = pl.struct("risk_grade", pl.col("five_grade").cast(pl.String)).alias("status")
    states = said.select("account_id", status, from_on="on", is_accruing=pl.col("overdue_days") <= limit)
    grown = (
        said.filter(pl.col("overdue_days").is_between(1, limit))
        .with_columns(from_on=passes)
        .filter(before_next, pl.col("from_on") <= bank.as_of)
        .select("account_id", "from_on", is_accruing=pl.lit(False))
    )
    return [states, grown]


def _says_again() -> pl.Expr:
    """Where a bank states its loans month by month, nearly all rows say once more that all is well."""
    same = pl.all_horizontal(
        pl.col(name).eq_missing(pl.col(name).shift()) for name in ("account_id", "risk_grade", "five_grade")
    )
    return same & (pl.col("overdue_days") == 0) & (pl.col("overdue_days").shift() == 0)


def _differs_from_before() -> pl.Expr:
    return pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift().over("account_id")) for name in STATE) | (
        pl.col("account_id").is_first_distinct()
    )


def _shaped(states: pl.DataFrame) -> pl.DataFrame:
    return states.select("account_id", "from_on", *STATE).sort("account_id", "from_on")


def changes(deals: pl.DataFrame) -> pl.DataFrame:
    """The days on which the state of an account changes.

    Returns
    -------
    pl.DataFrame
        account_id, starts_on
    """
    return deals.filter(~pl.col("account_id").is_first_distinct()).select("account_id", starts_on="from_on")


def sign_changes(bank: Bank, spans: pl.DataFrame, resets: pl.DataFrame) -> pl.DataFrame:
    """The days on which a deposit account that may be overdrawn becomes a loan, or stops being one.

    Parameters
    ----------
    bank
        Whose transactions, up to `as_of`.
    spans, resets
        As `panel.spans` gives them: the opening balances, and the balances taken on some days.

    Returns
    -------
    pl.DataFrame
        account_id, starts_on: the first day that ends below zero, or not below zero any more.
    """
    may = (
        bank.table("products")
        .filter(pl.col("overdraft_allowed"), pl.col("line").cast(pl.String).is_in(bank.policy.lines_of("deposits")))
        .select("product_id")
    )
    accounts = bank.table("accounts").join(may, on="product_id", how="semi").select("account_id").collect()
    if accounts.is_empty():
        return pl.DataFrame(schema={"account_id": pl.Int32, "starts_on": pl.Date})
    taken = resets.join(accounts, on="account_id", how="semi")
    moved = (
        bank.table("transactions")
        .join(accounts.lazy(), on="account_id", how="semi")
        .group_by("account_id", on="booked_on")
        .agg(flow=pl.col("amount").sum())
        .collect(engine="streaming")
    )
    days = moved.join(taken, on=["account_id", "on"], how="full", coalesce=True).sort("account_id", "on")
    flows = pl.col("flow").fill_null(0).cum_sum().over("account_id")
    opening = spans.select("account_id", "opening")
    below = (pl.col("flows") + pl.coalesce(pl.col("base").forward_fill().over("account_id"), "opening")) < 0
    return (
        days.with_columns(flows=flows)
        .with_columns(base=pl.col("balance") - pl.col("flows"))
        .join(opening, on="account_id", how="left", maintain_order="left")
        .with_columns(below=below.fill_null(False))
        .filter(
            pl.col("below")
            != pl.col("below").shift().over("account_id").fill_null((pl.col("opening") < 0).fill_null(False))
        )
        .select("account_id", starts_on="on")
    )
