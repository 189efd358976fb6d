"""The list that earns most under its limits: a linear program, made whole, with how far it may fall short."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import csr_array, vstack

from crmlab.errors import InputError
from crmlab.measures.campaigns.clash import MANY, clash
from crmlab.measures.campaigns.limits import USES, Limits, bound, checked, conditions, use, worth_after
from crmlab.measures.campaigns.told import prices_told, reasons

CORE = 10_000  # pairs that are settled exactly: those about which the relaxed program is least sure
SECONDS = 12.0  # for each whole program; the best list found by then is taken, and its gap told
HAIR, GOLDEN = 1e-4, 0.618  # units by which rooms are larger for their price, and what sets these apart
SPLIT = 1e-2  # an offer that is split by less is split by that hair
TOLD = ["rank", "net", "reason"]  # of each offer on the list
LARGEST = 1e6  # values are told to the solver no larger than this, so that its tolerances are far below one unit


@dataclass(frozen=True)
class Settled:
    """A list, what its conditions are worth, and how good it is at least."""

    chosen: pl.DataFrame  # the pairs, with rank, net (value − price of what is used) and reason; by rank
    prices: pl.DataFrame  # condition, name, limit, used, price (minor units a unit more), sentence
    value: int  # minor units
    bound: int  # no list within the limits is worth more
    gap: float  # 1 − value / bound, 0 to 1; 0 where nothing can be had


@dataclass(frozen=True)
class Program:
    """Earn most, use no more than there is room: the conditions first, then one offer a customer."""

    gain: np.ndarray
    use: csr_array  # whole numbers; a minimum stands with its sign turned
    room: np.ndarray
    unit: np.ndarray  # what one unit of a condition's row is of its own: rows are divided by what divides all of them
    wanted: pl.DataFrame


def settle(pairs: pl.DataFrame, limits: Limits, *, digits: int = 2) -> Settled:
    """The offers that are worth most together within budget, managers' time, and numbers a product and a branch.

    Answers: whom do we offer what this month, through whom, and what would another hour of a manager earn?

    The linear program is solved on HiGHS with offers that may be split; where it splits some or is close to
    indifferent, whole ones are settled by branch and bound. Up to `CORE` pairs the list is the best there is.

    Parameters
    ----------
    pairs
        customer_id, product_id (once each), manager_id, branch_id, value (expected contribution, minor units), cost
        (minor units), minutes, and whatever else: eligible ones only.
    limits
        Budget, minutes a manager, most a product, least a branch; each customer gets one offer at most.
    digits
        After the point, of the base currency: for the sentences.

    Returns
    -------
    Settled
        A condition's price is what one unit more of it would earn (a branch's: what one more asked of it costs),
        at least 0, of the program that may split; true for small changes. Of several conditions that hold back the
        same offers it is each one's part of what a little more of all would earn. `gap` is proven, not estimated.

    Raises
    ------
    InputError
        When a column is missing, a pair repeated, an amount negative, a manager without minutes, or when no list can
        meet the conditions: which of them clash is said.

    Examples
    --------
    >>> pairs = pl.DataFrame({"customer_id": [1, 2, 3], "product_id": "D13", "manager_id": "M1", "branch_id": "B1",
    ...     "value": [9_000, 7_000, 2_000], "cost": 100, "minutes": 30})
    >>> found = settle(pairs, Limits(minutes=75))
    >>> found.chosen["customer_id"].to_list(), found.value
    ([1, 2], 16000)
    >>> found.prices["sentence"].item()
    'One more hour of manager M1 is worth 40.'
    """
    # What else is known of a pair stays; its rank among a customer's offers is none on the list.
    rows = checked(pairs, "campaigns.settle").drop(TOLD, strict=False)
    wanted = conditions(rows, limits)
    program = _program(rows, wanted)
    free, price = _relaxed(program)
    if free is None:
        raise InputError(clash(program.use, program.room, program.wanted, digits))
    prices = wanted.with_columns(price=pl.Series(price, dtype=pl.Float64))
    priced = worth_after(rows, prices)
    taken, most = _whole(program, free, _sureness(priced))
    if taken is None:
        raise InputError(clash(program.use, program.room, program.wanted, digits))
    value = int(rows["value"].filter(taken).sum())
    # Values are whole, so a bound is cut to a whole number; a hair above one is rounding.
    least = max(value, int(np.floor(min(most, bound(priced, prices, wanted) * (1 + 1e-9) + 1e-3))))
    net = pl.col("value") - pl.col("price")
    chosen = priced.filter(taken).with_columns(net=net).sort("net", descending=True, maintain_order=True)
    told = prices_told(prices.with_columns(used=_used(rows.filter(taken), wanted)), digits)
    return Settled(
        chosen.select(*rows.columns, "net", reasons(chosen, prices, digits), rank=pl.int_range(1, pl.len() + 1)),
        told, value, least, 1 - value / least if least > 0 else 0.0,
    )  # fmt: skip


def _program(rows: pl.DataFrame, wanted: pl.DataFrame) -> Program:
    n, at = len(rows), np.arange(len(rows))
    parts, room, unit = [csr_array((0, n))], [], []
    for (condition,), of in wanted.partition_by("condition", maintain_order=True, as_dict=True).items():
        owner, sign = USES[condition][1], -1 if condition == "branch" else 1
        needs = use(rows, condition).to_numpy()
        whose = np.zeros(n, np.int64) if owner is None else _places(rows[owner], of["name"])
        one = max(int(np.gcd.reduce(needs)), 1)
        counts = whose >= 0
        parts.append(csr_array((sign * needs[counts] // one, (whose[counts], at[counts])), shape=(len(of), n)))
        room += [sign * (limit // one) for limit in of["limit"]]
        unit += [one] * len(of)
    customer = rows["customer_id"].rle_id().to_numpy()
    several = rows["customer_id"].is_duplicated().to_numpy()
    _, place = np.unique(customer[several], return_inverse=True)
    shape = (int(place.max(initial=-1)) + 1, n)
    parts.append(csr_array((np.ones(len(place)), (place, at[several])), shape=shape))
    room = np.concatenate([np.array(room, np.float64), np.ones(shape[0])])
    return Program(
        rows["value"].cast(pl.Float64).to_numpy(), vstack(parts).tocsr().astype(np.float64), room,
        np.array(unit, np.float64), wanted,
    )  # fmt: skip


def _places(owners: pl.Series, names: pl.Series) -> np.ndarray:
    """Which row of its condition each pair stands in; −1 where its owner has no limit."""
    known = owners.cast(pl.String)
    return known.replace_strict(names, np.arange(len(names)), default=-1, return_dtype=pl.Int64).to_numpy()


def _scale(gain: np.ndarray) -> float:
    return max(1.0, float(np.abs(gain).max()) / LARGEST)


def _relaxed(program: Program) -> tuple[np.ndarray | None, np.ndarray]:
    """The best there is where an offer may be split, and the price of each condition; None where there is none.

    Where whole offers fill their room to the last unit, one less loses more than one more earns, and a solver tells
    either as the price. So all rooms are a hair larger, and a branch is to have a hair more, if it can.
    """
    n, scale = len(program.wanted), _scale(program.gain)
    method = "highs-ipm" if len(program.gain) > MANY else "highs-ds"
    is_branch = (program.wanted["condition"].cast(pl.String) == "branch").to_numpy()
    hair = np.zeros(len(program.room))
    # Rooms that stay as tight as each other would still tell either. What a branch asks uses room: it gets much less.
    hair[:n] = np.where(is_branch, -0.01, 1) * HAIR * (1 + np.arange(n) * GOLDEN % 1)
    for room in (program.room + hair, program.room):
        rows = {"A_ub": program.use, "b_ub": room} if len(room) else {}
        found = linprog(-program.gain / scale, bounds=(0, 1), method=method, **rows)
        if found.status != 2:
            break
    if found.status == 2:
        return None, np.array([])
    if found.x is None:
        raise InputError(f"The solver gave up on {len(program.gain)} pairs ({found.message}). Check the values' unit.")
    price = np.maximum(-found.ineqlin.marginals[:n], 0) * scale / program.unit if n else np.zeros(0)
    return found.x, price


def _sureness(priced: pl.DataFrame) -> np.ndarray:
    """How much worse the second choice of a pair's customer is than the best, no offer at all being one of them."""
    top = (pl.col("value") - pl.col("price") + pl.col("bonus")).top_k(2).over("customer_id", mapping_strategy="join")
    best, second = top.list.get(0), top.list.get(1, null_on_oob=True).fill_null(0.0).clip(0)
    return priced.select(pl.when(best > 0).then(best - second).otherwise(-best)).to_series().to_numpy()


