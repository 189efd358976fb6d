"""What `opportunities` says in words and small tables; pure functions of page tables, HTML out."""

from html import escape

import polars as pl

from crmlab.measures.uncertainty import wilson
from crmlab.views import theme
from crmlab.views.book import ALL
from crmlab.views.opportunities.tables import BUSY, Tables
from crmlab.views.parts import small_table
from crmlab.views.words import named, word

MILLION = 1_000_000
WAYS = ("hazards", "logistic", "rules", "popularity")


def count(tables: Tables, **chosen: str) -> str:
    """How many customers the filters leave."""
    n, of = tables.page("roster", **chosen).height, tables.mart.page("roster").height
    words = word("filter.count", n=theme.whole(n), of=theme.whole(of)) if n else word("filter.none")
    return f'<span class="crmlab-count" role="status">{words}</span>'


def finding(tables: Tables, n_lists: int = 0, **chosen: str) -> str:
    """How many may be offered something, what they would take; who has had a life event; how far to trust it."""
    if why := tables.without.get("next_best"):
        items = [word("opportunities.untold", why=escape(why))]
        lead = word("opportunities.lead_untold")
    else:
        lead, items = _lead(tables, n_lists, **chosen), []
    items = [*occasions(tables, **chosen), *items, *verdicts(tables)]
    listed = "".join(f"<li>{one}</li>" for one in items)
    return f'<div class="told"><p>{lead}</p><ul>{listed}</ul></div>'


def _lead(tables: Tables, n_lists: int, **chosen: str) -> str:
    rows = tables.next_best(n_lists, **chosen)
    if rows.is_empty():
        return word("opportunities.lead_none")
    best = rows.filter(pl.col("rank") == 1)
    ways = dict(best.group_by("source").len().rows())
    parts = [
        word("opportunities.lead_way", n=theme.whole(ways[one]), way=named("way", one).lower())
        for one in WAYS
        if one in ways
    ]
    return word(
        "opportunities.lead",
        n=theme.whole(best.height),
        n_taken=_about(best["probability"].sum()),
        horizon=tables.horizon,
        value=money(tables, best["value"].sum()),
        ways=", ".join(parts),
    )


def occasions(tables: Tables, **chosen: str) -> list[str]:
    """A sentence a life event: how many have had one, and what followed it so far."""
    now = tables.page("occasions", **chosen)
    counts = dict(now.group_by("trigger").agg(pl.col("customer_id").n_unique()).rows())
    rows = tables.mart.page("followed")
    return [
        _occasion(tables, part.row(0, named=True), counts.get(trigger, 0), bool(chosen.get("manager")))
        for (trigger,), part in _best_of_each(rows).partition_by("trigger", as_dict=True, maintain_order=True).items()
    ]


def _best_of_each(rows: pl.DataFrame) -> pl.DataFrame:
    """Of each life event what has followed it most beyond customers alike; surely so before perhaps so."""
    is_sure = (pl.col("least") > 0).fill_null(False)
    order = rows["trigger"].unique(maintain_order=True)
    ranked = rows.sort(is_sure, "difference", descending=True, nulls_last=True, maintain_order=True)
    best = ranked.unique("trigger", keep="first", maintain_order=True)
    return best.sort(pl.col("trigger").cast(pl.Enum(order)))


def _occasion(tables: Tables, row: dict, n: int, is_one: bool) -> str:
    rule = tables.triggers.get(row["trigger"], {})
    times = f"{rule['times'] / MILLION:g}" if rule.get("times") else None
    key = f"opportunities.event_{row['kind']}" + ("" if times or row["kind"] == "maturing_soon" else "_unsized")
    whose = word("opportunities.customers_of_yours" if is_one else "opportunities.customers", n=theme.whole(n))
    told = word(key, whose=whose if n else word("opportunities.nobody_of_yours" if is_one else "opportunities.nobody"),
                times=times, days=rule.get("days") or 30)  # fmt: skip
    if not row["n"] or row["rate"] is None:
        return word("opportunities.event_unseen", event=told)
    text = word(
        "opportunities.event",
        event=told,
        rate=rate(row),
        n_taken=theme.whole(row["n_taken"]),
        n=theme.whole(row["n"]),
        target=target(tables, row["target"]),
        days=row["days"],
        base=rate({"rate": row["base_rate"], "lower": row["base_lower"], "upper": row["base_upper"]}),
        n_base=theme.whole(row["n_base"]),
    )
    is_sure = row["least"] is not None and row["least"] > 0
    return text if is_sure else f"{text} {word('opportunities.event_unsure')}"


def followed(tables: Tables) -> str:
    """What surely follows a life event more often than it is taken by customers alike, what most so first."""
    rows = tables.mart.page("followed")
    known = rows.filter(pl.col("difference").is_not_null()) if rows.height else rows
    if not known.height:
        return ""
    sure = known.filter(pl.col("least") > 0).sort("difference", descending=True, maintain_order=True)
    parts = [
        word("opportunities.followed_part", event=escape(row["trigger"]), target=target(tables, row["target"]),
             more=theme.points(row["difference"]), low=theme.points(row["least"]).removesuffix(" pp"),
             high=theme.points(row["most"]).removesuffix(" pp"))
        for row in sure.iter_rows(named=True)
    ]  # fmt: skip
    key = "opportunities.followed_sure" if parts else "opportunities.followed_unsure"
    text = word(key, n=theme.whole(sure.height), of=theme.whole(known.height), parts="; ".join(parts))
    return f'<p class="crmlab-verdict">{text}</p>'


