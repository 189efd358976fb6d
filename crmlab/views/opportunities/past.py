"""Did it work? The bank's own campaigns and the lists issued here, by response and money, and by segment."""

from html import escape

import polars as pl

from crmlab.views import theme
from crmlab.views.opportunities.say import between
from crmlab.views.opportunities.tables import Tables
from crmlab.views.parts import small_table
from crmlab.views.words import named, word

HEAD = ("name", "verdict", "outcome", "offered", "control", "difference", "adjusted", "seen")
SEGMENTS = ("segment", "verdict", "outcome", "offered", "control", "difference", "p")


def names(tables: Tables, n_lists: int = 0) -> list[tuple[str, str]]:
    """The campaigns, and the lists read out, that can be looked at by segment; the latest first."""
    own, issued = tables.mart.page("campaigns_past"), _read_out(tables, n_lists)
    parts = [found.select("name", "campaign_id", "read_out_on").unique() for found in (own, issued) if found.height]
    if not parts:
        return []
    rows = pl.concat(parts).sort("read_out_on", "campaign_id", descending=True)
    return rows.select("name", "campaign_id").rows()


def summary(tables: Tables) -> str:
    """How many campaigns worked, and of how many it cannot be told."""
    found = tables.mart.page("campaigns_past")
    if not found.height:
        return f'<p class="crmlab-sentence">{word("opportunities.past_none")}</p>'
    return f'<p class="crmlab-verdict">{_counted(found, "past")}</p>'


def campaigns(tables: Tables) -> str:
    """Each campaign, the latest first: what it did by response and by money."""
    found = tables.mart.page("campaigns_past")
    return _table(tables, found) if found.height else ""


def issued(tables: Tables, n_lists: int) -> str:
    """What the lists of offers in the ledger did, by response and money; a sentence where none was issued."""
    told = tables.judged(n_lists) if n_lists else None
    if told is None or not told.verdicts.height:
        return f'<p class="crmlab-sentence">{word("opportunities.issued_none")}</p>'
    said = _counted(told.verdicts, "issued_lists")
    if told.n_lost:
        said += " " + word("opportunities.issued_lost", n=theme.whole(told.n_lost), of=theme.whole(told.n))
    return f'<p class="crmlab-verdict">{said}</p>' + _table(tables, told.verdicts)


def by_segment(tables: Tables, campaign: str | None, n_lists: int = 0) -> str:
    """What one campaign, or one list, did in each segment; where nothing can be told once for all outcomes."""
    parts = [tables.mart.page("campaigns_by_segment"), tables.judged(n_lists).segments if n_lists else pl.DataFrame()]
    known = [found for found in parts if found.height]
    if not known or campaign is None:
        return f'<p class="crmlab-sentence">{word("opportunities.past_none")}</p>'
    rows = pl.concat([found.filter(pl.col("campaign_id") == campaign) for found in known], how="diagonal_relaxed")
    if not rows.height:
        return f'<p class="crmlab-sentence">{word("opportunities.no_segments")}</p>'
    is_told = pl.col("difference").is_not_null()
    rows = rows.filter(is_told | (pl.col("outcome") == "response")).sort(
        is_told, "n_offered", "segment", "outcome", descending=[True, True, False, True]
    )
    cells = [
        _faint(
            row,
            escape(named("segment", row["segment"] or "")), _verdict(row),
            _outcome(tables, row) if row["difference"] is not None else word("opportunities.past_both"),
            *_sides(tables, row), _difference(tables, row, ""),
            "–" if row["p_adjusted"] is None else f"{row['p_adjusted']:.3f}",
        )
        for row in rows.iter_rows(named=True)
    ]  # fmt: skip
    return small_table([word(f"opportunities.past_{one}") for one in SEGMENTS], cells, "tttnnnn")


def _read_out(tables: Tables, n_lists: int) -> pl.DataFrame:
    found = tables.judged(n_lists).verdicts if n_lists else pl.DataFrame()
    return found.filter(pl.col("verdict") != "not yet") if found.height else found


def _counted(found: pl.DataFrame, key: str) -> str:
    response = found.filter(pl.col("outcome") == "response")
    counts = dict(response.group_by("verdict").len().rows())
    parts = [
        word("opportunities.past_part", n=theme.whole(counts[one]), verdict=named("campaign_verdict", one).lower())
        for one in ("better", "worse", "cannot tell", "not yet")
        if counts.get(one)
    ]
    return word(f"opportunities.{key}", n=theme.whole(response.height), parts=", ".join(parts))


