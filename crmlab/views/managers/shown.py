"""What all parts of `managers` are made of: tables and controls, and what follows them while it is in sight."""

from collections.abc import Callable
from typing import NamedTuple

import ipywidgets

from crmlab.views.managers import controls, draw
from crmlab.views.managers.listed import listed
from crmlab.views.managers.tables import Tables
from crmlab.views.parts import Reader, panel
from crmlab.views.sight import Asked, Sight
from crmlab.views.widgets import Table, follow, live
from crmlab.views.words import word


class Shown(NamedTuple):
    """The tables, the reader, and the controls on top."""

    tables: Tables
    reader: Reader
    chosen: dict[str, ipywidgets.Dropdown]

    def of(self, *names: str) -> dict[str, ipywidgets.Dropdown]:
        """Some of the controls on top."""
        return {name: self.chosen[name] for name in names}

    def said(self, made: Callable, sight: Sight, **asked: ipywidgets.Widget) -> ipywidgets.Widget:
        """Sentences that follow their controls while they are in sight."""
        return live(lambda asked: made(self.tables, **asked), asked=Asked(sight, **asked))

    def figure(
        self, name: str, sight: Sight, made: Callable | None = None, **asked: ipywidgets.Widget
    ) -> ipywidgets.Widget:
        """A figure of that name, by `draw` where nothing else makes it."""
        made = made or getattr(draw, name)
        return live(
            lambda asked: made(self.tables, **asked), word(f"managers.{name}_title"), asked=Asked(sight, **asked)
        )

    def rows(self, name: str, sight: Sight, *more: Callable | None, **asked: ipywidgets.Widget) -> Table:
        """A list of that name."""
        return listed(self.tables, name, *more, asked=Asked(sight, **asked))

    def choosing(self, figure: ipywidgets.Widget) -> ipywidgets.Widget:
        """A figure of managers, of which a click chooses one."""
        follow(lambda clicked: self.show(clicked[0]) if clicked else None, clicked=figure)
        return figure

    def show(self, manager: str) -> None:
        """Choose a manager who was clicked somewhere."""
        controls.show(self.chosen, manager)

    def titled(self, name: str, *inside: ipywidgets.Widget) -> ipywidgets.Box:
        """A part of the page under its title."""
        since, until = self.tables.span
        told = {"currency": self.tables.mart.base_currency, "from_on": since, "to_on": until}
        return panel(word(f"managers.{name}_title"), word(f"managers.{name}_note", **told), *inside)


def hidden(widget: ipywidgets.DOMWidget, is_hidden: bool) -> None:
    """Take a widget out of the page, or put it back."""
    widget.layout.display = "none" if is_hidden else None
