"""Events: dated things about a customer, whatever table they come from."""

import polars as pl

from crmlab.bank.read import Bank
from crmlab.panel.life import inflows_that_stayed, rises_in_salary
from crmlab.panel.rates import in_base_of_the_day

KINDS = [
    "opened", "closed", "matured", "salary", "large_inflow", "outflow_other_bank", "contact", "complaint", "offer",
    "manager_change", "inflow_stayed", "maturing_soon", "salary_rise",
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
        account that is opened, closed, matured or about to, which is told of all its holders), amount (minor units of
        the base currency at the rate of the day, positive; null where there is none), reason (of a closing; death and
        merger are the owner's only), detail; by customer, date and kind. The life events the policy declares under
        ``[[triggers]]`` (`inflow_stayed`, `maturing_soon`, `salary_rise`) are dated when they can be known.
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
        *(_about_to_mature(accounts, rule.days, bank) for rule in bank.policy.triggers if rule.kind == "maturing_soon"),
    ]


def _about_to_mature(accounts: pl.LazyFrame, days: int, bank: Bank) -> pl.LazyFrame:
    """So many days before; a deposit that runs no longer than that, on the day it is opened."""
    aum = bank.policy.lines_of("deposits", "investments")
    before = pl.col("matures_on") - pl.duration(days=days)
    return (
        accounts.filter(pl.col("line").cast(pl.String).is_in(aum), pl.col("matures_on").is_not_null())
        .with_columns(on=pl.max_horizontal("opened_on", before), kind=pl.lit("maturing_soon"), detail="product")
        .filter(pl.col("closed_on").is_null() | (pl.col("closed_on") > pl.col("on")))
    )


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
    salaries = rows.filter(pl.col("kind") == "salary")
    found = {"inflow_stayed": lambda rule: inflows_that_stayed(bank, rule),
             "salary_rise": lambda rule: rises_in_salary(salaries, bank.as_of, rule)}  # fmt: skip
    return [
        *(found[rule.kind](rule) for rule in bank.policy.triggers if rule.kind in found),
        salaries.with_columns(kind=pl.lit("salary")),
        rows.filter(pl.col("kind") != "salary", pl.col("amount") >= limit).with_columns(kind=pl.lit("large_inflow")),
        rows.filter(pl.col("amount") < 0, pl.col("counterparty_kind") == "other bank").with_columns(
            kind=pl.lit("outflow_other_bank"), amount=-pl.col("amount")
        ),
    ]


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
