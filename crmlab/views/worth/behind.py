"""The customers behind what was clicked on `worth`."""

from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from crmlab.measures import movement
from crmlab.views import theme
from crmlab.views.book import scope
from crmlab.views.lists import Listing
from crmlab.views.words import named, word
from crmlab.views.worth import earnings
from crmlab.views.worth.tables import Tables

OF_SOME = {"amount": pl.Int64, "unfilled": pl.String}
LEVELS = {"opening": 0, "closing": 1}  # which month of the span a bar of the bridge stands for


@dataclass(frozen=True)
class Asked:
    """What the reader asks for besides the click."""

    tables: Tables
    span: tuple[date, date]
    measure: str
    chosen: dict[str, str]

    @property
    def people(self) -> pl.DataFrame:
        """The customers that the filters leave."""
        return self.tables.people(**self.chosen)


def listed(tables: Tables, clicked: tuple[str, ...], span: tuple[date, date], measure: str, **chosen: str) -> Listing:
    """The customers behind a click, given as the figure's name and the key of the point; all where nothing is.

    A column amount is what they have in what was clicked, unfilled are the fields missing in their file. Where a list
    tells only customer_id and amount, what else the page knows of them is added.
    """
    asked = Asked(tables, span, measure, chosen)
    if not clicked:
        return _with_all_columns(Listing(word("list.title"), asked.people))
    figure, key = clicked
    found = _BEHIND[figure](asked, *key.split("|"))
    if "amount" not in found.rows.columns:
        return _with_all_columns(found)
    if "customer_no" not in found.rows.columns:
        found = _with_names(tables, found)
    whole, mart = found.rows["amount"].sum(), tables.mart
    money = f"{mart.base_currency} {theme.money(whole, mart.minor_digits)}"
    return _with_all_columns(replace(found, title=word("worth.list_sum", title=found.title, money=money)))


def group_name(group: str) -> str:
    """What a group of `earnings.offered` is called.

    Examples
    --------
    >>> group_name(""), group_name("tier=gold"), group_name("kind=retail")
    ('Everyone', 'Tier: gold', 'Kind: Retail')
    """
    if not group:
        return word("group.everyone")
    column, value = group.split("=", 1)
    return f"{word(f'column.{column}')}: {named(column, value)}"


def _with_all_columns(found: Listing) -> Listing:
    """What only some lists have is empty in the others."""
    there = found.rows.columns
    absent = [pl.lit(None, dtype).alias(name) for name, dtype in OF_SOME.items() if name not in there]
    return replace(found, rows=found.rows.with_columns(absent))


def _with_names(tables: Tables, found: Listing) -> Listing:
    """The customers whose amount is not zero, the largest on top, or the lowest where they cost us money together."""
    rows = found.rows.filter(pl.col("amount") != 0)
    known = rows.join(tables.all, on="customer_id", how="left")
    if known["customer_no"].null_count():
        everyone = tables.mart.page("people").select("customer_id", no="customer_no", was="kind")
        known = known.join(everyone, on="customer_id", how="left").with_columns(
            # Who is gone is told by number and kind alone.
            customer_no=pl.coalesce("customer_no", "no"),
            kind=pl.coalesce("kind", "was"),
        )
    in_order = known.select(*tables.all.columns, *rows.drop("customer_id").columns)
    return Listing(found.title, in_order, "amount", is_down=rows["amount"].sum() >= 0)


def _level(asked: Asked, tier: str, grade: str) -> Listing:
    found = asked.people.filter(pl.col("tier") == tier)
    if not grade:
        return Listing(word("worth.list_tier", tier=tier), found)
    return Listing(word("worth.list_level", tier=tier, grade=grade), found.filter(pl.col("grade") == grade))


def _whale(asked: Asked, kind: str, at: str) -> Listing:
    """The best up to where the curve was clicked; behind its peak those who give back."""
    column = earnings.MEASURES[asked.measure]
    mine = asked.people.filter(pl.col("kind") == kind, pl.col(column).is_not_null())
    told = {"kind": named("kind", kind), "measure": named("measure", asked.measure)}
    if at == "rest":
        found = mine.filter(pl.col(column) < 0)
        share = f"{100 * found.height / max(mine.height, 1):.0f}"
        return Listing(word("worth.list_worst", share=share, **told), found, column, is_down=False)
    best = mine.sort(column, "customer_id", descending=[True, False]).head(round(mine.height * int(at) / 100))
    return Listing(word("worth.list_best", share=at, **told), best, column)


