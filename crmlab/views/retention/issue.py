"""Issuing the call list: asked, said what it means, asked again, written; never by itself."""

import logging
from collections.abc import Callable
from functools import partial
from html import escape

import ipywidgets
import traitlets

from crmlab.errors import InputError
from crmlab.mart import ledger
from crmlab.views import theme
from crmlab.views.parts import block
from crmlab.views.retention.naming import list_name
from crmlab.views.retention.tables import MILLION, Tables
from crmlab.views.words import word

LOG = logging.getLogger("crmlab")


class Issued(traitlets.HasTraits):
    """How many lists have been issued, as a control: what depends on the ledger follows it."""

    value = traitlets.Int()


def issuing(tables: Tables, issued: Issued, **controls: ipywidgets.Widget) -> ipywidgets.Box:
    """A sentence and a button; pressed once it says what would be written, pressed again it writes the list.

    Parameters
    ----------
    issued
        Grows with the list that is written.
    controls
        Those that the list follows; when one of them moves, what was asked is asked anew.
    """
    told = ipywidgets.HTML()
    ask, sure, leave = (_button(key) for key in ("issue", "issue_sure", "issue_not"))
    box = block("crmlab-stack", told, block("crmlab-pickers", ask, sure, leave))

    def now() -> dict:
        return {name: control.value for name, control in controls.items()}

    def show(text: str, is_asked: bool = False, can_ask: bool = True) -> None:
        told.value = f'<p class="crmlab-reading" role="status">{text}</p>'
        for button, is_there in ((ask, not is_asked), (sure, is_asked), (leave, is_asked)):
            button.layout.display = None if is_there else "none"
        ask.disabled = not can_ask

    def start(_: object = None) -> None:
        rows = _listed(tables, issued.value, **now())
        n = 0 if rows is None else rows.height
        show(word("retention.issue_ready", n=theme.whole(n)) if n else word("retention.issue_nobody"), can_ask=n > 0)

    def write(_: object) -> None:
        text = _guarded(partial(_write, tables, issued.value, **now()))
        issued.value = len(ledger.lists(tables.root))
        show(text)

    ask.on_click(lambda _: show(_question(tables, issued.value, **now()), is_asked=True))
    sure.on_click(write)
    leave.on_click(start)
    for control in controls.values():
        control.observe(start, "value")
    start()
    return box


def _button(key: str) -> ipywidgets.Button:
    return ipywidgets.Button(description=word(f"retention.{key}")).add_class("crmlab-button")


def _listed(tables: Tables, n_lists: int, horizon: int, capacity: int, **chosen: str):
    found = tables.called(horizon, capacity, n_lists, **chosen)
    return found.calls if found else None


def _question(tables: Tables, n_lists: int, **asked: object) -> str:
    """What would be written, before it is."""
    n = _listed(tables, n_lists, **asked).height
    n_control = round(n * tables.rules.control_share / MILLION)
    return word(
        "retention.issue_ask",
        n=theme.whole(n),
        n_called=theme.whole(n - n_control),
        n_control=theme.whole(n_control),
        read_out=word("retention.months", n=tables.rules.read_out_months),
        later=word("retention.months", n=tables.confirm_months),
    )


def _write(tables: Tables, n_lists: int, **asked: object) -> str:
    rows = _listed(tables, n_lists, **asked)
    made = ledger.issue(tables.root, rows, name=list_name(tables, **asked), conditions=asked)
    n_control = made["is_control"].sum()
    return word(
        "retention.issued",
        name=escape(made["name"][0]),
        n_called=theme.whole(made.height - n_control),
        n_control=theme.whole(n_control),
        read_out=theme.day(made["read_out_on"][0]),
    )


def _guarded(write: Callable[[], str]) -> str:
    """What was written, or why not; the page goes on."""
    try:
        return write()
    except (InputError, OSError) as error:
        LOG.exception("a list could not be issued")
        return word("retention.issue_failed", why=escape(str(error)))
