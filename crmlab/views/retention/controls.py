"""The two sliders of `retention`: how far ahead, and how many calls a manager can make."""

import ipywidgets

from crmlab.views.retention.tables import Tables
from crmlab.views.words import word

MOST_CALLS = 60  # a manager, that can be asked for


def horizon(tables: Tables) -> ipywidgets.SelectionSlider:
    """The horizons that were tested; none but what stands in the middle where none could be."""
    options = [(word("retention.months", n=n), n) for n in tables.horizons] or [("–", 0)]
    value = tables.main if tables.main in tables.horizons else options[0][1]
    return (
        ipywidgets.SelectionSlider(
            description=word("retention.horizon"), options=options, value=value, disabled=len(options) == 1
        )
        .add_class("crmlab-choice")
        .add_class("is-short")
    )


def capacity(tables: Tables) -> ipywidgets.IntSlider:
    """How many customers each manager can call; the list follows at once."""
    most = max(MOST_CALLS, 2 * tables.rules.calls)
    return (
        ipywidgets.IntSlider(description=word("retention.capacity"), min=1, max=most, value=tables.rules.calls)
        .add_class("crmlab-choice")
        .add_class("is-short")
    )
