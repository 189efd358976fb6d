"""Conditions that no list can meet: how far each falls short, and what stands in the way."""

from decimal import Decimal

import numpy as np
import polars as pl
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, hstack

from crmlab.policy.phrases import amount, counted, joined

TIGHT = 1e-7
MANY = 5_000  # pairs from which on the interior-point method is quicker
NAMED = 3  # conditions in the way that are named one by one


def clash(use: csr_array, room: np.ndarray, wanted: pl.DataFrame, digits: int) -> str:
    r"""Which conditions clash, in a sentence.

    Every list within budget, time and numbers may be empty, so only minimums cannot be met. They are made elastic: the
    list is looked for that misses fewest offers of them. The conditions that keep it from missing fewer, those with a
    price in that program, stand in the way.

    Parameters
    ----------
    use, room
        The rows of the program: the conditions, in the order of `wanted`, then one offer a customer; minimums with
        their sign turned.
    wanted
        condition, name, limit.
    digits
        After the point, of the base currency.

    Examples
    --------
    >>> wanted = pl.DataFrame({"condition": ["manager", "branch"], "name": ["M1", "B1"], "limit": [60, 3]})
    >>> use = csr_array(np.array([[30.0, 30.0, 30.0], [-1.0, -1.0, -1.0]]))
    >>> print(clash(use, np.array([60.0, -3.0]), wanted, 2).replace(". In", ".\nIn"))
    The conditions clash: branch B1 is to have 3 offers and can have 2.
    In the way: the 60 minutes of manager M1. Ask for less of the branch, or give more of what is in its way.
    """
    is_branch = (wanted["condition"].cast(pl.String) == "branch").to_numpy()
    where = np.flatnonzero(is_branch)
    n = use.shape[1]
    gives = csr_array((-np.ones(len(where)), (where, np.arange(len(where)))), shape=(use.shape[0], len(where)))
    elastic = hstack([use, gives]).tocsr()
    missed = np.concatenate([np.zeros(n), np.ones(len(where))])
    most = np.concatenate([np.ones(n), np.full(len(where), np.inf)])
    method = "highs-ipm" if n > MANY else "highs-ds"
    found = linprog(missed, A_ub=elastic, b_ub=room, bounds=np.column_stack([np.zeros(len(most)), most]), method=method)
    short = np.ceil(found.x[n:] - 1e-6)
    if not short.any():
        return _whole_only(elastic, room, missed, most, wanted, where)
    tight = found.ineqlin.marginals < -TIGHT
    in_way = [_named(*row, digits) for row in wanted.filter(pl.Series(tight[: len(wanted)] & ~is_branch)).iter_rows()]
    if len(in_way) > NAMED:
        in_way = [*in_way[:NAMED], f"{len(in_way) - NAMED:,} more"]
    customers = tight[len(wanted) :].any() or (found.upper.marginals[:n] < -TIGHT).any()
    if customers:
        in_way.append("one offer a customer" if in_way else "the customers who may be offered anything, each once")
    return _sentence(wanted[where], short, joined(in_way or ["that nobody of it may be offered anything"]))


def _whole_only(elastic, room, missed, most, wanted, where) -> str:
    """Conditions that split offers would meet, and whole ones do not."""
    n = elastic.shape[1] - len(where)
    found = milp(
        missed, constraints=LinearConstraint(elastic, -np.inf, room), integrality=np.ones(len(missed)),
        bounds=Bounds(0, most), options={"time_limit": 20.0},
    )  # fmt: skip
    short = np.zeros(len(where)) if found.x is None else np.rint(found.x[n:])
    if not short.any():
        return "No list was found in time that meets the conditions, though there may be one. Ask for less of a branch."
    return _sentence(wanted[where], short, "that offers cannot be split")


def _sentence(branches: pl.DataFrame, short: np.ndarray, in_way: str) -> str:
    first = int(np.argmax(short > 0))
    name, limit = branches["name"][first], branches["limit"][first]
    said = f"branch {name} is to have {counted(limit, 'offer')} and can have {int(limit - short[first]):,}"
    if (others := int((short > 0).sum()) - 1) > 0:
        said += f", and {counted(others, 'more branch').replace('branchs', 'branches')} "
        said += f"{'falls' if others == 1 else 'fall'} short ({int(short.sum()):,} offers in all)"
    return (
        f"The conditions clash: {said}. In the way: {in_way}. Ask for less of the branch, or give more of what is in "
        "its way."
    )


def _named(condition: str, name: str | None, limit: int, digits: int) -> str:
    if condition == "budget":
        return f"the budget of {amount(Decimal(limit).scaleb(-digits))}"
    if condition == "manager":
        return f"the {counted(limit, 'minute')} of manager {name}"
    return f"at most {counted(limit, 'offer')} of {name}"
