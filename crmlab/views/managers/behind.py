"""The rows behind a rule: which customers, with how much, whether they counted, and what it adds up to."""

from fractions import Fraction
from html import escape

import polars as pl

from crmlab.measures.managers.sentences import quantity
from crmlab.policy import MEASURES
from crmlab.policy.scoring import DIGITS, MONEY
from crmlab.views import theme
from crmlab.views.book import ALL
from crmlab.views.managers import draw
from crmlab.views.managers.tables import Tables
from crmlab.views.parts import reading
from crmlab.views.widgets import Column
from crmlab.views.words import word

COLUMNS = [
    Column("customer_no"), Column("name"), Column("counted_on", "date"), Column("n_counted", "count"),
    Column("n_of", "count"), Column("amount_counted", "money"), Column("amount_of", "money"),
    Column("amount_before", "money"), Column("credit", "count"), Column("how_theirs", "prose"),
]  # fmt: skip
OF_MONEY = {"maturity_retention": {"n", "n_events"}, "cost_per_win": {"n_events"}}
HOW = ("handed in", "handed out", "answered for")


def rows(tables: Tables, manager: str = ALL, clicked: list | None = None) -> pl.DataFrame:
    """The rows behind the rule that was clicked: what did not count, what was handed over, then the largest first."""
    rule = draw.rule(tables, manager, clicked)
    if rule is None:
        return pl.DataFrame(schema=dict.fromkeys((one.name for one in COLUMNS), pl.String))
    found = tables.behind(manager, rule["every"], rule["period"], rule["measure"])
    who = tables.mart.page("people").select("customer_id", "customer_no", "name")
    told = {one: word(f"managers.{one.replace(' ', '_')}", days=tables.protection_days) for one in HOW}
    how = pl.format("{} {}", pl.col("why").replace_strict(told, default=None, return_dtype=pl.String), "on")
    is_moved = pl.col("why").is_in(HOW)
    made = found.join(who, on="customer_id", how="left", maintain_order="left").with_columns(
        missed=pl.col("n_events") >= pl.col("n"),
        **_sums(rule["measure"]),
        counted_on=pl.when(~(is_moved & pl.col("value").is_not_null())).then("on"),
        credit=(pl.col("share") / 10_000).round(1),
        how_theirs=pl.when(is_moved).then(how),
        amount_before="base",
    )
    order = ["missed", ~is_moved, pl.coalesce("n_counted", "amount_counted"), "customer_no"]
    found = made.sort(order, descending=[False, False, True, False], nulls_last=True)
    return found.select(one.name for one in COLUMNS)


def total(tables: Tables, manager: str = ALL, clicked: list | None = None) -> str:
    """What the rows add up to: the number of the rule's sentence."""
    if not manager:
        return ""
    rule = draw.rule(tables, manager, clicked)
    if rule is None:
        return ""
    found = tables.behind(manager, rule["every"], rule["period"], rule["measure"])
    if not found.height:
        return reading(word("managers.behind_nobody", rule=escape(rule["rule"]), why=_why(tables, rule)))
    digits = tables.mart.minor_digits
    sums = found.select(pl.col("n", "n_events", "value", "base").sum()).row(0, named=True)
    told = {name: _size(rule["measure"], name, one, digits) for name, one in sums.items()}
    key = "managers.behind_of" if found["n"].count() else "managers.behind_sum"
    text = word(key, rows=theme.whole(found.height), mean=_mean(rule["measure"], sums, digits), **told)
    if rule["base"] is not None and found["base"].count():
        text += " " + word("managers.behind_base", **told)
    return reading(text)


def _why(tables: Tables, rule: dict) -> str:
    """Why nothing was counted; what keeps a sum within bounds has no measure."""
    if rule["measure"] is None:
        return word("managers.behind_rules")
    rows = tables.page("assessed").filter(**{name: rule[name] for name in ("manager_id", "every", "period", "measure")})
    return next((why for why in rows["why"] if why), word("managers.behind_nothing"))


def _mean(measure: str, sums: dict, digits: int) -> str:
    """What a rate or a mean comes to."""
    if not sums["n"]:
        return "–"
    scale = 10 ** DIGITS.get(MEASURES[measure], 0)
    return quantity(measure, round(Fraction(sums["n_events"] * scale, sums["n"])), digits)


def _sums(measure: str) -> dict[str, pl.Expr]:
    """What was counted and of how much, each as a number or as money."""
    is_money, nothing = _in_money(measure), pl.lit(None, pl.Int64)
    counted, of = pl.coalesce("value", "n_events"), pl.col("n")
    return {
        "n_counted": nothing if {"value", "n_events"} & is_money else counted,
        "amount_counted": counted if {"value", "n_events"} & is_money else nothing,
        "n_of": nothing if "n" in is_money else of,
        "amount_of": of if "n" in is_money else nothing,
    }


def _in_money(measure: str) -> set[str]:
    """Which columns of the rows are money."""
    return OF_MONEY.get(measure) or ({"value", "base"} if MEASURES.get(measure) == MONEY else set())


def _size(measure: str, name: str, number: int, digits: int) -> str:
    """A sum as the sentences write it."""
    return quantity("contribution", number, digits) if name in _in_money(measure) else theme.whole(number)
