"""What groups, ways and traits are called, and how a trait is written."""

from datetime import date

from crmlab.views import theme
from crmlab.views.words import named, word

MONEY = ("aum_average", "deposits", "loans", "contribution", "monetary", "outflow_other_bank")
SHARES = ("digital_share", "other_bank_share", "share_")


def group_name(group: str) -> str:
    """What a group of `Tables.offered` is called.

    Examples
    --------
    >>> group_name(""), group_name("tier=gold"), group_name("state=won back")
    ('Everyone else', 'Tier: gold', 'Life cycle: Won back')
    """
    if not group:
        return word("segments.everyone_else")
    column, value = group.split("=", 1)
    return f"{word(f'column.{column}')}: {named(column, value)}"


def trait_name(trait: str, value: str | None = None) -> str:
    """What a trait is called.

    Examples
    --------
    >>> trait_name("n_lines"), trait_name("has_cards"), trait_name("share_dining"), trait_name("grade", "A")
    ('Product lines held', 'Hold cards', 'Spending on dining', 'grade: A')
    """
    for start, group, gap in (("has_", "line", "line"), ("share_", "category", "category")):
        # has_salary is a trait of its own
        if trait.startswith(start) and named("trait", trait) == trait:
            of = trait.removeprefix(start)
            name = word(f"trait.{start[:-1]}", **{gap: named(group, of.replace("e_banking", "e-banking")).lower()})
            break
    else:
        name = named("trait", trait)
    return name if value is None else f"{name}: {value}"


def cluster_words(signs: str | None) -> str:
    """What is typical of a cluster, said of signs and features as the table `clusters` gives them.

    Examples
    --------
    >>> cluster_words("+salary_rate +income -digital_share"), cluster_words(None)
    ('more salary, income; less digital use', '')
    """
    told = [(one[0], named("feature", one[1:])) for one in (signs or "").split()]
    sides = [(key, [name for sign, name in told if sign == mark]) for mark, key in (("+", "more"), ("-", "less"))]
    return "; ".join(word(f"segments.{key}", what=", ".join(names)) for key, names in sides if names)


def trait_told(trait: str, value: float | None, digits: int, is_rate: bool) -> str:
    """A trait's rate or median as a reader sees it.

    Examples
    --------
    >>> trait_told("is_active", 0.5, 2, True), trait_told("deposits", 123400, 2, False)
    ('50.0 %', '1.23 k')
    """
    if value is None:
        return "–"
    if is_rate or trait.startswith(SHARES):
        return theme.share(value)
    return theme.money(round(value), digits) if trait in MONEY else f"{value:,.4g}"


def told_months(start: date, end: date) -> str:
    """How long it is from one month's end to another.

    Examples
    --------
    >>> told_months(date(2024, 1, 31), date(2025, 1, 31))
    '12 months'
    """
    n = (end.year - start.year) * 12 + end.month - start.month
    return word("segments.month") if n == 1 else word("segments.months", n=n)
