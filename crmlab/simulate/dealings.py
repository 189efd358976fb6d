"""What passes between the bank and its customers besides money: contacts, complaints, surveys, offers and leads."""

from dataclasses import dataclass

import numpy as np

from crmlab.simulate.catalogue import CARD, LOAN, NUMBER, PRODUCTS, TERM, VALUED, WEALTH
from crmlab.simulate.leaving import DEATH
from crmlab.simulate.ledger import whole
from crmlab.simulate.months import NEVER, Month
from crmlab.simulate.names import words
from crmlab.simulate.opening import remember
from crmlab.simulate.world import World

CONTACT_CHANNELS = ("visit", "call", "message", "counter")
PURPOSES = ("greeting", "maturity reminder", "offer", "service", "review")
OUTCOMES = ("reached", "not reached", "interested", "declined")
TOPICS = ("fees", "waiting time", "mobile app", "staff", "loan terms", "product loss")
ASKED = 0.75  # of those a campaign is made for
CONTROL = 0.2  # of these
STEPS = ("contacted", "responded", "offered", "opened", "lost")


@dataclass(frozen=True)
class Campaign:
    """An offer to a random part of some customers who lack the product, of whom `control` are held out.

    `uplift` is what it adds to the rate at which they open anyway.
    """

    id: str
    name: str
    product: str
    profiles: tuple[str, ...]
    month: Month
    base: float
    uplift: float
    control: float


def campaigns(calendar: list[Month]) -> tuple[Campaign, ...]:
    """One campaign every half year, in turn for a term deposit, a wealth plan and a credit card.

    The first works well, the second a little, the third does nothing. Of the plan the second time nobody was held out.
    """
    kinds = (
        ("A year at a fixed rate", "D13", ("savers", "pensioners", "wealthy", "salaried"), 0.03, 0.12),
        ("Steady plan for savers", "W02", ("savers", "wealthy", "salaried"), 0.02, 0.03),
        ("First credit card", "C01", ("salaried", "students"), 0.015, 0.0),
    )
    return tuple(
        Campaign(
            f"G{i + 1:02d}", f"{kinds[i % 3][0]} {month.name[:4]}", *kinds[i % 3][1:3], month, *kinds[i % 3][3:],
            control=0.0 if i % 6 == 4 else CONTROL,
        )
        for i, month in enumerate(calendar[2::6])
    )  # fmt: skip


def campaign_tables(some: tuple[Campaign, ...]) -> dict[str, dict]:
    """The campaigns, and what they truly do."""
    first = np.array([campaign.month.first for campaign in some], dtype=np.int32)
    last = np.array([campaign.month.last for campaign in some], dtype=np.int32)
    ids = [campaign.id for campaign in some]
    return {
        "campaigns": {
            "campaign_id": ids, "name": [campaign.name for campaign in some],
            "product_id": [campaign.product for campaign in some], "from_on": first, "to_on": last,
            "read_out_on": last + 30, "cost": np.full(len(some), 2_000_000),
        },
        "truth/campaigns": {
            "campaign_id": ids, "base_rate": [campaign.base for campaign in some],
            "uplift": [campaign.uplift for campaign in some],
            "control_share": [campaign.control for campaign in some],
        },
    }  # fmt: skip


def month(world: World) -> None:
    """One month of everything but money."""
    contacts(world)
    complaints(world)
    surveys(world)
    leads(world)


def contacts(world: World) -> None:
    """Managers see and call the customers they look after, the valuable ones more often."""
    people, rng, month = world.people, world.rng, world.month
    often = np.where(people.of("wealthy", "corporate", "institution"), 0.45, np.where(people.is_retail, 0.06, 0.25))
    often = often * world.staff.times(world.staff.contacts, people.manager)
    kept = people.here & (people.manager >= 0) & (people.managed_from <= month.last) & (people.cause != DEATH)
    who = np.flatnonzero(kept & world.chance(often))
    n = len(who)
    world.note(
        "contacts", contact_id=world.serial("K", n), customer_id=who, manager_id=people.manager[who],
        on=np.maximum(month.days(rng, n), people.managed_from[who]),
        channel=words(CONTACT_CHANNELS, rng.choice(4, n, p=(0.2, 0.5, 0.2, 0.1))),
        purpose=words(PURPOSES, rng.integers(0, len(PURPOSES), n)),
        outcome=words(OUTCOMES, rng.choice(4, n, p=(0.5, 0.25, 0.1, 0.15))),
    )  # fmt: skip


