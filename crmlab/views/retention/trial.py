"""What `retention` says of its trials: did the list beat the simple rule, how far off were the probabilities."""

import polars as pl

from crmlab.views import theme
from crmlab.views.parts import small_table
from crmlab.views.retention.tables import Tables
from crmlab.views.words import named, word

NOTHING_KNOWN = (-1.0, 1.0)  # the interval of a difference that hangs on one customer


def verdict(tables: Tables, horizon: int) -> str:
    """Whether the model beats the simple rule, in plain words."""
    found = tables.trial("verdict", horizon)
    if not found.height:
        return word("retention.no_verdict")
    row = found.row(0, named=True)
    if row["difference"] is None:
        return word("retention.no_verdict")
    told = {name: theme.points(row[name]) for name in ("difference", "lower", "upper")}
    told |= {name: theme.share(row[name]) for name in ("share", "rule_share")} | {"budget": theme.share(tables.budget)}
    key = {None: "not_better", True: "better", False: "worse"}[row["is_better"]]
    hangs_on_one = (row["lower"], row["upper"]) == NOTHING_KNOWN
    held = word("retention.held_by_one" if hangs_on_one else "retention.held", horizon=horizon, **told)
    return word(f"retention.{key}", rule=named("method", row["method"]).lower(), held=held)


def trusted(tables: Tables, horizon: int) -> str:
    """The verdict, and on what it rests."""
    found = tables.trial("verdict", horizon)
    if not found.height:
        return f'<p class="crmlab-sentence">{word("retention.no_trial")}</p>'
    row = found.row(0, named=True)
    rests = word("retention.rests", n=theme.whole(row["n"]), n_events=theme.whole(row["n_events"]), horizon=horizon)
    return f'<p class="crmlab-verdict">{verdict(tables, horizon)}</p><p class="crmlab-reading">{rests}</p>'


def calibrated(tables: Tables, horizon: int) -> str:
    """How far what is told is off."""
    found = tables.trial("verdict", horizon)
    if not found.height:
        return ""
    row = found.row(0, named=True)
    slopes = {"slope": "slope", "lower": "slope_lower", "upper": "slope_upper"}
    told = {name: "–" if row[column] is None else f"{row[column]:.2f}" for name, column in slopes.items()}
    text = word("retention.calibrated", ici=theme.points(row["ici"]).lstrip("+"), **told)
    if row["slope_upper"] is not None and row["slope_upper"] < 1:
        text += " " + word("retention.too_bold")
    elif row["slope_lower"] is not None and row["slope_lower"] > 1:
        text += " " + word("retention.too_timid")
    return f'<p class="crmlab-reading">{text}</p>'


def captured(tables: Tables, horizon: int) -> str:
    """What the calls of the bank would have held, by method."""
    found = tables.trial("gains", horizon)
    if not found.height:
        return ""
    at = found.filter((pl.col("budget") - tables.budget).abs() == (pl.col("budget") - tables.budget).abs().min())
    rows = {row["method"]: row for row in at.rename({"share_of_money": "rate"}).iter_rows(named=True)}
    parts = [
        word("retention.gains_part", method=named("method", method).lower(), share=_held(rows[method]))
        for method in theme.METHODS
        if method in rows
    ]
    text = word("retention.gains_at", budget=theme.share(at["budget"][0]), parts=" · ".join(parts))
    return f'<p class="crmlab-reading">{text}</p>'


def accuracy(tables: Tables, horizon: int) -> str:
    """AUC and Brier of the model and of the simple rules at the end of the horizon."""
    found = tables.trial("accuracy", horizon)
    if not found.height:
        return ""
    month = found["month"].max()
    rows = [
        (
            named("method", row["method"]),
            "–" if row["auc"] is None else f"{row['auc']:.2f} <small>{row['lower']:.2f}–{row['upper']:.2f}</small>",
            "–" if row["brier"] is None else f"{row['brier']:.4f} <small>{row['brier_base']:.4f}</small>",
        )
        for row in found.filter(pl.col("month") == month).iter_rows(named=True)
    ]
    head = [
        word("retention.accuracy_method", months=month),
        word("retention.accuracy_auc"),
        word("retention.accuracy_brier"),
    ]
    return small_table(head, rows, "tnn")


def between(row: dict) -> str:
    """A rate with its interval."""
    ends = f"{theme.share(row['lower'])}–{theme.share(row['upper'])}".replace(" %–", "–")
    return f'<span class="is-whole">{theme.share(row["rate"])} <small>{ends}</small></span>'


def _held(row: dict) -> str:
    """The share of the money that a method held, with its interval where there is one."""
    if row.get("money_lower") is None:
        return theme.share(row["rate"])
    return between(row | {"lower": row["money_lower"], "upper": row["money_upper"]})
