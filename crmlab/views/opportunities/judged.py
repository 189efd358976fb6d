"""What lists of offers issued here did, each at the day on which it is read out: all of it pure but for what is read.

A list is judged as the bank's own campaigns are: everybody on it against those of it who were held out, by what they
opened of the product meant for them, and by what they earned us a month.
"""

import json
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from crmlab.mart.snapshot import Mart
from crmlab.measures.campaigns import offered, outcome

MILLION = 1_000_000
EARLIER = 400  # days before the first list from which earnings are read, to compare with
SEGMENT = "segment "  # the columns of `paths` are called by it and a month end
UNKNOWN = "not known"


class Judged(NamedTuple):
    """What the lists did, and of how many of their customers nothing is known."""

    verdicts: pl.DataFrame  # as `campaigns.verdict` gives them
    segments: pl.DataFrame  # as `campaigns.by_segment` gives them, of lists that are read out
    n_lost: int  # customers of lists whom the bank delivers no more
    n: int


def judged(mart: Mart, issued: pl.DataFrame, lists: pl.DataFrame) -> Judged:
    """The verdict on each list of offers, of all and by the segment before it was issued.

    Parameters
    ----------
    mart
        Its people, holdings, standing, events, offers, products and paths.
    issued, lists
        As `mart.ledger` gives them.

    Notes
    -----
    Before, those were expected to take it anyway whom the list gave a probability; the same and the earnings of as many
    months before adjust the difference. An offer of the product made to somebody held out counts as treated.
    """
    offers = issued.filter(pl.col("product_id").is_not_null())
    if offers.is_empty():
        return Judged(pl.DataFrame(), pl.DataFrame(), 0, 0)
    people = mart.page("people").select("customer_no", "customer_id")
    listed = offers.join(people, on="customer_no", how="inner")
    shares = {list_id: _share(told) for list_id, told in lists.select("list_id", "made_with").rows()}
    verdicts, segments = [], []
    for of in _rows(mart, listed).partition_by("campaign_id", maintain_order=True):
        told, by = _of_list(mart, of, shares.get(of["campaign_id"][0]))
        verdicts.append(told)
        segments.append(by)
    found = (pl.concat([_plain(one) for one in some], how="diagonal_relaxed") for some in (verdicts, segments))
    return Judged(*found, offers.height - listed.height, offers.height)


def _rows(mart: Mart, listed: pl.DataFrame) -> pl.DataFrame:
    """Who was meant for each list and what became of them, as `campaigns.past` tells it of campaigns."""
    key, own = ["list_id", "customer_id"], ["customer_id", "product_id"]
    opened = (
        listed.lazy().join(mart.holdings.select(*own, "opened_on"), on=own)
        .filter(pl.col("opened_on") > pl.col("issued_on")).group_by(key).agg(pl.col("opened_on").min()).collect()
    )  # fmt: skip
    told = listed.join(opened, on=key, how="left", maintain_order="left").rename({"list_id": "campaign_id"})
    # What a list is issued on is known by the evening of that day: its month, if it ends with it, came before.
    runs = told.select(
        "campaign_id", "name", "read_out_on", product_id=pl.lit(None, pl.String),
        from_on=pl.col("issued_on") + timedelta(1),
    ).unique("campaign_id")  # fmt: skip
    asked = told.select("campaign_id", "customer_id", "is_control", "opened_on", on="issued_on",
                        responded_on=pl.lit(None, pl.Date))  # fmt: skip
    rows = offered.past(asked, runs, mart.as_of, amounts=_earned(mart, told))
    known = told.select(
        "campaign_id", "customer_id", "probability",
        base_rate=pl.col("probability").mean().over("campaign_id"), was_treated=_treated(mart, told),
    )  # fmt: skip
    rows = rows.join(known, on=["campaign_id", "customer_id"], how="left", maintain_order="left")
    return rows.with_columns(is_treated="was_treated").drop("was_treated")


def _earned(mart: Mart, told: pl.DataFrame) -> pl.DataFrame | None:
    """What those on lists earned us a month; None where no list is read out, so that nothing is read for nothing."""
    done = told.filter(pl.col("read_out_on") <= mart.as_of)
    if done.is_empty():
        return None
    first, last = done["issued_on"].min() - timedelta(EARLIER), done["read_out_on"].max()
    return (
        mart.standing.filter(pl.col("month").is_between(first, last))
        .join(done.lazy().select("customer_id").unique(), on="customer_id", how="semi")
        .select("customer_id", "month", amount="contribution").collect()
    )  # fmt: skip


def _treated(mart: Mart, told: pl.DataFrame) -> pl.Series:
    """Who was held out and yet offered the product, or nobody knows what."""
    products = mart.page("products").select("product_id", meant="product")
    made = mart.page("offers").select("customer_id", "on", "product")
    rows = told.with_row_index("at").join(products, on="product_id", how="left")
    rows = rows.filter("is_control").join(made, on="customer_id").filter(
        pl.col("on") > pl.col("issued_on"), pl.col("on") <= pl.col("read_out_on"),
        (pl.col("product") == pl.col("meant")).fill_null(True),
    )  # fmt: skip
    return pl.select(pl.int_range(told.height, dtype=pl.UInt32).is_in(rows["at"].implode())).to_series()


def _of_list(mart: Mart, of: pl.DataFrame, share: float | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The verdict on one list, and by segment where it is read out."""
    issued_on, read_out_on = of.select("offered_on", "read_out_on").row(0)
    is_out, months = read_out_on <= mart.as_of, pl.date_range(issued_on, read_out_on, "1d", eager=True)[1:]
    has_months = bool((months == months.dt.month_end()).any())  # else there is no month to compare
    if not (is_out and has_months):
        of = of.drop("money", "before", strict=False)
    covariates = [name for name in ("probability", "before") if name in of.columns and not of[name].null_count()]
    how = {"covariates": covariates, "control_share": share}
    told = outcome.verdict(of, mart.as_of, **how)
    if not is_out:
        return told, pl.DataFrame()
    rows = of.join(_segments(mart, issued_on), on="customer_id", how="left", maintain_order="left")
    rows = rows.with_columns(pl.col("segment").fill_null(UNKNOWN))
    return told, outcome.by_segment(rows, mart.as_of, "segment", **how)


def _segments(mart: Mart, on: object) -> pl.DataFrame:
    """customer_id, segment: of the last month end up to a day; nobody where it is not known."""
    paths = mart.page("paths")
    known = [name for name in paths.columns if name.startswith(SEGMENT) and name <= f"{SEGMENT}{on}"]
    if not known:
        return pl.DataFrame(schema={"customer_id": paths.schema["customer_id"], "segment": pl.String})
    return paths.select("customer_id", segment=pl.col(max(known)).cast(pl.String))


def _share(told: str | None) -> float | None:
    """What share of a list was to be held out, by what it was made with."""
    share = json.loads(told or "{}").get("rule", {}).get("control_share")
    return None if share is None else share / MILLION


def _plain(table: pl.DataFrame) -> pl.DataFrame:
    return table.with_columns(pl.col(pl.Enum).cast(pl.String))
