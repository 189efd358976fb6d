"""The rules of what a balance, a transaction and a risk are worth."""

from collections.abc import Callable

from crmlab.policy.known import LINES
from crmlab.policy.rules import CHANNELS, FIVE_GRADES, POINT_BASES, Contribution, Pricing
from crmlab.policy.source import Source


def pricing(source: Source) -> Pricing:
    """The rules under ``[pricing]``."""
    return Pricing(
        tenors=_tenors(source),
        curves=_by_line(source, "pricing", "curves", read=lambda *at: _curve(source, *at)),
        overdraft_curve=source.one_of("pricing", "overdraft_curve", known=LINES),
        overdraft_rate=source.share("pricing", "overdraft_rate"),
        accrual_days=source.whole("pricing", "accrual_days", least=0),
        day_count=source.by_currency("pricing", "day_count", least=360, most=366),
    )


def contribution(source: Source, base_digits: int) -> Contribution:
    """The rules under ``[contribution]``, money in minor units of a base currency with so many digits."""
    top = "contribution"

    def by_line(key: str) -> dict[str, int]:
        return _by_line(source, top, key, read=source.share)

    return Contribution(
        cost=source.table(
            top, "cost", known=CHANNELS, what="channel", read=lambda *at: source.minor(*at, digits=base_digits)
        ),
        substituted_share=source.share(top, "substituted_share"),
        commission_on_balance=by_line("commission_on_balance"),
        commission_on_turnover=by_line("commission_on_turnover"),
        pd=source.table(top, "pd", read=source.share),
        pd_by_class=source.table(top, "pd_by_class", known=FIVE_GRADES, what="five-grade class", read=source.share),
        lgd=source.table(top, "lgd", read=source.share),
        conversion=by_line("conversion"),
        capital=by_line("capital"),
        tax=source.share(top, "tax"),
        points=_by_line(source, top, "points", read=lambda *at: _points(source, *at)),
    )


def _tenors(source: Source) -> tuple[int, ...]:
    tenors = source.wholes("pricing", "tenors", least=0)
    if tenors[0] != 0:
        raise source.error(("pricing", "tenors"), f"begins with {tenors[0]}; begin with 0, which is demand.")
    return tenors


def _by_line(source: Source, *path: str, read: Callable) -> dict:
    """A table by product line; since a bank's table is laid over ours, a 0 takes a line out of it."""
    table = source.table(*path, known=LINES, what="product line", read=read)
    return {line: value for line, value in table.items() if value}


def _curve(source: Source, *path: str) -> str | None:
    return None if source.value(*path) in ("0", 0) else source.one_of(*path, known=LINES)


def _points(source: Source, *path: str) -> dict[str, int]:
    rates = source.table(*path, known=POINT_BASES, what="basis", read=source.factor)
    return {basis: rate for basis, rate in rates.items() if rate}
