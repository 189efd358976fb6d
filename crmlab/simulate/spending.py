"""Money that goes out: purchases, bills, standing orders, suppliers, and the money that only visits at quarter ends."""

import numpy as np

from crmlab.simulate.catalogue import CARD
from crmlab.simulate.income import SEASON, split
from crmlab.simulate.ledger import CATEGORY, CHANNEL, KIND, OTHER
from crmlab.simulate.months import NEVER
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
BOUGHT = ("groceries", "dining", "fuel", "medical", "education", "shopping", "travel")
SUPPLIES = ("supplies", "rent", "tax", "travel")
CARD_SHARE = 0.25  # of spending, where there is a credit card


def spending(world: World) -> None:
    """Book a month's spending; what must be paid comes first."""
    undress(world)
    standing_orders(world)
    repay_cards(world)
    purchases(world)
    savers_take(world)
    suppliers(world)


def standing_orders(world: World) -> None:
    """Bills paid by mandate: they go on where the customer has long been gone quiet, and keep the account busy."""
    people, ledger, month, rng = world.people, world.ledger, world.month, world.rng
    who = np.flatnonzero(people.here & (people.mandate > 0) & (people.since < month.first))
    amount = (people.mandate[who] * np.exp(rng.normal(0, 0.08, len(who)))).astype(np.int64)
    amount = np.where(amount <= ledger.free[people.main[who]], amount, 0)
    bill = np.where(people.mandate[who] % 3 == 0, CATEGORY["insurance premium"], CATEGORY["utilities"])
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
    keen = people.here & people.is_retail & (people.since < month.first) & (people.dormant_from == NEVER)
    who = np.flatnonzero(keen & ~people.of("savers", "dormant"))
    n = rng.poisson(people.activity[who] * people.vigour[who] * season)
    wanted = people.income[who] * people.spending[who] * season * people.vigour[who] * rng.gamma(12, 1 / 12, len(who))
    extra = np.maximum(ledger.free[people.main[who]] - 4 * people.income[who], 0) * 0.06
    on_card = (people.card[who] >= 0) & (ledger.opened[np.maximum(people.card[who], 0)] < month.first)
    total = ledger.affordable(people.main[who], (wanted + extra).astype(np.int64), 0.9)
    _buy(world, people.main[who], np.where(on_card, total * (1 - CARD_SHARE), total), n)
    buyers = np.flatnonzero(on_card)
    _swipe(world, people.card[who[buyers]], total[buyers] * CARD_SHARE, rng.binomial(n[buyers], CARD_SHARE))


def _buy(world: World, account: np.ndarray, total: np.ndarray, n: np.ndarray) -> None:
    rng = world.rng
    which, amount = split(rng, total, n)
    way = rng.choice(len(WAYS), len(which), p=[share for *_, share in WAYS])
    kind, channel, other = (
        np.array([codes[way[i]] for way in WAYS])[way] for i, codes in enumerate((KIND, CHANNEL, OTHER))
    )
    cash = kind == KIND["cash"]
    amount = np.where(cash, amount // 10_000 * 10_000, amount)
    bought = np.array([CATEGORY[name] for name in BOUGHT])[rng.integers(0, len(BOUGHT), len(which))]
    category = np.where(other == OTHER["merchant"], bought, CATEGORY[None])
    world.ledger.post(
        account[which], world.month.days(rng, len(which)), -amount, kind, channel, "customer", category, other
    )


def _swipe(world: World, card: np.ndarray, total: np.ndarray, n: np.ndarray) -> None:
    room = np.maximum(world.ledger.limit[card] + world.ledger.balance[card], 0)
    which, amount = split(world.rng, np.minimum(total, room), n)
    bought = np.array([CATEGORY[name] for name in BOUGHT])[world.rng.integers(0, len(BOUGHT), len(which))]
    day = world.month.days(world.rng, len(which))
    world.ledger.post(card[which], day, -amount, "card", "pos", "customer", bought, "merchant")


def savers_take(world: World) -> None:
    """Savers draw a larger sum now and then."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    able = people.here & people.of("savers") & (people.since < month.first) & (people.dormant_from == NEVER)
    who = np.flatnonzero(able & world.chance(0.3 * people.vigour))
    wanted = (people.wealth[who] * rng.gamma(0.8, 0.022, len(who))).astype(np.int64) // 10_000 * 10_000
    amount = ledger.affordable(people.main[who], wanted)
    cash = rng.random(len(who)) < 0.5
    ledger.post(
        people.main[who], month.days(rng, len(who)), -amount, np.where(cash, KIND["cash"], KIND["transfer"]),
        np.where(cash, CHANNEL["counter"], CHANNEL["mobile"]), "customer", None,
        np.where(cash, OTHER[None], OTHER["other bank"]),
    )  # fmt: skip


def suppliers(world: World) -> None:
    """Businesses pay suppliers, rent and taxes from what they have beyond the wages to come."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    firm = np.flatnonzero(people.here & ~people.is_retail & (people.since < month.first))
    n = rng.poisson(np.minimum(people.activity[firm] * people.vigour[firm], 40))
    revenue = people.income[firm] * people.spending[firm] * people.vigour[firm] * SEASON[month.number - 1]
    cushion = people.wealth[firm] * 0.5
    above = np.maximum(ledger.free[people.main[firm]] - cushion, 0) * 0.5
    total = ledger.affordable(people.main[firm], np.minimum(revenue, above + revenue * 0.6).astype(np.int64), 0.6)
    which, amount = split(rng, total, n)
    supply = np.array([CATEGORY[name] for name in SUPPLIES])[
        rng.choice(len(SUPPLIES), len(which), p=(0.7, 0.1, 0.1, 0.1))
    ]
    ours = rng.random(len(which)) < 0.3
    ledger.post(
        people.main[firm[which]], month.days(rng, len(which)), -amount,
        np.where(ours, KIND["payment"], KIND["transfer"]), "online", "customer", supply,
        np.where(ours, OTHER["same bank"], OTHER["other bank"]),
    )  # fmt: skip


def undress(world: World) -> None:
    """On the first days of a quarter the money that came for its last days goes back."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    if not month.starts_quarter:
        return
    who = np.flatnonzero(people.here & (people.dressed > 0))
    amount = ledger.affordable(people.main[who], people.dressed[who], 1.0)
    day = month.days(rng, len(who), 1, 4)
    ledger.post(people.main[who], day, -amount, "transfer", "online", "customer", "remittance", "other bank")
    people.dressed[:] = 0


def dress(world: World) -> None:
    """On the last days of a quarter some friends of the branch bring money, for a few days."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    if not month.ends_quarter:
        return
    who = np.flatnonzero(
        people.staying & people.dresses & (people.since < month.first) & (people.dormant_from == NEVER)
    )
    amount = (people.wealth[who] * rng.uniform(0.4, 1.2, len(who))).astype(np.int64) // 100_000 * 100_000
    day = month.before_end(rng.integers(0, 4, len(who)))
    ledger.post(people.main[who], day, amount, "transfer", "online", "customer", "remittance", "other bank")
    people.dressed[who] = amount
