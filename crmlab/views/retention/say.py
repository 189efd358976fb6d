"""What `retention` says in words and small tables; pure functions of numbers, HTML out."""

from html import escape

import polars as pl

from crmlab.measures.churn import worklist
from crmlab.views import theme
from crmlab.views.parts import small_table
from crmlab.views.retention import fate, maturing, trial
from crmlab.views.retention.draw import LEAST_AT_RISK, MOST_CURVES, MOST_MANAGERS
from crmlab.views.retention.tables import MILLION, Tables
from crmlab.views.retention.trial import between
from crmlab.views.words import named, word

FAR = 2  # times what went, from which on what is at stake is said to be far more
SAVE_RATES = (0.5, 1.5)  # of the one in force, to show what hangs on it
REASONS = {  # why somebody is not on the list, and how that is told
    "money already going": "going",
    "not at risk": "not_at_risk",
    "held out earlier": "held",
    "cannot tell": "unknown",
    "earns nothing": "gain",
    "not worth the call": "gain",
    "no call left": "capacity",
}


def count(tables: Tables, **chosen: str) -> str:
    """How many customers the filters leave."""
    n, of = tables.page("roster", **chosen).height, tables.mart.page("roster").height
    words = word("filter.count", n=theme.whole(n), of=theme.whole(of)) if n else word("filter.none")
    return f'<span class="crmlab-count" role="status">{words}</span>'


def finding(tables: Tables, horizon: int, capacity: int, n_lists: int, **chosen: str) -> str:
    """How many will leave, with how much, how much of it the list holds; whether the list is any good."""
    found = tables.called(horizon, capacity, n_lists, **chosen)
    if found is None:
        return f'<div class="told">{_nobody(tables)}</div>'
    scores = tables.scores(**chosen).filter(pl.col("state_of_watch") == "at risk")
    key = "retention.lead" if found.calls.height else "retention.lead_no_calls"
    lead = word(
        key,
        horizon=horizon,
        n=theme.whole(scores.height),
        n_leave=_about(scores[f"p{horizon}"].sum()),
        n_called=theme.whole(found.calls.height),
        n_held=_about(found.calls["probability"].sum()),
    )
    told = [
        trial.verdict(tables, horizon),
        _at_stake(tables, found, scores, horizon, **chosen),
        fate.last(tables, n_lists),
        _going(tables, found),
        _assumed(tables, horizon, capacity, n_lists, **chosen),
        untested(tables),
    ]
    items = "".join(f"<li>{one}</li>" for one in told if one)
    return f'<div class="told"><p>{lead}</p><ul>{items}</ul></div>'


def left_out(tables: Tables, horizon: int, capacity: int, n_lists: int, **chosen: str) -> str:
    """How many are not on the list, and why."""
    found = tables.called(horizon, capacity, n_lists, **chosen)
    if found is None:
        return ""
    by = found.left_out.with_columns(pl.col("reason").cast(pl.String).replace_strict(REASONS, default=None))
    sums = dict(by.drop_nulls("reason").group_by("reason", maintain_order=True).agg(pl.col("n").sum()).rows())
    parts = [
        word(f"retention.left_{reason}", n=f"<b>{theme.whole(n)}</b>", capacity=capacity)
        for reason, n in sorted(sums.items(), key=lambda one: -one[1])
        if n
    ]
    text = word("retention.left_out", parts="; ".join(parts) or word("retention.left_nobody"))
    return f'<p class="crmlab-reading">{text}</p>'


def untested(tables: Tables) -> str:
    """Which horizons are not offered, and why."""
    if not tables.untested:
        return ""
    horizons = ", ".join(word("retention.months", n=months) for months in sorted(tables.untested))
    why = escape(" ".join(dict.fromkeys(tables.untested.values())))
    return f'<span title="{why}">{word("retention.untested", horizons=horizons)}</span>'


