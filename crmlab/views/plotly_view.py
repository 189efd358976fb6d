"""A plotly figure on a page."""

from importlib.resources import files
from pathlib import Path

import anywidget
import plotly.graph_objects as go
import traitlets

HERE = Path(__file__).parent


def plotly_js() -> Path:
    """The plotly.js that belongs to the installed plotly."""
    return Path(str(files("plotly"))) / "package_data" / "plotly.min.js"


class PlotlyView(anywidget.AnyWidget):
    """Draws a figure and takes clicks back: `value` is the list of the chosen points' customdata."""

    _esm = HERE / "plotly_view.js"
    figure = traitlets.Dict({"data": [], "layout": {}}).tag(sync=True)
    value = traitlets.List().tag(sync=True)
    label = traitlets.Unicode().tag(sync=True)

    def __init__(self, figure: go.Figure | None = None, **traits: object) -> None:
        super().__init__(**traits)
        self.on_msg(self._send_plotly)
        if figure is not None:
            self.show(figure)

    def show(self, figure: go.Figure) -> None:
        """Draw another figure in the same place."""
        self.figure = figure.to_plotly_json()

    def _send_plotly(self, _: object, content: dict, __: list) -> None:
        if content.get("want") == "plotly.js":
            self.send({}, buffers=[plotly_js().read_bytes()])
