"""Branches and relationship managers, who looks after whom, and what happens to customers when a manager goes."""

from dataclasses import dataclass

import numpy as np

from crmlab.simulate import names
from crmlab.simulate.catalogue import of_profile
from crmlab.simulate.months import NEVER, Month

GRADES = ("associate", "manager", "senior manager")


@dataclass(frozen=True)
class Managing:
    """How many managers a bank has, whom they look after, and by how much they differ.

    Where there is no number, it suits that of the customers. `growth` (of a customer's money, a month), `leaving` (the
    logarithm of the hazard) and `contacts` (that of how often customers are spoken to) are standard deviations between
    managers; the share `differ` of them differ at all. `everybody` has a manager, or only those who would. Where it
    `favours`, one manager of each branch is handed the richest customers there. Customers decide to leave so many
    `times` as often as they would.
    """

    managers: int | None = None
    branches: int | None = None
    growth: float = 0.006
    leaving: float = 0.0
    contacts: float = 0.0
    differ: float = 1.0
    everybody: bool = False
    favours: bool = False
    times: float = 1.0


@dataclass(frozen=True)
class Staff:
    """Columns of managers, and what was planted: `effect` and `branch_effect` are growth a month, `market` its mood.

    `leaving` and `contacts` are logarithms of times as often; `careless` is how many times the usual share of fields a
    manager's customers lack.
    """

    managing: Managing
    branch: np.ndarray
    joined: np.ndarray
    left: np.ndarray
    effect: np.ndarray
    branch_effect: np.ndarray
    weights: np.ndarray
    market: np.ndarray
    careless: np.ndarray
    leaving: np.ndarray
    contacts: np.ndarray

    def times(self, effect: np.ndarray, manager: np.ndarray) -> np.ndarray:
        """How many times as often something happens to customers, by the effect of whoever looks after them now."""
        return np.where(manager >= 0, np.exp(effect[manager]), 1.0)

    def working(self, day: int) -> np.ndarray:
        """Whether each manager works here on a day."""
        return (self.joined <= day) & ((self.left == NEVER) | (self.left > day))

    def first_books(self, world) -> None:
        """Give the customers of the day before the extract their managers."""
        people, start = world.people, world.calendar[0].first
        who = np.flatnonzero((people.since < start) & world.chance(self._managed(people)))
        self._assign(world, who, np.full(len(who), start - 1))
        self._favour(people, who, start)
        who = who[people.manager[who] >= 0]
        drawn = people.since[who] + (world.rng.random(len(who)) * (start - people.since[who])).astype(int)
        people.managed_from[who] = np.maximum(drawn, self.joined[people.manager[who]])
        self._originated(world, who[world.rng.random(len(who)) < 0.4])

    def month(self, world) -> None:
        """Hand over the books of managers who leave, fill those of new ones, and take up new customers."""
        people, month, rng = world.people, world.month, world.rng
        for manager in np.flatnonzero((self.left >= month.first) & (self.left <= month.last)):
            book = np.flatnonzero(people.manager == manager)
            self._hand_over(world, book, np.full(len(book), self.left[manager]), "manager left")
        for manager in np.flatnonzero((self.joined >= month.first) & (self.joined <= month.last)):
            mates = people.here & (people.branch == self.branch[manager]) & (people.manager >= 0)
            book = np.flatnonzero(mates & world.chance(0.2))
            start = min(int(self.joined[manager]) + 5, month.last)
            self._hand_over(world, book, np.full(len(book), start), "new manager", manager)
        managed = self._managed(people)
        fresh = (people.since >= month.first) & (people.since <= month.last)
        taken_up = world.chance(np.where(fresh, managed, managed * 0.004))
        who = np.flatnonzero(people.here & (people.manager < 0) & taken_up)
        day = np.maximum(month.days(rng, len(who)), people.since[who])
        self._assign(world, who, day)
        self._originated(world, who[fresh[who]])

    def release(self, world, who: np.ndarray, day: np.ndarray) -> None:
        """End the assignments of customers who have gone, or whose manager went earlier in the month."""
        had = world.people.manager[who] >= 0
        who, day = who[had], day[had]
        left = self.left[world.people.manager[who]]
        self._end(world, who, np.where(left == NEVER, day, np.minimum(day, left)))

    def finish(self, world) -> None:
        """Write down the assignments still in force."""
        who = np.flatnonzero(world.people.manager >= 0)
        self._write(world, who, np.full(len(who), NEVER))

    def _managed(self, people) -> np.ndarray:
        """The chance of each customer to be given a manager on joining."""
        return np.ones(len(people)) if self.managing.everybody else of_profile("managed")[people.profile]

    def favourites(self, start: int) -> np.ndarray:
        """The first manager of each branch who works there from the first day to the last, if any is favoured."""
        stay = np.flatnonzero((self.left == NEVER) & (self.joined < start))
        return stay[np.unique(self.branch[stay], return_index=True)[1]] if self.managing.favours else stay[:0]

    def _favour(self, people, who: np.ndarray, start: int) -> None:
        """Hand the favourite of each branch the richest customers there, for as many of their own."""
        for favourite in self.favourites(start):
            mates = who[(people.branch[who] == self.branch[favourite]) & (people.manager[who] >= 0)]
            own = mates[people.manager[mates] == favourite]
            richest = mates[np.argsort(-people.wealth[mates], kind="stable")[: len(own)]]
            given, taken = np.setdiff1d(own, richest), np.setdiff1d(richest, own)
            people.manager[given], people.manager[taken] = people.manager[taken], favourite

    def _hand_over(self, world, book, day, reason: str, to: int | None = None) -> None:
        before = world.people.manager[book].copy()
        self._end(world, book, day)
        gap = np.where(world.rng.random(len(book)) < 0.2, world.rng.integers(1, 15, len(book)), 1)
        start = np.minimum(day + gap, world.calendar[-1].last + 1)
        inside = start <= world.calendar[-1].last
        book, before, start = book[inside], before[inside], start[inside]
        if to is None:
            self._assign(world, book, start)
        else:
            world.people.manager[book], world.people.managed_from[book] = to, start
        world.people.handed_on[book] = start
        after = world.people.manager[book]
        world.note(
            "truth/handovers", customer_id=book, on=start, from_manager_id=before, to_manager_id=after, reason=reason
        )

    def _assign(self, world, who, day) -> None:
        """Give customers a manager at work in their branch, or none where there is none."""
        people = world.people
        for branch in np.unique(people.branch[who]):
            here = people.branch[who] == branch
            here_first, here_last = int(day[here].min()), max(int(day[here].max()), world.month.last)
            able = np.flatnonzero((self.branch == branch) & self.working(here_first) & self.working(here_last))
            if len(able):
                people.manager[who[here]] = able[world.rng.integers(0, len(able), here.sum())]
                people.managed_from[who[here]] = day[here]

    def _end(self, world, who, day) -> None:
        self._write(world, who, day)
        world.people.manager[who] = -1

    def _write(self, world, who, to) -> None:
        people = world.people
        began = (to == NEVER) | (to >= people.managed_from[who])
        who, to = who[began], to[began]
        world.note(
            "assignments", manager_id=people.manager[who], role="maintains", scope="customer", customer_id=who,
            share="1.0", from_on=people.managed_from[who], to_on=to,
        )  # fmt: skip

    def _originated(self, world, who) -> None:
        people = world.people
        who = who[people.manager[who] >= 0]
        world.note(
            "assignments", manager_id=people.manager[who], role="originates", scope="customer", customer_id=who,
            share="1.0", from_on=people.managed_from[who], to_on=np.full(len(who), NEVER),
        )  # fmt: skip


