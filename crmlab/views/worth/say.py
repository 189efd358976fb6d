"""What `worth` says in words and small tables; pure functions of numbers, HTML out."""

from collections.abc import Iterable
from functools import partial
from html import escape

import ipywidgets
import polars as pl

from crmlab.mart.snapshot import Mart
from crmlab.measures import completeness
from crmlab.views import book, theme
from crmlab.views.widgets import tile
from crmlab.views.words import named, word
from crmlab.views.worth import earnings
from crmlab.views.worth.behind import group_name
from crmlab.views.worth.tables import Tables

TOPS = ("top_1", "top_4", "top_20", "gini")


def missing(mart: Mart) -> list[ipywidgets.HTML]:
    """Which components of the contribution this bank's data cannot give, and why."""
    told = mart.manifest["contribution"]
    sentences = [
        word("worth.missing_part", part=named("component", name), why=why) for name, why in told["missing"].items()
    ]
    if told["n_unpriced"]:
        sentences.append(word("worth.unpriced", n=theme.whole(told["n_unpriced"])))
    if not sentences:
        return []
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    note = f'<div class="crmlab-warning" role="note"><b>{word("worth.missing")}</b><ul>{items}</ul></div>'
    return [ipywidgets.HTML(note)]


def count(tables: Tables, **chosen: str) -> str:
    """How many customers the filters leave."""
    n = tables.people(**chosen).height
    words = word("filter.count", n=theme.whole(n), of=theme.whole(tables.all.height)) if n else word("filter.none")
    return f'<span class="crmlab-count" role="status">{words}</span>'


def tiles(tables: Tables, **chosen: str) -> str:
    """Five numbers: contribution, that of a customer, the best fifth's share, the last quarter's end, near a tier."""
    mart, people = tables.mart, tables.people(**chosen)
    n = people.height
    if not n:
        return ""
    money = partial(_money, mart)
    whole, before = people["contribution"].sum(), people["contribution_before"]
    growth = whole / before.sum() - 1 if before.null_count() < n and before.sum() > 0 else None
    year = {word("tile.year"): theme.share(growth, signed=True)} if growth is not None else {}
    best = _best_fifth(tables, **chosen)
    trend = book.scope(mart.page("trend"), **chosen)
    found = book.deviation(book.balances(trend, mart.minor_digits))
    up, down = people["is_near_up"].sum(), people["is_near_down"].sum()
    small = word("tile.small", n=n) if n < earnings.SMALL else None
    shown = (
        tile(word("worth.tile_whole"), money(whole), _components(mart), year),
        tile(
            word("worth.tile_each"),
            money(round(whole / n)),
            small or word("worth.tile_each_note"),
            {},
            is_small=bool(small),
        ),
        tile(
            word("worth.tile_best"), theme.share(best), small or word("worth.tile_best_note"), {}, is_small=bool(small)
        ),
        tile(
            word("worth.tile_deviation"),
            theme.share(found[1], signed=True) if found else "–",
            word("worth.tile_deviation_note", month=theme.month(found[0])) if found else word("worth.tile_no_quarter"),
            {},
        ),
        tile(
            word("worth.tile_near"),
            theme.whole(up + down),
            word("worth.tile_near_note"),
            {word("worth.tile_up"): theme.whole(up), word("worth.tile_down"): theme.whole(down)},
        ),
    )
    return f'<div class="crmlab-tiles">{"".join(shown)}</div>'


def whale(told: pl.DataFrame, small: list[str], measure: str) -> str:
    """The curve of each kind as a sentence; `told` joins `concentration.peak` and `concentration.shares`."""
    return "".join(f'<p class="crmlab-reading">{escape(_curve(row, small, measure))}</p>' for row in told.to_dicts())


def _curve(row: dict, small: list[str], measure: str) -> str:
    names = {"kind": named("kind", row["kind"]), "measure": named("measure", measure)}
    if row["kind"] in small:
        return word("worth.whale_small", n=row["n"], **names)
    does = "earn" if measure == "contribution" else "hold"
    text = word(f"worth.whale_{does}", share=_percent(row["top_20"]), **names)
    if round(row["given_back_share"], 2):
        back = _percent(row["given_back_share"])
        text += word("worth.whale_back", worst=_percent(row["worst_share"]), back=back)
    return f"{text}."


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def shares(mart: Mart, branch: str = book.ALL, manager: str = book.ALL, kind: str = book.ALL) -> str:
    """The share of the best few of each kind in the whole bank, and how it moved in a year."""
    frame = book.scope(mart.page("concentration"), kind=kind)
    now = frame.filter(pl.col("month") == frame["month"].max()).sort("measure", "kind", descending=[True, False])
    year = pl.col("month") == pl.lit(frame["month"].max()).dt.offset_by("-12mo").dt.month_end()
    then = {(row["kind"], row["measure"]): row for row in frame.filter(year).iter_rows(named=True)}

    def before(row: dict) -> dict:
        return then.get((row["kind"], row["measure"]), {})

    rows = [
        (
            named("measure", row["measure"]),
            f"{named('kind', row['kind'])} <small>{theme.whole(row['n'])}</small>",
            *(_faint(_moved(row[top], before(row).get(top), top), row["n"]) for top in TOPS),
        )
        for row in now.iter_rows(named=True)
    ]
    head = (word("worth.measure"), word("worth.kind"), *(word(f"worth.{top}") for top in TOPS))
    return _table(head, rows, texts=2) if rows else ""


