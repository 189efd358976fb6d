"""How customers go: at once, little by little, at maturity, after their wages, by dying; and how others fall asleep."""

import numpy as np

from crmlab.simulate.catalogue import LOAN, TERM, of_profile
from crmlab.simulate.income import send
from crmlab.simulate.ledger import REASON, whole
from crmlab.simulate.months import NEVER
from crmlab.simulate.world import World

CAUSES = ("closure", "run-off", "maturity", "salary", "death")
CLOSURE, RUN_OFF, MATURITY, SALARY, DEATH = range(len(CAUSES))
GONE_SHARE = 0.1  # who keeps less of the money than this has left
DOZES = 0.02  # a year


def decide(world: World) -> None:
    """Draw who begins to leave this month, and why; a fresh complaint, a new manager or none make it likelier."""
    people, month, rng, staff = world.people, world.month, world.rng, world.staff
    hazard = of_profile("leaves")[people.profile] / 12 * staff.managing.times
    hazard *= staff.times(staff.leaving, people.manager)
    hazard = hazard * np.where(people.manager < 0, 1.3, 1.0) * np.where(people.trend == 0, 2.0, 1.0)
    hazard *= np.where(people.handed_on > month.first - 180, 2.2, 1.0)
    hazard *= np.where(people.complained_on > month.first - 90, 2.5, 1.0)
    settled = world.steady & (people.since < month.first - 120) & (people.loan < 0)
    employs = np.isin(np.arange(len(people)), people.employer)
    who = np.flatnonzero(settled & ~employs & world.chance(hazard))
    if not len(who):
        return
    weight = np.tile((0.3, 0.3, 0.0, 0.0, 0.0), (len(who), 1))
    weight[:, MATURITY] = 0.35 * _matures_soon(world)[who]
    weight[:, SALARY] = 0.4 * people.of("salaried", "wealthy")[who]
    weight[:, DEATH] = np.where(people.of("pensioners")[who], 0.6, 0.04) * people.is_retail[who]
    draw = rng.random(len(who)) * weight.sum(axis=1)
    cause = (draw[:, None] > np.cumsum(weight, axis=1)).sum(axis=1)
    people.cause[who] = cause
    people.leaving_from[who] = np.where(cause == DEATH, month.days(rng, len(who), 1, 25), month.first)
    people.aum_before[who] = people.aum[who]
    people.vigour[who] *= np.where(cause == DEATH, 0.0, 0.6)
    soon = np.where(cause == DEATH, rng.integers(2, 7, len(who)), rng.integers(1, 4, len(who)))
    people.closes_in[who] = np.where((cause == CLOSURE) | (cause == DEATH), month.index + soon, -1)


def _matures_soon(world: World) -> np.ndarray:
    ledger, month = world.ledger, world.month
    soon = ledger.usable & (ledger.role == TERM) & (ledger.matures > month.last) & (ledger.matures < month.last + 180)
    return np.isin(np.arange(len(world.people)), ledger.customer[soon])


def fall_asleep(world: World) -> None:
    """Some stop doing anything and leave their money where it is."""
    people, first = world.people, world.month.first
    able = world.steady & people.of("salaried", "savers", "students") & (people.since < first - 120)
    who = np.flatnonzero(able & (people.loan < 0) & world.chance(DOZES / 12))
    people.dormant_from[who] = first
    people.vigour[who] = 0


def break_up(world: World) -> None:
    """In their second month those who run off close everything but the everyday account."""
    people, month = world.people, world.month
    fresh = people.here & ((people.cause == RUN_OFF) | (people.cause == SALARY)) & (people.closes_in != month.index)
    fresh &= (people.leaving_from < month.first) & (people.leaving_from >= month.first - 31)
    liquidate(world, np.flatnonzero(fresh), month.days(world.rng, int(fresh.sum()), 1, 10))


