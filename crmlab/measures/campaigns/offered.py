"""The bank's own campaigns, customer by customer, ready for a verdict."""

from datetime import date

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import in_64_bits, named

OFFERS = ["campaign_id", "customer_id", "on", "is_control", "responded_on", "opened_on"]
CAMPAIGNS = ["campaign_id", "name", "product_id", "from_on", "read_out_on"]


def past(
    offers: pl.DataFrame,
    campaigns: pl.DataFrame,
    as_of: date,
    *,
    holdings: pl.DataFrame | None = None,
    amounts: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Who was meant for each campaign, who was held out, and what became of them by its read-out.

    Answers: which of our campaigns can be judged, and from what?

    Whoever opened the campaign's product after the offer and not after the read-out has taken it. Openings are counted
    from holdings where they are given: offers may tell only of those to whom something was offered, and then control
    would look worse than it is. Without holdings, or a product, `opened_on` of the offers is all there is.

    Parameters
    ----------
    offers
        campaign_id, customer_id, on, is_control, responded_on, opened_on. Of several of one customer the first counts.
    campaigns
        campaign_id, name, product_id, from_on, read_out_on.
    as_of
        What came later is not seen.
    holdings
        customer_id, product_id, opened_on: a row a spell.
    amounts
        customer_id, month (month end), amount (minor units): what money is to be judged by, such as contribution or
        AUM; no row is 0.

    Returns
    -------
    pl.DataFrame
        As `verdict` asks for: campaign_id, name, product_id, customer_id, is_control, offered_on, read_out_on,
        is_taken, is_treated (responded, or was offered it, although held out), is_early (the response or the opening
        is dated before the offer); with holdings base_rate (of the other holders, who opened the product in a time as
        long before; null where it cannot be told); with amounts money (mean a month, of the month ends from the start
        to the read-out) and before (of as many months before the start). By campaign and customer.

    Raises
    ------
    InputError
        When a column is missing, or offers are of a campaign or product that is not known.

    Examples
    --------
    >>> day = date(2024, 3, 5)
    >>> campaigns = pl.DataFrame({"campaign_id": ["G1"], "name": "Plan", "product_id": "W02", "from_on": day,
    ...     "read_out_on": date(2024, 4, 30)})
    >>> offers = pl.DataFrame({"campaign_id": "G1", "customer_id": [1, 2], "on": day, "is_control": [False, True],
    ...     "responded_on": None, "opened_on": [date(2024, 3, 9), date(2024, 5, 2)]})
    >>> past(offers, campaigns, date(2024, 12, 31)).select("customer_id", "is_control", "is_taken").rows()
    [(1, False, True), (2, True, False)]
    """
    named(offers.columns, OFFERS, "campaigns.past")
    named(campaigns.columns, CAMPAIGNS, "campaigns.past")
    _known(offers, campaigns, holdings)
    seen = offers.filter(pl.col("on") <= as_of).with_columns(
        pl.when(pl.col(name) <= as_of).then(pl.col(name).cast(pl.Date)).alias(name)
        for name in ("responded_on", "opened_on")
    )
    is_control = pl.col("is_control").fill_null(False)
    rows = (
        seen.sort("on", "is_control", maintain_order=True)
        .group_by("campaign_id", "customer_id", maintain_order=True)
        .agg(
            offered_on=pl.col("on").first(), is_control=is_control.first(),
            # In control, and yet with an answer or with an offer of its own.
            is_treated=(is_control.first() & (pl.col("responded_on").is_not_null() | ~is_control).any()),
            responded_on=pl.col("responded_on").min(), opened_on=pl.col("opened_on").min(),
        )
        .join(campaigns.select(CAMPAIGNS), on="campaign_id", how="left", maintain_order="left")
    )  # fmt: skip
    in_time = (pl.col("opened_on") >= pl.col("offered_on")) & (pl.col("opened_on") <= pl.col("read_out_on"))
    rows = rows.with_columns(
        is_early=(pl.min_horizontal("responded_on", "opened_on") < pl.col("offered_on")).fill_null(False),
        is_taken=in_time.fill_null(False),
    )
    if holdings is not None:
        rows = _from_holdings(rows, holdings.filter(pl.col("opened_on") <= as_of))
    if amounts is not None:
        rows = _with_money(rows, amounts.filter(pl.col("month") <= as_of))
    beside = [name for name in ("base_rate", "money", "before") if name in rows.columns]
    return rows.select(
        "campaign_id", pl.coalesce("name", "campaign_id").alias("name"), "product_id", "customer_id", "is_control",
        "offered_on", "read_out_on", "is_taken", "is_treated", "is_early", *beside,
    ).sort("campaign_id", "customer_id")  # fmt: skip


def _known(offers: pl.DataFrame, campaigns: pl.DataFrame, holdings: pl.DataFrame | None) -> None:
    strangers = offers.join(campaigns, on="campaign_id", how="anti")
    if n := len(strangers):
        raise InputError(
            f"{n} of {len(offers)} offers are of a campaign that is not known (first: {strangers['campaign_id'][0]}). "
            "Add it to the campaigns, or leave them out."
        )
    if holdings is not None:
        named(holdings.columns, ["customer_id", "product_id", "opened_on"], "campaigns.past")


def _from_holdings(rows: pl.DataFrame, holdings: pl.DataFrame) -> pl.DataFrame:
    """Openings as the bank's books have them, for those offered and those held out alike."""
    key = ["campaign_id", "customer_id"]
    opened = rows.select(*key, "product_id", "offered_on", "read_out_on").join(
        holdings.select("customer_id", "product_id", opening="opened_on"), on=["customer_id", "product_id"]
    )
    in_time = (pl.col("opening") >= pl.col("offered_on")) & (pl.col("opening") <= pl.col("read_out_on"))
    took = opened.filter(in_time).select(*key, took=pl.lit(True)).unique()
    base = pl.DataFrame(
        [_before(campaign, holdings) for campaign in rows.partition_by("campaign_id", maintain_order=True)],
        {"campaign_id": rows.schema["campaign_id"], "base_rate": pl.Float64}, orient="row",
    )  # fmt: skip
    return (
        rows.join(took, on=key, how="left", maintain_order="left")
        .with_columns(
            is_taken=pl.when(pl.col("product_id").is_null()).then("is_taken").otherwise(pl.col("took").fill_null(False))
        )
        .join(base, on="campaign_id", how="left", maintain_order="left")
    )


def _before(of: pl.DataFrame, holdings: pl.DataFrame) -> tuple:
    """How many of the holders without the product opened it in a time as long, before the campaign."""
    campaign, product, start, end = of.select("campaign_id", "product_id", "from_on", "read_out_on").row(0)
    if product is None or end is None or end <= start:
        return campaign, None
    first = start - (end - start)
    there = holdings.filter(pl.col("opened_on") < first)
    own = pl.col("product_id") == product
    without = there.select("customer_id").unique().join(there.filter(own), on="customer_id", how="anti")
    took = holdings.filter(own, pl.col("opened_on") >= first, pl.col("opened_on") < start)
    n_took = len(without.join(took, on="customer_id", how="semi"))
    return campaign, n_took / len(without) if len(without) else None


def _with_money(rows: pl.DataFrame, amounts: pl.DataFrame) -> pl.DataFrame:
    """Means a month of each customer, from the start to the read-out and as long before."""
    named(amounts.columns, ["customer_id", "month", "amount"], "campaigns.past")
    months = amounts["month"].unique().sort()
    parts = []
    for of in rows.partition_by("campaign_id", maintain_order=True):
        start, end = of["from_on"][0], of["read_out_on"][0]
        during = months.filter((months >= start) & (months <= end)) if end else months.clear()
        earlier = months.filter(months < start).tail(len(during))
        for name, within in (("money", during), ("before", earlier)):
            n = max(len(within), 1)
            sums = in_64_bits(
                amounts.filter(pl.col("month").is_in(within.to_list()))
                .group_by("customer_id")
                .agg(pl.col("amount").cast(pl.Int128).sum().alias(name))
            ).with_columns(pl.col(name) / n)
            of = of.join(sums, on="customer_id", how="left", maintain_order="left")
        parts.append(of.with_columns(pl.col("money", "before").fill_null(0.0)))
    return pl.concat(parts) if parts else rows.with_columns(money=pl.lit(0.0), before=pl.lit(0.0))
