"""Events: dated things about a customer, whatever table they come from."""

import polars as pl

from crmlab.bank.read import Bank
from crmlab.panel.exact import converted
from crmlab.panel.relationships import HUNDRED_MILLION, no_rate

KINDS = [
    "opened", "closed", "matured", "salary", "large_inflow", "outflow_other_bank", "contact", "complaint", "offer",
    "manager_change",
]  # fmt: skip
COLUMNS = {
    "customer_id": pl.Int32, "on": pl.Date, "kind": pl.Enum(KINDS), "account_id": pl.Int32, "line": pl.String,
    "matures_on": pl.Date, "amount": pl.Int64, "reason": pl.String, "detail": pl.String,
}  # fmt: skip


def events(bank: Bank) -> pl.LazyFrame:
    """Dated things about a customer, none of them after `as_of`.

    Answers: what happened with this customer, and when?

    Returns
    -------
    pl.LazyFrame
        customer_id, on, kind (`KINDS`), account_id (null where it is about no account), line and matures_on (of an
        account that is opened, closed or matured, which is told of all its holders), amount (minor units of the base
        currency at the rate of the day, positive; null where there is none), reason (of a closing; death and merger are
        the owner's only), detail; by customer, date and kind.
    """
    sources = [*_of_accounts(bank), *_of_transactions(bank), *_of_dealings(bank)]
    return (
        pl.concat([_shaped(source) for source in sources])
        .filter(pl.col("on") <= bank.as_of)
        .sort("customer_id", "on", "kind", "account_id", "amount", "detail")
    )


def _shaped(source: pl.LazyFrame) -> pl.LazyFrame:
    have = source.collect_schema().names()
    return source.select(
        (pl.col(name) if name in have else pl.lit(None)).cast(dtype).alias(name) for name, dtype in COLUMNS.items()
    )


def _of_accounts(bank: Bank) -> list[pl.LazyFrame]:
    accounts = _held(bank).join(
        bank.table("products").select("product_id", "line", product=pl.coalesce("name", "product_id")),
        on="product_id",
        how="left",
    )
    alive_then = pl.col("closed_on").is_null() | (pl.col("closed_on") >= pl.col("matures_on"))
    return [
        accounts.with_columns(on="opened_on", kind=pl.lit("opened"), detail="product"),
        accounts.filter(pl.col("closed_on").is_not_null()).with_columns(
            on="closed_on",
            kind=pl.lit("closed"),
            reason="close_reason",
            detail=pl.concat_str("product", pl.col("close_reason").cast(pl.String), separator=": ", ignore_nulls=True),
        ),
        accounts.filter(pl.col("matures_on") <= bank.as_of, alive_then).with_columns(
            on="matures_on", kind=pl.lit("matured"), detail="product"
        ),
    ]


def _held(bank: Bank) -> pl.LazyFrame:
    """The accounts of each customer, a joint one as often as it has holders."""
    accounts = bank.table("accounts")
    ends = pl.col("close_reason").cast(pl.String).is_in(["deceased", "merged"])
    joint = (
        bank.table("holders")
        .filter(pl.col("role") != "user", pl.col("share") > 0)
        .select("account_id", holder_id="customer_id")
        .join(accounts, on="account_id")
        .filter(pl.col("holder_id") != pl.col("customer_id"))
        .with_columns(customer_id="holder_id", close_reason=pl.when(~ends).then("close_reason"))
    )
    return pl.concat([accounts, joint.select(accounts.collect_schema().names())])


def _of_transactions(bank: Bank) -> list[pl.LazyFrame]:
    outside = pl.col("kind").is_in(["payment", "cash", "transfer", "card"])
    limit = bank.policy.minor(bank.policy.large_inflow, bank.base_currency)
    holders = bank.table("accounts").select("account_id", "customer_id", "currency")
    rows = (
        bank.table("transactions")
        .filter(
            ((pl.col("kind") == "salary") & (pl.col("amount") > 0))
            | (outside & (pl.col("amount") > 0))
            | (outside & (pl.col("counterparty_kind") == "other bank"))
        )
        .select("account_id", "booked_on", "amount", "kind", "category", "counterparty_kind")
        .join(holders, on="account_id")
        .pipe(in_base_of_the_day, bank)
        .with_columns(on="booked_on", detail="category")
    )
    return [
        rows.filter(pl.col("kind") == "salary").with_columns(kind=pl.lit("salary")),
        rows.filter(pl.col("kind") != "salary", pl.col("amount") >= limit).with_columns(kind=pl.lit("large_inflow")),
        rows.filter(pl.col("amount") < 0, pl.col("counterparty_kind") == "other bank").with_columns(
            kind=pl.lit("outflow_other_bank"), amount=-pl.col("amount")
        ),
    ]


def in_base_of_the_day(rows: pl.LazyFrame, bank: Bank) -> pl.LazyFrame:
    """Amounts at the last rate at or before their day; in the first month, before any rate, at the first one."""
    base, policy = bank.base_currency, bank.policy
    abroad = pl.col("currency") != base
    rates = bank.table("fx_rates").select("currency", booked_on="on", rate="rate").sort("currency", "booked_on")
    first = rates.group_by("currency").agg(first_rate=pl.col("rate").first())
    currencies = bank.table("accounts").select(pl.col("currency").unique().sort()).collect()["currency"].to_list()
    rated = {base, *first.collect()["currency"]}
    if missing := [currency for currency in currencies if currency not in rated]:
        raise no_rate(missing[0], bank.as_of, bank)
    shifts = {currency: policy.digits(base) - policy.digits(currency) for currency in currencies}
    up = {currency: 10 ** max(shift, 0) for currency, shift in shifts.items()}
    down = {currency: HUNDRED_MILLION * 10 ** max(-shift, 0) for currency, shift in shifts.items()}
    foreign = (
        rows.filter(abroad)
        .sort("booked_on")
        .join_asof(rates.sort("booked_on"), on="booked_on", by="currency", check_sortedness=False)
        .join(first, on="currency", how="left")
        .with_columns(
            pl.col("amount").pipe(
                converted,
                pl.coalesce("rate", "first_rate") * pl.col("currency").replace_strict(up, return_dtype=pl.Int64),
                pl.col("currency").replace_strict(down, return_dtype=pl.Int64).cast(pl.Int128),
            )
        )
        .drop("rate", "first_rate")
    )
    return pl.concat([rows.filter(~abroad), foreign])


def _of_dealings(bank: Bank) -> list[pl.LazyFrame]:
    contacts, offers = bank.table("contacts"), bank.table("offers")
    before = pl.col("manager_id").shift().over("customer_id")
    handed = (
        bank.table("assignments")
        .filter(pl.col("scope") == "customer", pl.col("role") == "maintains")
        .sort("customer_id", "from_on", "manager_id")
        .filter(before.is_not_null() & (before != pl.col("manager_id")))
    )
    said = pl.concat_str(pl.col("channel").cast(pl.String), "purpose", "outcome", separator=", ", ignore_nulls=True)
    return [
        contacts.with_columns(kind=pl.lit("contact"), detail=said),
        bank.table("complaints").with_columns(kind=pl.lit("complaint"), detail="topic"),
        offers.filter(~pl.col("is_control").fill_null(False)).with_columns(kind=pl.lit("offer"), detail="campaign_id"),
        handed.with_columns(on="from_on", kind=pl.lit("manager_change"), detail="manager_id"),
    ]
