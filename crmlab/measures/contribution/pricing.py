"""Funds transfer pricing (FTP): what money is worth inside the bank, matched to the deal."""

from datetime import date

import polars as pl

from crmlab.bank.read import Bank
from crmlab.errors import InputError
from crmlab.panel.calendar import month_end


def deal_prices(deals: pl.DataFrame, bank: Bank) -> pl.DataFrame:
    """The transfer price that each term deal was made at and keeps.

    A deal takes the point of the longest tenor of the policy that is not beyond its term, on its curve and in its
    currency, as it stood on the day the deal was made or last repriced.

    Parameters
    ----------
    deals
        product, curve (line of ftp_curve), currency, term_months, priced_on.
    bank
        Whose `ftp_curve` and tenors hold.

    Returns
    -------
    pl.DataFrame
        `deals` in their order with ftp (millionths a year).

    Raises
    ------
    InputError
        Where the curve has no such point: product, term and date of the first deal are named.
    """
    tenors = pl.DataFrame({"tenor": sorted(bank.policy.pricing.tenors)}, schema={"tenor": pl.Int32})
    keys = ["curve", "currency", "tenor", "priced_on"]
    tenor = tenors["tenor"].gather(tenors["tenor"].search_sorted(deals["term_months"], side="right") - 1)
    deals = deals.with_columns(tenor=tenor)
    points = bank.table("ftp_curve").select(
        pl.col("line").cast(pl.String).alias("curve"), "currency", tenor="term_months", priced_on="on", ftp="rate"
    )
    wanted = deals.select(keys).unique().sort("priced_on")
    known = points.collect().sort("priced_on")
    priced = wanted.join_asof(known, on="priced_on", by=keys[:3], check_sortedness=False)
    result = deals.join(priced, on=keys, how="left", maintain_order="left")
    gaps = result.filter(pl.col("ftp").is_null()).sort("priced_on", "product")
    if gaps.height:
        raise _gap(gaps, bank)
    return result.drop("tenor")


def _gap(gaps: pl.DataFrame, bank: Bank) -> InputError:
    deal = gaps.row(0, named=True)
    first = f"{deal['product']}, {deal['term_months']} months in {deal['currency']}, made on {deal['priced_on']}"
    return InputError(
        f"ftp_curve has no point for {gaps.height} term deals (first: {first}; {deal['curve']} at {deal['tenor']} "
        "months, at or before that day). Add the points to the extract, or change the tenors in policy.toml."
    )


def month_prices(curves: pl.DataFrame, month: date, bank: Bank) -> pl.DataFrame:
    """The behavioural rate of a month for balances without a term: the last demand point at or before its end.

    Parameters
    ----------
    curves
        curve, currency: what is asked for.
    month
        Last day of the month.
    bank
        Whose `ftp_curve` holds.

    Returns
    -------
    pl.DataFrame
        `curves` in their order with ftp (millionths a year; null where there is no point).
    """
    end = min(month, bank.as_of)
    points = (
        bank.table("ftp_curve")
        .filter(pl.col("term_months") == 0, pl.col("on") <= end)
        .sort("on")
        .group_by(pl.col("line").cast(pl.String).alias("curve"), "currency")
        .agg(ftp=pl.col("rate").last())
        .collect()
    )
    return curves.join(points, on=["curve", "currency"], how="left", maintain_order="left")


def no_demand_price(curve: str, currency: str, month: date, bank: Bank) -> InputError:
    """What to say where a month has no behavioural rate."""
    return InputError(
        f"ftp_curve has no demand point (term 0) for {curve} in {currency} at or before "
        f"{min(month_end(month), bank.as_of)}. Add one to the extract."
    )
