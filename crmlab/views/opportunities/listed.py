"""The lists of `opportunities`: whom to offer what, fresh occasions, and rules."""

from collections.abc import Callable

import ipywidgets
import polars as pl

from crmlab.views import theme
from crmlab.views.opportunities.say import between
from crmlab.views.opportunities.tables import Tables
from crmlab.views.sight import Asked, Sight
from crmlab.views.widgets import Column, Table, table
from crmlab.views.words import named, word

SIZE = 8  # rows of a list
NEXT = [
    Column("customer_no"), Column("name"), Column("segment"), Column("manager"), Column("product"),
    Column("nth", "count"), Column("probability_taken", "percent"), Column("amount_expected", "money"),
    Column("amount_year", "money"), Column("way", "named"),
]  # fmt: skip
OCCASIONS = [
    Column("customer_no"), Column("name"), Column("segment"), Column("manager"), Column("occasion"),
    Column("on", "date"), Column("until", "date"), Column("amount_event", "money"), Column("detail"),
]  # fmt: skip
RULES = [
    Column("when_held"), Column("then_taken"), Column("rule_verdict", "prose"), Column("points_more"),
    Column("rate_holders"), Column("rate_others"),
]  # fmt: skip
FOUND = ("chance", "lift_found", "kinds_of")  # of rules, in their file


def next_best(tables: Tables, n_lists: int = 0, **chosen: str) -> pl.DataFrame:
    """The best offers of each customer, those worth most first."""
    return tables.next_best(n_lists, **chosen).select(
        "customer_no", "name", "kind", "segment", "branch", "manager", "product", "line", nth="rank",
        probability_taken="probability", amount_year="a_year", amount_expected="value", way="source",
    )  # fmt: skip


def occasions(tables: Tables, **chosen: str) -> pl.DataFrame:
    """Who has had a life event, the latest first; of money that matures its amount as last known."""
    rows = tables.page("occasions", **chosen).sort("on", "customer_no", descending=[True, False])
    due = tables.mart.page("maturing").select("account_id", due="amount").unique("account_id")
    rows = rows.join(due, on="account_id", how="left", maintain_order="left")
    return rows.select(
        "customer_no", "name", "kind", "segment", "branch", "manager", "on", "until", "detail", occasion="trigger",
        amount_event=pl.coalesce("amount", "due"),
    )  # fmt: skip


def rules(tables: Tables) -> pl.DataFrame:
    """The rules and what became of them: rates with their intervals and of how many."""
    found = tables.mart.page("led_to")
    schema = dict.fromkeys([*(column.name for column in RULES), *FOUND], pl.String)
    if not found.height:
        return pl.DataFrame(schema=schema)
    rows = [_rule(row) for row in found.iter_rows(named=True)]
    return pl.DataFrame(rows, schema)


LISTS = {"next_best": (next_best, NEXT), "occasions": (occasions, OCCASIONS), "rules": (rules, RULES)}


def rows_of(
    tables: Tables, name: str, sight: Sight, opened: Callable[[str], None] | None, **controls: ipywidgets.Widget
) -> Table:
    """One of the lists, in its own order; it follows its controls while it is in sight."""
    made, columns = LISTS[name]
    return listed(tables, name, lambda asked: made(tables, **asked), columns, opened, asked=Asked(sight, **controls))


def listed(
    tables: Tables, name: str, made: Callable, columns: list[Column], opened: Callable | None, **controls: object
) -> Table:
    """A list with search and download, that says in its own words when it is empty."""
    shown = table(
        made,
        columns,
        key="customer_no" if columns[0].name in ("customer_no", "rank") else None,
        search=[column.name for column in columns if column.form in ("text", "prose")],
        file=word(f"opportunities.{name}_file"),
        digits=tables.mart.minor_digits,
        sort=None,
        opened=opened,
        size=SIZE,
        **controls,
    )
    shown.words = shown.words | {"empty": word(f"opportunities.{name}_empty")}
    return shown


def _rule(row: dict) -> dict[str, str | None]:
    def points(name: str) -> str:
        return theme.points(row[name])

    more = None
    if row["difference"] is not None:
        low, high = (points(f"difference_{end}").removesuffix(" pp") for end in ("lower", "upper"))
        more = f"{points('difference')} ({word('opportunities.from_to', low=low, high=high)})"
    verdict = named("rule_verdict", row["verdict"])
    return {
        "when_held": " + ".join(row["antecedent"]),
        "then_taken": row["consequent"],
        "kinds_of": ", ".join(named("kind", one) for one in row["kinds"]),
        "lift_found": f"{row['lift']:.2f} ({theme.whole(row['n_both'])})",
        "rate_holders": _told(row["n_taken"], row["n"]),
        "rate_others": _told(row["n_others_taken"], row["n_others"]),
        "points_more": more,
        "chance": None if row["q"] is None else f"{row['q']:.3f}",
        "rule_verdict": f"{verdict}: {row['why']}" if row["why"] else verdict,
    }


def _told(k: int, n: int) -> str:
    """A rate with its interval, and of how many."""
    if not n:
        return word("opportunities.taken_of", n_taken=0, n=0)
    lower, upper = (f"{end * 100:.1f}" for end in between(k, n))
    return f"{theme.share(k / n)} ({lower}–{upper}) {word('opportunities.of', n=theme.whole(n))}"