def draw(
    rng: np.random.Generator, own: np.random.Generator, customers: int, calendar: list[Month], managing: Managing
) -> Staff:
    """Draw branches and managers, and from `own` what managers add but growth.

    To suit the number of customers they are 8 and 40 for 4,000, fewer a head in a large bank.
    """
    n_branches = managing.branches or max(2, round(8 * (customers / 4000) ** 0.6))
    n = managing.managers or max(2 * n_branches, round(40 * (customers / 4000) ** 0.8))
    first, last = calendar[0].first, calendar[-1].last
    branch = np.arange(n) % n_branches
    joined = first - rng.integers(60, 3000, n)
    left = first + (rng.exponential(9.0, n) * 365).astype(int)
    left[:n_branches] = last + 1  # one in each branch stays
    rows = [(branch, joined, np.where(left > last, NEVER, left))]
    gone = np.flatnonzero(left <= last)
    start = left[gone] + rng.integers(5, 70, len(gone))
    gone, start = gone[start <= last], start[start <= last]
    rows.append((branch[gone], start, np.full(len(gone), NEVER)))
    branch, joined, left = (np.concatenate(column).astype(np.int32) for column in zip(*rows, strict=True))
    shuffled = rng.permutation(len(branch))
    differs = own.random(len(branch)) < managing.differ
    return Staff(
        managing, branch=branch[shuffled], joined=joined[shuffled], left=left[shuffled],
        effect=rng.normal(0, managing.growth, len(branch)) * differs,
        branch_effect=rng.normal(0.001, 0.004, n_branches),
        weights=rng.gamma(6, 1 / 6, n_branches), market=rng.normal(size=len(calendar)),
        careless=rng.choice((0.4, 1.0, 3.0), len(branch), p=(0.4, 0.4, 0.2)),
        leaving=own.normal(0, managing.leaving, len(branch)) * differs,
        contacts=own.normal(0, managing.contacts, len(branch)) * differs,
    )  # fmt: skip


