"""A settled list in words: what its conditions are worth, and why an offer stands on it."""

from decimal import Decimal

import polars as pl

from crmlab.measures.campaigns.limits import use
from crmlab.policy.phrases import amount, counted, joined

NOTHING = 1e-6  # minor units: a price that is rounding


def prices_told(prices: pl.DataFrame, digits: int) -> pl.DataFrame:
    """The conditions with a sentence each.

    Examples
    --------
    >>> prices = pl.DataFrame({"condition": ["manager", "branch"], "name": ["M017", "B02"], "limit": [480, 5],
    ...     "used": [475, 5], "price": [516.67, 0.0]})
    >>> prices_told(prices, 2)["sentence"].to_list()
    ['One more hour of manager M017 is worth 310.', 'Branch B02 has the 5 offers asked of it at no cost.']
    """
    rows = prices.select("condition", "name", "limit", "used", "price")
    said = [_priced(*row, digits) if row[-1] > NOTHING else _idle(*row[:-1], digits) for row in rows.iter_rows()]
    return rows.with_columns(sentence=pl.Series(said, dtype=pl.String))


def reasons(chosen: pl.DataFrame, prices: pl.DataFrame, digits: int) -> pl.Series:
    """Why each offer stands on the list, in a sentence.

    Parameters
    ----------
    chosen
        As `worth_after` gives it, of those taken, with net.
    prices
        condition, name, limit, price.
    digits
        After the point, of the base currency.

    Examples
    --------
    >>> chosen = pl.DataFrame({"value": [9_000], "price": [6_000.0], "bonus": 0.0, "net": 3_000.0, "cost": 0,
    ...     "minutes": 30, "manager_id": "M1", "product_id": "D13", "branch_id": "B1"})
    >>> prices = pl.DataFrame({"condition": ["manager"], "name": ["M1"], "limit": [480], "price": [200.0]})
    >>> reasons(chosen, prices, 2).item()
    'Worth 90, of which what it uses would earn 60 elsewhere: time of manager M1 60.'
    """
    known = {(str(row[0]), row[1]): row[2:] for row in prices.select("condition", "name", "price", "limit").iter_rows()}
    columns = ["value", "price", "bonus", "net", "manager_id", "product_id", "branch_id"]
    uses = [use(chosen, condition) for condition in ("budget", "manager")]
    rows = zip(chosen.select(columns).iter_rows(), *uses, strict=True)
    return pl.Series("reason", [_reason(*row, cost, minutes, known, digits) for row, cost, minutes in rows], pl.String)


def _reason(value, price, bonus, net, manager, product, branch, cost, minutes, known, digits) -> str:
    parts = [
        (known.get(("manager", str(manager)), (0,))[0] * minutes, f"time of manager {manager}"),
        (known.get(("budget", None), (0,))[0] * cost, "budget"),
        (known.get(("product", str(product)), (0,))[0], f"one of the {product} to be offered"),
    ]
    named = joined(f"{name} {rounded(part, digits)}" for part, name in parts if part > NOTHING) if price else ""
    worth = f"Worth {rounded(value, digits)}"
    if net < -NOTHING and bonus > NOTHING:
        asked = counted(known[("branch", str(branch))][1], "offer")
        return f"{worth}. Needed for the {asked} asked of branch {branch}: what it uses would earn " + (
            f"{rounded(price, digits)} elsewhere ({named})." if named else "more elsewhere."
        )
    if not named:
        return f"{worth}, and nothing that it uses is scarce."
    if net < -NOTHING:
        return f"{worth}, less than its room would earn were it divisible ({named}): it fits where others do not."
    return f"{worth}, of which what it uses would earn {rounded(price, digits)} elsewhere: {named}."


def _priced(condition: str, name: str | None, limit: int, used: int, price: float, digits: int) -> str:
    if condition == "budget":
        return f"One more {amount(Decimal(1))} of budget is worth {price:,.2f}."
    if condition == "manager":
        return f"One more hour of manager {name} is worth {rounded(price * 60, digits)}."
    if condition == "product":
        return f"One more offer of {name} than {limit:,} is worth {rounded(price, digits)}."
    return f"One more offer asked of branch {name} would cost about {rounded(price, digits)}."


def _idle(condition: str, name: str | None, limit: int, used: int, digits: int) -> str:
    left = limit - used
    if condition == "budget":
        return f"{amount(Decimal(left).scaleb(-digits))} of the budget is left; more would earn nothing."
    if condition == "manager":
        return f"Manager {name} has {counted(left, 'minute')} left; more would earn nothing."
    if condition == "product":
        return f"{used:,} of {limit:,} offers of {name} are made; more would earn nothing."
    if left == 0:
        return f"Branch {name} has the {counted(limit, 'offer')} asked of it at no cost."
    return f"Branch {name} has {counted(used, 'offer')}, {-left:,} more than asked."


def rounded(units: float, digits: int) -> str:
    """Minor units as money, whole from 10 on.

    Examples
    --------
    >>> rounded(31_000.2, 2), rounded(123, 2)
    ('310', '1.23')
    """
    major = units / 10**digits
    return f"{major:,.0f}" if abs(major) >= 10 or major == int(major) else f"{major:,.2f}"
