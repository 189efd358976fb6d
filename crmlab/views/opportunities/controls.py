"""What a list may use, as controls of the campaign builder."""

from typing import NamedTuple

import ipywidgets

from crmlab.views import theme
from crmlab.views.opportunities.tables import Tables
from crmlab.views.words import word

FREE = -1  # stands for no limit: a slider cannot stand at None
STEPS = (1, 2, 5)
HOURS = 40  # a manager, that can be asked for
MOST_OFFERS = 2_000  # of a product
LEAST_OFFERS = 20  # of a branch


class Terms(NamedTuple):
    """The limits of a list, by the arguments of `campaigns.Limits`."""

    budget: int | None
    minutes: int
    most: int | None
    least: int


def terms(tables: Tables) -> dict[str, ipywidgets.Widget]:
    """Budget, minutes a manager, least a branch and most a product, by the names of `Terms`."""
    rule, digits = tables.rules, tables.mart.minor_digits
    known = tables.known_pairs()
    n = known["customer_id"].n_unique() if known.width else 0
    free = (word("opportunities.no_limit"), FREE)
    budgets = [(theme.money(one, digits), one) for one in _steps(rule.cost, n * rule.cost)]
    offers = [(theme.whole(one), one) for one in _steps(1, min(max(n, 1), MOST_OFFERS))]
    most_minutes = max(HOURS * 60, 2 * tables.calls * rule.minutes)
    made = {
        "budget": ipywidgets.SelectionSlider(options=[*budgets, free], value=FREE),
        "minutes": ipywidgets.IntSlider(
            min=0, max=most_minutes, step=rule.minutes, value=min(most_minutes, tables.calls * rule.minutes)
        ),
        "least": ipywidgets.IntSlider(min=0, max=max(LEAST_OFFERS, rule.least_per_branch), value=rule.least_per_branch),
        "most": ipywidgets.SelectionSlider(options=[*offers, free], value=FREE),
    }
    for name, control in made.items():
        control.description = word(f"opportunities.{name}", currency=tables.mart.base_currency)
        control.add_class("crmlab-choice").add_class("is-short")
    return made


def _steps(first: int, last: int) -> list[int]:
    """Round numbers from about `first` to beyond `last`.

    Examples
    --------
    >>> _steps(3_000, 9_000), _steps(1, 1)
    ([5000, 10000], [1])
    """
    rounded = (step * 10**power for power in range(18) for step in STEPS)
    found = [next(rounded)]
    while found[-1] < max(first, last):
        found.append(next(rounded))
    return [one for one in found if one >= first]
