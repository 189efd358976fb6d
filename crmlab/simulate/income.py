"""Money that comes in: wages and pensions, receipts of businesses, and what flows with trend and season."""

import numpy as np

from crmlab.simulate.ledger import CHANNEL, KIND, OTHER
from crmlab.simulate.months import NEVER
from crmlab.simulate.people import DRIFT
from crmlab.simulate.world import World

RAISE = 1.04  # a year
SEASON = np.array([1.0, 0.9, 0.95, 1.0, 1.0, 1.05, 1.0, 1.0, 1.05, 1.0, 1.05, 1.15])


def income(world: World) -> None:
    """Book a month's income."""
    if world.month.number == 1 and world.month.index:
        world.people.income = (world.people.income * RAISE).astype(np.int64)
    receipts(world)
    wages(world)
    benefits(world)
    irregular(world)
    new_year(world)
    drift(world)


def wages(world: World) -> None:
    """Salaries near the month's end; those of our own business customers as one batch an employer."""
    people, rng, month = world.people, world.rng, world.month
    paid = np.flatnonzero(
        people.staying & people.of("salaried", "wealthy") & (people.dormant_from == NEVER) & _joined(world)
    )
    amount = (people.income[paid] * np.exp(rng.normal(0, 0.03, len(paid)))).astype(np.int64)
    day = month.before_end(people.payday[paid])
    _pay(world, paid, amount, day, "wages")
    if month.number == 1:
        bonus = (people.income[paid] * rng.uniform(0.3, 2.0, len(paid))).astype(np.int64)
        _pay(world, paid, bonus, np.maximum(day - 8, month.first), "bonus")


def _joined(world: World) -> np.ndarray:
    return world.people.since < world.month.first


def _pay(world: World, paid: np.ndarray, amount: np.ndarray, day: np.ndarray, category: str) -> None:
    people, ledger = world.people, world.ledger
    employer = people.employer[paid]
    ours = (employer >= 0) & people.here[np.maximum(employer, 0)] & _joined(world)[np.maximum(employer, 0)]
    ledger.post(people.main[paid], day, amount, "salary", "system", "counterparty", category, "payroll")
    total = np.bincount(employer[ours], amount[ours], len(people)).astype(np.int64)
    firm = np.flatnonzero(total)
    payday = np.full(len(people), world.month.last)
    payday[employer[ours]] = day[ours]
    missing = np.maximum(total[firm] - ledger.free[people.main[firm]], 0)
    ledger.post(
        people.main[firm], world.month.first, missing, "transfer", "online", "customer", "remittance", "other bank"
    )
    ledger.earmark(people.main[firm], missing)
    ledger.post(people.main[firm], payday[firm], -total[firm], "salary", "system", "customer", category, "payroll")


def benefits(world: World) -> None:
    """Pensions and students' allowances around the tenth, and a subsidy twice a year that even dead accounts get."""
    people, rng, month, ledger = world.people, world.rng, world.month, world.ledger
    quiet = ~people.staying | (people.dormant_from != NEVER)
    for name, category, by in (("pensioners", "pension", "counterparty"), ("students", "allowance", "counterparty")):
        who = np.flatnonzero(people.of(name) & ~quiet & _joined(world))
        amount = (
            people.income[who]
            if category == "pension"
            else (people.income[who] * rng.uniform(0.6, 1.4, len(who))).astype(np.int64)
        )
        ledger.post(
            people.main[who], month.days(rng, len(who), 8, 12), amount, "transfer", "system", by, category, "other bank"
        )
    if month.number in (2, 7):
        who = np.flatnonzero(people.here & people.of("dormant", "savers") & _joined(world) & world.chance(0.6))
        amount = (rng.uniform(180, 900, len(who)) * 100).astype(np.int64)
        ledger.post(
            people.main[who], month.first + 14, amount, "transfer", "system", "counterparty", "subsidy", "other bank"
        )


