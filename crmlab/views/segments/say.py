"""What `segments` says in words and small tables; pure functions of numbers, HTML out."""

from collections.abc import Iterable
from datetime import date
from html import escape

import polars as pl

from crmlab.measures.transitions import UNKNOWN
from crmlab.views import theme
from crmlab.views.parts import small_table
from crmlab.views.segments import moves
from crmlab.views.segments.naming import group_name, told_months
from crmlab.views.segments.tables import Tables
from crmlab.views.words import named, word

RECENT = 3  # months of outflow that are told
MOST = 3  # ways that are told to be taken otherwise than a year before
NO_WIN = {"n_settled": 0}


def count(tables: Tables, **chosen: str) -> str:
    """How many customers the filters leave."""
    n = tables.people(**chosen).height
    words = word("filter.count", n=theme.whole(n), of=theme.whole(tables.everyone.height)) if n else word("filter.none")
    return f'<span class="crmlab-count" role="status">{words}</span>'


def finding(tables: Tables, span: tuple[date, date], by: str, **chosen: str) -> str:
    """What matters most: where money went, where it came from, what is otherwise than a year before."""
    found = tables.matrix(span, by, **chosen)
    if found is None:
        return ""
    told = moves.movement(found)
    sentences = [_won(tables, told.won, by), _in_all(tables, told, by), _unlike(tables, span, by, **chosen)]
    sentences += [_sent(tables, **chosen), _unknown(found)]
    items = "".join(f"<li>{sentence}</li>" for sentence in sentences if sentence)
    lead = _lost(tables, told.lost, by, told_months(*span))
    name = "told has-list" if told.lost else "told"
    return f'<div class="{name}"><p>{lead}</p><ul>{items}</ul></div>'


def lost(tables: Tables, span: tuple[date, date], by: str, **chosen: str) -> dict | None:
    """The way of which the finding tells first: where the money of those who moved shrank most."""
    found = tables.matrix(span, by, **chosen)
    return None if found is None else moves.movement(found).lost


def legend(tables: Tables, **chosen: str) -> str:
    """Each segment with its customers and money of today, what it means and what to do."""
    people, mart = tables.people(**chosen), tables.mart
    sums = {
        row["segment"]: row
        for row in people.group_by(pl.col("segment").cast(pl.String))
        .agg(n=pl.len(), aum=pl.when(pl.col("aum").count() > 0).then(pl.col("aum").sum()))
        .iter_rows(named=True)
    }
    colours = tables.colours["segment"]
    rows = []
    for one in mart.page("segments").iter_rows(named=True):
        mine = sums.get(one["name"], {"n": 0, "aum": 0})
        dot = _dotted(one["name"], colours[one["name"]])
        rows.append((dot, *_size(mine, mart.minor_digits), escape(one["means"]), escape(one["do"])))
    if None in sums:
        dot = _dotted(word("segments.cannot_tell"), theme.FAINT)
        rows.append((dot, *_size(sums[None], mart.minor_digits), word("segments.cannot_tell_means"), ""))
    head = [
        word(f"segments.legend_{name}", currency=mart.base_currency) for name in ("segment", "n", "aum", "means", "do")
    ]
    return small_table(head, rows, "tnntt")


def wins(tables: Tables, **chosen: str) -> str:
    """By product line, how many of the leads that can be judged were won, and what a win cost."""
    found = tables.steps(by="line", **chosen)
    if found is None:
        return ""
    told = moves.wins(found).rows_by_key(("line", "is_prospect"), named=True, unique=True)
    rows = [
        (named("line", line), *(cell for new in (True, False) for cell in _win(tables, told.get((line, new), NO_WIN))))
        for line in tables.lines()
        if any((line, new) in told for new in (True, False))
    ]
    of = (word("segments.newcomers"), word("segments.of_customers"))
    wins, cost = word("segments.funnel_wins"), word("segments.funnel_cost", currency=tables.mart.base_currency)
    head = ["", *(f"{who}<br><small>{what}</small>" for who in of for what in (wins, cost))]
    return small_table(head, rows, "tnnnn")


def compared(tables: Tables, first: str, second: str, **chosen: str) -> str:
    """How many customers the two groups have."""
    rows = moves.group(tables.page("traits", **chosen), first, second)["is_first"]
    n = int(rows.sum()), int(rows.len() - rows.sum())
    told = {"first": escape(group_name(first)), "second": escape(group_name(second))}
    text = word("segments.profile_sizes", n_first=theme.whole(n[0]), n_second=theme.whole(n[1]), **told)
    small = word("segments.profile_small", n=moves.SMALL) if min(n) < moves.SMALL else ""
    return f'<p class="crmlab-reading">{text} {small}</p>'


def stability(tables: Tables) -> str:
    """Of each kind, how well its clusters agree when drawn again, and whether they are to be relied on."""
    rows = tables.mart.page("clusters").unique("kind").sort("kind")
    return "".join(f'<p class="crmlab-reading">{_stable(row)}</p>' for row in rows.iter_rows(named=True))