def tables(team: Staff, rng: np.random.Generator, calendar: list[Month]) -> dict[str, dict]:
    """Branches, managers, their events, capacity and targets, and the planted effects."""
    n, n_branches = len(team.branch), len(team.weights)
    large = team.weights > np.median(team.weights)
    capacity = np.array([(m, month.last) for m in range(n) for month in calendar if _at_work(team, m, month)])
    return {
        "branches": {
            "branch_id": np.arange(n_branches), "name": names.branches(n_branches),
            "region": names.words(("North", "South", "Town"), rng.integers(0, 3, n_branches)),
            "peer_group": names.words(("small", "large"), large.astype(int)),
        },
        "managers": {
            "manager_id": np.arange(n), "name": names.persons(rng, n), "branch_id": team.branch,
            "grade": names.words(GRADES, rng.integers(0, 3, n)), "joined_on": team.joined, "left_on": team.left,
        },
        "manager_events": _events(team, rng, calendar),
        "capacity": {
            "manager_id": capacity[:, 0], "month": capacity[:, 1],
            "n_contacts": rng.integers(8, 15, len(capacity)) * 10,
        },
        "targets": _targets(team, rng, calendar),
        "truth/managers": {"manager_id": np.arange(n), "growth": team.effect} | _planted(team, calendar[0].first),
        "truth/branches": {"branch_id": np.arange(n_branches), "growth": team.branch_effect},
    }  # fmt: skip


def _planted(team: Staff, start: int) -> dict:
    """What managers add besides growth, and who was handed the richest customers, where any of it is planted."""
    managing = team.managing
    told = {name: getattr(team, name) for name in ("leaving", "contacts") if getattr(managing, name)}
    if managing.favours:
        told["is_favoured"] = np.isin(np.arange(len(team.branch)), team.favourites(start))
    return told


def _at_work(team: Staff, manager: int, month: Month) -> bool:
    return team.joined[manager] <= month.last and not (NEVER < team.left[manager] < month.first)


def _events(team: Staff, rng: np.random.Generator, calendar: list[Month]) -> dict:
    first, last = calendar[0].first, calendar[-1].last
    everyone = np.arange(len(team.branch))
    gone = everyone[team.left != NEVER]
    here = everyone[(team.left == NEVER) & (team.joined < first)]
    promoted, away = here[rng.random(len(here)) < 0.15], here[rng.random(len(here)) < 0.1]
    days = [rng.integers(first, last + 1, len(some)) for some in (promoted, away)]
    manager = np.concatenate([everyone, gone, promoted, away])
    kind = ["joined"] * len(everyone) + ["left"] * len(gone) + ["promoted"] * len(promoted) + ["leave"] * len(away)
    detail = [None] * (len(everyone) + len(gone)) + ["by one grade"] * len(promoted) + ["three months"] * len(away)
    on = np.concatenate([team.joined, team.left[gone], *days])
    return {"manager_id": manager, "on": on, "kind": kind, "detail": detail}


def _targets(team: Staff, rng: np.random.Generator, calendar: list[Month]) -> dict:
    """A year's net new money and number of visits and calls for every manager at work when it begins."""
    rows = []
    for month in calendar[::12]:
        end = calendar[min(month.index + 11, len(calendar) - 1)].last
        for manager in np.flatnonzero(team.working(month.first) & (team.joined < month.first)):
            money = int(rng.integers(10, 60)) * 10_000_000
            rows.append(("net_new_money", team.branch[manager], manager, month.first - 20, month.first, end, money))
            rows.append(("n_contacts", team.branch[manager], manager, month.first - 20, month.first, end, 900))
    names_ = ("measure", "branch_id", "manager_id", "set_on", "from_on", "to_on", "target")
    columns = dict(zip(names_, zip(*rows, strict=True), strict=True))
    return {name: list(column) if name == "measure" else np.array(column) for name, column in columns.items()}
