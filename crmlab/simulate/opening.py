"""What customers hold when the extract begins, and what new ones open on the day they join."""

import numpy as np

from crmlab.simulate.catalogue import (
    CARD,
    DIGITS,
    FIRST_RATES,
    LOAN,
    MAIN,
    NUMBER,
    PLANS,
    PROFILES,
    SAVING,
    TERM_MONTHS,
    TERMS,
    of_profile,
)
from crmlab.simulate.ledger import CHANNEL, either, whole
from crmlab.simulate.months import NEVER, add_months
from crmlab.simulate.world import World

SERVICES = {  # product: the share of customers of each profile that have it
    "E01": {"salaried": 0.8, "savers": 0.4, "students": 0.9, "wealthy": 0.85, "pensioners": 0.15, "dormant": 0.15},
    "E02": {"small business": 0.6, "corporate": 0.95, "institution": 0.8},
    "S02": {"small business": 0.7, "corporate": 0.2},
    "T01": {"small business": 0.06, "corporate": 0.3},
    "G01": {"corporate": 0.15},
}
CARD_LIMIT = 5_000_000
OVERDRAFTS = 0.1  # of businesses
NOT_PAID = 0.008  # of the loans older than the extract


def first_accounts(world: World) -> None:
    """Open the accounts that are older than the extract; older ones get lower numbers."""
    people = world.people
    old = np.flatnonzero(people.since < world.calendar[0].first)
    parts = [_main(world, old), *_savings(world, old), *_plans(world, old), _foreign(world, old), _loans(world, old)]
    parts += [_side(world, old, "C01", of_profile("card")[people.profile[old]]), *_services(world, old)]
    names = ("customer", "product", "opened", *_DEFAULTS)
    columns = {name: np.concatenate([_filled(part, name) for part in parts]) for name in names}
    order = np.argsort(columns["opened"], kind="stable")
    columns = {name: column[order] for name, column in columns.items()}
    accounts = world.ledger.open(**columns, limit=_limit(world, columns["customer"], columns["product"]))
    world.ledger.renews[accounts] = np.isin(columns["product"], TERMS) & (world.rng.random(len(accounts)) < 0.5)
    remember(world, accounts)
    people.joined[old] = True
    kept = world.ledger.balance[accounts]
    anchor = world.calendar[0].first - 1
    world.note("balances", account_id=accounts, on=np.full(len(accounts), anchor), kind="anchor", balance=kept)


def joiners(world: World) -> None:
    """Open the main account of those who join this month, with a first deposit, and what comes with it."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    new = np.flatnonzero((people.since >= month.first) & (people.since <= month.last) & ~people.joined)
    if not len(new):
        return
    parts = [
        _main(world, new),
        _side(world, new, "C01", of_profile("card")[people.profile[new]] * 0.5),
        *_services(world, new),
    ]
    for part in parts:
        part["opened"] = people.since[part["customer"]]
        limit = _limit(world, part["customer"], part["product"])
        accounts = ledger.open(part["customer"], part["product"], part["opened"], limit=limit)
        remember(world, accounts)
    people.joined[new] = True
    deposit = _round(np.maximum(people.wealth[new] * rng.uniform(0.3, 1.0, len(new)), 1000))
    channel = either(CHANNEL, people.is_retail[new], "mobile", "counter")
    ledger.post(people.main[new], people.since[new], deposit, "transfer", channel, "customer", None, "other bank")


def remember(world: World, accounts: np.ndarray) -> None:
    """Keep the numbers of the accounts that a customer's habits go through."""
    people, ledger = world.people, world.ledger
    for role, name in ((MAIN, "main"), (SAVING, "saving"), (CARD, "card"), (LOAN, "loan")):
        mine = accounts[ledger.role[accounts] == role]
        getattr(people, name)[ledger.customer[mine]] = mine


_DEFAULTS = {
    "balance": 0, "currency": 0, "instalment": 0, "stops": False, "missed": 0, "unpaid_from": NEVER, "matures": NEVER,
    "joint": -1, "joint_share": 0,
}  # fmt: skip


