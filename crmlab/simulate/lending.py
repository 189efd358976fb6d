"""Loans: paid out, repaid in instalments, sometimes late."""

import numpy as np

from crmlab.simulate.catalogue import LOAN, of_profile
from crmlab.simulate.opening import loan_terms
from crmlab.simulate.world import World

LATE = 0.006  # instalments missed for no reason but forgetfulness


def repay(world: World) -> None:
    """Charge each loan its month's interest, and take it and what is due from the main account if there is enough."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    loans = np.flatnonzero(ledger.usable & (ledger.role == LOAN) & (ledger.balance < 0))
    main = people.main[ledger.customer[loans]]
    day = month.first + ledger.opened[loans] % 25 + 1
    interest = np.rint(-ledger.balance[loans] * (ledger.rate[loans] / 12e6)).astype(np.int64)
    matured = ledger.matures[loans] <= day
    arrears = ledger.instalment[loans] * (1 + ledger.overdue[loans] // 30)
    owed = np.where(matured, -ledger.balance[loans], np.minimum(arrears, -ledger.balance[loans])) + interest
    ledger.post(loans, day, -interest, "interest", other="own")
    least = np.minimum(owed, ledger.instalment[loans] + interest)
    pays = (ledger.free[main] >= least) & (rng.random(len(loans)) > LATE)
    whole = pays & (ledger.free[main] >= owed)
    paid = np.where(whole, owed, least)
    ledger.transfer(main[pays], loans[pays], day[pays], paid[pays], "principal", "system", "mandate")
    late = np.where(pays, ledger.overdue[loans], ledger.overdue[loans] + month.n_days)
    ledger.overdue[loans] = np.where(whole, 0, late)
    done = pays & (ledger.balance[loans] == 0)
    ledger.close(loans[done], day[done], "matured")
    people.loan[ledger.customer[loans[done]]] = -1


def lend(world: World) -> None:
    """Grant new loans; what they are for is paid soon after, a home at once and a stock of goods by and by."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    steady = world.steady & (people.since < month.first - 90) & (people.loan < 0)
    often = np.where(people.is_retail, 0.02, 0.08)
    who = np.flatnonzero(steady & world.chance(often * of_profile("borrows")[people.profile]))
    product, amount, term = loan_terms(world, who)
    day = month.days(rng, len(who), 1, 26)
    loans = ledger.open(who, product, day, term=term, instalment=amount // term)
    people.loan[who] = loans
    ledger.transfer(loans, people.main[who], day, amount, "principal", "counter", "customer")
    ledger.earmark(people.main[who], amount)
    ledger.post(people.main[who], month.within(day + 1), -amount, "transfer", "counter", "customer", None, "other bank")
