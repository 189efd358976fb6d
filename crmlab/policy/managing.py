"""Whom a customer belongs to, who must speak with whom how often, and what points are paid."""

from dataclasses import dataclass
from itertools import pairwise

from crmlab.policy.scoring import POINT_DIGITS, Scorecard, bounds, points_of, texts
from crmlab.policy.source import MILLION, Path, Source, named_once, row_of

WHO = ("nominated", "key", "rest")
BY = ("leader", "middle", "manager")
PER = ("week", "month", "quarter", "year")
TWO_BRANCHES = ("larger share", "earlier")
SHARES_OVER_ONE = ("larger share", "in proportion")
PAY_KEYS = ("name", "scorecards", "from", "base", "per_point", "most", "bands")


@dataclass(frozen=True)
class Managing:
    """Rules of whom a customer belongs to, and what counts."""

    protection_days: int  # a loss counts to who kept the customer so many days before
    two_branches: str  # one of the words of TWO_BRANCHES
    shares_over_one: str  # one of the words of SHARES_OVER_ONE
    effective_card: int  # minor units: a card counts with a monthly average balance of at least this
    leader_grades: tuple[str, ...]  # of managers whose contacts are the leader's
    middle_grades: tuple[str, ...]  # and of those whose are the middle's


@dataclass(frozen=True)
class Duty:
    """How often somebody must speak with customers."""

    who: tuple[str, ...]  # of WHO, or tiers
    by: str  # leader, middle or manager
    times: int
    per: str  # week, month, quarter or year


@dataclass(frozen=True)
class PayPlan:
    """What points are paid: by bands, or so much a point beyond a number of them."""

    name: str
    scorecards: tuple[str, ...]  # empty: all
    lower: int  # thousandths of a point: below it nothing is paid
    base: int  # minor units, at `lower`
    per_point: int  # minor units for each point beyond it
    most: int | None  # minor units
    bands: tuple[tuple[int, int], ...]  # from so many points, minor units; in place of the above


@dataclass(frozen=True)
class Weights:
    """What counts how much when a book is dealt anew.

    A cost of 1 is what one average customer too many costs a manager who is far above the mean.
    """

    number: float  # of customers: off the mean of all managers
    contribution: float  # the same of what they earn, in averages of a customer
    contacts: float  # the same of contacts that are due
    other_branch: float  # a customer looked after from another branch
    fit: float  # by a manager who has nobody of the kind; half of it, of the kind but not of the industry
    tie: float  # not by whoever looks after others of the household or group
    taken: float  # a customer taken from a manager who stays
    step: float  # of the mean load: each such step away from it makes one more customer dearer by a quarter
    tolerance: float  # of each kind's share in what a manager receives of the book; 1: as it comes
    candidates: int  # managers a customer


def recut(source: Source) -> Weights:
    """The rules under ``[recut]``."""
    top = "recut"
    loads, pairs = ("number", "contribution", "contacts"), ("other_branch", "fit", "tie", "taken")
    costs = {name: source.factor(top, name) / MILLION for name in (*loads, *pairs)}
    if not any(costs[name] for name in loads):
        raise source.error((top,), "gives number, contribution and contacts all the weight 0; write one above it.")
    step = source.factor(top, "step") / MILLION
    if not step:
        raise source.error((top, "step"), "is 0; write a number above 0.")
    return Weights(
        **costs,
        step=step,
        tolerance=source.share(top, "tolerance") / MILLION,
        candidates=source.whole(top, "candidates", least=1),
    )


def managing(source: Source, base_digits: int) -> Managing:
    """The rules under ``[managing]``, money in minor units of a base currency with so many digits."""
    top = "managing"
    above = {name: texts(source, (top, name)) for name in ("leader_grades", "middle_grades")}
    for n, grade in enumerate(above["middle_grades"]):
        if grade in above["leader_grades"]:
            raise source.error((top, "middle_grades", n), f"has {grade}, which leader_grades has too; write it once.")
    return Managing(
        protection_days=source.whole(top, "protection_days", least=0),
        two_branches=source.one_of(top, "two_branches", known=TWO_BRANCHES),
        shares_over_one=source.one_of(top, "shares_over_one", known=SHARES_OVER_ONE),
        effective_card=source.minor(top, "effective_card", digits=base_digits),
        **above,
    )


def duties(source: Source, tiers: tuple[str, ...]) -> tuple[Duty, ...]:
    """The rules ``[[duties]]``, for tiers of these names; there may be none."""
    keys = ("who", "by", "times", "per")
    for n in range(len(source.value("duties"))):
        row_of(source, ("duties", n), keys, keys)
    return tuple(
        Duty(
            who=source.names("duties", n, "who", known=(*WHO, *tiers)),
            by=source.one_of("duties", n, "by", known=BY),
            times=source.whole("duties", n, "times", least=1),
            per=source.one_of("duties", n, "per", known=PER),
        )
        for n in range(len(source.value("duties")))
    )


def pay(source: Source, cards: tuple[Scorecard, ...], base_digits: int) -> tuple[PayPlan, ...]:
    """The rules ``[[pay]]`` for these scorecards, in the order in which they are tried; money in minor units."""
    names = tuple(card.name for card in cards)
    found = tuple(_plan(source, ("pay", n), names, base_digits) for n in range(len(source.value("pay"))))
    named_once(source, ("pay",), [plan.name for plan in found], "plans")
    for n, plan in enumerate(found):
        earlier = {card for before in found[:n] for card in before.scorecards or names}
        if earlier >= set(plan.scorecards or names):
            raise source.error(("pay", n), f"gives {plan.name} no card that a plan before it leaves; take one out.")
    if found and (without := [name for name in names if not any(name in (plan.scorecards or names) for plan in found)]):
        raise source.error(("pay",), f"leaves {without[0]} without a plan; write one, if only of nothing.")
    return found


def _plan(source: Source, here: Path, names: tuple[str, ...], digits: int) -> PayPlan:
    given = row_of(source, here, PAY_KEYS, ("name",))
    cards = source.names(*here, "scorecards", known=names, may_be_empty=True) if "scorecards" in given else ()
    name = source.text_of(*here, "name")
    if ("bands" in given) == ("per_point" in given):
        raise source.error(here, f"give {name} bands or per_point; write one of the two.")
    money = {
        key: source.minor(*here, key, digits=digits) if key in given else None for key in ("base", "per_point", "most")
    }
    lower = points_of(source, (*here, "from"))
    if "bands" in given and (lower is not None or money["base"] is not None):
        raise source.error(here, f"give {name} bands, which say from where on and how much; leave from and base out.")
    if money["most"] is not None and money["most"] < (money["base"] or 0):
        raise source.error((*here, "most"), f"of {name} is below its base; write it higher.")
    return PayPlan(
        name=name,
        scorecards=cards,
        lower=lower or 0,
        base=money["base"] or 0,
        per_point=money["per_point"] or 0,
        most=money["most"],
        bands=_bands(source, (*here, "bands"), digits) if "bands" in given else (),
    )


def _bands(source: Source, path: Path, digits: int) -> tuple[tuple[int, int], ...]:
    pairs = bounds(source, path, "bands", POINT_DIGITS)
    found = tuple((lower, source.minor(*path, n, 1, digits=digits)) for n, (lower, _) in enumerate(pairs))
    for n, (below, above) in enumerate(pairwise(found), 1):
        if above[1] < below[1]:
            more, less = (source.value(*path, place, 1) for place in (n - 1, n))
            raise source.error((*path, n), f"pays {less} after {more}; let more points pay no less.")
    return found
