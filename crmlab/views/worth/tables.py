"""The tables of `worth` as a reader asks for them, and the customers behind what was clicked."""

from datetime import date
from functools import lru_cache

import polars as pl

from crmlab.mart.snapshot import Mart
from crmlab.measures import concentration, movement
from crmlab.views import theme
from crmlab.views.book import scope
from crmlab.views.words import named, word
from crmlab.views.worth import earnings

LEVELS = {"opening": 0, "closing": 1}  # which month of the span a bar of the bridge stands for


class Tables:
    """What several figures ask for with the same filters is computed once and kept until the filters change."""

    def __init__(self, mart: Mart):
        self.mart = mart
        loans = mart.page("roster").select("customer_id", "loans")
        self.all = (
            mart.page("worth")
            .join(loans, on="customer_id", how="left")
            .sort("contribution", "customer_id", descending=[True, False], nulls_last=True)
        )
        rules = mart.page("worth_tiers").sort("rank")
        self.tiers, self.grades = (rules.filter(pl.col("rule") == rule)["name"].to_list() for rule in ("tier", "grade"))
        home = self.all.select("customer_id", "branch_id", "manager_id", "kind")
        spikes = mart.page("deviations").filter("is_spike").join(home, on="customer_id")
        self._spikes = spikes.group_by("month", "branch_id", "manager_id", "kind").agg(n=pl.len())
        lines = mart.page("worth_lines")
        enums = [pl.col(name).cast(pl.Enum(lines[name].unique().sort())) for name in ("line", "component")]
        self._of_lines = lines.with_columns(enums)  # a sum over their names takes four times as long
        self.people = lru_cache(2)(self._people)
        self.kinds = self.all["kind"].unique().cast(pl.String).sort().to_list()
        self.lines = lru_cache(2)(self._lines)
        self.sides = lru_cache(1)(self._sides)
        self.spans = lru_cache(2)(self._spans)
        self.curves = lru_cache(2)(self._curves)
        self.behind = lru_cache(1)(self._behind)

    def spikes(self, **chosen: str) -> pl.DataFrame:
        """Customers with a spike at a quarter's end: month, n."""
        return scope(self._spikes, **chosen)

    def small(self, **chosen: str) -> list[str]:
        """Customer kinds of which the filters leave too few to lean on."""
        counts = self.people(**chosen).group_by("kind").len()
        return counts.filter(pl.col("len") < earnings.SMALL)["kind"].to_list()

    def largest_tiers(self) -> list[str]:
        """The two tiers of most customers, the higher first."""
        counts = self.all.group_by("tier").len().sort("len", "tier", descending=True)["tier"].drop_nulls().to_list()
        return sorted(counts[:2], key=self.tiers.index, reverse=True)

    def bridge(self, span: tuple[date, date], measure: str, **chosen: str) -> dict[str, int]:
        """The bars of the bridge in minor units, each as it moves the level; those that do not occur are left out."""
        rows = scope(self.spans(span, measure), **chosen)
        if not rows.height:
            return {}
        sums = movement.bridge(rows).row(0, named=True)
        bars = {part: movement.SIGNS.get(part, 1) * sums[part] for part in movement.BUCKETS}
        kept = {part: amount for part, amount in bars.items() if amount or part in movement.KINDS}
        return {"opening": sums["opening"], **kept, "closing": sums["closing"]}

    def _people(self, **chosen: str) -> pl.DataFrame:
        return scope(self.all, **chosen)

    def _curves(self, measure: str, **chosen: str) -> tuple[pl.DataFrame, pl.DataFrame] | None:
        """The whale curves of the kinds that have anything to share, and what is to be said of each."""
        values = self.people(**chosen).select("kind", value=earnings.MEASURES[measure])
        values = values.filter(pl.col("value").is_not_null(), pl.col("value").sum().over("kind") > 0)
        if not values.height:
            return None
        told = concentration.peak(values).join(concentration.shares(values).drop("n"), on="kind").sort("kind")
        return concentration.curve(values), told

    def _lines(self, **chosen: str) -> pl.DataFrame:
        return earnings.of(self._of_lines, self.people(**chosen), self.all.height)

    def _sides(self, first: str, second: str, **chosen: str) -> tuple[list[pl.DataFrame], pl.DataFrame]:
        """The customers of two groups, and what they contribute together: group (0 or 1), line, component, amount."""
        members = [earnings.group(self.people(**chosen), one) for one in (first, second)]
        whole, everyone = self.lines(**chosen), self.people(**chosen).height
        sums = [
            earnings.by_line(earnings.of(whole, one, everyone)).with_columns(group=pl.lit(at))
            for at, one in enumerate(members)
        ]
        return members, pl.concat(sums)

    def _spans(self, span: tuple[date, date], measure: str) -> pl.DataFrame:
        return movement.between(self.mart.page(f"moves_{measure}"), *span)

    def _behind(
        self, clicked: tuple[str, ...], span: tuple[date, date], measure: str, **chosen: str
    ) -> tuple[str, pl.DataFrame]:
        """What the list is called and the customers in it; a column amount is what they have in what was clicked."""
        people = self.people(**chosen)
        if not clicked:
            return word("list.title"), people.with_columns(amount=pl.lit(None, pl.Int64))
        figure, key = clicked
        asked = {"span": span, "measure": measure}
        title, found = _BEHIND[figure](self, people, *key.split("|"), asked=asked, chosen=chosen)
        if "amount" not in found.columns:
            return title, found.with_columns(amount=pl.lit(None, pl.Int64))
        if "customer_no" not in found.columns:
            found = self._with_names(found)
        money = f"{self.mart.base_currency} {theme.money(found['amount'].sum(), self.mart.minor_digits)}"
        return word("worth.list_sum", title=title, money=money), found

    def _with_names(self, amounts: pl.DataFrame) -> pl.DataFrame:
        """Customers and amounts with all that is known of them, largest amount first, up or down."""
        rows = amounts.filter(pl.col("amount") != 0).sort(
            pl.col("amount").abs(), "customer_id", descending=[True, False]
        )
        found = rows.join(self.all, on="customer_id", how="left", maintain_order="left")
        if found["customer_no"].null_count():
            gone = self.mart.page("moves_contribution").select("customer_id", was="kind").unique("customer_id")
            number = pl.format(word("worth.gone"), "customer_id")
            found = found.join(gone, on="customer_id", how="left", maintain_order="left").with_columns(
                customer_no=pl.coalesce("customer_no", number), kind=pl.coalesce("kind", "was")
            )
        return found.select(*self.all.columns, *rows.drop("customer_id").columns)


