"""Numbers, amounts and lists as the rules say them in words."""

from collections.abc import Iterable
from decimal import Decimal

from crmlab.policy.rules import Policy
from crmlab.policy.source import MILLION


def joined(names: Iterable[str], last: str = "and") -> str:
    """A list of names in a sentence.

    Examples
    --------
    >>> joined(["name", "mobile", "address"])
    'name, mobile and address'
    """
    *others, end = names
    return f"{', '.join(others)} {last} {end}" if others else end


def verb(names: list[str], root: str) -> str:
    """A verb as the number of its subjects asks for it.

    Examples
    --------
    >>> verb(["wealth"], "earn"), verb(["cards"], "earn")
    ('earns', 'earn')
    """
    return root if len(names) > 1 or names[0].endswith("s") else f"{root}s"


def counted(n: int, what: str) -> str:
    """A number of things.

    Examples
    --------
    >>> counted(1, "day"), counted(1000, "day")
    ('1 day', '1,000 days')
    """
    return f"{n:,} {what}" if n == 1 else f"{n:,} {what}s"


def capital_first(sentence: str) -> str:
    """A sentence with a capital at its beginning.

    Examples
    --------
    >>> capital_first("e-banking earns it")
    'E-banking earns it'
    """
    return sentence[:1].upper() + sentence[1:]


def percent(millionths: int) -> str:
    """A share in percent.

    Examples
    --------
    >>> percent(3_500)
    '0.35 %'
    """
    return f"{plain(millionths * 100)} %"


def plain(millionths: int) -> str:
    """A number kept in millionths.

    Examples
    --------
    >>> plain(500_000)
    '0.5'
    """
    return amount(Decimal(millionths) / MILLION, least=0)


def minor(policy: Policy, units: int) -> str:
    """Minor units of the base currency as money.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> minor(load(), 150)
    '1.50 CNY'
    """
    return money(policy, Decimal(units).scaleb(-policy.digits(policy.base_currency)))


def money(policy: Policy, number: Decimal) -> str:
    """Major units of the base currency as money.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> money(load(), Decimal(50_000))
    '50,000 CNY'
    """
    return f"{amount(number)} {policy.base_currency}"


def amount(number: Decimal, least: int = 2) -> str:
    """With separators; digits after the point only where there are some, and then `least` at least.

    Examples
    --------
    >>> amount(Decimal("1234.5"))
    '1,234.50'
    """
    if number == int(number):
        return f"{int(number):,}"
    return f"{number:,.{max(least, -number.normalize().as_tuple().exponent)}f}"