def chosen_one(tables: Tables, customer: str | None, horizon: int | None) -> str:
    """Who was chosen: how likely, by what, with how much."""
    score = tables.score_of(customer)
    if score is None:
        return f'<p class="crmlab-reading">{word("retention.nobody_chosen")}</p>'
    text = word(
        "retention.chosen",
        customer=escape(customer),
        probability=theme.share(score.get(f"p{horizon}")),
        horizon=horizon,
        money=_money(tables, score["aum"]),
    )
    causes = [
        word("retention.chosen_cause", cause=named("cause", cause).lower(), share=theme.share(score[cause]))
        for cause in sorted((c for c in theme.CAUSES if score.get(c)), key=lambda one: -score[one])
    ]
    if causes and horizon == tables.main:
        text += "<br>" + word("retention.chosen_causes", causes=", ".join(causes))
    return f'<p class="crmlab-reading">{text}{_life(tables, score["customer_id"])}</p>'


def overlap(tables: Tables) -> str:
    """How the clauses of leaving agree."""
    found = tables.mart.page("overlap")
    others = [name for name in found.columns if name in theme.CAUSES or name == "dormant"]
    rows = [
        (
            f'<span class="is-whole">{named("cause", row["clause"])}</span>',
            theme.whole(row["n"]),
            between(row),
            *("" if name == row["clause"] else theme.whole(row[name]) for name in others),
        )
        for row in found.iter_rows(named=True)
    ]
    head = [word(f"retention.overlap_{name}") for name in ("clause", "n", "rate")]
    also = [word("retention.overlap_also", clause=named("clause", name)) for name in others]
    return small_table([*head, *also], rows, "tnn" + "n" * len(others))


def curves(tables: Tables, by: str, kind: str = "") -> str:
    """What the picture leaves out."""
    rows = tables.curves(by, kind)
    n = rows["group"].n_unique()
    parts = [word("retention.curves_since")] if n else []
    behind, of = tables.behind(by, kind), tables.behind("", kind)
    parts += [word("retention.curves_of", n=theme.whole(behind), of=theme.whole(of))] if behind < of else []
    parts += [word("retention.curves_most", n=MOST_CURVES, of=n)] if n > MOST_CURVES else []
    few = rows.group_by("group").agg(pl.col("at_risk").max())
    is_faint = pl.col("at_risk").is_between(LEAST_AT_RISK, maturing.SMALL - 1)
    parts += [word("retention.curves_faint", n=maturing.SMALL)] if few.filter(is_faint).height else []
    return f'<p class="crmlab-reading">{" ".join(parts)}</p>' if parts else ""


def hazards(tables: Tables, cause: str) -> str:
    """Of what it is not told whether it drives them away, and why."""
    found = tables.mart.page("hazards").filter(pl.col("cause") == cause, pl.col("hazard_ratio").is_null())
    parts = [
        word("retention.hazards_part", name=named("covariate", name), why=escape(why))
        for name, why in found.select("covariate", "advice").rows()
    ]
    return f'<p class="crmlab-reading">{word("retention.hazards_untold", parts="; ".join(parts))}</p>' if parts else ""


def coming(tables: Tables, **chosen: str) -> str:
    """What matures, and how much of it is expected to stay."""
    rows = tables.coming(**chosen)
    if not rows.height:
        return ""
    known = rows.filter(pl.col("probability").is_not_null())
    stays = known.select((pl.col("amount") * pl.col("probability")).sum()).item()
    text = word(
        "retention.calendar_told",
        n=theme.whole(rows.height),
        amount=_money(tables, rows["amount"].sum()),
        stays=_money(tables, round(stays)) if known.height else "–",
    )
    if known.height < rows.height:
        text += " " + word("retention.calendar_unknown", n=theme.whole(rows.height - known.height))
    return f'<p class="crmlab-reading">{text}</p>'


def kept(tables: Tables, **chosen: str) -> str:
    """What to mind of the managers' rates."""
    found, parts = tables.kept(**chosen), []
    if found.height > MOST_MANAGERS:
        parts.append(word("retention.kept_rest", n=found.height - MOST_MANAGERS))
    drawn = found.sort("n", descending=True).head(MOST_MANAGERS)
    if drawn["is_small"].any():
        parts.append(word("retention.kept_small", n=maturing.SMALL))
    parts += [word("retention.kept_mind")] if found.height else []
    return f'<p class="crmlab-reading">{" ".join(parts)}</p>'