def _level(tables: Tables, people: pl.DataFrame, tier: str, grade: str, **_: object) -> tuple[str, pl.DataFrame]:
    found = people.filter(pl.col("tier") == tier)
    if not grade:
        return word("worth.list_tier", tier=tier), found
    return word("worth.list_level", tier=tier, grade=grade), found.filter(pl.col("grade") == grade)


def _whale(
    tables: Tables, people: pl.DataFrame, kind: str, at: str, asked: dict, **_: object
) -> tuple[str, pl.DataFrame]:
    """The best up to where the curve was clicked; behind its peak those who give back."""
    value = pl.col(earnings.MEASURES[asked["measure"]]).fill_null(0)
    mine = people.filter(pl.col("kind") == kind)
    told = {"kind": named("kind", kind), "measure": named("measure", asked["measure"])}
    if at == "rest":
        found = mine.filter(value < 0).sort(value, "customer_id")
        return word("worth.list_worst", share=f"{100 * found.height / max(mine.height, 1):.0f}", **told), found
    best = mine.sort(value, "customer_id", descending=[True, False]).head(round(mine.height * int(at) / 100))
    return word("worth.list_best", share=at, **told), best


def _line(
    tables: Tables, people: pl.DataFrame, line: str, component: str, chosen: dict, **_: object
) -> tuple[str, pl.DataFrame]:
    rows = tables.lines(**chosen).filter(pl.col("line") == line)
    if component:
        rows = rows.filter(pl.col("component") == component)
    of = word(
        "worth.list_line",
        line=named("line", line),
        of=named("component", component) if component else word("worth.contribution").lower(),
    )
    return of, rows.group_by("customer_id").agg(pl.col("amount").sum())


def _month(tables: Tables, people: pl.DataFrame, month: str, chosen: dict, **_: object) -> tuple[str, pl.DataFrame]:
    rows = scope(tables.mart.page("moves_contribution"), **chosen).select("customer_id", amount=f"closing {month}")
    sums = rows.group_by("customer_id").agg(pl.col("amount").sum())
    return word("worth.list_month", month=theme.month(date.fromisoformat(month))), sums


def _deviation(tables: Tables, people: pl.DataFrame, day: str, **_: object) -> tuple[str, pl.DataFrame]:
    on = date.fromisoformat(day)
    rows = tables.mart.page("deviations").filter(pl.col("month") == on)
    rows = rows.select("customer_id", "is_spike", amount=pl.col("closing") - pl.col("average"))
    mine = rows.filter(pl.col("customer_id").is_in(people["customer_id"].implode()))
    return word("worth.list_deviation", month=theme.month(on)), mine


def _near(tables: Tables, people: pl.DataFrame, side: str, tier: str, **_: object) -> tuple[str, pl.DataFrame]:
    """Nearest first; the amount is what is missing, or what is left above the bound."""
    column, of = ("missing", "next_tier") if side == "up" else ("above", "tier")
    found = people.filter(f"is_near_{side}").sort(column).with_columns(amount=pl.col(column))
    if not tier:
        return word(f"worth.list_near_{side}"), found
    return word(f"worth.list_near_{side}_of", tier=tier), found.filter(pl.col(of) == tier)


def _bridge(tables: Tables, people: pl.DataFrame, part: str, asked: dict, chosen: dict) -> tuple[str, pl.DataFrame]:
    span, measure = asked["span"], asked["measure"]
    rows = scope(tables.spans(span, measure), **chosen)
    told = {"measure": named("measure", measure), "start": theme.month(span[0]), "end": theme.month(span[1])}
    if part in LEVELS:
        sums = rows.group_by("customer_id").agg(amount=pl.col(part).sum())
        return word("worth.list_at", measure=told["measure"], month=theme.month(span[LEVELS[part]])), sums
    sums = movement.parts(rows, part).with_columns(pl.col("amount") * movement.SIGNS.get(part, 1))
    return word("worth.list_part", part=named("part", part), **told), sums


def _group(
    tables: Tables, people: pl.DataFrame, group: str, line: str, chosen: dict, **_: object
) -> tuple[str, pl.DataFrame]:
    mine = earnings.group(people, group)
    rows = earnings.of(tables.lines(**chosen).filter(pl.col("line") == line), mine, people.height)
    title = word("worth.list_group", group=group_name(group), line=named("line", line))
    return title, rows.group_by("customer_id").agg(pl.col("amount").sum())


_BEHIND = {
    "levels": _level,
    "whale": _whale,
    "lines": _line,
    "months": _month,
    "deviation": _deviation,
    "near": _near,
    "bridge": _bridge,
    "groups": _group,
}


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