def _filled(part: dict, name: str) -> np.ndarray:
    return np.broadcast_to(np.asarray(part.get(name, _DEFAULTS.get(name))), len(part["customer"]))


def _limit(world: World, customer: np.ndarray, product: np.ndarray) -> np.ndarray:
    """Limits of cards, and of guarantees and overdrafts by what the firm turns over in a month."""
    income = world.people.income[customer]
    of_income = np.select([product == NUMBER["G01"], product == NUMBER["D04"]], [1.5, 1.0], 0.0)
    limit = np.where(of_income > 0, whole(income * of_income, 1_000_000) + 1_000_000, 0)
    return np.where(product == NUMBER["C01"], CARD_LIMIT, limit)


def _round(amount: np.ndarray) -> np.ndarray:
    return np.where(amount > 100_000, whole(amount, 10_000), whole(amount))


def _main(world: World, who: np.ndarray) -> dict:
    people = world.people
    overdraft = world.rng.random(len(who)) < OVERDRAFTS
    overdraft &= people.of("small business", "corporate")[who]
    product = np.select([people.is_retail[who], overdraft], [NUMBER["D01"], NUMBER["D04"]], NUMBER["D02"])
    dressed = whole(people.wealth[who] * 0.25 * people.dresses[who])
    people.dressed[who] = np.where(people.since[who] < world.calendar[0].first, dressed, 0)
    share = world.rng.beta(2, 3, len(who)) * np.where(people.of("savers", "wealthy")[who], 0.35, 1.4)
    balance = whole(people.wealth[who] * share) + dressed
    return {"customer": who, "product": product, "opened": people.since[who], "balance": balance}


def _since_joining(world: World, who: np.ndarray) -> np.ndarray:
    first, since = world.calendar[0].first, world.people.since[who]
    return (since + world.rng.random(len(who)) * (first - 1 - since)).astype(np.int32)


def _savings(world: World, who: np.ndarray) -> list[dict]:
    """A savings account for some, some of them joint, and term deposits in a ladder."""
    people, rng, first = world.people, world.rng, world.calendar[0].first
    saver = who[rng.random(len(who)) < 0.5 * of_profile("saves")[people.profile[who]]]
    couple = (people.partner[saver] >= 0) & (people.since[people.partner[saver]] < first)
    joint = np.where(couple & (rng.random(len(saver)) < 0.7), people.partner[saver], -1)
    parts = [{
        "customer": saver, "product": np.full(len(saver), NUMBER["D03"]), "opened": _since_joining(world, saver),
        "balance": whole(people.wealth[saver] * rng.uniform(0.1, 0.5, len(saver))),
        "joint": joint, "joint_share": np.where(joint >= 0, rng.choice([500_000, 400_000, 333_333], len(saver)), 0),
    }]  # fmt: skip
    holder = who[rng.random(len(who)) < of_profile("saves")[people.profile[who]]]
    holder = np.repeat(holder, rng.integers(1, 4, len(holder)))
    product = rng.choice(TERMS, len(holder), p=(0.15, 0.2, 0.4, 0.25))
    term = TERM_MONTHS[product]
    matures = first + (rng.random(len(holder)) * term * 30.4).astype(np.int32)
    opened = add_months(matures, -term)
    fits = (opened > people.since[holder]) & (opened < first)
    holder, product, opened, term = holder[fits], product[fits], opened[fits], term[fits]
    amount = _round(people.wealth[holder] * rng.uniform(0.1, 0.45, len(holder))) + 100_000
    matures = add_months(opened, term)
    parts.append({"customer": holder, "product": product, "opened": opened, "balance": amount, "matures": matures})
    return parts


def _plans(world: World, who: np.ndarray) -> list[dict]:
    """Wealth plans that are bought and sold, and funds and insurance that are only ever valued."""
    people, rng = world.people, world.rng
    invests = of_profile("invests")[people.profile[who]]
    plan = rng.choice(PLANS, len(who), p=(0.4, 0.4, 0.2))
    parts = []
    for product, share in ((plan, 0.8), (NUMBER["W04"], 0.35), (NUMBER["I01"], 0.4)):
        holds = rng.random(len(who)) < invests * share
        holder, product = who[holds], np.broadcast_to(product, len(who))[holds]
        amount = _round(people.wealth[holder] * rng.uniform(0.15, 0.6, len(holder))) + 100_000
        opened = _since_joining(world, holder)
        parts.append({"customer": holder, "product": product, "opened": opened, "balance": amount})
    return parts


