"""The tables of what the bank and its customers had to do with each other, and of whom a customer is tied to."""

import polars as pl

from crmlab.bank.read import Bank
from crmlab.measures import funnel, groups

IDENTITY = ["customer_id", "name", "mobile", "address", "national_id"]


def tables(bank: Bank) -> dict[str, pl.DataFrame]:
    """The page tables by name."""
    households, corporate = groups.households(bank).members, groups.corporate(bank)
    members = households.rename({"n_members": "n_household"}).join(
        corporate.rename({"n_members": "n_group"}), on="customer_id", how="left"
    )
    return {
        "members": members.sort("customer_id"),
        "links": groups.links(bank),
        "jointly": _jointly(bank),
        "complaints": _complaints(bank),
        "offers": _offers(bank),
        "leads": funnel.leads(
            *(bank.table(name).collect() for name in ("leads", "products", "managers", "customers")),
        ),
    }


def referrals(bank: Bank, worth: pl.DataFrame, roster: pl.DataFrame) -> pl.DataFrame:
    """Who brought whom, and what those they brought have and earned us in the last year."""
    amounts = worth.select("customer_id", "contribution").join(roster.select("customer_id", "aum"), on="customer_id")
    return groups.referrals(bank, amounts)


def identity(bank: Bank) -> pl.DataFrame:
    """What identifies each customer; no page reads it but for the one customer it is asked for."""
    return bank.table("customers").select(IDENTITY).sort("customer_id").collect()


def _jointly(bank: Bank) -> pl.DataFrame:
    """The accounts a customer holds a part of without owning them; share in millionths."""
    owners = bank.table("accounts").select("account_id", owner_id="customer_id")
    joint = bank.table("holders").filter(pl.col("role") == "joint").join(owners, on="account_id")
    others = joint.filter(pl.col("customer_id") != pl.col("owner_id"))
    share = pl.col("share").fill_null(0).cast(pl.Int64)  # as the panel counts it
    return others.select("customer_id", "account_id", share).sort("customer_id", "account_id").collect()


def _complaints(bank: Bank) -> pl.DataFrame:
    rows = bank.table("complaints").select("customer_id", "on", "topic", "resolved_on")
    return rows.sort("customer_id", "on", "topic").collect()


def _offers(bank: Bank) -> pl.DataFrame:
    """What was offered, to whom and with what success; who was held back as a control was offered nothing."""
    products = bank.table("products").select("product_id", product=pl.coalesce("name", "product_id"))
    campaigns = (
        bank.table("campaigns")
        .join(products, on="product_id", how="left")
        .select("campaign_id", "product", name=pl.coalesce("name", "campaign_id"))
    )
    return (
        bank.table("offers")
        .filter(~pl.col("is_control").fill_null(False))
        .join(campaigns, on="campaign_id", how="left")
        .select("customer_id", "on", "name", "product", "responded_on", "opened_on")
        .sort("customer_id", "on", "name")
        .collect()
    )
