"""Own transfers: into savings and back, term deposits that mature, wealth plans bought and sold."""

import numpy as np

from crmlab.simulate.catalogue import FOREIGN, NUMBER, PLANS, TERM, TERMS, VALUED, WEALTH, of_profile
from crmlab.simulate.ledger import CHANNEL, either, whole
from crmlab.simulate.world import World


def maturities(world: World) -> None:
    """Pay out what matures this month; renew it, leave it where it is, or lose it to another bank."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    matures = (ledger.matures >= month.first) & (ledger.matures <= month.last)
    due = np.flatnonzero(ledger.usable & (ledger.role == TERM) & matures)
    owner, day = ledger.customer[due], ledger.matures[due]
    earned = ledger.balance[due] * (ledger.rate[due] / 1e6) * (ledger.term[due] / 12)
    ledger.post(due, day, np.rint(earned).astype(np.int64), "interest")
    paid = ledger.balance[due].copy()
    ledger.transfer(due, people.main[owner], day, paid, channel="system", by="bank")
    ledger.close(due, day, "matured")
    renews = ledger.renews[due] & (people.cause[owner] < 0)
    again = renews | ((people.cause[owner] < 0) & (rng.random(len(due)) < 0.35))
    wait = np.where(renews, 0, rng.integers(0, 12, len(due)))
    start = month.within(day + wait)
    part = np.where(renews | (rng.random(len(due)) < 0.5), 1.0, rng.uniform(0.4, 0.9, len(due)))
    amount = whole(paid * part)
    product = np.where(renews, ledger.product[due], rng.choice(TERMS, len(due)))
    ledger.earmark(people.main[owner[again]], amount[again])
    _open_term(world, owner[again], product[again], start[again], amount[again], renews[again])


def _open_term(world: World, owner, product, day, amount, renews) -> np.ndarray:
    ledger = world.ledger
    channel = either(CHANNEL, renews, "system", "mobile")
    accounts = ledger.open(owner, product, day, renews=renews)
    ledger.transfer(world.people.main[owner], accounts, day, amount, channel=channel)
    return accounts


def month(world: World) -> None:
    """Move money between a customer's own accounts, and let foreign accounts live."""
    new_terms(world)
    savings_account(world)
    buy_plans(world)
    insure(world)
    sell_plans(world)
    abroad(world)


def new_terms(world: World) -> None:
    """Customers who save put what lies idle into a term deposit."""
    people, ledger, rng = world.people, world.ledger, world.rng
    idle = np.where(people.here, ledger.free[people.main], 0)
    keen = of_profile("saves")[people.profile] * np.where(idle > 8_000_000, 0.12, 0.05)
    who = np.flatnonzero(world.steady & (idle > 2_500_000) & world.chance(keen))
    amount = whole(idle[who] * rng.uniform(0.3, 0.8, len(who)), 100_000)
    product = rng.choice(TERMS, len(who), p=(0.2, 0.25, 0.35, 0.2))
    _open_term(world, who, product, world.month.days(rng, len(who)), amount, rng.random(len(who)) < 0.5)


