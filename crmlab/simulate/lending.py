"""Loans: paid out, repaid in instalments, sometimes late, a few never again; and overdrafts of some days."""

import numpy as np
import polars as pl

from crmlab.bank.schema import FIVE_GRADES
from crmlab.simulate.catalogue import LOAN, NUMBER, of_profile
from crmlab.simulate.ledger import whole
from crmlab.simulate.months import NEVER, add_months
from crmlab.simulate.names import words
from crmlab.simulate.opening import instalment_day, loan_terms
from crmlab.simulate.world import World

LATE = 0.006  # instalments missed for no reason but forgetfulness
STOPS = np.array([0.0005, 0.0012, 0.003])  # loans that stop paying in a month, by the customer's grade
NO_ACCRUAL = 90  # days overdue beyond which no interest is charged
BRINGS = 0.8  # of those whose account does not hold what is due
OVERDRAWS = 0.08  # a month
GRADES = ("A", "B", "C")
GRADED_DOWN = (30, 90)  # days overdue beyond which a customer is at best B, C


def repay(world: World) -> None:
    """Charge each loan its month's interest, and take it and what is due from the main account as far as it goes."""
    people, ledger, rng, month = world.people, world.ledger, world.rng, world.month
    loans = np.flatnonzero(ledger.usable & (ledger.role == LOAN) & (ledger.balance < 0))
    main = people.main[ledger.customer[loans]]
    day = instalment_day(ledger.opened[loans], month.first)
    _stop(world, loans, day)
    debt, instalment, missed = -ledger.balance[loans], ledger.instalment[loans], ledger.missed[loans]
    accrues = ledger.overdue(loans, day) <= NO_ACCRUAL
    interest = np.rint(debt * (ledger.rate[loans] / 12e6)).astype(np.int64) * accrues
    ledger.post(loans, day, -interest, "interest", other="own")
    owed = np.where(ledger.matures[loans] <= day, debt, np.minimum(instalment * (1 + missed), debt))
    _bring(world, main, day, np.where(ledger.stops[loans], 0, owed + interest))
    room = ledger.free[main] - interest
    part = np.minimum(np.clip(room // instalment, 0, missed) * instalment, owed)
    paid = np.where(room >= owed, owed, part)
    paid = np.where(ledger.stops[loans] | (rng.random(len(loans)) < LATE), 0, paid)
    ledger.transfer(main, loans, day, np.where(paid > 0, paid + interest, 0), "principal", "system", "mandate")
    missed = np.where(paid == owed, 0, np.maximum(missed + 1 - paid // instalment, 1))
    ledger.missed[loans] = missed
    oldest = instalment_day(ledger.opened[loans], add_months(np.full(len(loans), month.first), 1 - missed))
    ledger.unpaid_from[loans] = np.where(missed > 0, oldest, NEVER)
    done = ledger.balance[loans] == 0
    ledger.close(loans[done], day[done], "matured")
    people.loan[ledger.customer[loans[done]]] = -1


def _stop(world: World, loans: np.ndarray, day: np.ndarray) -> None:
    """Some of those who have paid all so far pay nothing from now on."""
    ledger = world.ledger
    hazard = STOPS[world.people.grade[ledger.customer[loans]]]
    stops = (ledger.missed[loans] == 0) & (world.rng.random(len(loans)) < hazard)
    ledger.stops[loans[stops]] = True
    defaults(world, loans[stops], day[stops])


def _bring(world: World, main: np.ndarray, day: np.ndarray, needed: np.ndarray) -> None:
    """Most who are short bring what is missing from elsewhere."""
    ledger = world.ledger
    missing = np.maximum(needed - ledger.free[main], 0) * (world.rng.random(len(main)) < BRINGS)
    ledger.post(main, day, missing, "transfer", "mobile", "customer", "remittance", "other bank")
    ledger.earmark(main, missing)


def defaults(world: World, loans: np.ndarray, day: np.ndarray) -> None:
    """Write down loans that are not paid any more, and since when."""
    world.note("truth/defaults", account_id=loans, customer_id=world.ledger.customer[loans], from_on=day)


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
    _state(world, loans, day)
    ledger.transfer(loans, people.main[who], day, amount, "principal", "counter", "customer")
    ledger.earmark(people.main[who], amount)
    ledger.post(people.main[who], month.within(day + 1), -amount, "transfer", "counter", "customer", None, "other bank")


def first_states(world: World) -> None:
    """The state of each loan on the first day of the extract; some are not being paid."""
    ledger, first = world.ledger, world.calendar[0].first
    loans = np.flatnonzero(ledger.role == LOAN)
    _grade_down(world, loans, ledger.overdue(loans, first))
    _state(world, loans, np.full(len(loans), first))
    stopped = loans[ledger.stops[loans]]
    defaults(world, stopped, ledger.unpaid_from[stopped])


def states(world: World) -> None:
    """At the month's end the state of loans that are overdue, were so when last told, or are graded anew."""
    ledger, month = world.ledger, world.month
    loans = np.flatnonzero((ledger.role == LOAN) & ((ledger.closed == NEVER) | (ledger.told > 0)))
    shut = ledger.closed[loans] != NEVER
    day = np.where(shut, ledger.closed[loans], month.last)
    overdue = ledger.overdue(loans, day)
    news = _grade_down(world, loans, overdue) | (overdue > 0) | (ledger.told[loans] > 0)
    _state(world, loans[news], day[news])


def _grade_down(world: World, loans: np.ndarray, overdue: np.ndarray) -> np.ndarray:
    """Grade the customers of overdue loans no better than they pay; returns whose grade has changed."""
    people, owner = world.people, world.ledger.customer[loans]
    grade = np.maximum(people.grade[owner], np.searchsorted(GRADED_DOWN, overdue))
    fell = grade > people.grade[owner]
    people.grade[owner] = grade
    people.graded_on[owner[fell]] = world.month.last
    return fell


def _state(world: World, loans: np.ndarray, day: np.ndarray) -> None:
    ledger = world.ledger
    overdue = ledger.overdue(loans, day)
    ledger.told[loans] = overdue
    world.note(
        "loan_status", account_id=loans, on=day, risk_grade=words(GRADES, world.people.grade[ledger.customer[loans]]),
        five_grade=five_grades(overdue), overdue_days=overdue,
    )  # fmt: skip


def five_grades(overdue: np.ndarray) -> pl.Series:
    """Classes of loans by the days they are overdue; null where those are negative."""
    return words(FIVE_GRADES, np.where(overdue < 0, -1, np.searchsorted((1, 90, 180, 360), overdue, side="right")))


def overdraw(world: World) -> None:
    """Some firms pay for an order before they are paid themselves: below zero, within the limit, for 5 to 25 days."""
    ledger, rng, month = world.ledger, world.rng, world.month
    able = ledger.usable & (ledger.product == NUMBER["D04"]) & (ledger.lent == 0) & world.steady[ledger.customer]
    able = np.flatnonzero(able)
    account = able[rng.random(len(able)) < OVERDRAWS]
    day = month.days(rng, len(account))
    until = day + rng.integers(5, 26, len(account))
    days = np.arange(month.first, month.last + 1)
    inside = (days >= day[:, None]) & (days < until[:, None])
    lowest = np.where(inside, ledger.daily(account), np.iinfo(np.int64).max).min(axis=1)
    amount = np.maximum(lowest + whole(ledger.limit[account] * rng.uniform(0.4, 0.95, len(account)), 10_000), 0)
    ledger.post(account, day, -amount, "transfer", "online", "customer", "supplies", "other bank")
    ledger.lent[account], ledger.lent_until[account] = amount, until
    cover(world)


def cover(world: World) -> None:
    """The money comes that overdrafts of this month, or of the one before, were waiting for."""
    ledger = world.ledger
    account = np.flatnonzero((ledger.lent > 0) & (ledger.lent_until <= world.month.last))
    day, amount = ledger.lent_until[account], ledger.lent[account]
    ledger.post(account, day, amount, "transfer", "online", "counterparty", "sales", "other bank")
    ledger.lent[account] = 0