def _foreign(world: World, who: np.ndarray) -> dict:
    people, rng = world.people, world.rng
    share = np.select([people.of("corporate")[who], people.of("wealthy")[who]], [0.2, 0.15], 0.008)
    holder = who[rng.random(len(who)) < share]
    currency = rng.choice(3, len(holder), p=(0.65, 0.2, 0.15)) + 1
    value = people.wealth[holder] * rng.uniform(0.03, 0.2, len(holder)) / 100
    balance = whole(value / np.take(FIRST_RATES, currency) * 10.0 ** DIGITS[currency])
    product, opened = np.full(len(holder), NUMBER["D21"]), _since_joining(world, holder)
    return {"customer": holder, "product": product, "opened": opened, "balance": balance, "currency": currency}


def _loans(world: World, who: np.ndarray) -> dict:
    """Loans under way, with the part not yet repaid; the balance of a loan is negative."""
    people, rng, first = world.people, world.rng, world.calendar[0].first
    holder = who[rng.random(len(who)) < of_profile("borrows")[people.profile[who]] * 0.8]
    product, amount, term = loan_terms(world, holder)
    gone = (rng.random(len(holder)) * np.minimum(term - 1, 120)).astype(int)
    opened = add_months(np.full(len(holder), first) - rng.integers(1, 28, len(holder)), -gone)
    fits = opened > people.since[holder]
    instalment = amount // term
    stops = (gone > 0) & (rng.random(len(holder)) < NOT_PAID)
    missed = np.where(stops, np.minimum(rng.integers(1, 10, len(holder)), gone), 0)
    unpaid = instalment_day(opened, add_months(np.full(len(holder), first), -missed))
    left = amount - instalment * (gone - missed)
    columns = {
        "customer": holder, "product": product, "opened": opened, "balance": -left, "instalment": instalment,
        "stops": stops, "missed": missed, "unpaid_from": np.where(stops, unpaid, NEVER),
    }  # fmt: skip
    part = {name: column[fits] for name, column in columns.items()}
    part["matures"] = add_months(part["opened"], term[fits])
    return part


def instalment_day(opened: np.ndarray, first) -> np.ndarray:
    """The day on which a loan's instalment is due, in the month that begins on `first`."""
    return first + opened % 25 + 1


def loan_terms(world: World, holder: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Product, amount and months of the loan that each of these customers would take."""
    people, rng = world.people, world.rng
    home = people.of("salaried", "wealthy")[holder] & (rng.random(len(holder)) < 0.5)
    farm = people.of("savers")[holder]
    firm = ~people.is_retail[holder]
    product = np.select([firm, farm, home], [NUMBER["L03"], NUMBER["L04"], NUMBER["L01"]], NUMBER["L02"])
    incomes = np.select([firm, home], [6.0, 60.0], 5.0)
    income = np.where(farm, 600_000, people.income[holder])
    amount = np.maximum(_round(income * incomes * rng.uniform(0.6, 1.4, len(holder))), 1_000_000)
    return product, amount, TERM_MONTHS[product]


def _side(world: World, who: np.ndarray, product: str, share) -> dict:
    holder = who[world.rng.random(len(who)) < share]
    number = np.full(len(holder), NUMBER[product])
    return {"customer": holder, "product": number, "opened": _since_joining(world, holder)}


def _services(world: World, who: np.ndarray) -> list[dict]:
    profile = world.people.profile[who]
    shares = {
        product: np.array([share.get(entry.name, 0.0) for entry in PROFILES])[profile]
        for product, share in SERVICES.items()
    }
    shares["S01"] = np.isin(who, world.people.employer).astype(float)
    return [_side(world, who, product, share) for product, share in shares.items()]
