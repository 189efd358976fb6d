"""What leads to what: products that make others likelier, some that only look so, and salaries that rise.

Its random numbers are its own. Still, others draw by account, so that a bank with more accounts is another bank.
"""

from dataclasses import dataclass

import numpy as np

from crmlab.simulate.catalogue import CARD, NUMBER, PRODUCTS, PROFILES, VALUED
from crmlab.simulate.ledger import whole
from crmlab.simulate.opening import CARD_LIMIT, remember
from crmlab.simulate.world import World

RISES = 0.12  # a year, of those who are paid a salary
RISE = (1.3, 1.6)  # times the salary before
AFTER_RISE = 10  # times as often a card is taken, in the months after the one of the rise
MONTHS_AFTER = 6


@dataclass(frozen=True)
class Affinity:
    """Of one kind, who holds `antecedent` takes `consequent` at `factor` times the rate a month of the others."""

    antecedent: str
    consequent: str
    kind: str
    rate: float
    factor: float


AFFINITIES = (
    Affinity("E01", "C01", "retail", 0.0008, 6),  # the app offers the card
    Affinity("L01", "I01", "retail", 0.0012, 10),  # who borrows for a home insures a life
    Affinity("S02", "E02", "small business", 0.005, 5),  # who is paid by code wants to see it on the screen
    # Both are commoner among the salaried, and neither leads to the other.
    Affinity("C01", "E01", "retail", 0.004, 1),
    Affinity("L02", "E01", "retail", 0.004, 1),
)


def tables() -> dict[str, dict]:
    """What was planted of products, by their names."""
    names = {product.id: product.name for product in PRODUCTS}
    rows = {
        "antecedent": [names[one.antecedent] for one in AFFINITIES],
        "consequent": [names[one.consequent] for one in AFFINITIES],
    }
    rows |= {column: [getattr(one, column) for one in AFFINITIES] for column in ("kind", "rate", "factor")}
    return {"truth/affinities": rows | {"factor": [float(factor) for factor in rows["factor"]]}}


def rises(world: World) -> None:
    """Some have a better job from this month on, and tell nobody at the bank."""
    people, rng, month = world.people, world.tastes, world.month
    drawn, times = rng.random(len(people)), rng.uniform(*RISE, len(people))
    paid = world.steady & people.of("salaried", "wealthy") & (people.raised_on < month.first - 365)
    who = np.flatnonzero(paid & (drawn < RISES / 12))
    before = people.income[who]
    people.income[who] = whole(before * times[who])
    people.raised_on[who] = month.first
    world.note("truth/rises", customer_id=who, month=np.full(len(who), month.last), factor=people.income[who] / before)


def takes(world: World) -> None:
    """Open what customers come to want, whatever leads them there; each product once a month at most."""
    for product in dict.fromkeys(one.consequent for one in AFFINITIES):
        who = np.flatnonzero(world.tastes.random(len(world.people)) < _rate(world, product))
        _open(world, NUMBER[product], who)


def _rate(world: World, product: str) -> np.ndarray:
    """At which each customer takes a product this month; 0 for those who hold it and those who do nothing."""
    people, ledger, month = world.people, world.ledger, world.month
    rate = np.zeros(len(people))
    for one in (one for one in AFFINITIES if one.consequent == product):
        kind = np.isin(people.profile, [i for i, profile in enumerate(PROFILES) if profile.kind == one.kind])
        times = np.where(_holds(world, one.antecedent, ledger.usable), one.factor, 1)
        rate = np.where(kind, np.maximum(rate, one.rate * times), rate)
    if product == "C01":
        months = (month.first - people.raised_on) / 30.4
        rate *= np.where((months > 0.5) & (months < MONTHS_AFTER + 0.5), AFTER_RISE, 1)
    able = world.steady & ~people.of("dormant") & ~_holds(world, product, ledger.is_open)
    return np.where(able, rate, 0)


def _holds(world: World, product: str, counts: np.ndarray) -> np.ndarray:
    """For each customer, whether an account of the product counts."""
    holds = np.zeros(len(world.people), bool)
    holds[world.ledger.customer[counts & (world.ledger.product == NUMBER[product])]] = True
    return holds


def _open(world: World, product: int, who: np.ndarray) -> None:
    people, ledger, rng = world.people, world.ledger, world.tastes
    day = world.month.days(rng, len(who))
    accounts = ledger.open(who, product, day, limit=CARD_LIMIT if PRODUCTS[product].role == CARD else 0)
    remember(world, accounts)
    if PRODUCTS[product].role == VALUED:  # the premium is paid elsewhere, as in `saving.insure`
        ledger.value(accounts, day, whole(people.wealth[who] * rng.uniform(0.05, 0.2, len(who)), 100_000) + 100_000)
