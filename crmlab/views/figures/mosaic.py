"""Squares side by side, each of one colour: a table that can be clicked."""


def squares(x: list[int], y: list[int], colour: list[str], **more: object) -> dict:
    """A trace of unit squares centred on whole numbers; as bars, since those can be clicked, chosen and walked by key.

    Examples
    --------
    >>> squares([0], [2], ["red"])["base"]
    [1.53]
    """
    return {
        "type": "bar",
        "x": x,
        "y": [0.94] * len(x),
        "base": [at - 0.47 for at in y],
        "width": 0.94,
        "marker": {"color": colour, "line": {"width": 0}},
        "textposition": "inside",
        "insidetextanchor": "middle",
        "textangle": 0,
        "constraintext": "none",
        "hoverinfo": "text",
        "showlegend": False,
        "unselected": {"marker": {"opacity": 0.35}},
        **more,
    }


def axis(names: list[str], **more: object) -> dict:
    """An axis with a name at each whole number from 0 on."""
    return {
        "tickvals": list(range(len(names))),
        "ticktext": names,
        "range": [-0.5, len(names) - 0.5],
        "ticks": "",
        "showgrid": False,
        "zeroline": False,
        "fixedrange": True,
        "linecolor": "rgba(0,0,0,0)",
        **more,
    }