def _table(tables: Tables, found: pl.DataFrame) -> str:
    """A row a campaign and outcome, its name once; what is not read out yet has nothing to tell of money."""
    is_told = (pl.col("verdict") != "not yet") | (pl.col("outcome") == "response")
    rows = found.filter(is_told).sort(
        "read_out_on", "campaign_id", "outcome", descending=[True, True, True], nulls_last=True
    )
    firsts = rows["campaign_id"].is_first_distinct().to_list()
    cells = [_row(tables, row, first) for row, first in zip(rows.iter_rows(named=True), firsts, strict=True)]
    return small_table([word(f"opportunities.past_{one}") for one in HEAD], cells, "tttnnnnn")


def _row(tables: Tables, row: dict, is_first: bool) -> tuple[str, ...]:
    return _faint(
        row, _name(tables, row) if is_first else "", _verdict(row), _outcome(tables, row), *_sides(tables, row),
        _difference(tables, row, ""), _difference(tables, row, "adjusted"), _seen(tables, row),
    )  # fmt: skip


def _name(tables: Tables, row: dict) -> str:
    product = tables.products.get(row.get("product_id"))
    day = row["read_out_on"] and word("opportunities.read_out", on=theme.day(row["read_out_on"]))
    return _lines(escape(row["name"]), *(escape(one) for one in (product, day) if one))


def _faint(row: dict, *cells: str) -> tuple[str, ...]:
    """The cells, paler where nothing can be told of so few."""
    return cells if row["difference"] is not None else tuple(f'<span class="is-faint">{one}</span>' for one in cells)


def _outcome(tables: Tables, row: dict) -> str:
    return word(f"opportunities.by_{row['outcome']}", currency=tables.mart.base_currency)


def _sides(tables: Tables, row: dict) -> tuple[str, str]:
    return tuple(_side(tables, row, side) for side in ("offered", "control"))


def _side(tables: Tables, row: dict, side: str) -> str:
    rate, n = row[f"of_{side}"], row[f"n_{side}"]
    of = word("opportunities.of", n=theme.whole(n))
    if rate is None or row["outcome"] != "response":
        return _lines(_amount(tables, row, rate), of)
    lower, upper = (f"{end * 100:.1f}" for end in between(round(rate * n), n))
    return _lines(_amount(tables, row, rate), f"{lower}–{upper}", of)


def _difference(tables: Tables, row: dict, of: str) -> str:
    middle, low, high = (of or "difference"), *(f"{of}_{end}" if of else end for end in ("lower", "upper"))
    if row[middle] is None:
        return "–"
    if row["outcome"] == "response":
        told = theme.points(row[middle])
        low, high = (theme.points(row[name]).removesuffix(" pp") for name in (low, high))
    else:
        told, low, high = (_money(tables, row[name], signed=True) for name in (middle, low, high))
    return _lines(told, word("opportunities.from_to", low=low, high=high))


def _seen(tables: Tables, row: dict) -> str:
    """The least rise that groups of this size show 4 times in 5: as it was to be expected, and as it turned out."""
    told = [
        word(f"opportunities.seen_{when}", amount=_rise(tables, row, row[name]))
        for when, name in (("before", "detectable_before"), ("after", "detectable"))
        if row.get(name) is not None
    ]
    return _lines("", *told) if told else "–"


def _rise(tables: Tables, row: dict, value: float) -> str:
    return theme.points(value).lstrip("+") if row["outcome"] == "response" else _money(tables, value)


def _amount(tables: Tables, row: dict, value: float | None) -> str:
    if value is None:
        return "–"
    return theme.share(value) if row["outcome"] == "response" else _money(tables, value)


def _money(tables: Tables, minor: float, signed: bool = False) -> str:
    return theme.full(minor / 10**tables.mart.minor_digits, signed)


def _lines(told: str, *small: str) -> str:
    """What is told, and below it, each in a line of its own, what belongs to it."""
    rows = [told] if told else []
    rows += [f'<small class="is-whole">{one}</small>' for one in small]
    return "<br>".join(rows)


def _verdict(row: dict) -> str:
    told = f"<b>{named('campaign_verdict', row['verdict'])}</b>"
    return f"{told}: {escape(row['why'])}" if row["why"] else told
