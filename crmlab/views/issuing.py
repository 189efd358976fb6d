"""Issuing a list: asked, said what it means, asked again, written; never by itself."""

import logging
from collections.abc import Callable, Iterable
from html import escape
from pathlib import Path

import ipywidgets
import polars as pl
import traitlets

from crmlab.errors import InputError
from crmlab.mart import ledger
from crmlab.views import theme
from crmlab.views.parts import block
from crmlab.views.words import word

LOG = logging.getLogger("crmlab")


class Issued(traitlets.HasTraits):
    """How many lists have been issued, as a control: what depends on the ledger follows it."""

    value = traitlets.Int()


def issuing(
    page: str,
    root: Path,
    issued: Issued,
    follows: Iterable[traitlets.HasTraits],
    listed: Callable[[], pl.DataFrame],
    question: Callable[[], str],
    write: Callable[[], pl.DataFrame],
) -> ipywidgets.Box:
    """A sentence and a button; pressed once it says what would be written, pressed again it writes the list.

    Parameters
    ----------
    page
        Whose words are used.
    root, issued
        The folder of the ledger, and how many lists it has: grows with the list that is written.
    follows
        Those that the list follows, by their `value`; when one of them moves, what was asked is asked anew.
    listed, question, write
        The rows that would be issued; what is said before they are; what issues them and returns them as issued.
    """
    told = ipywidgets.HTML()
    ask, sure, leave = (button(key) for key in ("issue", "issue_sure", "issue_not"))

    def show(text: str, is_asked: bool = False, can_ask: bool = True) -> None:
        told.value = f'<p class="crmlab-reading" role="status">{text}</p>'
        for one, is_there in ((ask, not is_asked and can_ask), (sure, is_asked), (leave, is_asked)):
            there(one, is_there)

    def start(_: object = None) -> None:
        n = listed().height
        show(word(f"{page}.issue_ready" if n else f"{page}.issue_none", n=theme.whole(n)), can_ask=n > 0)

    def sent(_: object) -> None:
        try:
            text = _written(page, write())
        except (InputError, OSError) as error:
            LOG.exception("a list could not be issued")
            text = word("list.issue_failed", why=escape(str(error)))
        issued.value = len(ledger.lists(root))
        show(text, can_ask=False)

    ask.on_click(lambda _: show(question(), is_asked=True))
    sure.on_click(sent)
    leave.on_click(start)
    for one in follows:
        one.observe(start, "value")
    start()
    return block("crmlab-stack", told, block("crmlab-pickers", ask, sure, leave))


def button(key: str) -> ipywidgets.Button:
    """A button of a list, by its words."""
    return ipywidgets.Button(description=word(f"list.{key}")).add_class("crmlab-button")


def there(one: ipywidgets.Button, is_there: bool) -> None:
    """Show a button that can be pressed; one that cannot takes no room."""
    one.disabled, one.layout.display = not is_there, None if is_there else "none"


def _written(page: str, made: pl.DataFrame) -> str:
    n_control = made["is_control"].sum()
    return word(
        f"{page}.issued",
        name=escape(made["name"][0]),
        n_offered=theme.whole(made.height - n_control),
        n_control=theme.whole(n_control),
        read_out=theme.day(made["read_out_on"][0]),
    )
