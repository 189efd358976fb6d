"""Who gets what at least cost, loads kept near their mean: a linear program made whole, and its proof."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse import coo_array, csr_array, eye_array, hstack, kron, vstack

from crmlab.errors import InputError
from crmlab.measures.managers.swapping import improved

# What one more of a load costs, as a part of its weight: a quarter more with each step away from the mean (the cost is
# the square of the distance, straight between these knots), so that nobody is given the better part of a book.
KNOTS = np.array([0.0, 1.0, 2.0, 3.0, 4.0, 8.0, 16.0, 32.0, 64.0])  # steps away from the mean
SLOPES = np.append((KNOTS[:-1] + KNOTS[1:]) / 8, KNOTS[-1] / 4)
REACH = np.append(np.diff(KNOTS), np.inf)  # how many steps long each part is
FIRST, MORE = 12, 5  # candidates to begin with, and how many a round may add
CORE = 1_500  # pairs up to which the whole program is settled,
LARGE = 20_000  # and up to which it is where what was rounded is not `GOOD`
SECONDS = 6.0  # for that; the best found by then is taken, and its gap told
STARTS = 6  # ways in which units that the program has split are made whole
GOOD = 1e-3  # a part of the cost: what is proven to be so near the best is not sought to be bettered
HAIR = 1e-7
INFEASIBLE = 2  # of what SciPy says of a program
PENALTY = 1e4  # for a room exceeded by one: more than anything else costs


@dataclass(frozen=True)
class Deal:
    """Units (customers, or households) to be dealt to managers, and what that costs."""

    cost: np.ndarray  # units × managers; infinite where a pair is excluded
    loads: np.ndarray  # units × loads: what each adds
    aim: np.ndarray  # managers × loads: what would bring each to the mean
    step: np.ndarray  # loads: how far from it the next slope begins
    weight: np.ndarray  # loads: what one more costs four steps away from it
    uses: np.ndarray  # units × conditions
    room: np.ndarray  # managers × conditions: uses add up to this at most
    grain: np.ndarray  # loads: what all that can be given is a whole multiple of; 0: of nothing

    def imbalance(self, given: np.ndarray, manager) -> np.ndarray:
        """What loads (… × loads) given to managers cost, for being off the mean."""
        parts = np.abs(given - self.aim[manager])[..., None] / self.step[:, None] - KNOTS
        return ((np.clip(parts, 0, REACH) * SLOPES).sum(-1) * self.step * self.weight).sum(-1)

    def knots(self) -> tuple[np.ndarray, np.ndarray]:
        """Managers × loads × knots: where the slope of the imbalance changes, rising, and what it costs there.

        No load between two multiples of its grain is ever given: there the imbalance is taken as straight, which is
        never less, and brings the program that may split units nearer to the one that may not.
        """
        ends = np.concatenate([-KNOTS[:0:-1], KNOTS]) * self.step[:, None]
        at = self.aim[..., None] + ends
        grain = np.where(self.grain > 0, self.grain, 1.0)[:, None]
        low = np.floor(at / grain + HAIR) * grain
        low, high = (np.where(self.grain[:, None] > 0, end, at) for end in (low, low + grain))
        at = np.sort(np.concatenate([low, high], -1), -1)
        away = (at - self.aim[..., None])[..., None] / self.step[:, None, None]
        cost = (np.clip(np.abs(away) - KNOTS, 0, REACH) * SLOPES).sum(-1) * (self.step * self.weight)[:, None]
        return at, cost

    def value(self, who: np.ndarray) -> float:
        """What all costs where unit u goes to who[u]."""
        given = np.zeros_like(self.aim)
        np.add.at(given, who, self.loads)
        return self.cost[np.arange(len(who)), who].sum() + self.imbalance(given, np.arange(len(given))).sum()

    def excess(self, who: np.ndarray) -> np.ndarray:
        """How much more than its room each condition of each manager would use; 0 or more."""
        used = np.zeros_like(self.room)
        np.add.at(used, who, self.uses)
        over = used - self.room
        return np.where(over > HAIR * (1 + np.abs(self.room)), over, 0.0)


@dataclass(frozen=True)
class Prices:
    """What loads and rooms are worth at the margin, and what that proves."""

    load: np.ndarray  # managers × loads: what one more there saves
    room: np.ndarray  # managers × conditions, at most 0
    bound: float  # nothing costs less
    reduced: np.ndarray  # units × managers: what a pair costs after what it does for loads and rooms


@dataclass(frozen=True)
class Dealt:
    """Who gets what, and how good that is at least."""

    who: np.ndarray  # of each unit
    value: float
    bound: float
    prices: Prices
    candidates: np.ndarray  # units × managers: the pairs the program has seen
    dearer: float  # by how much the best omitted pair is dearer than its unit's best candidate; infinite: none omitted
    rounds: int


def dealt(deal: Deal, most: int) -> Dealt | np.ndarray:
    """The cheapest way to deal, each unit having at most so many candidates; where there is none, what rooms lack.

    The program that may split units is solved on the cheapest candidates. All other pairs are then priced with what it
    says loads and rooms are worth, and those that would lower the cost come in, until none would: its cost is a bound
    for all pairs. What was split is rounded in several ways, each improved by moves and swaps, and the best is taken;
    up to `CORE` pairs, and up to `LARGE` where that is not `GOOD`, the program is then settled by branch and bound.

    Parameters
    ----------
    deal
        Every unit has a pair that is not excluded.
    most
        Candidates of each unit.

    Examples
    --------
    >>> two = Deal(np.array([[0.0, 1.0], [0.0, 1.0]]), np.ones((2, 1)), np.ones((2, 1)), np.ones(1) / 4,
    ...     np.array([4.0]), np.ones((2, 1)), np.full((2, 1), 2.0), np.ones(1))
    >>> found = dealt(two, 30)
    >>> sorted(found.who.tolist()), found.value, round(found.bound, 6)
    ([0, 1], 1.0, 1.0)
    """
    have = _cheapest(deal, min(FIRST, most))
    rounds, last = 0, np.inf
    while True:
        rounds += 1
        part, price, cost = _split(deal, have)
        prices = _priced(deal, *price)
        better = _better(prices.reduced, have)
        if not better.any():
            break
        have |= _first(np.where(better, prices.reduced, np.inf), MORE) & better
        if cost < last - HAIR * (1 + abs(cost)):  # what is dropped can come back only at a lower cost: an end is sure
            have = (have & _first(np.where(have, prices.reduced, np.inf), most)) | (part > 0)
        last = cost
    if price[2] > HAIR and (lacking := short(deal)).any():
        return lacking
    who, bound = _rounded(deal, part, have, prices.bound), -np.inf
    n_pairs = np.isfinite(deal.cost).sum()
    enough = 0.0 if n_pairs <= CORE else GOOD
    if n_pairs <= LARGE and not _is_proven(deal, who, prices.bound, enough):
        exact, bound = _exact(deal, deal.value(who), enough)
        who = min([one for one in (who, exact) if one is not None], key=lambda one: _judged(deal, one))
    if deal.excess(who).any():
        raise InputError(
            "Rooms were found that would do if customers could be split, and no way to give them out whole. Widen a "
            "capacity or the tolerance a little."
        )
    value = deal.value(who)
    own = np.where(have, prices.reduced, np.inf).min(1)
    omitted = np.where(have | ~np.isfinite(deal.cost), np.inf, prices.reduced - own[:, None])
    bound = min(max(bound, prices.bound), value)
    return Dealt(who, float(value), float(bound), prices, have, float(omitted.min(initial=np.inf)), rounds)


def short(deal: Deal) -> np.ndarray:
    """By how much rooms must grow at least (managers × conditions), were units splittable; all 0 where they suffice."""
    free = Deal(np.where(np.isfinite(deal.cost), 0.0, np.inf), deal.loads, deal.aim, deal.step, deal.weight * 0,
                deal.uses, deal.room, deal.grain)  # fmt: skip
    grown = _split(free, np.isfinite(deal.cost))[1][3]
    return np.where(grown > 1e-6, grown, 0.0)


def _judged(deal: Deal, who: np.ndarray) -> tuple[float, float]:
    return float(deal.excess(who).sum()), deal.value(who)


def _is_proven(deal: Deal, who: np.ndarray, bound: float, gap: float) -> bool:
    return not deal.excess(who).any() and deal.value(who) * (1 - gap) <= bound + HAIR


def _cheapest(deal: Deal, n: int) -> np.ndarray:
    """The n cheapest pairs of each unit; among equals those with most to go to the mean, so that all have a few."""
    need = (deal.aim / deal.step).sum(1)
    tie_break = -need / (1 + np.abs(need).max())
    # Equals are dealt around: else all units would know the same few managers.
    turn = (np.arange(len(deal.cost))[:, None] * 7 + np.arange(len(need))) % len(need) / len(need)
    return _first(deal.cost + HAIR * (tie_break + turn), n)


def _first(cost: np.ndarray, n: int) -> np.ndarray:
    """The n smallest of each row that are finite."""
    n = min(n, cost.shape[1])
    found = np.zeros(cost.shape, bool)
    np.put_along_axis(found, np.argpartition(cost, n - 1, axis=1)[:, :n], True, axis=1)
    return found & np.isfinite(cost)


def _better(reduced: np.ndarray, have: np.ndarray) -> np.ndarray:
    own = np.where(have, reduced, np.inf).min(1)[:, None]
    return ~have & (reduced < own - HAIR * (1 + np.abs(own)))


def _priced(deal: Deal, load: np.ndarray, room: np.ndarray, *_) -> Prices:
    """What any prices prove: each unit at its cheapest manager, loads and rooms at their price (Lagrange's bound)."""
    steepest = SLOPES[-1] * deal.weight
    load, room = np.clip(load, -steepest, steepest), np.minimum(room, 0)
    reduced = deal.cost - deal.loads @ load.T - deal.uses @ room.T
    at, cost = deal.knots()
    off = (cost + load[..., None] * at).min(-1)  # what being off the mean costs at least at these prices
    bound = reduced.min(1).sum() + off.sum() + (room * deal.room).sum()
    return Prices(load, room, float(bound), reduced)


class _Program(NamedTuple):
    """The program of some pairs; most of each column, pairs first, then parts of loads, slack of rooms last."""

    cost: np.ndarray
    once: csr_array  # rows: each unit
    loads: csr_array  # rows: each manager and load
    rooms: csr_array  # rows: each manager and condition
    start: np.ndarray  # of each manager and load: where its parts begin
    low: np.ndarray
    high: np.ndarray
    pairs: np.ndarray  # unit and manager of each
    apart: float  # what the loads cost where their parts begin


def _program(deal: Deal, have: np.ndarray) -> _Program:
    unit, manager = np.nonzero(have)
    (units, managers), n = deal.cost.shape, len(unit)
    n_loads, n_rooms = managers * deal.loads.shape[1], managers * deal.uses.shape[1]
    once = csr_array((np.ones(n), (unit, np.arange(n))), shape=(units, n))
    at, worth = deal.knots()
    long = np.diff(at)
    slope = np.where(long > HAIR, np.diff(worth) / np.where(long > HAIR, long, 1.0), 0.0)
    # Before the first knot every one less costs as much as every one more after the last.
    beyond = np.broadcast_to(SLOPES[-1] * deal.weight[:, None], (*deal.aim.shape, 1))
    slope = np.concatenate([-beyond, slope, beyond], -1).reshape(n_loads, -1)
    nothing, ever = np.zeros((n_loads, 1)), np.full((n_loads, 1), np.inf)
    high = np.hstack([nothing, np.where(long > HAIR, long, 0.0).reshape(n_loads, -1), ever])
    low = np.zeros_like(high)
    low[:, 0] = -np.inf
    parts = kron(eye_array(n_loads), np.ones((1, slope.shape[1])))
    loads = hstack([_spread(deal.loads, unit, manager, managers), -parts, csr_array((n_loads, n_rooms))])
    rooms = hstack([_spread(deal.uses, unit, manager, managers), csr_array((n_rooms, slope.size)), -eye_array(n_rooms)])
    once = hstack([once, csr_array((units, slope.size + n_rooms))])
    return _Program(
        np.concatenate([deal.cost[unit, manager], slope.ravel(), np.full(n_rooms, PENALTY)]),
        once.tocsr(), loads.tocsr(), rooms.tocsr(), at[..., 0].ravel(),
        np.concatenate([np.zeros(n), low.ravel(), np.zeros(n_rooms)]),
        np.concatenate([np.ones(n), high.ravel(), np.full(n_rooms, np.inf)]),
        np.stack([unit, manager]), float(worth[..., 0].sum()),
    )  # fmt: skip


def _spread(what: np.ndarray, unit: np.ndarray, manager: np.ndarray, managers: int) -> coo_array:
    """What each pair adds, in a row a manager and column of `what`."""
    width = what.shape[1]
    rows = (manager[:, None] * width + np.arange(width)).ravel()
    return coo_array((what[unit].ravel(), (rows, np.repeat(np.arange(len(unit)), width))),
                     shape=(managers * width, len(unit)))  # fmt: skip


def _split(deal: Deal, have: np.ndarray):
    """The best on these pairs where units may be split: parts, prices of loads and rooms, slack, slacks; its cost."""
    program = _program(deal, have)
    unit, manager = program.pairs
    found = linprog(
        program.cost, A_ub=program.rooms, b_ub=deal.room.ravel(), A_eq=vstack([program.once, program.loads]).tocsr(),
        b_eq=np.concatenate([np.ones(len(have)), program.start]),
        bounds=np.column_stack([program.low, program.high]), method="highs-ipm" if len(unit) > CORE else "highs-ds",
    )  # fmt: skip
    if found.x is None:
        raise InputError(f"The solver gave up on {len(unit)} pairs ({found.message}). Check the amounts' unit.")
    part = np.zeros(have.shape)
    part[unit, manager] = found.x[: len(unit)]
    slack = found.x[len(program.cost) - deal.room.size :].reshape(deal.room.shape)
    load = found.eqlin.marginals[len(have) :].reshape(deal.aim.shape)
    room = found.ineqlin.marginals.reshape(deal.room.shape)
    return part, (load, room, slack.max(initial=0.0), slack), found.fun + program.apart


def _rounded(deal: Deal, part: np.ndarray, have: np.ndarray, bound: float) -> np.ndarray:
    """The best of some ways to make the split units whole, each improved; the first gives each its largest part."""
    draw, best = np.random.default_rng(0), None
    split = np.flatnonzero((part > HAIR).sum(1) > 1)
    ends = part[split].clip(0).cumsum(1)
    for n in range(STARTS):
        who = part.argmax(1)
        if n:
            who[split] = (draw.random((len(split), 1)) * ends[:, -1:] >= ends).sum(1)
        who = improved(deal, who, have, PENALTY)
        best = who if best is None else min(best, who, key=lambda one: _judged(deal, one))
        if not len(split) or _is_proven(deal, best, bound, GOOD):
            break
    return best


def _exact(deal: Deal, value: float, enough: float) -> tuple[np.ndarray | None, float]:
    """Whole units by branch and bound on all pairs, and what it proves nothing to be cheaper than.

    It ends when no more than this part of `value`, of what is known to be possible, is left to be proven.
    """
    program = _program(deal, np.isfinite(deal.cost))
    gap = enough * value / max(abs(value - program.apart), HAIR)  # the solver's cost lacks what stands apart
    n = len(program.cost) - deal.room.size  # rooms are kept here
    rows = [
        LinearConstraint(program.once[:, :n], 1, 1),
        LinearConstraint(program.loads[:, :n], program.start, program.start),
        LinearConstraint(program.rooms[:, :n], -np.inf, deal.room.ravel()),
    ]
    unit, manager = program.pairs
    whole, bounds = np.arange(n) < len(unit), Bounds(program.low[:n], program.high[:n])
    for is_simplified in (True, False):
        options = {"mip_rel_gap": gap, "time_limit": SECONDS, "presolve": is_simplified}
        found = milp(program.cost[:n], integrality=whole, bounds=bounds, constraints=rows, options=options)
        # A way to deal is known before this is asked: "infeasible" is a fault of simplifying (HiGHS has one).
        if found.status != INFEASIBLE:
            break
    if found.x is None:
        return None, -np.inf
    who = np.zeros(len(deal.cost), np.int64)
    taken = found.x[: len(unit)] > 0.5
    who[unit[taken]] = manager[taken]
    bound = found.mip_dual_bound + program.apart
    # The solver's tolerance is a part of its cost.
    return who, bound - 1e-6 * (1 + abs(bound))