def savings_account(world: World) -> None:
    """Between the everyday and the savings account, one way or the other; some open their first."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    steady = world.steady & ~people.of("dormant")
    opener = np.flatnonzero(steady & (people.saving < 0) & world.chance(0.004 * (people.wealth > 1_000_000)))
    day = month.days(rng, len(opener))
    people.saving[opener] = ledger.open(opener, NUMBER["D03"], day)
    amount = ledger.affordable(people.main[opener], people.wealth[opener] // 10)
    ledger.transfer(people.main[opener], people.saving[opener], day, amount)

    holds = steady & (people.saving >= 0)
    holds[holds] = ledger.usable[people.saving[holds]]
    who = np.flatnonzero(holds & world.chance(0.15))
    back = rng.random(len(who)) < 0.4
    source = np.where(back, people.saving[who], people.main[who])
    target = np.where(back, people.main[who], people.saving[who])
    share = np.where(back, 0.25, 0.2) * rng.uniform(0.2, 1.6, len(who))
    amount = ledger.affordable(source, whole(ledger.free[source] * share, 1000))
    ledger.transfer(source, target, month.days(rng, len(who)), amount)


def buy_plans(world: World) -> None:
    """Those who invest buy a wealth plan, or more of the one they have."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    idle = np.where(people.here, ledger.free[people.main], 0)
    keen = of_profile("invests")[people.profile] * 0.07
    who = np.flatnonzero(world.steady & (idle > 5_000_000) & world.chance(keen))
    amount = whole(idle[who] * rng.uniform(0.2, 0.6, len(who)), 100_000)
    day = month.days(rng, len(who))
    held = np.full(len(people), -1)
    plans = np.flatnonzero(ledger.usable & (ledger.role == WEALTH))
    held[ledger.customer[plans]] = plans
    more = (held[who] >= 0) & (rng.random(len(who)) < 0.6)
    account = held[who]
    account[~more] = ledger.open(who[~more], rng.choice(PLANS, (~more).sum(), p=(0.45, 0.4, 0.15)), day[~more])
    ledger.transfer(people.main[who], account, day, amount)


def insure(world: World) -> None:
    """Some take out an endowment insurance; the premium is paid elsewhere, so that it only ever shows as a value."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    who = np.flatnonzero(world.steady & world.chance(of_profile("invests")[people.profile] * 0.004))
    premium = whole(people.wealth[who] * rng.uniform(0.05, 0.2, len(who)), 100_000) + 100_000
    day = month.days(rng, len(who))
    ledger.value(ledger.open(who, NUMBER["I01"], day), day, premium)


def sell_plans(world: World) -> None:
    """Sell a part of a wealth plan, or all of it, which closes it."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    plans = np.flatnonzero(ledger.usable & (ledger.role == WEALTH) & (ledger.balance > 0))
    owner = ledger.customer[plans]
    sold = world.steady[owner] & (rng.random(len(plans)) < 0.02)
    sold &= ledger.free[plans] == ledger.balance[plans]  # nothing was bought this month
    plans, owner = plans[sold], owner[sold]
    day = month.days(rng, len(plans), 1, 25)
    part = whole(ledger.balance[plans] * rng.uniform(0.1, 0.6, len(plans)))
    ends = rng.random(len(plans)) < 0.4
    ledger.transfer(plans, people.main[owner], day, np.where(ends, ledger.balance[plans], part))
    ledger.close(plans[ends], day[ends], "request")


def abroad(world: World) -> None:
    """Foreign currency comes from abroad and goes there."""
    ledger, rng, month = world.ledger, world.rng, world.month
    accounts = np.flatnonzero(ledger.usable & (ledger.role == FOREIGN))
    accounts = accounts[(rng.random(len(accounts)) < 0.35) & world.steady[ledger.customer[accounts]]]
    size = ledger.balance[accounts] * rng.gamma(1.5, 0.08, len(accounts)) + 10_000
    comes = rng.random(len(accounts)) < 0.52
    amount = whole(np.where(comes, size, -np.minimum(size, ledger.free[accounts] * 0.9)))
    day = month.days(rng, len(accounts))
    ledger.post(accounts, day, amount, "transfer", "online", "customer", "remittance", "other bank")


def valuations(world: World) -> None:
    """Value plans, funds and insurance at the month's end: the market's month, and a little of each one's own."""
    ledger, rng, month = world.ledger, world.rng, world.month
    held = ledger.is_open & np.isin(ledger.role, (WEALTH, VALUED)) & (ledger.opened < month.last)
    valued = np.flatnonzero(held & (ledger.balance > 0))
    product = ledger.product[valued]
    risk = np.select([product == NUMBER["W04"], product == NUMBER["W03"]], [0.045, 0.012], 0.0015)
    market = world.staff.market[month.index]
    growth = ledger.rate[valued] / 12e6 + risk * (0.8 * market + 0.3 * rng.normal(size=len(valued)))
    ledger.value(valued, month.last, np.rint(ledger.balance[valued] * (1 + growth)).astype(np.int64))
