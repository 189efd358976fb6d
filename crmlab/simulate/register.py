"""The register of customers and accounts as the extract shows it on its last day."""

import numpy as np
import polars as pl

from crmlab.bank.schema import FIVE_GRADES
from crmlab.simulate import names
from crmlab.simulate.catalogue import CURRENCIES, FOREIGN, LOAN, NUMBER, PRODUCTS, PROFILES, TERM
from crmlab.simulate.leaving import DEATH
from crmlab.simulate.ledger import REASONS
from crmlab.simulate.months import NEVER
from crmlab.simulate.world import World


def write(world: World) -> None:
    """Write down customers, what ties them together, accounts and their holders."""
    customers(world)
    ties(world)
    accounts(world)


def customers(world: World) -> None:
    """Write down who the customers are."""
    people, rng = world.people, world.rng
    n, retail = len(people), people.is_retail
    person, firm = names.persons(rng, n), names.firms(rng, np.maximum(people.industry, 0))
    name = person.zip_with(pl.Series(retail), firm)
    number = names.numbered("999000", people.born % 25_000, 5).to_list()
    tail = names.numbered("", rng.integers(0, 10**7, n), 7).to_list()
    national = np.array([a + b for a, b in zip(number, tail, strict=True)], dtype=object)
    mobile = np.array(names.numbered("100", rng.integers(0, 10**8, n), 8).to_list(), dtype=object)
    twins = np.flatnonzero(people.twin_of >= 0)
    national[twins] = national[people.twin_of[twins]]
    names_ = np.array(name.to_list(), dtype=object)
    names_[twins] = names_[people.twin_of[twins]]
    national[~retail] = None
    last = world.calendar[-1].last
    grade = np.clip(1 + (people.trend == 0) + (rng.random(n) < 0.2) * 1, 1, 3)
    status = np.select([people.cause == DEATH, ~people.here], ["deceased", "closed"], "active")
    world.note(
        "customers", customer_id=np.arange(n),
        kind=names.words([profile.kind for profile in PROFILES], people.profile), since=people.since,
        branch_id=people.branch, name=names_,
        national_id=national, mobile=mobile, address=names.addresses(rng, n),
        birth_on=np.where(retail, people.born, NEVER), founded_on=np.where(retail, NEVER, people.born),
        industry=names.words(names.INDUSTRIES, people.industry), referred_by_id=people.referrer,
        legal_rep_id=people.legal_rep, risk_grade=names.words(("A", "B", "C"), grade - 1),
        graded_on=np.maximum(last - rng.integers(0, 360, n), people.since),
        kyc_due_on=last + rng.integers(-60, 900, n), consent=rng.random(n) < 0.7, staff_related=rng.random(n) < 0.01,
        status=status,
    )  # fmt: skip
    party = np.where(people.twin_of >= 0, people.twin_of, np.arange(n))
    base = world.block * names.PER_BLOCK
    world.note("parties", customer_id=np.arange(n), party_id=names.numbered("U", base + party, 9))


def ties(world: World) -> None:
    """Who pays wages to whom, controls, is kin or guarantees, and whom to ask for at a business."""
    people, rng = world.people, world.rng
    everyone = np.arange(len(people))
    paid, couple, led = everyone[people.employer >= 0], everyone[people.partner >= 0], everyone[people.legal_rep >= 0]
    borrower = led[people.loan[led] >= 0]
    for kind, left, right in (
        ("pays wages to", people.employer[paid], paid),
        ("kin", couple, people.partner[couple]),
        ("controls", people.legal_rep[led], led),
        ("guarantees", people.legal_rep[borrower], borrower),
    ):
        start = np.maximum(people.since[left], people.since[right])
        world.note("relations", customer_id=left, other_id=right, kind=kind, from_on=start)
    firm = everyone[~people.is_retail]
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
    late = np.searchsorted((1, 90, 180, 360), ledger.overdue, side="right")
    collateral = np.select([ledger.product == NUMBER["L01"], ledger.product == NUMBER["L03"]], [0, 1], -1)
    world.note(
        "accounts", account_id=every, customer_id=ledger.customer,
        product_id=names.words([product.id for product in PRODUCTS], ledger.product),
        branch_id=people.branch[ledger.customer], currency=names.words(CURRENCIES, ledger.currency),
        opened_on=ledger.opened, closed_on=ledger.closed, close_reason=names.words(REASONS, ledger.reason),
        rate=names.millionths(ledger.rate), is_floating=(role == FOREIGN) | (ledger.product == NUMBER["L01"]),
        term_months=np.where(ledger.term > 0, ledger.term, -1), matures_on=ledger.matures,
        auto_renew=names.words(("false", "true"), np.where(role == TERM, ledger.renews, -1)),
        limit=np.where(ledger.limit > 0, ledger.limit, NEVER),
        collateral=names.words(("home", "receivables"), collateral), history_kind="transactions",
        five_grade=names.words(FIVE_GRADES, np.where(role == LOAN, late, -1)),
        overdue_days=np.where(role == LOAN, ledger.overdue, -1),
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