def together(tables: Tables, kind: str = ALL) -> str:
    """Which two products go together most, and how many pairs surely do or do not."""
    rows = tables.of_kind("affinity", kind)
    rows = rows.filter(pl.col("item") < pl.col("other"), pl.col("lower").is_not_null()) if rows.height else rows
    if not rows.height:
        return ""
    more, less = rows.filter(pl.col("lower") > 1), rows.filter(pl.col("upper") < 1)
    told = {"n": theme.whole(rows.height), "n_more": theme.whole(more.height), "n_less": theme.whole(less.height)}
    if more.is_empty():
        return f'<p class="crmlab-verdict">{word("opportunities.matrix_none", **told)}</p>'
    most = more.sort("lower", "item", "other", descending=[True, False, False]).row(0, named=True)
    told |= {name: escape(most[name]) for name in ("item", "other")} | {"n_both": theme.whole(most["n_both"])}
    told |= {name: f"{most[name]:.1f}" for name in ("lift", "lower", "upper")}
    return f'<p class="crmlab-verdict">{word("opportunities.matrix_most", **told)}</p>'


def verdicts(tables: Tables) -> list[str]:
    """Whether the ways chosen beat popularity, as the trial says it; why not where there was none."""
    found = tables.mart.page("taking_verdicts")
    if "sentence" not in found.columns:
        return [word("opportunities.no_trial", why=escape(tables.without.get("trial", "")))]
    return [escape(one) for one in found["sentence"]]


def trusted(tables: Tables) -> str:
    """The verdicts of the trial, and of each way what it held among the first products told to a customer."""
    told = "".join(f'<p class="crmlab-verdict">{one}</p>' for one in verdicts(tables))
    found = tables.mart.page("taking_rankings")
    if not found.height:
        return told
    ks = found["k"].unique().sort().to_list()
    cells = {(row["method"], row["k"], row["measure"]): row for row in found.iter_rows(named=True)}
    rows = [
        (named("way", way), *(_ranked(cells.get((way, k, measure))) for measure in ("precision", "recall") for k in ks),
         _ranked(cells.get((way, ks[-1], "map"))))
        for way in ("chosen", *WAYS)
        if (way, ks[0], "precision") in cells
    ]  # fmt: skip
    head = [word("opportunities.way")]
    head += [word(f"opportunities.{measure}", k=k) for measure in ("precision", "recall") for k in ks]
    head.append(word("opportunities.map", k=ks[-1]))
    first = cells[("chosen", ks[0], "precision")], cells[("chosen", ks[0], "recall")]
    rests = word("opportunities.rests", n=theme.whole(first[0]["n"]), n_taken=theme.whole(first[1]["n"]))
    return f'{told}<p class="crmlab-reading">{rests}</p>{small_table(head, rows, "t" + "n" * (2 * len(ks) + 1))}'


def choices(tables: Tables) -> str:
    """By product: which way tells of it and why, and how what was told came true."""
    found = tables.mart.page("taking_choices")
    if not found.height:
        return f'<p class="crmlab-sentence">{word("opportunities.no_choices")}</p>'
    tried = tables.mart.page("taking_products")
    tested = {}
    if tried.height:
        used = tried.filter(pl.col("method") == "chosen")
        tested = {row["product_id"]: row for row in used.iter_rows(named=True)}
    order = pl.col("used") == "popularity"
    rows = [
        (escape(tables.products.get(row["product_id"], row["product_id"])), named("way", row["used"]),
         *_tested(tables, tested.get(row["product_id"])), escape(row["why"]))
        for row in found.sort(order, "product_id").iter_rows(named=True)
    ]  # fmt: skip
    head = [word(f"opportunities.choice_{one}") for one in ("product", "used", "n", "told", "came", "off", "why")]
    return small_table(head, rows, "ttnnnnt")


def excluded(tables: Tables, n_lists: int = 0) -> str:
    """How many offers are left out by each rule, how many by it alone, and how many customers by earlier lists."""
    found = tables.mart.page("excluded")
    if not found.height:
        return f'<p class="crmlab-sentence">{word("opportunities.excluded_untold")}</p>'
    rows = [
        (word(f"excluded.{row['reason']}", days=tables.rules.contact_days),
         *(theme.whole(row[name]) for name in ("n", "n_only", "n_unknown")))
        for row in found.filter(pl.col("n") > 0).sort("n", descending=True, maintain_order=True).iter_rows(named=True)
    ]  # fmt: skip
    none = [word(f"excluded.{one}", days=tables.rules.contact_days) for one in found.filter(pl.col("n") == 0)["reason"]]
    told = busy(tables, n_lists, tables.mart.page("roster"))
    if none:
        told = f"{told} {word('opportunities.excluded_nobody', rules='; '.join(none))}".strip()
    head = [word(f"opportunities.excluded_{one}") for one in ("reason", "n", "n_only", "n_unknown")]
    return f'{small_table(head, rows, "tnnn")}<p class="crmlab-reading">{told}</p>'


