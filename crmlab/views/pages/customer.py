"""What do I need to know before I call? One customer on one sheet."""

from functools import partial

import ipywidgets
import traitlets

from crmlab.mart.snapshot import Mart
from crmlab.views.customer import around, draw, say
from crmlab.views.customer.sheet import Sheet, found
from crmlab.views.customer.steps import SOON
from crmlab.views.parts import Reader, block, panel, sentence
from crmlab.views.sight import Asked, Sight, later
from crmlab.views.widgets import Column, Table, live, table
from crmlab.views.words import word

TIES = [
    Column("customer_no"), Column("name"), Column("kind", "named"), Column("tie"), Column("aum", "money"),
    Column("loans", "money"), Column("contribution", "change"),
]  # fmt: skip
EVENTS = [Column("on", "date"), Column("event"), Column("amount_event", "money"), Column("detail")]
FINDER = [Column("customer_no"), Column("name"), Column("kind", "named"), Column("branch_id"), Column("since", "date")]


class Shown(traitlets.HasTraits):
    """The sheet that is shown, as a control."""

    value = traitlets.Instance(Sheet, allow_none=True)


def page(mart: Mart, reader: Reader | None = None) -> ipywidgets.Box:
    """The page; it follows the customer of the `reader`."""
    reader, shown = reader or Reader(), Shown()
    told, sheet = ipywidgets.HTML(), block("crmlab-sheet")
    is_named = ipywidgets.ToggleButton(description=word("customer.show")).add_class("crmlab-button")
    is_named.observe(lambda change: _label(is_named, change.new), "value")

    def show(_: object = None) -> None:
        is_named.value = False
        one = found(mart, reader.customer) if reader.customer else None
        told.value = "" if one else sentence(say.unknown(mart, reader.customer)).value
        if one:
            shown.value = one
            sheet.children = sheet.children or _parts(mart, reader, shown, is_named)
        sheet.layout.display = None if one else "none"

    show()
    reader.observe(show, "customer")
    reader.observe(lambda _: setattr(is_named, "value", False), "page")  # who comes back asks again
    back = ipywidgets.Button(description=word("customer.back")).add_class("crmlab-button")
    back.on_click(lambda _: reader.back())
    title = ipywidgets.HTML(f"<h1>{word('customer.title')}</h1><p>{word('customer.decides')}</p>")
    finding = block("crmlab-finding", title.add_class("crmlab-title"), back, _finder(mart, reader))
    return block("crmlab-page", finding, told, sheet)


def _parts(mart: Mart, reader: Reader, shown: Shown, is_named: ipywidgets.ToggleButton) -> list[ipywidgets.Widget]:
    """The sheet from the top; what lies below the fold is made when it comes into sight."""

    def titled(name: str, *inside: ipywidgets.Widget, **told: object) -> ipywidgets.Box:
        return panel(word(f"customer.{name}_title"), word(f"customer.{name}_note", **told), *inside)

    def pair(sight: Sight) -> list[ipywidgets.Widget]:
        asked = Asked(sight, sheet=shown)
        first = titled("balances", _figure("balances", asked))
        note = word("customer.contribution_of")
        return [first, panel(word("customer.contribution_title"), note, _figure("contribution", asked))]

    def ties(sight: Sight) -> list[ipywidgets.Widget]:
        asked = Asked(sight, sheet=shown)
        return [live(lambda asked: say.together(asked["sheet"]), asked=asked), _ties(mart, reader, asked)]

    def events(sight: Sight) -> list[ipywidgets.Widget]:
        asked = Asked(sight, sheet=shown)
        return [_figure("events", asked), _events(mart, asked)]

    return [
        block(
            "crmlab-pair",
            block(
                "crmlab-panel",
                live(say.head, sheet=shown),
                block("crmlab-stack", is_named, live(say.identity, sheet=shown, is_shown=is_named)),
            ).add_class("crmlab-who"),
            titled("step", live(say.next_step, sheet=shown), days=SOON).add_class("crmlab-next"),
        ),
        live(say.tiles, sheet=shown),
        block(
            "crmlab-pair",
            titled("holdings", live(say.holdings, sheet=shown)),
            titled("dealings", live(say.dealings, sheet=shown)),
        ),
        later(draw.HEIGHT, pair).add_class("crmlab-halves"),
        titled("history", later(180, lambda sight: [_figure("history", Asked(sight, sheet=shown))])),
        titled("around", later(60, ties)),
        titled("events", later(360, events)),
    ]


def _figure(name: str, asked: Asked) -> ipywidgets.Widget:
    return live(lambda asked: getattr(draw, name)(asked["sheet"]), word(f"customer.{name}_title"), asked=asked)


def _finder(mart: Mart, reader: Reader) -> Table:
    return table(
        partial(mart.page, "people"),
        FINDER,
        key="customer_no",
        search=["customer_no", "name"],
        file="",
        digits=mart.minor_digits,
        sort=None,
        opened=reader.open,
        opens_any=True,
        size=8,
        hint=word("customer.find"),
    ).add_class("crmlab-finder")


def _ties(mart: Mart, reader: Reader, asked: Asked) -> Table:
    return table(
        lambda asked: around.ties(asked["sheet"]),
        TIES,
        key="customer_no",
        search=["customer_no", "name", "tie"],
        file=word("customer.ties_file"),
        digits=mart.minor_digits,
        sort=None,
        opened=reader.open,
        size=8,
        asked=asked,
    ).add_class("crmlab-short")


def _events(mart: Mart, asked: Asked) -> Table:
    return table(
        lambda asked: asked["sheet"].happened,
        EVENTS,
        search=["event", "detail"],
        file=word("customer.events_file"),
        digits=mart.minor_digits,
        sort=None,
        asked=asked,
    )


def _label(button: ipywidgets.ToggleButton, is_shown: bool) -> None:
    button.description = word("customer.hide" if is_shown else "customer.show")