def comparison(tables: Tables, first: str, second: str, **chosen: str) -> str:
    """Two groups in numbers beside each other, and by how much a customer of one earns more than of the other."""
    members, amounts = tables.sides(first, second, **chosen)
    profiles = [earnings.profile(one) for one in members]
    money = partial(_money, tables.mart)
    rows = [
        (word("worth.customers"), *(theme.whole(one["n"]) for one in profiles)),
        (word("worth.aum_each"), *(money(one["aum"]) for one in profiles)),
        (word("worth.contribution_each"), *(money(one["mean"]) for one in profiles)),
        (word("worth.losing"), *(theme.share(one["losing"]) for one in profiles)),
    ]
    sums = earnings.each(amounts, [one.height for one in members], "component")
    for component in tables.mart.manifest["contribution"]["components"]:
        if (sums["component"] == component).any():
            brought = sums.filter(pl.col("component") == component).sort("group")["amount"]
            rows.append((f"– {named('component', component)}", *map(money, brought)))
    head = ("", *(escape(group_name(one)) for one in (first, second)))
    sizes = [one["n"] for one in profiles]
    rows = [(name, *map(_faint, cells, sizes)) for name, *cells in rows]
    return _table(head, rows, texts=1) + f'<p class="crmlab-reading">{_apart(profiles, first, second, money)}</p>'


def unknown(tables: Tables, **chosen: str) -> str:
    """How much is known of what must be known of the key customers, and whose key customers are known least."""
    key = tables.key(**chosen)
    if key.is_empty():
        return f'<p class="crmlab-sentence">{word("worth.no_key")}</p>'
    whole = completeness.shares(key).row(0, named=True)
    told = {name: theme.whole(whole[name]) for name in ("n", "n_complete")}
    there = set(key["tier"].unique())
    tiers = ", ".join(tier for tier in tables.tiers if tier in there)
    text = word("worth.known", tiers=tiers, share=theme.share(whole["filled_share"]), **told)
    by = "manager" if tables.mart.page("managers").height else "branch"
    rows = [
        (
            escape(one[by] or one[f"{by}_id"] or word("filter.public")),
            theme.whole(one["n"]),
            theme.whole(one["n_complete"]),
            theme.share(one["filled_share"]),
        )
        for one in earnings.least_known(key, by).iter_rows(named=True)
    ]
    head = (word(f"column.{by}"), word("worth.key"), word("worth.complete"), word("worth.filled"))
    return f'<p class="crmlab-reading">{escape(text)}</p>' + (_table(head, rows, texts=1) if rows else "")


def _apart(profiles: list[dict], first: str, second: str, money: partial) -> str:
    found = earnings.apart(*profiles)
    if found is None:
        return word("worth.too_small", n=earnings.SMALL)
    by, half = found
    told = {"first": escape(group_name(first)), "second": escape(group_name(second))}
    side = word("worth.more" if by >= 0 else "worth.less")
    return word("worth.apart", by=money(abs(by)), side=side, low=money(by - half), high=money(by + half), **told)


def _components(mart: Mart) -> str:
    told = mart.manifest["contribution"]
    return ", ".join(named("component", name).lower() for name in told["components"] if name not in told["missing"])


def _best_fifth(tables: Tables, **chosen: str) -> float | None:
    """What the best 20 % of each customer kind earn of what all kinds with a profit earn."""
    found = tables.curves("contribution", **chosen)
    if found is None:
        return None
    wholes = tables.people(**chosen).group_by("kind").agg(whole=pl.col("contribution").sum())
    kinds = found[1].join(wholes, on="kind")
    return (kinds["top_20"] * kinds["whole"]).sum() / kinds["whole"].sum()


def _money(mart: Mart, minor: float | None) -> str:
    return "–" if minor is None else f"{mart.base_currency} {theme.money(round(minor), mart.minor_digits)}"


def _moved(now: float | None, then: float | None, name: str) -> str:
    if now is None:
        return "–"
    value = f"{now:.2f}" if name == "gini" else theme.share(now)
    if then is None:
        return value
    return f"{value} <small>{theme.difference(now - then) if name == 'gini' else theme.points(now - then)}</small>"


def _faint(cell: str, n: int) -> str:
    """A number that rests on too few customers is told, but not to be leant on."""
    return f'<span class="is-faint">{cell}</span>' if n < earnings.SMALL else cell


def _table(head: Iterable[str], rows: Iterable[tuple], texts: int) -> str:
    """A small table: so many columns of text first, numbers after them."""

    def line(tag: str, cells: Iterable[str]) -> str:
        return "".join(f'<{tag} class="{"t" if at < texts else "n"}">{cell}</{tag}>' for at, cell in enumerate(cells))

    body = "".join(f"<tr>{line('td', row)}</tr>" for row in rows)
    return f'<table class="crmlab-small"><thead><tr>{line("th", head)}</tr></thead><tbody>{body}</tbody></table>'
