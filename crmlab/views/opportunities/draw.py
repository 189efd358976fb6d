"""What `opportunities` draws: figures of its tables, by the reader's filters."""

import plotly.graph_objects as go
import polars as pl

from crmlab.measures.uncertainty import wilson
from crmlab.views import theme
from crmlab.views.book import ALL
from crmlab.views.figures import affinity, rates, taking
from crmlab.views.opportunities.tables import Tables
from crmlab.views.words import named, word

MOST_PRODUCTS = 16  # in the matrix, those held by most
MOST_GROUPS = 9


def matrix(tables: Tables, kind: str = ALL) -> go.Figure:
    """Which products are held together more or less often than by chance."""
    rows = tables.of_kind("affinity", kind)
    if not rows.height:
        return affinity.matrix(rows, [])
    sizes = rows.unique("item").sort("n_item", "item", descending=[True, False])
    order = sizes["item"].head(MOST_PRODUCTS).to_list()
    return affinity.matrix(rows.filter(pl.col("item").is_in(order), pl.col("other").is_in(order)), order)


def penetration(tables: Tables, kind: str = ALL) -> go.Figure:
    """How many of a kind hold each product."""
    rows = tables.of_kind("penetration", kind)
    if not rows.height:
        return rates.dots(rows, {}, word("opportunities.nobody_of_kind"))
    held = rows.filter(pl.col("n_holders") > 0).sort("rate", "item", descending=[True, False])
    told = held.select("n", "rate", "lower", "upper", label="item", k="n_holders", series=pl.lit("held"))
    return rates.dots(told, {"held": theme.ACCENT}, word("opportunities.nobody_of_kind"))


def attached(tables: Tables, by: str, product: str | None) -> go.Figure:
    """Who took a product, quarter by quarter."""
    rows = attach_rates(tables, by, product)
    known = rows.group_by("group").agg(pl.col("n").sum()).sort("n", "group", descending=[True, False])
    groups = known["group"].head(MOST_GROUPS).to_list()
    if by == "segment":
        order = tables.mart.page("segments")["name"].to_list()
        shades = theme.colours(order)
        groups = [one for one in order if one in groups]
    else:
        groups = [one for one in tables.kinds if one in groups]
        shades = dict(zip(tables.kinds, theme.KINDS, strict=False))
    names = {one: named(by, one) for one in groups}
    return affinity.attached(rows.filter(pl.col("group").is_in(groups)), names, shades)


def taken_most(tables: Tables) -> list[str]:
    """The products, those taken most first."""
    found = tables.mart.page("attach_rates")
    if not found.width:
        return []
    taken = found.filter(pl.col("by") == "kind").group_by("item").agg(pl.col("n_taken").sum())
    return taken.sort("n_taken", "item", descending=[True, False])["item"].to_list()


def attach_rates(tables: Tables, by: str, product: str | None) -> pl.DataFrame:
    """By quarter and group: n (customer-months without the product), k (took it in their month), rate, lower, upper."""
    found = tables.mart.page("attach_rates")
    if not found.height or product is None:
        return pl.DataFrame(schema={"quarter": pl.Date, "group": pl.String, "n": pl.Int64, "k": pl.Int64})
    lower, upper = wilson(pl.col("k"), pl.col("n"))
    return (
        found.filter(pl.col("by") == by, pl.col("item") == product, pl.col("group").is_not_null())
        .group_by(pl.col("month").dt.truncate("1q").alias("quarter"), "group")
        .agg(n=pl.col("n").sum(), k=pl.col("n_taken").sum())
        .filter(pl.col("n") > 0)
        .with_columns(rate=pl.col("k") / pl.col("n"), lower=lower, upper=upper)
        .sort("quarter", "group")
    )


def followed(tables: Tables) -> go.Figure:
    """What was taken after a life event, and by customers alike without one."""
    rows = tables.mart.page("followed")
    known = rows.filter(pl.col("n") > 0, pl.col("rate").is_not_null()) if rows.height else rows
    if not known.height:
        return rates.dots(pl.DataFrame(), {}, word("opportunities.followed_none"))
    label = pl.Series([f"{row['trigger']} → {_target(tables, row['target'])}" for row in known.iter_rows(named=True)])
    after = known.select("n", "rate", "lower", "upper", k="n_taken", label=label, series=pl.lit("after"))
    alike = known.select(
        n="n_base", rate="base_rate", lower="base_lower", upper="base_upper",
        k=(pl.col("base_rate") * pl.col("n_base")).round().cast(pl.Int64), label=label, series=pl.lit("alike"),
    ).filter(pl.col("rate").is_not_null())  # fmt: skip
    return rates.dots(
        pl.concat([after, alike.select(after.columns)], how="vertical_relaxed"),
        {"after": theme.TWO[0], "alike": theme.TWO[1]},
        word("opportunities.followed_none"),
    )


def gains(tables: Tables) -> go.Figure:
    """What a list of the likeliest pairs held of what was taken."""
    found = tables.mart.page("taking_gains")
    rows = found.filter(pl.col("product_id").is_null()) if found.height else found
    return taking.gains(rows)


def attached_told(tables: Tables, by: str, product: str | None) -> str:
    """Who took a product in the last quarter, of the largest group, and a year before."""
    rows = attach_rates(tables, by, product)
    if not rows.height:
        return ""
    largest = rows.group_by("group").agg(pl.col("n").sum()).sort("n", "group", descending=[True, False])["group"][0]
    own = rows.filter(pl.col("group") == largest).sort("quarter")
    now = own.row(-1, named=True)
    before = own.filter(pl.col("quarter") == pl.lit(now["quarter"]).dt.offset_by("-1y"))
    text = word("opportunities.attached_now", group=named(by, largest), product=product, **_rate(now))
    if before.height:
        text += word("opportunities.attached_before", rate=_rate(before.row(0, named=True))["rate"])
    return f'<p class="crmlab-reading">{text}.</p>'


def _rate(row: dict) -> dict[str, str]:
    day = row["quarter"]
    counts = {name: theme.whole(row[name]) for name in ("k", "n")}
    ends = {name: f"{row[name] * 100:.2f}" for name in ("lower", "upper")}
    return {"quarter": f"Q{(day.month + 2) // 3} {day.year}", "rate": f"{row['rate'] * 100:.2f} %"} | ends | counts


def _target(tables: Tables, target: str) -> str:
    told = named("target", target)
    return tables.products.get(target, target) if told == target else told