def returned(tables: Tables) -> str:
    """How often, and how much, money came back, by cause."""
    found = tables.mart.page("returned")
    spans = found["months"].unique().sort().to_list()
    rows = []
    for cause in (one for one in (*theme.CAUSES, "all") if one in set(found["cause"])):
        mine = {row["months"]: row for row in found.filter(pl.col("cause") == cause).iter_rows(named=True)}
        cells = [cell for months in spans for cell in _back(mine.get(months))]
        rows.append((named("cause", cause), *cells))
    head = [word("retention.returned_cause")]
    for months in spans:
        head += [word("retention.returned_rate", months=months), word("retention.returned_back")]
    if not rows:
        return ""
    note = word("retention.returned_note", n=maturing.SMALL)
    return f'<p class="crmlab-reading">{note}</p>{small_table(head, rows, "t" + "nn" * len(spans))}'


def _back(row: dict | None) -> tuple[str, str]:
    if row is None or not row["n"] or row["rate"] is None:
        return "–", "–"
    of = word("retention.returned_of", n_returned=theme.whole(row["n_returned"]), n=theme.whole(row["n"]))
    cells = f"{between(row)} <small>{of}</small>", theme.share(row["back"] / row["lost"] if row["lost"] else None)
    return cells if row["n"] >= maturing.SMALL else tuple(f'<span class="is-faint">{cell}</span>' for cell in cells)


def _nobody(tables: Tables) -> str:
    if tables.horizons:
        return f"<p>{word('retention.lead_none')}</p>"
    whys = (f"<li>{escape(why)}</li>" for why in dict.fromkeys(tables.untested.values()))
    return f"<p>{word('retention.no_horizon')}</p><ul>{''.join(whys)}</ul>"


def _going(tables: Tables, found: worklist.CallList) -> str:
    n = found.unconfirmed.height
    if not n:
        return ""
    money = _money(tables, found.unconfirmed["aum"].sum())
    return word("retention.going", n=theme.whole(n), money=money, months=tables.confirm_months)


def _at_stake(tables: Tables, found: worklist.CallList, scores: pl.DataFrame, horizon: int, **chosen: str) -> str:
    """What could go by the model, beside what went."""
    money = (scores[f"p{horizon}"] * scores["aum"]).sum()
    held = (found.calls["probability"] * found.calls["aum"]).sum()
    known = tables.known(horizon, **chosen)
    told = {"horizon": horizon, "on": theme.day(tables.known_to)}
    share = theme.share(held / money if money > 0 else None)
    text = word("retention.at_stake", money=_money(tables, round(money)), share=share)
    lost = known["lost"].sum()
    told |= {"n_left": theme.whole(known.height), "lost": _money(tables, lost)}
    text += " " + word("retention.known" if known.height else "retention.known_nobody", **told)
    return f"{text} {word('retention.much_more')}" if money > FAR * lost else text


def _assumed(tables: Tables, horizon: int, capacity: int, n_lists: int, **chosen: str) -> str:
    rate = tables.rules.save_rate / MILLION
    tried = [round(rate * times, 6) for times in SAVE_RATES]
    scores, held = tables.scores(**chosen), tables.held(n_lists)
    found = worklist.sensitivity(scores, tables.rules, horizon, capacity, tried, held)
    ways = [
        word("retention.assumed_way", rate=theme.share(row["save_rate"]), n=theme.whole(row["n"]),
             gain=_money(tables, row["expected"]))
        for row in found.filter(pl.col("case") != "half as long").iter_rows(named=True)
    ]  # fmt: skip
    return word("retention.assumed", rate=theme.share(rate), ways=_sentence("; ".join(ways)))


def _life(tables: Tables, customer_id: int) -> str:
    found = tables.mart.of("life_values", customer_id)
    if not found.height or found["value"][0] is None:
        return ""
    row = found.row(0, named=True)
    told = {name: _money(tables, row[name]) for name in ("value", "lower", "upper")}
    return "<br>" + word("retention.life", months=row["months_told"], **told)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _about(n: float) -> str:
    """An expected number of customers: whole, but from 0 to 10 with one digit."""
    return f"{n:.1f}" if n < 10 else theme.whole(round(n))


def _money(tables: Tables, minor: int | None) -> str:
    return f"{tables.mart.base_currency} {theme.money(minor, tables.mart.minor_digits)}"
