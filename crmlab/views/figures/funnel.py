"""The funnel of leads: how many took each step."""

import plotly.graph_objects as go
import polars as pl

from crmlab.views import theme
from crmlab.views.words import named, word

HEIGHT = 300
WHO = {"newcomers": "segments.newcomers", "customers": "segments.of_customers"}


def steps(frame: pl.DataFrame, line: str, small: int) -> go.Figure:
    """Bars side by side of newcomers and customers; each carries ``newcomers|line|step`` or ``customers|line|step``.

    Parameters
    ----------
    frame
        is_prospect, step (Enum), n, conversion, lower, upper, n_judged, median_days (`funnel.steps`).
    line
        The product line chosen, or nothing.
    small
        Below so many judged leads a rate is faint.
    """
    order = frame["step"].dtype.categories.to_list()

    def bars(is_prospect: bool) -> list[dict]:
        who = "newcomers" if is_prospect else "customers"
        rows = frame.filter(pl.col("is_prospect") == is_prospect).sort("step")
        if not rows.height:
            return []
        return [
            {
                "type": "bar",
                "x": rows["n"].to_list(),
                "y": [named("step", step) for step in rows["step"]],
                "orientation": "h",
                "name": word(WHO[who]),
                "marker": {"color": theme.TWO[is_prospect]},
                "customdata": [f"{who}|{line}|{step}" for step in rows["step"]],
                "text": [_goes_on(row, small) for row in rows.iter_rows(named=True)],
                "textposition": "outside",
                "cliponaxis": False,
                "constraintext": "none",
                "textfont": {"size": 12},
                "hovertext": [_hover(row, who) for row in rows.iter_rows(named=True)],
                "hoverinfo": "text",
            }
        ]

    return theme.clickable(
        HEIGHT,
        [*bars(True), *bars(False)],
        barmode="group",
        bargap=0.25,
        legend={"traceorder": "reversed"},
        xaxis={"visible": False, "range": [0, frame["n"].max() * 1.75]},
        yaxis={
            "categoryorder": "array",
            "categoryarray": [named("step", s) for s in order[::-1]],
            "showgrid": False,
            "ticks": "outside",
            "ticklen": 6,
            "tickcolor": "rgba(0,0,0,0)",
        },
    )


def _goes_on(row: dict, small: int) -> str:
    count = f" <b>{theme.whole(row['n'])}</b>"
    if row["conversion"] is None:
        return count
    colour = theme.OTHER if row["n_judged"] < small else theme.QUIET
    text = word("segments.go_on", share=theme.share(row["conversion"]), days=_days(row["median_days"]))
    return f"{count}  <span style='color:{colour}'>{text}</span>"


def _hover(row: dict, who: str) -> str:
    head = f"<b>{named('step', row['step'])}</b>, {word(f'segments.{who}')}"
    if row["conversion"] is None:
        return f"{head}<br>{theme.whole(row['n'])}"
    told = {
        "share": theme.share(row["conversion"]),
        "low": theme.share(row["lower"]),
        "high": theme.share(row["upper"]),
        "judged": theme.whole(row["n_judged"]),
        "young": theme.whole(row["n_young"]),
        "lost": theme.whole(row["n_lost"]),
    }
    return f"{head}<br>{word('segments.step_hover', **told)}"


def _days(days: float | None) -> str:
    if days is None:
        return "–"
    return word("segments.day") if round(days) == 1 else word("segments.days", n=round(days))
