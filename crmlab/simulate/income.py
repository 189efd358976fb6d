"""Money that comes in: wages and pensions, receipts of businesses, and what flows with trend and season."""

import numpy as np

from crmlab.simulate.ledger import CHANNEL, KIND, OTHER, either, whole
from crmlab.simulate.people import DRIFT
from crmlab.simulate.world import World

RAISE = 1.04  # a year
SEASON = np.array([1.0, 0.9, 0.95, 1.0, 1.0, 1.05, 1.0, 1.0, 1.05, 1.0, 1.05, 1.15])


def month(world: World) -> None:
    """Book a month's income."""
    if world.month.number == 1 and world.month.index:
        world.people.income = whole(world.people.income * RAISE)
    receipts(world)
    wages(world)
    benefits(world)
    irregular(world)
    new_year(world)
    drift(world)


def wages(world: World) -> None:
    """Salaries near the month's end, and with January's a bonus."""
    people, rng, month = world.people, world.rng, world.month
    paid = np.flatnonzero(world.steady & people.of("salaried", "wealthy"))
    amount = whole(people.income[paid] * np.exp(rng.normal(0, 0.03, len(paid))))
    day = month.last - people.payday[paid]
    _pay(world, paid, amount, day, "wages")
    if month.number == 1:
        bonus = whole(people.income[paid] * rng.uniform(0.2, 1.2, len(paid)))
        _pay(world, paid, bonus, np.maximum(day - 8, month.first), "bonus")


def _pay(world: World, paid: np.ndarray, amount: np.ndarray, day: np.ndarray, category: str) -> None:
    """Credit the employees; employers that are customers pay theirs as one batch, and bring money if they are short."""
    people, ledger = world.people, world.ledger
    employer = people.employer[paid]
    ours = (employer >= 0) & world.present[employer]
    ledger.post(people.main[paid], day, amount, "salary", "system", "counterparty", category, "payroll")
    total = np.bincount(employer[ours], amount[ours], len(people)).astype(np.int64)
    payday = np.zeros(len(people), np.int32)
    payday[employer[ours]] = day[ours]
    firm = np.flatnonzero(total)
    main, total = people.main[firm], total[firm]
    missing = np.maximum(total - ledger.free[main], 0)
    ledger.post(main, world.month.first, missing, "transfer", "online", "customer", "remittance", "other bank")
    ledger.earmark(main, missing)
    ledger.post(main, payday[firm], -total, "salary", "system", "customer", category, "payroll")


def benefits(world: World) -> None:
    """Pensions and students' allowances around the tenth, and a subsidy twice a year that even dead accounts get."""
    people, rng, month = world.people, world.rng, world.month
    for name, category, spread in (("pensioners", "pension", 0.0), ("students", "allowance", 0.4)):
        who = np.flatnonzero(world.steady & people.of(name))
        amount = whole(people.income[who] * rng.uniform(1 - spread, 1 + spread, len(who)))
        _credit(world, who, month.days(rng, len(who), 8, 12), amount, category)
    if month.number in (2, 7):
        who = np.flatnonzero(world.present & people.of("dormant", "savers") & world.chance(0.6))
        amount = whole(rng.uniform(18_000, 90_000, len(who)), 100)
        _credit(world, who, month.first + 14, amount, "subsidy")


def _credit(world: World, who: np.ndarray, day, amount: np.ndarray, category: str) -> None:
    main = world.people.main[who]
    world.ledger.post(main, day, amount, "transfer", "system", "counterparty", category, "other bank")


def receipts(world: World) -> None:
    """Sales of businesses, several a month."""
    people, rng, month = world.people, world.rng, world.month
    firm = np.flatnonzero(world.present & ~people.is_retail)
    vigour = people.vigour[firm]
    n = rng.poisson(np.minimum(people.activity[firm] * vigour, 40)) + (vigour > 0.3)
    noise = np.exp(rng.normal(0, 0.2, len(firm)))
    which, amount = split(rng, people.income[firm] * vigour * noise * SEASON[month.number - 1], n)
    ours = rng.random(len(which)) < 0.3
    world.ledger.post(
        people.main[firm[which]],
        month.days(rng, len(which)),
        amount,
        either(KIND, ours, "payment", "transfer"),
        either(CHANNEL, ours, "mobile", "online"),
        "counterparty",
        "sales",
        either(OTHER, ours, "same bank", "other bank"),
    )


def irregular(world: World) -> None:
    """Savers bring cash and transfers now and then."""
    people, rng = world.people, world.rng
    who = np.flatnonzero(world.steady & people.of("savers") & world.chance(0.2 * people.vigour))
    amount = whole(people.wealth[who] * rng.gamma(0.8, 0.035, len(who)), 1000)
    over_the_counter(world, who, amount)


def over_the_counter(world: World, who: np.ndarray, amount: np.ndarray) -> None:
    """Book amounts on some day of the month, half of them in cash at the counter and half by transfer."""
    cash = world.rng.random(len(who)) < 0.5
    world.ledger.post(
        world.people.main[who],
        world.month.days(world.rng, len(who)),
        amount,
        either(KIND, cash, "cash", "transfer"),
        either(CHANNEL, cash, "counter", "mobile"),
        "customer",
        None,
        either(OTHER, cash, None, "other bank"),
    )


def new_year(world: World) -> None:
    """Before the Spring Festival those who work far away bring their savings home; in March some of it leaves again."""
    people, rng, month, ledger = world.people, world.rng, world.month, world.ledger
    family = world.steady & people.is_retail & ~people.of("students", "dormant")
    if month.number == 1:
        who = np.flatnonzero(family & world.chance(0.25))
        amount = (people.wealth[who] * 0.06 + 300_000) * rng.gamma(1.5, 0.7, len(who))
        send(world, who, month.days(rng, len(who), 10), whole(amount, 10_000))
    if month.number == 3:
        who = np.flatnonzero(family & world.chance(0.22))
        amount = (people.wealth[who] * 0.06 + 250_000) * rng.gamma(1.5, 0.7, len(who))
        send(world, who, month.days(rng, len(who)), -ledger.affordable(people.main[who], whole(amount)))


def send(world: World, who: np.ndarray, day: np.ndarray, amount: np.ndarray, channel="mobile") -> None:
    """Move money between customers' main accounts and other banks: in where the amount is positive, else out."""
    main = world.people.main[who]
    world.ledger.post(main, day, amount, "transfer", channel, "customer", "remittance", "other bank")


def drift(world: World) -> None:
    """Money that follows the planted trends of customers, branches and managers, in or out, a few times a year."""
    people, rng, month, ledger = world.people, world.rng, world.month, world.ledger
    rate = DRIFT[people.trend] + world.staff.branch_effect[people.branch]
    rate = rate + np.where(people.manager >= 0, world.staff.effect[people.manager], 0.0)
    who = np.flatnonzero(world.steady & ~people.of("dormant") & world.chance(0.25))
    amount = whole(people.aum[who] * (4 * rate[who] + rng.normal(0, 0.03, len(who))), 1000)
    out = ledger.affordable(people.main[who], -amount, 0.8)
    channel = either(CHANNEL, people.is_retail[who], "mobile", "online")
    send(world, who, month.days(rng, len(who)), np.where(amount < 0, -out, amount), channel)


def split(rng: np.random.Generator, total: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Totals cut into `n` uneven parts each, rounded down: the row of each part, and the part."""
    which = np.repeat(np.arange(len(total)), n)
    weight = rng.gamma(0.8, size=len(which)) + 0.02
    weight /= np.bincount(which, weight, len(total))[which]
    return which, whole(total[which] * weight)
