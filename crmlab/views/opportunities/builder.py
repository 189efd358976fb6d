"""The campaign builder: what its controls would earn, told at once, and the list once it is settled."""

from dataclasses import dataclass
from html import escape

import polars as pl

from crmlab.errors import InputError
from crmlab.views import theme
from crmlab.views.book import ALL, PUBLIC
from crmlab.views.opportunities.controls import FREE, Terms
from crmlab.views.opportunities.say import busy, money
from crmlab.views.opportunities.solving import Found, Solving
from crmlab.views.opportunities.tables import Tables
from crmlab.views.widgets import Column
from crmlab.views.words import named, word

MOST_PRICES = 6  # that are told, the dearest first
TINY = 0.000_05  # a gap that rounds to nothing
NOTHING = 1e-6  # minor units: a price that is rounding
COLUMNS = [
    Column("rank", "count"), Column("customer_no"), Column("manager"), Column("product"),
    Column("probability_taken", "percent"), Column("amount_expected", "money"), Column("amount_net", "change"),
    Column("reason", "prose"),
]  # fmt: skip
LISTED = {
    "rank": pl.Int64, "customer_no": pl.String, "kind": pl.String, "segment": pl.String, "branch": pl.String,
    "manager": pl.String, "product": pl.String, "probability_taken": pl.Float64, "amount_expected": pl.Int64,
    "amount_net": pl.Int64, "amount_cost": pl.Int64, "minutes": pl.Int64, "reason": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """The list that is shown: settled where it was settled for just these controls, else a preview."""

    rows: pl.DataFrame  # the pairs, with rank, net and, settled, reason
    value: int
    bound: float
    gap: float
    is_settled: bool
    short: pl.DataFrame


def terms_of(asked: dict) -> tuple[Terms, int, dict]:
    """The values of the controls as the terms of a list, how many lists were issued, and the filters.

    Examples
    --------
    >>> terms_of({"budget": -1, "minutes": 600, "most": -1, "least": 0, "n_lists": 2, "kind": "retail"})
    (Terms(budget=None, minutes=600, most=None, least=0), 2, {'kind': 'retail'})
    """
    terms = Terms(**{name: None if asked[name] == FREE else asked[name] for name in Terms._fields})
    chosen = {name: value for name, value in asked.items() if name not in (*Terms._fields, "n_lists")}
    return terms, asked["n_lists"], chosen


def shown(tables: Tables, found: Found | None, **asked: object) -> Shown | None:
    """What the controls ask for; None where nobody is left to offer anything."""
    terms, n_lists, chosen = terms_of(asked)
    pairs = tables.pairs(n_lists, **chosen)
    if pairs.is_empty():
        return None
    if is_settled(found, asked):
        rows, nobody = _with(pairs, found.chosen), pl.DataFrame({"branch_id": []})
        return Shown(rows, found.value, found.bound, found.gap, True, nobody)
    prices = tables.prices() if found is None else found.prices
    told = tables.preview(n_lists, terms, tuple(prices.select("condition", "name", "price").rows()), **chosen)
    rows = _with(pairs, told.chosen.select("customer_id", "product_id", "net", "rank"))
    return Shown(rows, told.value, told.bound, told.gap, False, told.short)


def is_settled(found: Found | None, asked: dict) -> bool:
    """Whether a list was settled for just these controls."""
    return found is not None and found.asked == asked


def listed(tables: Tables, solving: Solving, solved: int, **asked: object) -> pl.DataFrame:
    """The list that is shown as a table."""
    made = shown(tables, solving.found, **asked)
    if made is None or made.rows.is_empty():
        return pl.DataFrame(schema=LISTED)
    rows = made.rows.with_columns(
        manager_id=pl.when(~pl.col("manager_id").str.starts_with("of ")).then("manager_id"),
        reason="reason" if made.is_settled else pl.lit(None, pl.String),
        amount_net=pl.col("net").round().cast(pl.Int64),
    )
    if made.is_settled:
        said = {one: tables.by_name(one) for one in rows["reason"].unique().drop_nulls()}
        rows = rows.with_columns(pl.col("reason").replace_strict(said, default=None, return_dtype=pl.String))
    return (
        tables.named(rows)
        .with_columns(pl.col("kind", "segment").cast(pl.String))
        .rename({"probability": "probability_taken", "value": "amount_expected", "cost": "amount_cost"})
        .select(list(LISTED))
    )


def told(tables: Tables, solving: Solving, solved: int, **asked: object) -> str:
    """What the list is worth, what no list is worth more than, and what stands in its way."""
    try:
        made = shown(tables, solving.found, **asked)
    except InputError as error:
        return f'<p class="crmlab-sentence">{escape(str(error))}</p>'
    _, n_lists, chosen = terms_of(asked)
    left = busy(tables, n_lists, tables.known_pairs(**chosen)) if n_lists else ""
    if made is None:
        why = tables.without.get("next_best")
        text = word("opportunities.untold", why=escape(why)) if why else word("opportunities.nobody_to_offer")
        return f'<p class="crmlab-sentence">{text} {left}</p>'
    key = "settled" if made.is_settled else "previewed"
    nothing = word("opportunities.nothing_fits", bound=money(tables, made.bound))
    text = (
        nothing
        if made.rows.is_empty()
        else word(
            f"opportunities.{key}",
            n=theme.whole(made.rows.height),
            value=money(tables, made.value),
            falls_short=word("opportunities.falls_short", bound=money(tables, made.bound), gap=_gap(made.gap))
            if made.gap >= TINY
            else word("opportunities.best"),
        )
    )
    source = "" if made.is_settled else " " + word(f"opportunities.prices_{_source(tables, solving.found)}")
    short = "; ".join(
        word("opportunities.short", branch=escape(_branch(tables, row["branch_id"])), n=row["n"], least=row["least"])
        for row in made.short.iter_rows(named=True)
    )
    short = f" {word('opportunities.short_of', parts=short)}" if short else ""
    return f'<p class="crmlab-verdict">{text}</p><p class="crmlab-reading">{source}{short} {left}</p>'


def prices(tables: Tables, solving: Solving, solved: int) -> str:
    """What a little more of each limit would earn, of the list settled last."""
    found = solving.found.prices if solving.found else tables.prices()
    dear = found.filter(pl.col("price") > NOTHING)
    if not found.height:
        return f'<p class="crmlab-reading">{word("opportunities.prices_unknown")}</p>'
    if dear.is_empty():
        return f'<p class="crmlab-reading">{word("opportunities.prices_nothing")}</p>'
    worth = pl.when(pl.col("condition").cast(pl.String) == "manager").then(pl.col("price") * 60).otherwise("price")
    rows = dear.with_columns(worth=worth).sort("worth", descending=True, maintain_order=True)
    items = "".join(f"<li>{_price(tables, row)}</li>" for row in rows.head(MOST_PRICES).iter_rows(named=True))
    more = rows.height - MOST_PRICES
    rest = f"<li>{word('opportunities.prices_more', n=theme.whole(more))}</li>" if more > 0 else ""
    key = "opportunities.prices_of_settled" if solving.found else "opportunities.prices_of_build"
    return f'<div class="crmlab-reading"><p>{word(key)}</p><ul>{items}{rest}</ul></div>'


def name_of(tables: Tables, **asked: object) -> str:
    """What a list of these controls is called in the ledger."""
    terms, _, chosen = terms_of(asked)
    branch, manager, kind = (chosen.get(name, ALL) for name in ("branch", "manager", "kind"))
    who = word("filter.public") if manager == PUBLIC else tables.names["manager_id"].get(manager, "")
    where = tables.names["branch_id"].get(branch) or word("filter.all_branches")
    limits = [word("opportunities.named_minutes", n=terms.minutes)]
    if terms.budget is not None:
        limits.append(word("opportunities.named_budget", budget=money(tables, terms.budget)))
    if terms.most is not None:
        limits.append(word("opportunities.named_most", n=terms.most))
    if terms.least:
        limits.append(word("opportunities.named_least", n=terms.least))
    parts = (word("opportunities.named"), where, who, kind and named("kind", kind), *limits)
    return ", ".join(part for part in parts if part)


def _with(pairs: pl.DataFrame, chosen: pl.DataFrame) -> pl.DataFrame:
    """The pairs chosen, in their order, with what is known of them."""
    known = pairs.drop("rank")  # of the offers to a customer
    return known.join(chosen, on=["customer_id", "product_id"]).sort("rank")


def _gap(gap: float) -> str:
    return f"{gap * 100:.2f} %" if gap < 0.01 else theme.share(gap)


def _source(tables: Tables, found: Found | None) -> str:
    if found is not None:
        return "settled"
    return "build" if tables.prices().height else "none"


def _branch(tables: Tables, branch: str) -> str:
    return tables.names["branch_id"].get(branch, branch)


def _price(tables: Tables, row: dict) -> str:
    condition, name = row["condition"], row["name"] or ""
    if name.startswith("of "):
        who = word("opportunities.branch_public", branch=_branch(tables, name.removeprefix("of ")))
    else:
        who = tables.names["manager_id"].get(name, name)
    names = {"manager": who, "branch": _branch(tables, name), "product": tables.products.get(name, name)}
    worth = f"{row['price']:,.2f}" if condition == "budget" else money(tables, row["worth"])
    text = word(
        f"opportunities.price_{condition}",
        name=escape(names.get(condition, name)),
        worth=worth,
        currency=tables.mart.base_currency,
    )
    return text