def _whole(program: Program, free: np.ndarray, sureness: np.ndarray) -> tuple[np.ndarray | None, float]:
    """Which pairs are taken, and what no list is worth more than; None where no list meets the conditions."""
    split = (free > SPLIT) & (free < 1 - SPLIT)
    if len(free) > CORE:
        customers = _touching(program, split)
        order = np.argsort(np.where(customers, -1.0, sureness), kind="stable")
        unsure = np.zeros(len(free), bool)
        unsure[order[: max(CORE, int(customers.sum()))]] = True
        unsure = _touching(program, unsure)
        taken, _ = _branched(program, np.rint(free).astype(bool), unsure, 1e-4)
        if taken is not None:
            return taken, np.inf
    every = np.ones(len(free), bool)
    return _branched(program, ~every, every, 0.0 if len(free) <= CORE else 1e-4)


def _touching(program: Program, some: np.ndarray) -> np.ndarray:
    """Some pairs, with all others of the same customers."""
    own = program.use[len(program.wanted) :]
    return some | (own.T @ (own @ some.astype(np.float64)) > 0)


def _branched(
    program: Program, decided: np.ndarray, open_ones: np.ndarray, within: float
) -> tuple[np.ndarray | None, float]:
    """Settle the open pairs in whole offers, in the room that the decided others leave."""
    fixed = decided & ~open_ones
    scale, at = _scale(program.gain), np.flatnonzero(open_ones)
    room = program.room - program.use @ fixed.astype(np.float64)
    part = program.use[:, at]
    limits = [LinearConstraint(part, -np.inf, room)] if len(room) else []
    with _quiet():
        found = milp(
        -program.gain[at] / scale, constraints=limits, integrality=np.ones(len(at)), bounds=Bounds(0, 1),
        options={"mip_rel_gap": within, "time_limit": SECONDS},
    )  # fmt: skip
    if found.x is None:
        return None, np.inf
    taken = fixed.copy()
    taken[at] = found.x > 0.5
    # Sums of whole numbers below 2**53 are exact: what the solver's tolerance lets pass is not let pass here.
    if (program.use @ taken.astype(np.float64) > program.room).any():
        return None, np.inf
    proven = np.inf if found.mip_dual_bound is None else -found.mip_dual_bound * scale
    return taken, proven + 1e-6 * scale if open_ones.all() else np.inf


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what HiGHS prints of its own repairs, which no option of SciPy turns off."""
    sys.stdout.flush()
    kept, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 1)
        yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)
        os.close(nowhere)


def _used(taken: pl.DataFrame, wanted: pl.DataFrame) -> pl.Series:
    """How much of each condition the list uses."""
    used = []
    for condition, name in wanted.select("condition", "name").iter_rows():
        owner = USES[condition][1]
        needs = use(taken, condition)
        used.append(int((needs if owner is None else needs.filter(taken[owner].cast(pl.String) == name)).sum()))
    return pl.Series("used", used, pl.Int64)
