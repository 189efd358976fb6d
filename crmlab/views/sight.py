"""What lies below the fold of a page: made when a reader comes near, redrawn only while it is in sight."""

from collections.abc import Callable, Iterable
from pathlib import Path

import anywidget
import ipywidgets
import traitlets

from crmlab.views.widgets import live

HERE = Path(__file__).parent


class Sight(anywidget.AnyWidget):
    """Whether the box it stands in is in sight; an empty mark otherwise."""

    _esm = HERE / "sight.js"
    is_seen = traitlets.Bool(False).tag(sync=True)


class Asked(traitlets.HasTraits):
    """The values of some controls as what is out of sight knows them: changed only once it is seen again."""

    value = traitlets.Dict()

    def __init__(self, sight: Sight, **controls: ipywidgets.Widget):
        super().__init__()

        def look(_: object = None) -> None:
            if sight.is_seen:
                self.value = {name: control.value for name, control in controls.items()}

        for control in controls.values():
            control.observe(look, "value")
        sight.observe(look, "is_seen")
        look()


def in_sight(draw: Callable, sight: Sight, label: str = "", **controls: ipywidgets.Widget) -> ipywidgets.Widget:
    """What `draw` makes of the controls' values, kept up to date while it is in sight (`widgets.live`)."""
    return live(lambda asked: draw(**asked), label, asked=Asked(sight, **controls))


def later(height: int, made: Callable[[Sight], Iterable[ipywidgets.Widget]], is_seen: bool = False) -> ipywidgets.Box:
    """A box of at least that many pixels that is filled when it first comes into sight.

    Parameters
    ----------
    height
        What keeps its place until all of it is drawn: were it less, the page would shrink under the reader.
    made
        Makes what stands in it; it is given the sight, so that it can follow controls by `Asked` only while it is seen.
    is_seen
        Whether it is in sight from the start, above the fold.

    Examples
    --------
    >>> box = later(300, lambda sight: [ipywidgets.HTML("here")])
    >>> sight = box.children[0]
    >>> len(box.children)
    1
    >>> sight.is_seen = True
    >>> box.children[1].value
    'here'
    """
    sight = Sight(is_seen=is_seen)
    box = ipywidgets.Box([sight]).add_class("crmlab-later")
    box.layout.min_height = f"{height}px"

    def come(_: object = None) -> None:
        if sight.is_seen and len(box.children) == 1:
            box.children = [sight, *made(sight)]

    sight.observe(come, "is_seen")
    come()
    return box
