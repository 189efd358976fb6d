"""Did it work? The bank's own campaigns and the lists issued here, by response and money, and by segment."""

from html import escape

import polars as pl

from crmlab.views import theme
from crmlab.views.opportunities.say import between
from crmlab.views.opportunities.tables import Tables
from crmlab.views.parts import small_table
from crmlab.views.words import named, word

HEAD = ("name", "product", "outcome", "n", "offered", "control", "difference", "adjusted", "seen", "verdict")
SEGMENTS = ("segment", "outcome", "n", "offered", "control", "difference", "p", "verdict")


def names(tables: Tables) -> list[tuple[str, str]]:
    """The campaigns that can be looked at by segment, the latest first."""
    found = tables.mart.page("campaigns_past")
    if not found.width:
        return []
    rows = found.select("name", "campaign_id", "read_out_on").unique()
    return rows.sort("read_out_on", "campaign_id", descending=True).select("name", "campaign_id").rows()


def summary(tables: Tables) -> str:
    """How many campaigns worked, and of how many it cannot be told."""
    found = tables.mart.page("campaigns_past")
    if not found.width or not found.height:
        return f'<p class="crmlab-sentence">{word("opportunities.past_none")}</p>'
    response = found.filter(pl.col("outcome") == "response")
    counts = dict(response.group_by("verdict").len().rows())
    parts = [
        word("opportunities.past_part", n=theme.whole(counts[one]), verdict=named("campaign_verdict", one).lower())
        for one in ("better", "worse", "cannot tell", "not yet")
        if counts.get(one)
    ]
    text = word("opportunities.past", n=theme.whole(response.height), parts=", ".join(parts))
    return f'<p class="crmlab-verdict">{text}</p>'


def campaigns(tables: Tables) -> str:
    """Each campaign, the latest first: what it did by response and by money."""
    found = tables.mart.page("campaigns_past")
    if not found.width or not found.height:
        return ""
    rows = found.sort("read_out_on", "campaign_id", "outcome", descending=[True, True, True], nulls_last=True)
    return _table(tables, rows, found["product_id"].null_count() < found.height)


def by_segment(tables: Tables, campaign: str | None) -> str:
    """What one campaign did in each segment."""
    found = tables.mart.page("campaigns_by_segment")
    if not found.width or campaign is None:
        return f'<p class="crmlab-sentence">{word("opportunities.past_none")}</p>'
    rows = found.filter(pl.col("campaign_id") == campaign).sort("outcome", "n_offered", descending=True)
    if not rows.height:
        return f'<p class="crmlab-sentence">{word("opportunities.no_segments")}</p>'
    cells = [
        (
            escape(named("segment", row["segment"] or "")), named("outcome", row["outcome"]), _sizes(row),
            *_sides(tables, row), _difference(tables, row, ""),
            "–" if row["p_adjusted"] is None else f"{row['p_adjusted']:.3f}", _verdict(row),
        )
        for row in rows.iter_rows(named=True)
    ]  # fmt: skip
    return small_table([word(f"opportunities.past_{one}") for one in SEGMENTS], cells, "ttnnnnnt")


def issued(tables: Tables, n_lists: int) -> str:
    """What the lists of offers in the ledger did, by response; a sentence where none was issued."""
    told = tables.judged(n_lists) if n_lists else pl.DataFrame()
    if not told.height:
        return f'<p class="crmlab-sentence">{word("opportunities.issued_none")}</p>'
    return _table(tables, told.sort("read_out_on", descending=True), False)


def _table(tables: Tables, rows: pl.DataFrame, has_product: bool) -> str:
    head = [one for one in HEAD if has_product or one != "product"]
    cells = [_row(tables, row, has_product) for row in rows.iter_rows(named=True)]
    kinds = "".join("t" if one in ("name", "product", "outcome", "verdict") else "n" for one in head)
    return small_table([word(f"opportunities.past_{one}") for one in head], cells, kinds)


def _row(tables: Tables, row: dict, has_product: bool) -> tuple[str, ...]:
    day = word("opportunities.read_out", on=theme.day(row["read_out_on"]))
    product = (escape(tables.products.get(row["product_id"], "–")),) if has_product else ()
    return (
        f"{escape(row['name'])} <small>{day}</small>", *product, named("outcome", row["outcome"]), _sizes(row),
        *_sides(tables, row), _difference(tables, row, ""), _difference(tables, row, "adjusted"),
        _amount(tables, row, row["detectable"]), _verdict(row),
    )  # fmt: skip


def _sizes(row: dict) -> str:
    return f"{theme.whole(row['n_offered'])} / {theme.whole(row['n_control'])}"


def _sides(tables: Tables, row: dict) -> tuple[str, str]:
    return tuple(_side(tables, row, side) for side in ("offered", "control"))


def _side(tables: Tables, row: dict, side: str) -> str:
    rate, n = row[f"of_{side}"], row[f"n_{side}"]
    told = _amount(tables, row, rate)
    if rate is None or row["outcome"] != "response":
        return told
    lower, upper = (f"{end * 100:.1f}" for end in between(round(rate * n), n))
    return f"{told} <small>{lower}–{upper}</small>"


def _difference(tables: Tables, row: dict, of: str) -> str:
    middle, low, high = (of or "difference"), *(f"{of}_{end}" if of else end for end in ("lower", "upper"))
    if row[middle] is None:
        return "–"
    if row["outcome"] == "response":
        told = [theme.points(row[name]) for name in (middle, low, high)]
    else:
        told = [_money(tables, row[name]) for name in (middle, low, high)]
    return f"{told[0]} <small>{told[1]} – {told[2]}</small>"


def _amount(tables: Tables, row: dict, value: float | None) -> str:
    if value is None:
        return "–"
    return theme.share(value) if row["outcome"] == "response" else _money(tables, value)


def _money(tables: Tables, minor: float | None) -> str:
    return "–" if minor is None else theme.full(minor / 10**tables.mart.minor_digits)


def _verdict(row: dict) -> str:
    told = f"<b>{named('campaign_verdict', row['verdict'])}</b>"
    return f"{told}: {escape(row['why'])}" if row["why"] else told