def _line(asked: Asked, line: str, component: str) -> Listing:
    rows = asked.tables.lines(**asked.chosen).filter(pl.col("line") == line)
    if component:
        rows = rows.filter(pl.col("component") == component)
    of = named("component", component) if component else word("worth.contribution")
    return Listing(word("worth.list_line", line=named("line", line), of=of.lower()), _sums(rows, "amount"))


def _month(asked: Asked, month: str) -> Listing:
    rows = scope(asked.tables.mart.page("moves_contribution"), **asked.chosen)
    title = word("worth.list_month", month=theme.month(date.fromisoformat(month)))
    return Listing(title, _sums(rows, f"closing {month}"))


def _deviation(asked: Asked, day: str) -> Listing:
    on = date.fromisoformat(day)
    rows = scope(asked.tables.mart.page("deviations").filter(pl.col("month") == on), **asked.chosen)
    rows = rows.select("customer_id", "is_spike", amount=pl.col("closing") - pl.col("average"))
    return Listing(word("worth.list_deviation", month=theme.month(on)), rows)


def _near(asked: Asked, side: str, tier: str) -> Listing:
    """Nearest first; the amount is what is missing, or what is left above the bound."""
    column, of = ("missing", "next_tier") if side == "up" else ("above", "tier")
    found = asked.people.filter(f"is_near_{side}").with_columns(amount=pl.col(column))
    if not tier:
        return Listing(word(f"worth.list_near_{side}"), found, "amount", is_down=False)
    title = word(f"worth.list_near_{side}_of", tier=tier)
    return Listing(title, found.filter(pl.col(of) == tier), "amount", is_down=False)


def _bridge(asked: Asked, part: str) -> Listing:
    if asked.span[0] == asked.span[1]:
        return Listing(word("worth.two_months"), asked.people.clear())
    rows = scope(asked.tables.spans(asked.span, asked.measure), **asked.chosen)
    start, end = map(theme.month, asked.span)
    measure = named("measure", asked.measure)
    if part in LEVELS:
        title = word("worth.list_at", measure=measure, month=theme.month(asked.span[LEVELS[part]]))
        return Listing(title, _sums(rows, part))
    sums = movement.parts(rows, part).with_columns(pl.col("amount") * movement.SIGNS.get(part, 1))
    return Listing(word("worth.list_part", part=named("part", part), measure=measure, start=start, end=end), sums)


def _group(asked: Asked, group: str, line: str) -> Listing:
    mine = earnings.group(asked.people, group)
    rows = asked.tables.lines(**asked.chosen).filter(pl.col("line") == line)
    title = word("worth.list_group", group=group_name(group), line=named("line", line))
    return Listing(title, _sums(earnings.of(rows, mine, asked.people.height), "amount"))


def _unknown(asked: Asked, _: str) -> Listing:
    """The key customers whose file is incomplete, most missing first; their fields in words."""
    n_unfilled = pl.col("n_required") - pl.col("n_filled")
    rows = asked.tables.key(**asked.chosen).filter(n_unfilled > 0).sort(-n_unfilled, -pl.col("aum_average"))
    fields = pl.col("unfilled").str.split(", ")
    known = rows.select(fields.explode()).to_series().unique().drop_nulls()
    words = {name: named("field", name) for name in known}
    in_words = fields.list.eval(pl.element().replace(words)).list.join(", ")
    return Listing(word("worth.list_unknown"), rows.select(*asked.tables.all.columns, in_words), sort=None)


def _sums(rows: pl.DataFrame, column: str) -> pl.DataFrame:
    return rows.group_by("customer_id").agg(amount=pl.col(column).sum())


_BEHIND = {
    "levels": _level,
    "whale": _whale,
    "lines": _line,
    "months": _month,
    "deviation": _deviation,
    "near": _near,
    "bridge": _bridge,
    "groups": _group,
    "unknown": _unknown,
}
