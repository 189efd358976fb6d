"""The app: a header, the switch between pages, and sentences where there is nothing to show."""

import json
import logging
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from urllib.parse import parse_qs

import anywidget
import ipywidgets
import traitlets
from websockets.sync.client import connect

from crmlab.errors import InputError
from crmlab.mart import snapshot
from crmlab.views import theme
from crmlab.views.pages import customer, landing, managers, opportunities, overview, retention, segments, worth
from crmlab.views.parts import SHEET, Reader, block, sentence
from crmlab.views.words import word

HERE = Path(__file__).parent
LOG = logging.getLogger("crmlab")
PAGES: dict[str, Callable[..., ipywidgets.Widget]] = {
    "overview": overview.page,
    "worth": worth.page,
    "segments": segments.page,
    "retention": retention.page,
    "opportunities": opportunities.page,
    "managers": managers.page,
    SHEET: customer.page,
    "landing": landing.page,
}


@dataclass(frozen=True)
class Viewer:
    """Who looks, and at what: the only thing a page may know of its request."""

    page: str = "overview"
    customer: str | None = None


def viewer() -> Viewer:
    """What the request asks for; in a preheated kernel it waits for the request. Nothing else reads the request.

    Outside of a server it is the first page.
    """
    if os.environ.get("VOILA_PREHEAT") == "True":
        _wait_for_request()
    asked = parse_qs(os.environ.get("QUERY_STRING", ""))
    return Viewer(asked.get("page", ["overview"])[0], asked.get("customer", [None])[0])


def _wait_for_request() -> None:
    """Wait as `voila.utils.wait_for_request` does, whose import would bring 43 MB of server code to each kernel."""
    host, port, root, kernel = (
        os.environ[f"VOILA_{name}"] for name in ("APP_IP", "APP_PORT", "SERVER_URL", "KERNEL_ID")
    )
    with connect(f"ws://{host}:{port}{root}voila/query/{kernel}", proxy=None) as request:
        os.environ.update(json.loads(request.recv()))


class Header(anywidget.AnyWidget):
    """The bar above every page, and the address: the page shown, and the customer whom that of one shows."""

    _esm = HERE / "header.js"
    _css = HERE / "app.css"
    name = traitlets.Unicode().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)
    pages = traitlets.Dict().tag(sync=True)
    facts = traitlets.List().tag(sync=True)
    page = traitlets.Unicode().tag(sync=True)
    customer = traitlets.Unicode(allow_none=True, default_value=None).tag(sync=True)


def app(seen: Viewer | None = None, mart: Path | str | None = None) -> ipywidgets.Widget:
    """The app for a viewer, on the mart of the environment variable ``CRMLAB_MART`` (else ``mart``).

    A mart that is absent, broken or of another version is told as a sentence.
    """
    seen = seen or Viewer()
    try:
        opened = _open(mart)
    except InputError as error:
        return _told(word("app.no_mart"), str(error))
    return _ready.pop((opened.folder, seen), None) or _app(opened, seen)


def warm(mart: Path | str | None = None) -> None:
    """Build the app before there is a viewer; `app` hands it over if it is what the viewer asks for."""
    LOG.addHandler(logging.StreamHandler(sys.__stderr__))  # the server's log; a kernel's sys.stderr goes to the page
    try:
        opened = _open(mart)
    except InputError:
        return  # it may be there when a viewer comes
    _ready[opened.folder, Viewer()] = _app(opened, Viewer())
    try:
        worth.prepare(opened)
    except Exception:
        LOG.exception("page worth could not be prepared")  # which it says itself when it is asked for; the others stand


_ready: dict[tuple[Path, Viewer], ipywidgets.Widget] = {}


def _open(mart: Path | str | None) -> snapshot.Mart:
    return snapshot.open(Path(mart or os.environ.get("CRMLAB_MART", "mart")))


def _app(mart: snapshot.Mart, seen: Viewer) -> ipywidgets.Widget:
    reader = Reader(page=seen.page, customer=seen.customer)
    header = Header(
        name=word("app.name"),
        label=word("app.pages"),
        pages={name: word(f"{name}.nav") for name in PAGES},
        facts=_facts(mart),
    )
    for name in ("customer", "page"):
        traitlets.link((reader, name), (header, name))
    body = block("crmlab-body")
    built: dict[str, ipywidgets.Widget] = {}

    def show(_: object = None) -> None:
        name = reader.page
        if name not in built:
            built[name] = _built(mart, name, reader)
            body.children = [*body.children, built[name]]
        built[name].layout.display = None  # before the others go, so that the window need not move
        for other in built.keys() - {name}:
            built[other].layout.display = "none"

    show()
    reader.observe(show, "page")
    return block("crmlab-app", header, body)


def _built(mart: snapshot.Mart, name: str, reader: Reader) -> ipywidgets.Widget:
    if name not in PAGES:
        return sentence(word("app.no_page", page=name))
    try:
        return PAGES[name](mart, reader)
    except InputError as error:
        return sentence(str(error))
    except Exception:
        LOG.exception("page %s could not be built", name)
        return sentence(word("app.broken"))


def _facts(mart: snapshot.Mart) -> list[tuple[str, str]]:
    rejected = sum(table["rejected"] for table in mart.manifest["tables"].values())
    return [
        (word("app.as_of"), mart.as_of.isoformat()),
        (word("app.rejected"), theme.whole(rejected)),
        (word("app.definition"), mart.manifest["churn_words"]),
    ]


def _told(title: str, text: str) -> ipywidgets.Widget:
    header = Header(name=word("app.name"), label=word("app.pages"))
    title = ipywidgets.HTML(f"<h1>{escape(title)}</h1>").add_class("crmlab-title")
    return block("crmlab-app", header, block("crmlab-page", title, sentence(text)))