def run_off(world: World) -> None:
    """Money of those who have begun to leave goes to other banks, a part each month."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    going = people.here & ((people.cause == RUN_OFF) | (people.cause == SALARY)) & (people.left_on == NEVER)
    who = np.flatnonzero(going)
    people.vigour[who] *= 0.75
    share = np.where(people.leaving_from[who] == month.first, 0.15, rng.uniform(0.3, 0.7, len(who)))
    rest = ledger.free[people.main[who]]
    amount = np.where((rest < 50_000) | (rest < people.aum_before[who] * 0.12), rest * 0.97, rest * share)
    day = month.days(rng, len(who))
    send(world, who, day, -whole(amount, 100))
    gone = people.aum_before[who] * GONE_SHARE >= ledger.balance[people.main[who]]
    gone &= people.leaving_from[who] < month.first - 31
    _left(world, who[gone], day[gone])


def at_maturity(world: World) -> None:
    """Those who wait for it take all their money along on the day a deposit matures."""
    people, ledger, month = world.people, world.ledger, world.month
    paid = np.flatnonzero((ledger.closed >= month.first) & (ledger.closed <= month.last) & (ledger.role == TERM))
    paid = paid[ledger.reason[paid] == REASON["matured"]]
    owner = ledger.customer[paid]
    last = np.full(len(people), NEVER)
    np.maximum.at(last, owner, ledger.closed[paid])
    who = np.flatnonzero((people.cause == MATURITY) & (people.left_on == NEVER) & (last != NEVER) & people.here)
    day = last[who]
    before = ledger.balance[people.main[who]].copy()
    liquidate(world, who, day)
    came = ledger.balance[people.main[who]] - before
    freed = np.bincount(owner, _paid_out(world, paid), len(people))[who].astype(np.int64)
    amount = freed + came + ledger.affordable(people.main[who], np.full(len(who), 2**60), 0.97)
    amount = np.maximum(amount, 0)
    ledger.earmark(people.main[who], amount)
    send(world, who, day, -amount)
    ledger.free[people.main[who]] = np.maximum(ledger.balance[people.main[who]], 0)
    _left(world, who, day)


def _paid_out(world: World, accounts: np.ndarray) -> np.ndarray:
    """What these accounts paid out to their owners' main accounts this month."""
    paid = np.zeros(len(world.ledger), np.int64)
    for account, _, amount, *_ in world.ledger.entries:
        np.add.at(paid, account, np.minimum(amount, 0))
    return -paid[accounts]


def _left(world: World, who: np.ndarray, day: np.ndarray) -> None:
    people, rng = world.people, world.rng
    people.left_on[who] = day
    people.vigour[who] = 0
    closes = rng.random(len(who)) < 0.4
    people.closes_in[who] = np.where(closes, world.month.index + rng.integers(2, 7, len(who)), -1)


def liquidate(world: World, who: np.ndarray, day: np.ndarray, reason: str = "request") -> None:
    """Close all accounts of customers but the main one, which takes the money."""
    people, ledger = world.people, world.ledger
    on = np.full(len(people), NEVER)
    on[who] = day
    side = np.flatnonzero(ledger.usable & (on[ledger.customer] != NEVER))
    side = side[(side != people.main[ledger.customer[side]]) & (ledger.role[side] != LOAN)]
    owner = ledger.customer[side]
    ledger.empty(side, on[owner], people.main[owner], reason)
    people.saving[who] = people.card[who] = -1


def close_due(world: World) -> None:
    """Close the main account, and all others with it, of those whose day has come."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    who = np.flatnonzero(people.here & (people.closes_in == month.index))
    day = month.days(rng, len(who), 2, 28)
    dead = people.cause[who] == DEATH
    liquidate(world, who[dead], day[dead], "deceased")
    liquidate(world, who[~dead], day[~dead], "request")
    main = people.main[who]
    ledger.settle(main, day)
    ledger.post(main, day, np.maximum(-ledger.balance[main], 0), "cash", "counter", "customer")
    ledger.post(main, day, -ledger.balance[main], "transfer", "counter", "customer", None, "other bank")
    moved = rng.random(len(who)) < 0.25
    ledger.close(main, day, np.where(dead, REASON["deceased"], np.where(moved, REASON["moved"], REASON["request"])))
    people.left_on[who] = np.where(people.left_on[who] == NEVER, day, people.left_on[who])
    people.main[who] = -1
    world.staff.release(world, who, day)
