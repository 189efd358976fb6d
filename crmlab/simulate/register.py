"""The register of customers and accounts as the extract shows it on its last day."""

import numpy as np
import polars as pl

from crmlab.simulate import homes, names
from crmlab.simulate.catalogue import CURRENCIES, LOAN, NUMBER, PRODUCTS, PROFILES, TERM
from crmlab.simulate.leaving import DEATH
from crmlab.simulate.ledger import REASONS
from crmlab.simulate.lending import GRADES, five_grades
from crmlab.simulate.months import NEVER
from crmlab.simulate.pricing import is_floating
from crmlab.simulate.world import World

GAPS = 0.06  # of the fields of a customer


def write(world: World) -> None:
    """Write down customers, what ties them together, accounts and their holders."""
    lacks = gaps(world)
    customers(world, lacks)
    ties(world, ~lacks["contact_person"])
    accounts(world)


def gaps(world: World) -> dict[str, np.ndarray]:
    """Which customers lack which fields: more of those whose manager is careless, fewer where he is not."""
    people = world.people
    everyone, firm = np.ones(len(people), bool), ~people.is_retail
    share = GAPS * np.where(people.manager >= 0, world.staff.careless[people.manager], 1.0)
    fields = {"mobile": everyone, "address": everyone, "birth_on": ~firm, "industry": firm, "contact_person": firm}
    lacks = {field: able & world.chance(share) for field, able in fields.items()}
    for field, who in lacks.items():
        world.note("truth/gaps", customer_id=np.flatnonzero(who), field=field)
    return lacks


def customers(world: World, lacks: dict[str, np.ndarray]) -> None:
    """Write down who the customers are."""
    people, rng = world.people, world.rng
    n, retail = len(people), people.is_retail
    person = homes.names_of(world.homes, names.persons(rng, n))
    firm = names.firms(rng, np.maximum(people.industry, 0))
    name = person.zip_with(pl.Series(retail), firm)
    number = names.numbered("999000", people.born % 25_000, 5).to_list()
    tail = names.numbered("", rng.integers(0, 10**7, n), 7).to_list()
    national = np.array([a + b for a, b in zip(number, tail, strict=True)], dtype=object)
    mobile = np.array(names.numbered("100", rng.integers(0, 10**8, n), 8).to_list(), dtype=object)
    mobile = mobile[world.homes.mobile]
    twins = np.flatnonzero(people.twin_of >= 0)
    national[twins] = national[people.twin_of[twins]]
    names_ = np.array(name.to_list(), dtype=object)
    names_[twins] = names_[people.twin_of[twins]]
    firm = np.flatnonzero(~retail)  # a firm's number is that of its registration; none begins with 99
    national[firm] = names.numbered("99", world.block * names.PER_BLOCK + firm, 16).to_list()
    mobile[lacks["mobile"]] = None
    address = homes.addresses_of(world.homes, names.addresses(rng, n), world.block)
    address = address.set(pl.Series(lacks["address"]), None)
    industry = np.where(lacks["industry"], -1, people.industry)
    last = world.calendar[-1].last
    graded = np.where(people.graded_on != NEVER, people.graded_on, last - rng.integers(0, 360, n))
    status = np.select([people.cause == DEATH, ~people.here], ["deceased", "closed"], "active")
    world.note(
        "customers", customer_id=np.arange(n),
        kind=names.words([profile.kind for profile in PROFILES], people.profile), since=people.since,
        branch_id=people.branch, name=names_,
        national_id=national, mobile=mobile, address=address,
        birth_on=np.where(retail & ~lacks["birth_on"], people.born, NEVER),
        founded_on=np.where(retail, NEVER, people.born),
        industry=names.words(names.INDUSTRIES, industry), referred_by_id=people.referrer,
        legal_rep_id=people.legal_rep, risk_grade=names.words(GRADES, people.grade),
        graded_on=np.maximum(graded, people.since),
        kyc_due_on=last + rng.integers(-60, 900, n), consent=rng.random(n) < 0.7, staff_related=rng.random(n) < 0.01,
        status=status,
    )  # fmt: skip
    party = np.where(people.twin_of >= 0, people.twin_of, np.arange(n))
    base = world.block * names.PER_BLOCK
    world.note("parties", customer_id=np.arange(n), party_id=names.numbered("U", base + party, 9))


def ties(world: World, is_known: np.ndarray) -> None:
    """Who pays wages to whom, controls, is kin or guarantees, and whom to ask for at a business."""
    people, rng = world.people, world.rng
    everyone = np.arange(len(people))
    paid, led = everyone[people.employer >= 0], everyone[people.legal_rep >= 0]
    borrower = led[people.loan[led] >= 0]
    for kind, left, right in (
        ("pays wages to", people.employer[paid], paid),
        ("controls", people.legal_rep[led], led),
        ("guarantees", people.legal_rep[borrower], borrower),
        *homes.ties(world.homes, people),
    ):
        start = np.maximum(people.since[left], people.since[right])
        world.note("relations", customer_id=left, other_id=right, kind=kind, from_on=start)
    for kind, shared, belongs in (
        ("household", world.homes.household, people.is_retail),
        ("group", world.homes.group, ~people.is_retail),
    ):
        number = names.numbered(kind[0].upper(), world.block * names.PER_BLOCK + shared[belongs], 9)
        world.note(f"truth/{kind}s", customer_id=everyone[belongs], **{kind: number})
    firm = everyone[~people.is_retail & is_known]
    contact = np.array(names.numbered("100", rng.integers(0, 10**8, len(firm)), 8).to_list(), dtype=object)
    position = names.words(("accountant", "owner", "finance manager"), rng.integers(0, 3, len(firm)))
    world.note(
        "contact_persons", customer_id=firm, name=names.persons(rng, len(firm)), position=position, mobile=contact
    )


def accounts(world: World) -> None:
    """Write down the accounts and who holds them."""
    ledger, people = world.ledger, world.people
    n = len(ledger)
    role, every = ledger.role, np.arange(n)
    overdue = ledger.overdue(every, world.calendar[-1].last)
    collateral = np.select([ledger.product == NUMBER["L01"], ledger.product == NUMBER["L03"]], [0, 1], -1)
    world.note(
        "accounts", account_id=every, customer_id=ledger.customer,
        product_id=names.words([product.id for product in PRODUCTS], ledger.product),
        branch_id=people.branch[ledger.customer], currency=names.words(CURRENCIES, ledger.currency),
        opened_on=ledger.opened, closed_on=ledger.closed, close_reason=names.words(REASONS, ledger.reason),
        rate=names.millionths(ledger.agreed), is_floating=is_floating(world),
        term_months=np.where(ledger.term > 0, ledger.term, -1), matures_on=ledger.matures,
        auto_renew=names.words(("false", "true"), np.where(role == TERM, ledger.renews, -1)),
        limit=np.where(ledger.limit > 0, ledger.limit, NEVER),
        collateral=names.words(("home", "receivables"), collateral), history_kind="transactions",
        five_grade=five_grades(np.where(role == LOAN, overdue, -1)),
        overdue_days=np.where(role == LOAN, overdue, -1),
    )  # fmt: skip
    shared = ledger.joint >= 0
    mine = np.where(shared, 1_000_000 - ledger.joint_share, 1_000_000)
    world.note("holders", account_id=every, customer_id=ledger.customer, role="owner", share=names.millionths(mine))
    both = every[shared]
    world.note(
        "holders",
        account_id=both,
        customer_id=ledger.joint[both],
        role="joint",
        share=names.millionths(ledger.joint_share[both]),
    )
