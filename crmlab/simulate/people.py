"""The customers of one block: who they are, and the state they are in as the months pass."""

from dataclasses import dataclass, fields

import numpy as np

from crmlab.simulate.catalogue import PROFILE, PROFILES, of_profile
from crmlab.simulate.months import NEVER, Month
from crmlab.simulate.names import INDUSTRIES

IS_RETAIL = of_profile("kind") == "retail"
JOINING = 0.005  # customers that join in a month, as a share of all there will be
TRENDS = ("slipping", "steady", "growing")
DRIFT = np.array([-0.018, 0.002, 0.016])  # of a customer's money, a month


@dataclass
class People:
    """Columns of customers; money in minor units of CNY, days as numbers, -1 for nobody and no account."""

    profile: np.ndarray
    branch: np.ndarray
    since: np.ndarray
    born: np.ndarray
    industry: np.ndarray
    income: np.ndarray
    wealth: np.ndarray
    payday: np.ndarray  # days before the month's end
    employer: np.ndarray
    spending: np.ndarray
    activity: np.ndarray
    trend: np.ndarray
    grade: np.ndarray  # of risk, 0 is best
    graded_on: np.ndarray  # the day arrears changed the grade
    vigour: np.ndarray  # what is left of the habits, 1 at first
    mandate: np.ndarray
    mandate_day: np.ndarray
    dresses: np.ndarray
    dressed: np.ndarray
    partner: np.ndarray
    legal_rep: np.ndarray
    referrer: np.ndarray
    twin_of: np.ndarray
    manager: np.ndarray
    managed_from: np.ndarray
    handed_on: np.ndarray
    complained_on: np.ndarray
    main: np.ndarray
    saving: np.ndarray
    card: np.ndarray
    loan: np.ndarray
    aum: np.ndarray
    cause: np.ndarray
    leaving_from: np.ndarray
    left_on: np.ndarray
    aum_before: np.ndarray
    closes_in: np.ndarray  # the month's index
    dormant_from: np.ndarray
    raised_on: np.ndarray
    joined: np.ndarray

    def __len__(self) -> int:
        return len(self.profile)

    @property
    def is_retail(self) -> np.ndarray:
        return IS_RETAIL[self.profile]

    @property
    def here(self) -> np.ndarray:
        """Customers with a main account, that is joined and not gone."""
        return self.main >= 0

    @property
    def staying(self) -> np.ndarray:
        """Customers that are here and have not begun to leave."""
        return self.here & (self.cause < 0)

    def of(self, *names: str) -> np.ndarray:
        """Whether a customer belongs to one of the profiles named."""
        return np.isin(self.profile, [PROFILE[name] for name in names])


def born(rng: np.random.Generator, profile: np.ndarray, since: np.ndarray) -> np.ndarray:
    """Birthdays, or days of foundation, always before the customer joined."""
    low, high = np.array(
        [(22, 52), (30, 65), (58, 82), (17, 23), (32, 60), (18, 70), (1, 15), (2, 30), (5, 60)]
    ).T  # of the profiles in their order, at joining
    years = low[profile] + rng.random(len(profile)) * (high - low)[profile]
    return (since - years * 365.25).astype(np.int32)


def draw(rng: np.random.Generator, n: int, calendar: list[Month], n_branches: int, weights: np.ndarray) -> People:
    """Draw `n` customers, ordered by the day they joined."""
    profile = rng.choice(len(PROFILES), n, p=of_profile("share") / of_profile("share").sum()).astype(np.int8)
    since = _since(rng, profile, calendar)
    order = np.argsort(since, kind="stable")
    profile, since = profile[order], since[order]
    if not (~IS_RETAIL[profile]).any():
        profile[0] = PROFILE["corporate"]
    retail = IS_RETAIL[profile]
    income = of_profile("income")[profile] * np.exp(rng.normal(0, np.where(retail, 0.4, 0.8)))
    wealth = of_profile("wealth")[profile] * np.exp(rng.normal(0, of_profile("spread")[profile]))
    trend = rng.choice(3, n, p=(0.18, 0.62, 0.20))
    trend[profile == PROFILE["dormant"]] = 1
    mandated = rng.random(n) < of_profile("mandates")[profile]
    mandate = np.where(mandated, (np.exp(rng.normal(4.4, 0.7, n)) * np.where(retail, 1, 20) * 100).astype(np.int64), 0)
    empty = {field.name: np.full(n, -1, np.int32) for field in fields(People)}
    never = {name: np.full(n, NEVER, np.int32) for name in _DAYS}
    drawn = {
        "profile": profile,
        "branch": rng.choice(n_branches, n, p=weights / weights.sum()).astype(np.int32),
        "since": since,
        "born": born(rng, profile, since),
        "industry": _industry(rng, profile),
        "income": (income * 100).astype(np.int64),
        "wealth": (wealth * 100).astype(np.int64),
        "payday": rng.choice(6, n, p=(0.35, 0.2, 0.15, 0.1, 0.1, 0.1)).astype(np.int32),
        "spending": of_profile("spending")[profile] * np.exp(rng.normal(0, 0.12, n)),
        "activity": of_profile("activity")[profile] * np.exp(rng.normal(0, 0.5, n)),
        "trend": trend.astype(np.int8),
        "grade": (trend == 0) + (rng.random(n) < 0.2).astype(np.int8),
        "vigour": np.ones(n),
        "mandate": mandate,
        "mandate_day": rng.integers(1, 29, n).astype(np.int32),
        "dresses": rng.random(n) < np.where(retail, np.where(wealth > 50_000, 0.08, 0.0), 0.12),
        "aum": np.zeros(n, np.int64),
        "aum_before": np.zeros(n, np.int64),
        "dressed": np.zeros(n, np.int64),
        "joined": np.zeros(n, bool),
    }
    crowd = People(**(empty | never | drawn))
    _tie(rng, crowd)
    return crowd


