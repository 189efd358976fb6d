"""All words of the pages, by key, so that a second language can stand beside the first."""

from crmlab.views.words import app, customer, landing, managers, opportunities, overview, retention, segments, worth

PAGES = (overview, segments, retention, opportunities, managers, worth, customer, landing)
WORDS = {"en": app.EN | {key: text for page in PAGES for key, text in page.EN.items()}}
UNITS = {"en": ((1e9, "bn"), (1e6, "m"), (1e3, "k"))}
LANGUAGE = "en"


def word(key: str, **values: object) -> str:
    """The words of a key, with its gaps filled.

    Examples
    --------
    >>> word("filter.all_branches")
    'All branches'
    >>> word("list.cell", r=5, f=4)
    'R5 F4'
    """
    return WORDS[LANGUAGE][key].format(**values)


def named(group: str, value: str) -> str:
    """The words of a value that comes from the data; a value without words stands for itself.

    Examples
    --------
    >>> named("line", "wealth"), named("line", "leasing")
    ('Wealth', 'leasing')
    """
    return WORDS[LANGUAGE].get(f"{group}.{value}", value)


def units() -> tuple[tuple[float, str], ...]:
    """The steps in which large amounts are told, largest first."""
    return UNITS[LANGUAGE]