def _stable(row: dict) -> str:
    told = {name: f"{row[column]:.2f}".replace("-", "−") for name, column in STABLE.items()}
    verdict = "sure" if row["is_reliable"] else "unsure" if row["stability"] < row["floor"] else "apart"
    return escape(word(f"segments.cluster_{verdict}", kind=named("kind", row["kind"]), k=row["k"], **told))


STABLE = {"stability": "stability", "low": "lower", "high": "upper", "floor": "floor", "strength": "criterion"}


def _lost(tables: Tables, way: dict | None, by: str, months: str) -> str:
    if way is None:
        return word("segments.lost_none", months=months)
    return word("segments.lost_one" if way["n"] == 1 else "segments.lost", months=months, **_of(tables, way, by))


def _won(tables: Tables, way: dict | None, by: str) -> str:
    return word("segments.won_to", **_of(tables, way, by)) if way else ""


def _of(tables: Tables, way: dict, by: str) -> dict[str, str]:
    return {
        "n": theme.whole(way["n"]),
        "origin": escape(named(by, way["origin"])),
        "destination": escape(named(by, way["destination"])),
        "start": _money(tables, way["aum_start"]),
        "end": _money(tables, way["aum_end"]),
    }


def _in_all(tables: Tables, told: moves.Movement, by: str) -> str:
    numbers = {name: theme.whole(getattr(told, f"n_{name}")) for name in ("moved", "came", "gone")}
    money = {f"{name}_money": _money(tables, getattr(told, f"aum_{name}")) for name in ("came", "gone")}
    share = theme.share(told.n_moved / told.n if told.n else None)
    text = word(
        "segments.in_all" if told.n_gone else "segments.in_all_stay",
        n=theme.whole(told.n),
        share=share,
        **numbers,
        **money,
    )
    return text + (word("segments.in_all_most", **_of(tables, told.away, by)) if told.away else ".")


def _unlike(tables: Tables, span: tuple[date, date], by: str, **chosen: str) -> str:
    change = tables.change(span, by, **chosen)
    if change is None:
        return word("segments.no_before")
    ways = [
        word(
            "segments.unlike_way",
            origin=escape(named(by, row["origin"])),
            destination=escape(named(by, row["destination"])),
            share=theme.share(row["share"]),
            before=theme.share(row["share_before"]),
            low=theme.points(row["lower"]),
            high=theme.points(row["upper"]),
        )
        # Who stays is not told: those who move say it already.
        for row in change.filter("is_notable", pl.col("origin") != pl.col("destination")).head(MOST).to_dicts()
    ]
    return word("segments.unlike", ways="; ".join(ways)) if ways else word("segments.alike")


def _sent(tables: Tables, **chosen: str) -> str:
    months = moves.outflow(tables.page("channel_months", **chosen))
    now = months.tail(RECENT)
    if not (sent := now["other_banks"].sum()):
        return ""
    told = {"money": _money(tables, sent), "share": theme.share(sent / now["outflow"].sum())}
    then = months.slice(-RECENT - 12, RECENT) if months.height >= RECENT + 12 else months.clear()
    if not (outflow := then["outflow"].sum()):
        return word("segments.sent_words_new", **told)
    return word("segments.sent_words", before=theme.share(then["other_banks"].sum() / outflow), **told)


def _unknown(found: pl.DataFrame) -> str:
    n = found.filter((pl.col("origin") == UNKNOWN) | (pl.col("destination") == UNKNOWN))["n"].sum()
    return word("segments.unknown", n=theme.whole(n)) if n else ""


def _win(tables: Tables, row: dict) -> tuple[str, str]:
    if not row["n_settled"]:
        return "–", "–"
    shares = {name: theme.share(row[name]) for name in ("won", "low", "high")}
    cost = "–" if row["cost_per_win"] is None else theme.money(round(row["cost_per_win"]), tables.mart.minor_digits)
    told = f"{shares['won']} <small>{shares['low']}–{shares['high']}</small>".replace(" %–", "–")
    return tuple(_faint((told, cost), row["n_settled"]))


def _faint(cells: Iterable[str], n: int) -> Iterable[str]:
    """Numbers that rest on too few customers are told, but not to be leant on."""
    return (f'<span class="is-faint">{cell}</span>' if n < moves.SMALL else cell for cell in cells)


def _dotted(name: str, colour: str) -> str:
    return f'<span class="is-whole"><i class="dot" style="background:{colour}"></i>{escape(name)}</span>'


def _size(one: dict, digits: int) -> Iterable[str]:
    return _faint((theme.whole(one["n"]), theme.money(one["aum"], digits)), one["n"])


def _money(tables: Tables, minor: int) -> str:
    return f"{tables.mart.base_currency} {theme.money(minor, tables.mart.minor_digits)}"