_DAYS = ("graded_on", "handed_on", "complained_on", "leaving_from", "left_on", "dormant_from", "raised_on")


def _since(rng: np.random.Generator, profile: np.ndarray, calendar: list[Month]) -> np.ndarray:
    """Most joined in the years before the extract, the rest evenly over its months."""
    first, last = calendar[0].first, calendar[-1].last
    n = len(profile)
    years = np.where(profile == PROFILE["students"], 3, 18)
    old = first - 1 - (rng.beta(1.0, 1.6, n) * years * 365).astype(np.int32) - 5
    new = rng.integers(first, last + 1, n)
    joins = rng.random(n) < min(JOINING * len(calendar), 0.5)
    return np.where(joins, new, old).astype(np.int32)


def _industry(rng: np.random.Generator, profile: np.ndarray) -> np.ndarray:
    public = len(INDUSTRIES) - 1
    drawn = rng.integers(0, public, len(profile))
    return np.where(IS_RETAIL[profile], -1, np.where(profile == PROFILE["institution"], public, drawn)).astype(np.int32)


def _tie(rng: np.random.Generator, crowd: People) -> None:
    """Employers, couples, legal representatives, referrals, and the same person under two numbers."""
    n = len(crowd)
    retail = np.flatnonzero(crowd.is_retail)
    old = crowd.since < np.sort(crowd.since)[n // 2]
    firms = np.flatnonzero(~crowd.is_retail & old)
    firms = firms if len(firms) else np.flatnonzero(~crowd.is_retail)
    weight = crowd.income[firms] / crowd.income[firms].sum()
    salaried = np.flatnonzero(crowd.of("salaried", "wealthy") & (rng.random(n) < 0.45))
    crowd.employer[salaried] = rng.choice(firms, len(salaried), p=weight)
    crowd.payday[salaried] = crowd.payday[crowd.employer[salaried]]
    wages = np.bincount(crowd.employer[salaried], crowd.income[salaried], n).astype(np.int64)
    crowd.income = np.maximum(crowd.income, np.where(crowd.is_retail, 0, wages * 2))
    crowd.wealth = np.maximum(crowd.wealth, np.where(crowd.is_retail, 0, wages * 3))

    couple = rng.permutation(retail)[: 2 * (len(retail) // 25)]
    half = len(couple) // 2
    crowd.partner[couple[:half]] = couple[half:]
    crowd.branch[couple[half:]] = crowd.branch[couple[:half]]

    reps = np.flatnonzero(crowd.of("salaried", "wealthy", "savers"))
    business = np.flatnonzero(crowd.of("small business", "corporate"))
    if len(reps):
        crowd.legal_rep[business] = rng.choice(reps, len(business))
    referred = retail[(rng.random(len(retail)) < 0.06) & (retail > 10)]
    crowd.referrer[referred] = (rng.random(len(referred)) * referred).astype(np.int32)

    twins = retail[(rng.random(len(retail)) < 0.004) & (retail > 10)]
    elder = (rng.random(len(twins)) * len(retail)).astype(int)
    elder = retail[elder]
    fits = (elder < twins) & ~np.isin(elder, twins) & (crowd.since[elder] >= crowd.born[twins] + 18 * 365)
    crowd.twin_of[twins[fits]] = elder[fits]
    crowd.born[twins[fits]] = crowd.born[elder[fits]]