def receipts(world: World) -> None:
    """Sales of businesses, several a month."""
    people, rng, month = world.people, world.rng, world.month
    firm = np.flatnonzero(people.here & ~people.is_retail & _joined(world))
    n = rng.poisson(np.minimum(people.activity[firm] * people.vigour[firm], 40)) + (people.vigour[firm] > 0.3)
    revenue = (
        people.income[firm] * people.vigour[firm] * SEASON[month.number - 1] * np.exp(rng.normal(0.02, 0.2, len(firm)))
    )
    which, amount = split(rng, revenue, n)
    ours = rng.random(len(which)) < 0.3
    world.ledger.post(
        people.main[firm[which]], month.days(rng, len(which)), amount, np.where(ours, KIND["payment"], KIND["transfer"]),
        np.where(ours, CHANNEL["mobile"], CHANNEL["online"]),
        "counterparty", "sales", np.where(ours, OTHER["same bank"], OTHER["other bank"]),
    )  # fmt: skip


def irregular(world: World) -> None:
    """Savers bring cash and transfers now and then."""
    people, rng, month = world.people, world.rng, world.month
    who = np.flatnonzero(people.staying & people.of("savers") & _joined(world) & world.chance(0.22 * people.vigour))
    amount = (people.wealth[who] * rng.gamma(0.8, 0.035, len(who))).astype(np.int64)
    cash = rng.random(len(who)) < 0.5
    world.ledger.post(
        people.main[who], month.days(rng, len(who)), amount // 1000 * 1000, np.where(cash, KIND["cash"], KIND["transfer"]),
        np.where(cash, CHANNEL["counter"], CHANNEL["mobile"]),
        "customer", None, np.where(cash, OTHER[None], OTHER["other bank"]),
    )  # fmt: skip


def new_year(world: World) -> None:
    """Before the Spring Festival those who work far away bring their savings home; some leave again in March."""
    people, rng, month, ledger = world.people, world.rng, world.month, world.ledger
    if month.number == 1:
        who = np.flatnonzero(
            people.staying & people.is_retail & ~people.of("students", "dormant") & _joined(world) & world.chance(0.25)
        )
        amount = (
            ((people.wealth[who] * 0.06 + 300_000) * rng.gamma(1.5, 0.7, len(who))).astype(np.int64) // 10_000 * 10_000
        )
        ledger.post(
            people.main[who],
            month.days(rng, len(who), 10, 31),
            amount,
            "transfer",
            "mobile",
            "customer",
            "remittance",
            "other bank",
        )
    if month.number == 3:
        who = np.flatnonzero(
            people.staying & people.is_retail & ~people.of("students", "dormant") & _joined(world) & world.chance(0.15)
        )
        amount = ledger.affordable(
            people.main[who], ((people.wealth[who] * 0.05 + 200_000) * rng.gamma(1.5, 0.6, len(who))).astype(np.int64)
        )
        ledger.post(
            people.main[who],
            month.days(rng, len(who)),
            -amount,
            "transfer",
            "mobile",
            "customer",
            "remittance",
            "other bank",
        )


def drift(world: World) -> None:
    """Money that follows the planted trends of customers, branches and managers, in or out, a few times a year."""
    people, rng, month, ledger = world.people, world.rng, world.month, world.ledger
    rate = DRIFT[people.trend] + world.staff.branch_effect[people.branch]
    rate = rate + np.where(people.manager >= 0, world.staff.effect[people.manager], 0.0)
    moves = (
        people.staying & _joined(world) & (people.dormant_from == NEVER) & ~people.of("dormant") & world.chance(0.25)
    )
    who = np.flatnonzero(moves)
    amount = (people.aum[who] * (4 * rate[who] + rng.normal(0, 0.03, len(who)))).astype(np.int64) // 1000 * 1000
    amount = np.where(amount < 0, -ledger.affordable(people.main[who], -amount, 0.8), amount)
    ledger.post(
        people.main[who],
        month.days(rng, len(who)),
        amount,
        "transfer",
        np.where(people.is_retail[who], CHANNEL["mobile"], CHANNEL["online"]),
        "customer",
        "remittance",
        "other bank",
    )


def split(rng: np.random.Generator, total: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Totals cut into `n` uneven parts each, rounded down: the row of each part, and the part."""
    which = np.repeat(np.arange(len(total)), n)
    weight = rng.gamma(0.8, size=len(which)) + 0.02
    weight /= np.bincount(which, weight, len(total))[which]
    return which, (total[which] * weight).astype(np.int64)
