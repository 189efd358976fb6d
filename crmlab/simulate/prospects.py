"""People the bank talks to who are no customers yet: those who join in the end, those who say no, those never heard of.

Their random numbers are their own, so that the rest of the bank is the same with and without them.
"""

import numpy as np

from crmlab.simulate.catalogue import PRODUCTS
from crmlab.simulate.months import NEVER
from crmlab.simulate.names import words
from crmlab.simulate.world import World

STEPS = ("contacted", "responded", "offered", "opened", "lost")
RATES = np.array([0.5, 0.6, 0.5])  # of those who took a step, who take the next one
DAYS = np.array([10, 20, 30])  # the most it takes them
COST = (4_000, 0, 8_000, 0, 0)
COURTED = 0.6  # of those who join and are given a manager
SAYS_NO = 0.7  # of those who go no further; nobody knows about the others


def tables() -> dict[str, dict]:
    """What was planted of the steps."""
    rows = {"step": STEPS[:3], "rate": RATES, "days": (1 + DAYS) / 2}
    return {"truth/funnel": {name: list(values) for name, values in rows.items()}}


def month(world: World) -> None:
    """Write down the leads won this month, and beside each as many that came to nothing as the rates would have it."""
    people, rng, month = world.people, world.prospects, world.month
    joins = people.here & (people.since >= month.first) & (people.since <= month.last) & (people.manager >= 0)
    won = np.flatnonzero(joins & (rng.random(len(people)) < COURTED))
    if month is world.calendar[-1]:  # who will join in the next two months is being talked to by now
        coming = np.repeat(won, 2)
        end = np.append(people.since[won], month.last + rng.integers(1, 61, len(coming)))
        like, customer = np.append(won, coming), np.append(won, np.full(len(coming), -1))
    else:
        end, like, customer = people.since[won], won, won
    days = _won(rng, end)
    able_from = np.maximum(world.calendar[0].first, world.staff.joined[people.manager[like]])
    begun = (days[0] >= able_from) & (days[0] <= month.last)
    if not begun.any():
        return
    like, days = like[begun], days[:, begun]
    _write(world, like, customer[begun], days)
    beside = rng.choice(len(like), rng.negative_binomial(len(like), RATES.prod()))
    _write(world, like[beside], np.full(len(beside), -1), _lost(rng, days[0, beside]))


def _won(rng: np.random.Generator, end: np.ndarray) -> np.ndarray:
    """The days of leads won on `end`: a row a step, and one for the loss, which is none."""
    took = rng.integers(1, DAYS[:, None] + 1, (3, len(end)))
    before = took[::-1].cumsum(axis=0)[::-1]
    return np.vstack([end - before, end, np.full(len(end), NEVER)])


def _lost(rng: np.random.Generator, start: np.ndarray) -> np.ndarray:
    """The days of leads that begin on `start` and take one to three steps."""
    n = len(start)
    came_so_far = np.array([1, *RATES[:2].cumprod()])
    reached = rng.choice(3, n, p=came_so_far * (1 - RATES) / (1 - RATES.prod()))
    took = rng.integers(1, DAYS[:2, None] + 1, (2, n)).cumsum(axis=0)
    steps = start + np.vstack([np.zeros((1, n), int), took])
    last = np.take_along_axis(steps, reached[None], axis=0)
    told = np.where(rng.random(n) < SAYS_NO, last + rng.integers(5, 41, n), NEVER)
    taken = np.where(np.arange(3)[:, None] <= reached, steps, NEVER)
    return np.vstack([taken, np.full(n, NEVER), told])


def _write(world: World, like: np.ndarray, customer: np.ndarray, days: np.ndarray) -> None:
    """Write down leads as far as the extract goes; `like` are customers with the same manager and product."""
    people, last = world.people, world.calendar[-1].last
    product = words([product.id for product in PRODUCTS], world.ledger.product[people.main[like]])
    lead = world.serial("N", len(like))
    for step, name in enumerate(STEPS):
        i = np.flatnonzero((days[step] != NEVER) & (days[step] <= last))
        known = customer[i] if name == "opened" else np.full(len(i), -1)
        world.note(
            "leads", lead_id=lead.gather(i.astype(np.uint32)), step=name, on=days[step, i], customer_id=known,
            manager_id=people.manager[like[i]], product_id=product.gather(i.astype(np.uint32)),
            cost=np.full(len(i), COST[step]),
        )  # fmt: skip