def complaints(world: World) -> None:
    """Some complain; most complaints are settled within weeks."""
    people, rng, month = world.people, world.rng, world.month
    who = np.flatnonzero(world.present & (people.cause != DEATH) & world.chance(0.0025 * (0.3 + people.vigour)))
    day = month.days(rng, len(who))
    people.complained_on[who] = day
    settled = day + rng.geometric(0.12, len(who))
    settled = np.where((rng.random(len(who)) < 0.9) & (settled <= world.calendar[-1].last), settled, NEVER)
    world.note(
        "complaints", complaint_id=world.serial("B", len(who)), customer_id=who, on=day,
        topic=words(TOPICS, rng.integers(0, len(TOPICS), len(who))), resolved_on=settled,
    )  # fmt: skip


def surveys(world: World) -> None:
    """Each quarter a few are asked, and half of them answer; those about to leave are less content."""
    people, rng, month = world.people, world.rng, world.month
    if not month.ends_quarter:
        return
    who = np.flatnonzero(world.present & (people.vigour > 0) & world.chance(0.03))
    mood = 7.8 - 2.0 * (people.cause[who] >= 0) - 0.7 * (people.trend[who] == 0)
    mood -= 1.5 * (people.complained_on[who] > month.first - 180)
    score = np.clip(np.rint(mood + rng.normal(0, 1.8, len(who))), 0, 10).astype(int)
    world.note("surveys", customer_id=who, on=month.days(rng, len(who)), score=score, topic="recommendation")


def offers(world: World) -> None:
    """Run the campaign of this month: offer or hold back at random, and let some open the product."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    for campaign in (campaign for campaign in world.campaigns if campaign.month.index == month.index):
        wanted = world.steady & people.of(*campaign.profiles) & (people.since < month.first - 60)
        wanted &= (campaign.product == "C01") | (ledger.free[people.main] > 2_000_000)
        wanted[ledger.customer[ledger.is_open & (ledger.product == NUMBER[campaign.product])]] = False
        who = np.flatnonzero(wanted & world.chance(ASKED))
        n = len(who)
        control = rng.random(n) < campaign.control
        day = month.days(rng, n, 1, 8)
        opens = rng.random(n) < campaign.base + np.where(control, 0, campaign.uplift)
        responds = ~control & (opens | (rng.random(n) < 0.1))
        opened = np.where(opens, day + rng.integers(2, 18, n), NEVER)
        world.note(
            "offers", campaign_id=campaign.id, customer_id=who, on=day, is_control=control,
            responded_on=np.where(responds, day + rng.integers(0, 3, n), NEVER), opened_on=opened,
        )  # fmt: skip
        _take_up(world, campaign.product, who[opens], opened[opens])


def _take_up(world: World, product: str, who: np.ndarray, day: np.ndarray) -> None:
    people, ledger, rng = world.people, world.ledger, world.rng
    accounts = ledger.open(who, NUMBER[product], day, limit=2_000_000 if product == "C01" else 0)
    if product == "C01":
        remember(world, accounts)
        return
    amount = whole(ledger.free[people.main[who]] * rng.uniform(0.3, 0.7, len(who)), 100_000)
    ledger.transfer(people.main[who], accounts, day, amount)


def leads(world: World) -> None:
    """Some of the month's openings began with a lead; other leads were lost on the way."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    sold = (ledger.opened >= month.first) & np.isin(ledger.role, (TERM, WEALTH, VALUED, CARD, LOAN))
    sold &= (people.manager[ledger.customer] >= 0) & (people.since[ledger.customer] < month.first)
    won = np.flatnonzero(sold & (rng.random(len(ledger)) < 0.15))
    _steps(world, ledger.customer[won], ledger.product[won], ledger.opened[won], 3)
    tried = np.flatnonzero(people.here & (people.manager >= 0) & world.chance(0.012))
    liked = np.array([NUMBER[id] for id in ("D13", "W01", "W02", "C01", "L02", "I01")])
    day = month.days(rng, len(tried), 10)
    _steps(world, tried, rng.choice(liked, len(tried)), day, rng.choice(3, len(tried), p=(0.5, 0.3, 0.2)))


def _steps(world: World, customer, product, end, reached) -> None:
    """Write a lead's steps up to its end; `reached` is the last step before it was lost, or 3 where it was won."""
    n = len(customer)
    lead, reached = world.serial("Q", n), np.broadcast_to(reached, n)
    manager = world.people.manager[customer]
    ids = words([product.id for product in PRODUCTS], product)
    start = np.maximum(end - world.rng.integers(3, 9, n), world.calendar[0].first)
    for step in range(len(STEPS)):
        took = {3: reached == 3, 4: reached < 3}.get(step, reached >= step)
        i = np.flatnonzero(took)
        on = (np.minimum(start + step, end) if step < 3 else end)[i]
        cost = np.full(len(i), 3_000 if step == 0 else 0)
        world.note(
            "leads", lead_id=lead.gather(i.astype(np.uint32)), step=STEPS[step], on=on, customer_id=customer[i],
            manager_id=manager[i], product_id=ids.gather(i.astype(np.uint32)), cost=cost,
        )  # fmt: skip
