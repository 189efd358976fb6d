"""Settling the list and issuing it: a button each, what it means said before, what it did said after."""

from collections.abc import Callable
from html import escape

import ipywidgets
import polars as pl

from crmlab.mart import ledger
from crmlab.measures.campaigns.effect import detectable
from crmlab.measures.campaigns.limits import PAIRS
from crmlab.measures.campaigns.outcome import LEAST
from crmlab.views import theme
from crmlab.views.issuing import Issued, button, issuing, there
from crmlab.views.opportunities import builder
from crmlab.views.opportunities.solving import Solving
from crmlab.views.opportunities.tables import Tables
from crmlab.views.parts import block
from crmlab.views.words import word

MILLION = 1_000_000
LEDGER = ["customer_no", "branch_id", "manager_id", "rank", "probability", "expected", "product_id"]


def settling(tables: Tables, solving: Solving, controls: dict[str, ipywidgets.Widget]) -> ipywidgets.Box:
    """The button that settles the list, one that gives up, and how far it is."""
    told = ipywidgets.HTML()
    settle, stop = button("settle"), button("stop")

    def show(_: object = None) -> None:
        asked = _now(controls)
        told.value = f'<p class="crmlab-reading" role="status">{_progress(tables, solving, asked)}</p>'
        there(settle, not solving.is_busy and _can(tables, solving, asked))
        there(stop, solving.step in ("reading", "solving"))

    def start(_: object) -> None:
        asked = _now(controls)
        terms, n_lists, chosen = builder.terms_of(asked)
        pairs = tables.pairs(n_lists, **chosen).select(PAIRS)
        solving.start(pairs, terms._asdict(), tables.mart.minor_digits, asked)

    settle.on_click(start)
    stop.on_click(lambda _: solving.stop())
    solving.observe(show, ["step", "seconds", "value"])
    for control in controls.values():
        control.observe(show, "value")
    show()
    return block("crmlab-stack", told, block("crmlab-pickers", settle, stop))


def asking(tables: Tables, solving: Solving, issued: Issued, controls: dict[str, ipywidgets.Widget]) -> ipywidgets.Box:
    """The settled list, issued when asked for twice."""

    def of_now(made: Callable) -> Callable:
        return lambda: made(tables, solving, _now(controls))

    follows = solving, *controls.values()
    return issuing("opportunities", tables.root, issued, follows, *map(of_now, (_listed, _question, _write)))


def _now(controls: dict[str, ipywidgets.Widget]) -> dict:
    return {name: control.value for name, control in controls.items()}


def _can(tables: Tables, solving: Solving, asked: dict) -> bool:
    _, n_lists, chosen = builder.terms_of(asked)
    return not builder.is_settled(solving.found, asked) and not tables.pairs(n_lists, **chosen).is_empty()


def _progress(tables: Tables, solving: Solving, asked: dict) -> str:
    told = {"n": theme.whole(solving.n), "seconds": solving.seconds}
    if solving.step == "failed":
        why = escape(tables.by_name(solving.why)) or word("opportunities.solver_ended")
        return word("opportunities.step_failed", why=why)
    if solving.step == "done" and not builder.is_settled(solving.found, asked):
        return word("opportunities.step_moved")
    return word(f"opportunities.step_{solving.step or 'none'}", **told)


def _listed(tables: Tables, solving: Solving, asked: dict) -> pl.DataFrame:
    """The rows that would be issued; none where the list of these controls is not settled."""
    nothing = pl.DataFrame(schema=dict.fromkeys(LEDGER, pl.String))
    if not builder.is_settled(solving.found, asked):
        return nothing
    made = builder.shown(tables, solving.found, **asked)
    if made is None:
        return nothing
    manager = pl.when(~pl.col("manager_id").str.starts_with("of ")).then("manager_id")
    return made.rows.with_columns(manager_id=manager, expected="value").select(LEDGER)


def _question(tables: Tables, solving: Solving, asked: dict) -> str:
    """What would be written, and what could be seen at its read-out, before it is."""
    rows = _listed(tables, solving, asked)
    n, n_control = rows.height, round(rows.height * tables.rules.control_share / MILLION)
    text = word(
        "opportunities.issue_ask",
        n=theme.whole(n),
        n_offered=theme.whole(n - n_control),
        n_control=theme.whole(n_control),
        days=tables.rules.read_out_days,
    )
    return f"{text} {_power(rows['probability'].mean(), n - n_control, n_control)}"


def _power(rate: float, n_offered: int, n_control: int) -> str:
    """Whether such groups can show what offering does, where that share would take it anyway."""
    if min(n_offered, n_control) < LEAST:
        return word("opportunities.issue_few", n=LEAST)
    sizes = pl.select(n_offered=n_offered, n_control=n_control, rate=rate)
    rise = sizes.select(detectable(*(pl.col(name) for name in sizes.columns))).item()
    if rise is None:
        return word("opportunities.issue_few", n=LEAST)
    return word("opportunities.issue_power", rate=theme.share(rate), rise=theme.points(rise).lstrip("+"))


def _write(tables: Tables, solving: Solving, asked: dict) -> pl.DataFrame:
    found, rows = solving.found, _listed(tables, solving, asked)
    made_with = {"asked": asked, "value": found.value, "bound": found.bound, "gap": found.gap}
    made_with["prices"] = found.prices.filter(pl.col("price") > builder.NOTHING).drop("sentence").to_dicts()
    return ledger.issue(tables.root, rows, name=builder.name_of(tables, **asked), conditions=made_with)
