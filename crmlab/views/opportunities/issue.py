"""Settling the list and issuing it: a button each, what it means said before, what it did said after."""

import logging
from collections.abc import Callable
from functools import partial
from html import escape

import ipywidgets
import polars as pl
import traitlets

from crmlab.errors import InputError
from crmlab.mart import ledger
from crmlab.measures.campaigns.effect import detectable
from crmlab.measures.campaigns.limits import PAIRS
from crmlab.measures.campaigns.outcome import LEAST
from crmlab.views import theme
from crmlab.views.opportunities import builder
from crmlab.views.opportunities.solving import Solving
from crmlab.views.opportunities.tables import Tables
from crmlab.views.parts import block
from crmlab.views.words import word

LOG = logging.getLogger("crmlab")
MILLION = 1_000_000
LEDGER = ["customer_no", "branch_id", "manager_id", "rank", "probability", "expected", "product_id"]


class Issued(traitlets.HasTraits):
    """How many lists have been issued, as a control: what depends on the ledger follows it."""

    value = traitlets.Int()


def settling(tables: Tables, solving: Solving, controls: dict[str, ipywidgets.Widget]) -> ipywidgets.Box:
    """The button that settles the list, one that gives up, and how far it is."""
    told = ipywidgets.HTML()
    settle, stop = _button("settle"), _button("stop")

    def show(_: object = None) -> None:
        asked = _now(controls)
        told.value = f'<p class="crmlab-reading" role="status">{_progress(tables, solving, asked)}</p>'
        _there(settle, not solving.is_busy and _can(tables, solving, asked))
        _there(stop, solving.step in ("reading", "solving"))

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


def issuing(tables: Tables, solving: Solving, issued: Issued, controls: dict[str, ipywidgets.Widget]) -> ipywidgets.Box:
    """A sentence and a button; pressed once it says what would be written, pressed again it writes the settled list."""
    told = ipywidgets.HTML()
    ask, sure, leave = (_button(key) for key in ("issue", "issue_sure", "issue_not"))

    def show(text: str, is_asked: bool = False, can_ask: bool = True) -> None:
        told.value = f'<p class="crmlab-reading" role="status">{text}</p>'
        for button, is_there in ((ask, not is_asked and can_ask), (sure, is_asked), (leave, is_asked)):
            _there(button, is_there)

    def start(_: object = None) -> None:
        n = _listed(tables, solving, _now(controls)).height
        text = word("opportunities.issue_ready", n=theme.whole(n)) if n else word("opportunities.issue_unsettled")
        show(text, can_ask=n > 0)

    def write(_: object) -> None:
        text = _guarded(partial(_write, tables, solving, _now(controls)))
        issued.value = len(ledger.lists(tables.root))
        show(text, can_ask=False)

    ask.on_click(lambda _: show(_question(tables, solving, _now(controls)), is_asked=True))
    sure.on_click(write)
    leave.on_click(start)
    for control in (solving, *controls.values()):
        control.observe(start, "value")
    start()
    return block("crmlab-stack", told, block("crmlab-pickers", ask, sure, leave))


def _now(controls: dict[str, ipywidgets.Widget]) -> dict:
    return {name: control.value for name, control in controls.items()}


def _button(key: str) -> ipywidgets.Button:
    return ipywidgets.Button(description=word(f"opportunities.{key}")).add_class("crmlab-button")


def _there(button: ipywidgets.Button, is_there: bool) -> None:
    """Show a button that can be pressed; one that cannot takes no room."""
    button.disabled, button.layout.display = not is_there, None if is_there else "none"


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


def _write(tables: Tables, solving: Solving, asked: dict) -> str:
    found, rows = solving.found, _listed(tables, solving, asked)
    made_with = {"asked": asked, "value": found.value, "bound": found.bound, "gap": found.gap}
    made_with["prices"] = found.prices.filter(pl.col("price") > builder.NOTHING).drop("sentence").to_dicts()
    made = ledger.issue(tables.root, rows, name=builder.name_of(tables, **asked), conditions=made_with)
    n_control = made["is_control"].sum()
    return word(
        "opportunities.issued",
        name=escape(made["name"][0]),
        n_offered=theme.whole(made.height - n_control),
        n_control=theme.whole(n_control),
        read_out=theme.day(made["read_out_on"][0]),
    )


def _guarded(write: Callable[[], str]) -> str:
    """What was written, or why not; the page goes on."""
    try:
        return write()
    except (InputError, OSError) as error:
        LOG.exception("a list could not be issued")
        return word("opportunities.issue_failed", why=escape(str(error)))
