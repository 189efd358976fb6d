"""Money that goes out: purchases, bills, standing orders, suppliers, and the money that only visits at quarter ends."""

import numpy as np

from crmlab.simulate.catalogue import CARD
from crmlab.simulate.income import SEASON, over_the_counter, send, split
from crmlab.simulate.ledger import CATEGORY, CHANNEL, KIND, OTHER, either, whole
from crmlab.simulate.world import World

# How a retail customer pays: kind, channel, who is paid, and the share of postings.
WAYS = (
    ("payment", "mobile", "merchant", 0.50),
    ("card", "pos", "merchant", 0.16),
    ("cash", "atm", None, 0.12),
    ("cash", "counter", None, 0.04),
    ("transfer", "mobile", "other bank", 0.10),
    ("transfer", "mobile", "same bank", 0.08),
)
BOUGHT = np.array([CATEGORY[name] for name in ("groceries", "dining", "fuel", "medical", "education", "shopping")])
SUPPLIES = np.array([CATEGORY[name] for name in ("supplies", "rent", "tax", "travel")])
CARD_SHARE = 0.25  # of spending, where there is a credit card


def month(world: World) -> None:
    """Book a month's spending; what must be paid comes first."""
    undress(world)
    standing_orders(world)
    repay_cards(world)
    purchases(world)
    savers_take(world)
    suppliers(world)


def standing_orders(world: World) -> None:
    """Bills paid by mandate: they go on where the customer has long gone quiet, and keep the account busy."""
    people, ledger, month, rng = world.people, world.ledger, world.month, world.rng
    who = np.flatnonzero(world.present & (people.mandate > 0))
    amount = whole(people.mandate[who] * np.exp(rng.normal(0, 0.08, len(who))))
    amount = np.where(amount <= ledger.free[people.main[who]], amount, 0)
    bill = either(CATEGORY, people.mandate[who] % 3 == 0, "insurance premium", "utilities")
    day = month.first + people.mandate_day[who] - 1
    ledger.post(people.main[who], day, -amount, "payment", "system", "mandate", bill, "merchant")


def repay_cards(world: World) -> None:
    """Last month's credit card bill, paid from the everyday account."""
    people, ledger, month, rng = world.people, world.ledger, world.month, world.rng
    owing = np.flatnonzero(ledger.usable & (ledger.role == CARD) & (ledger.balance < 0))
    main = people.main[ledger.customer[owing]]
    amount = ledger.affordable(main, -ledger.balance[owing])
    ledger.transfer(main, owing, month.days(rng, len(owing), 5, 20), amount)


def purchases(world: World) -> None:
    """What people buy, draw in cash and send, at the rate of their habits; credit cards take a part."""
    people, ledger, month, rng = world.people, world.ledger, world.month, world.rng
    season = SEASON[month.number - 1] * (1.25 if month.number in (1, 2) else 1.0)
    awake = world.present & people.is_retail & (people.vigour > 0)
    who = np.flatnonzero(awake & ~people.of("savers", "dormant"))
    main, vigour = people.main[who], people.vigour[who]
    n = rng.poisson(people.activity[who] * vigour * season)
    wanted = people.income[who] * people.spending[who] * season * vigour * rng.gamma(12, 1 / 12, len(who))
    instalment = np.where(people.loan[who] >= 0, ledger.instalment[people.loan[who]], 0)
    idle = np.maximum(ledger.free[main] - 2 * people.income[who], 0)
    total = ledger.affordable(main, whole(wanted - 1.5 * instalment + 0.12 * idle), 0.9)
    on_card = (people.card[who] >= 0) & (ledger.opened[people.card[who]] < month.first)
    _buy(world, main, np.where(on_card, total * (1 - CARD_SHARE), total), n)
    _swipe(world, people.card[who[on_card]], total[on_card] * CARD_SHARE, rng.binomial(n[on_card], CARD_SHARE))


def _buy(world: World, account: np.ndarray, total: np.ndarray, n: np.ndarray) -> None:
    rng = world.rng
    which, amount = split(rng, total, n)
    way = rng.choice(len(WAYS), len(which), p=[share for *_, share in WAYS])
    codes = enumerate((KIND, CHANNEL, OTHER))
    kind, channel, other = (np.array([numbers[row[i]] for row in WAYS])[way] for i, numbers in codes)
    amount = np.where(kind == KIND["cash"], whole(amount, 10_000), amount)
    category = np.where(other == OTHER["merchant"], rng.choice(BOUGHT, len(which)), CATEGORY[None])
    day = world.month.days(rng, len(which))
    world.ledger.post(account[which], day, -amount, kind, channel, "customer", category, other)


def _swipe(world: World, card: np.ndarray, total: np.ndarray, n: np.ndarray) -> None:
    room = np.maximum(world.ledger.limit[card] + world.ledger.balance[card], 0)
    which, amount = split(world.rng, np.minimum(total, room), n)
    category = world.rng.choice(BOUGHT, len(which))
    day = world.month.days(world.rng, len(which))
    world.ledger.post(card[which], day, -amount, "card", "pos", "customer", category, "merchant")


def savers_take(world: World) -> None:
    """Savers draw a larger sum now and then."""
    people, ledger, rng = world.people, world.ledger, world.rng
    who = np.flatnonzero(world.present & people.of("savers") & world.chance(0.25 * people.vigour))
    wanted = whole(people.wealth[who] * rng.gamma(0.8, 0.03, len(who)), 10_000)
    over_the_counter(world, who, -ledger.affordable(people.main[who], wanted))


def suppliers(world: World) -> None:
    """Businesses pay suppliers, rent and taxes what they earn beyond wages, so that their balance keeps its size."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    firm = np.flatnonzero(world.present & ~people.is_retail & (people.vigour > 0))
    main, vigour = people.main[firm], people.vigour[firm]
    wages = np.bincount(np.maximum(people.employer, 0), people.income * (people.employer >= 0), len(people))[firm]
    usual = people.income[firm] * vigour * SEASON[month.number - 1] - wages
    wanted = whole(usual + 0.25 * (ledger.free[main] - people.wealth[firm] * 0.45))
    n = rng.poisson(np.minimum(people.activity[firm] * vigour, 40)) + 1
    which, amount = split(rng, ledger.affordable(main, wanted, 0.7), n)
    ours = rng.random(len(which)) < 0.3
    ledger.post(
        main[which],
        month.days(rng, len(which)),
        -amount,
        either(KIND, ours, "payment", "transfer"),
        "online",
        "customer",
        rng.choice(SUPPLIES, len(which), p=(0.7, 0.1, 0.1, 0.1)),
        either(OTHER, ours, "same bank", "other bank"),
    )


def undress(world: World) -> None:
    """On the first days of a quarter the money that came for its last days goes back."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    if month.starts_quarter:
        who = np.flatnonzero(people.here & (people.dressed > 0))
        amount = ledger.affordable(people.main[who], people.dressed[who], 1.0)
        send(world, who, month.days(rng, len(who), 1, 4), -amount, "online")
        people.dressed[:] = 0


def dress(world: World) -> None:
    """On the last days of a quarter some friends of the branch bring money, for a few days."""
    people, rng, month = world.people, world.rng, world.month
    if month.ends_quarter:
        who = np.flatnonzero(world.steady & people.dresses)
        part = np.where(people.is_retail[who], 0.4, 0.25) * rng.uniform(0.5, 1.5, len(who))
        amount = whole(people.wealth[who] * part, 100_000)
        send(world, who, month.last - rng.integers(0, 4, len(who)), amount, "online")
        people.dressed[who] = amount
