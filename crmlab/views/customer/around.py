"""Whom a customer is tied to: household, group, wages, who brought whom; and what these come to together."""

import polars as pl

from crmlab.views.customer.sheet import Sheet
from crmlab.views.words import named, word

TIES = {"customer_no": pl.String, "name": pl.String, "kind": pl.String, "tie": pl.String, "aum": pl.Int64,
        "loans": pl.Int64, "contribution": pl.Int64}  # fmt: skip
GROUPS = {"household": ("household_id", "n_household"), "group": ("group_id", "n_group")}
SUMMED = {"brought": "brought", "wages": "pays wages to"}  # links whose other ends are added up


def ties(sheet: Sheet) -> pl.DataFrame:
    """The customers around one: who they are, what ties them, what they hold and bring; the household first."""
    links = sheet.mart.of("links", sheet.id).with_columns(pl.col("via").cast(pl.String))
    links = links.group_by("other_id", maintain_order=True).agg("via")
    said = {other: [named("via", via) for via in vias] for other, vias in links.iter_rows()}
    inside = {name: members(sheet, name) for name in GROUPS}
    for name, ids in inside.items():
        for other in ids:
            if other != sheet.id and other not in said:
                said[other] = [word(f"customer.in_{name}")]  # tied through somebody between
    rows = people(sheet, list(said)).with_columns(tie=pl.col("customer_id").replace_strict(
        {other: ", ".join(vias) for other, vias in said.items()}, return_dtype=pl.String))  # fmt: skip
    place = pl.when(pl.col("customer_id").is_in(inside["household"])).then(0)
    place = place.when(pl.col("customer_id").is_in(inside["group"])).then(1).otherwise(2)
    return rows.sort(place, -pl.col("contribution"), "customer_no", nulls_last=True).select(list(TIES))


def totals(sheet: Sheet) -> dict[str, dict]:
    """What household and group, those whom the customer brought and those whom they pay come to: n, sums of money.

    The customer is one of the household and of the group. Left out is what there is not; whoever is gone is counted and
    adds nothing.
    """
    links = sheet.mart.of("links", sheet.id)
    others = {name: links.filter(pl.col("via") == via)["other_id"].unique().to_list() for name, via in SUMMED.items()}
    of = {name: members(sheet, name) for name in GROUPS} | others
    money = pl.col("aum", "loans", "contribution").sum()
    return {name: people(sheet, ids).select(money, n=pl.len()).row(0, named=True) for name, ids in of.items() if ids}


def members(sheet: Sheet, name: str) -> list[int]:
    """The customers of the household or group, this one among them; none where there is nobody else."""
    key, size = GROUPS[name]
    mine = sheet.row("members")
    if (mine.get(size) or 1) < 2:
        return []
    everyone = sheet.mart.page("members")
    return everyone.filter(pl.col(key) == mine[key])["customer_id"].to_list()


def people(sheet: Sheet, ids: list[int]) -> pl.DataFrame:
    """Who some customers are and what they hold and bring."""
    who, held, earned = (sheet.mart.of(name, *ids) for name in ("people", "roster", "worth"))
    known = who.select("customer_id", "customer_no", "name", "kind")
    held = held.select("customer_id", "aum", "loans")
    return known.join(held, on="customer_id", how="left").join(
        earned.select("customer_id", "contribution"), on="customer_id", how="left"
    )