def busy(tables: Tables, n_lists: int, rows: pl.DataFrame) -> str:
    """How many of the customers in some rows earlier lists leave out, and why; nothing where they leave out nobody."""
    if not n_lists or not rows.width:
        return ""
    counts = dict(tables.busy(n_lists).join(rows, on="customer_no", how="semi").group_by("why").len().rows())
    if not counts:
        return ""
    parts = [
        word(f"opportunities.busy_{why}", n=theme.whole(counts[why]), days=tables.rules.contact_days)
        for why in BUSY
        if why in counts
    ]
    return word("opportunities.busy", n=theme.whole(sum(counts.values())), parts=", ".join(parts))


def products_each(tables: Tables, kind: str = ALL) -> str:
    """How many products a customer of a kind holds."""
    rows = tables.of_kind("products_each", kind)
    if not rows.height:
        return f'<p class="crmlab-sentence">{word("opportunities.nobody_of_kind")}</p>'
    alone = rows.filter(pl.col("n_items") <= 1)["n"].sum()
    text = word(
        "opportunities.products_each",
        kind=named("kind", tables.kind(kind)),
        n=theme.whole(rows["n"].sum()),
        mean=f"{rows['mean'][0]:.2f}",
        alone=theme.share(alone / rows["n"].sum()),
        n_alone=theme.whole(alone),
    )
    return f'<p class="crmlab-reading">{text}</p>'


def rules(tables: Tables) -> str:
    """How many rules were found, how many held up, and why the others did not."""
    found = tables.mart.page("led_to")
    if why := tables.without.get("led_to"):
        return f'<p class="crmlab-sentence">{word("opportunities.rules_untold", why=escape(why))}</p>'
    if not found.height:
        return f'<p class="crmlab-sentence">{word("opportunities.rules_none")}</p>'
    counts = dict(found.group_by("verdict").len().rows())
    n = counts.get("confirmed", 0)
    days = {name: theme.day(found[name][0]) for name in ("split_on", "until")}
    key = "opportunities.rules_held" if n else "opportunities.rules_none_held"
    parts = [
        word("opportunities.rules_part", n=theme.whole(counts[one]), verdict=named("rule_verdict", one))
        for one in ("not confirmed", "cannot tell", "left out")
        if counts.get(one)
    ]
    text = word(key, n=theme.whole(n), of=theme.whole(found.height), parts="; ".join(parts), **days)
    return f'<p class="crmlab-verdict">{text}</p>'


def rate(row: dict) -> str:
    """A rate with its interval."""
    if row["rate"] is None:
        return "–"
    ends = f"{theme.share(row['lower'])}–{theme.share(row['upper'])}".replace(" %–", "–")
    return f'<span class="is-whole">{theme.share(row["rate"])} <small>{ends}</small></span>'


def between(k: int, n: float) -> tuple[float, float]:
    """The 95 % interval of a rate of `k` in `n` (Wilson).

    Examples
    --------
    >>> [round(end, 2) for end in between(5, 10)]
    [0.24, 0.76]
    """
    ends = pl.DataFrame({"k": [float(k)], "n": [float(n)]}).select(
        **dict(zip(("lower", "upper"), wilson(pl.col("k"), pl.col("n")), strict=True))
    )
    return ends.row(0)


def target(tables: Tables, name: str) -> str:
    """What a life event leads to, as it stands in a sentence."""
    told = named("target", name)
    return escape(tables.products.get(name, name)) if told == name else told


def money(tables: Tables, minor: float | None) -> str:
    """An amount of the base currency."""
    told = None if minor is None else round(minor)
    return f"{tables.mart.base_currency} {theme.money(told, tables.mart.minor_digits)}"


def _about(n: float) -> str:
    return f"{n:.1f}" if n < 10 else theme.whole(round(n))


def _ranked(row: dict | None) -> str:
    return "–" if row is None else rate(row | {"rate": row["share"]})


def _tested(tables: Tables, row: dict | None) -> tuple[str, ...]:
    """How often it was taken when tried, what was told, what came, and how far the two were apart."""
    if row is None:
        return ("–",) * 4
    took = word("opportunities.taken_of", n_taken=theme.whole(row["n_taken"]), n=theme.whole(row["n"]))
    off = "–" if row["ici"] is None else theme.points(row["ici"]).lstrip("+")
    # Who takes it once is counted in each month before; an interval may count them once only, among as many fewer.
    months = row["n_taken"] / row["n_takers"] if row["n_takers"] else tables.horizon
    lower, upper = between(row["n_takers"], row["n"] / months)
    came = f"{_fine(row['rate'])} <small>{lower * 100:.2f}–{upper * 100:.2f} %</small>"
    return tuple(f'<span class="is-whole">{one}</span>' for one in (took, _fine(row["told"]), came, off))


def _fine(share: float | None) -> str:
    return "–" if share is None else f"{share * 100:.2f} %"
