"""What do I need to know before I call? One customer on one sheet."""

from html import escape

import ipywidgets

from crmlab.errors import near_miss
from crmlab.mart.snapshot import Mart
from crmlab.views.parts import Reader, block
from crmlab.views.words import word


def page(mart: Mart, reader: Reader | None = None) -> ipywidgets.Box:
    """The page; it follows the customer of the `reader`."""
    reader = reader or Reader()
    back = ipywidgets.Button(description=word("customer.back")).add_class("crmlab-button")
    back.on_click(lambda _: reader.back())
    sheet = ipywidgets.HTML()

    def show(_: object = None) -> None:
        sheet.value = _sheet(mart, reader.customer)

    show()
    reader.observe(show, "customer")
    title = ipywidgets.HTML(f"<h1>{word('customer.title')}</h1>").add_class("crmlab-title")
    return block("crmlab-page", title, block("crmlab-pickers", back), sheet)


def _sheet(mart: Mart, customer: str | None) -> str:
    if not customer:
        return f'<p class="crmlab-sentence" role="status">{word("customer.nobody")}</p>'
    known = mart.page("roster")["customer_no"]
    if not known.filter(known == customer).len():
        near = near_miss(customer, known.head(1000).to_list())
        told = escape(word("customer.unknown", customer=customer, as_of=mart.as_of, near=near))
        return f'<p class="crmlab-sentence" role="status">{told}</p>'
    return f"<h2>{escape(word('customer.heading', customer=customer))}</h2>"
