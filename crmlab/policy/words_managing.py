"""The rules by which managers are assessed, in words."""

from decimal import Decimal

from crmlab.policy.managing import Duty, PayPlan, Weights
from crmlab.policy.phrases import amount, counted, joined, minor, percent
from crmlab.policy.rules import Policy
from crmlab.policy.scoring import (
    COUNT,
    MEASURES,
    MONEY,
    POINT,
    POINT_DIGITS,
    RATE,
    Entry,
    Scorecard,
    ScoreRule,
    measure_label,
    unit_digits,
)

TIMES = {1: "once", 2: "twice"}
WHO = {"nominated": "those the branch has nominated", "key": "key customers", "rest": "all others"}
SHARES_OVER_ONE = {"larger share": "the larger counts first", "in proportion": "each counts in proportion"}
TWO_BRANCHES = {"larger share": "has the larger share", "earlier": "came earlier"}


def managing_words(policy: Policy) -> dict[str, list[str]]:
    """Sentences under headings: managers, their contacts, each scorecard, pay.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> managing_words(load())["Scorecard: Managers"][3]
    'Net new money: its share of the target (500,000 CNY where there is none) times 100, from 0 to 150; weight 10.'
    """
    return {
        "Managers": _managing(policy),
        "A book dealt anew": _recut(policy.recut),
        "Contacts of managers": [_duty(duty) for duty in policy.duties] or ["Nobody must be contacted."],
        **{f"Scorecard: {card.name}": _card(policy, card) for card in policy.scorecards},
        "Pay": [_plan(policy, plan) for plan in policy.pay] or ["No points are paid."],
    }


def _managing(policy: Policy) -> list[str]:
    rule = policy.managing
    return [
        f"For {counted(rule.protection_days, 'day')} after a handover, what the customer takes along is the loss of "
        "who handed over.",
        f"A customer of whom two branches claim more than the whole is theirs who {TWO_BRANCHES[rule.two_branches]}.",
        f"Where shares add up to more than one, {SHARES_OVER_ONE[rule.shares_over_one]}.",
        "On days on which nobody is assigned, a customer is the branch's.",
        f"A new card counts with a monthly average balance of at least {minor(policy, rule.effective_card)}.",
        *(
            f"Contacts made by the grade {joined(of, 'or')} are those of {by}."
            for by, of in (("the leader", rule.leader_grades), ("middle management", rule.middle_grades))
            if of
        ),
    ]


def _recut(rule: Weights) -> list[str]:
    loads = {"customers": rule.number, "what they earn": rule.contribution, "contacts due": rule.contacts}
    costs = {
        "looked after from another branch": rule.other_branch,
        "by a manager who has nobody of the kind": rule.fit,
        "of the kind but not of the industry": rule.fit / 2,
        "not by whoever looks after others of the household or group": rule.tie,
        "taken from a manager who stays": rule.taken,
    }
    share = f"within {_decimal(100 * rule.tolerance)} % of that in the book" if rule.tolerance < 1 else "as it comes"
    return [
        f"Loads end near their mean: {joined(f'{what} count {_decimal(much)}' for what, much in loads.items())}; each "
        f"{_decimal(100 * rule.step)} % away from it makes one more dearer by a quarter.",
        "A customer costs, in average customers too many: "
        f"{joined(f'{what} {_decimal(much)}' for what, much in costs.items())}.",
        f"A household goes together. Each kind's share in what a manager receives is {share}.",
        f"For each customer at most {rule.candidates} managers are candidates.",
    ]


def _decimal(number: float) -> str:
    return amount(Decimal(str(round(number, 6))), least=0)


def _duty(duty: Duty) -> str:
    by = {"middle": "middle management"}.get(duty.by, duty.by)
    whom = joined([WHO.get(one, f"those of the tier {one}") for one in duty.who])
    return f"The {by} speaks with {whom} {TIMES.get(duty.times, f'{duty.times} times')} a {duty.per}."


def _card(policy: Policy, card: Scorecard) -> list[str]:
    fits = [
        *([f"of the grade {joined(card.grades, 'or')}"] if card.grades else []),
        *([f"in branches of the peer group {joined(card.peer_groups, 'or')}"] if card.peer_groups else []),
        *([f"in {joined(map(str, card.years), 'or')}"] if card.years else []),
    ]
    return [
        f"It is for {' '.join(['managers', *fits]) if fits else 'all managers whom no card before it fits'}, every "
        f"{card.period}.",
        *_entries(policy, card),
        *(_rule(policy, rule) for rule in card.rules),
        *([f"All deductions together take at most {_points(card.deduction_cap)}."] if card.deduction_cap else []),
        *_bounds(card),
    ]


def _entries(policy: Policy, card: Scorecard) -> list[str]:
    if not card.entries and not card.base:
        return []
    asked = [_entry(policy, entry) for entry in card.entries]
    lost = {"base": "else there are none of these", "results": "else neither these nor results count"}[card.unmet]
    if not asked:
        return [f"Everybody begins with {_counted_points(card.base)}."]
    return [f"Entry: {joined(asked)}. It is worth {_counted_points(card.base)}; {lost}."]


def _entry(policy: Policy, entry: Entry) -> str:
    return f"{measure_label(entry.measure)} of at least {_quantity(policy, entry.measure, entry.least)}"


def _rule(policy: Policy, rule: ScoreRule) -> str:
    said = _counted(policy, rule) if rule.weight is None else _graded(policy, rule)
    label = measure_label(rule.measure)
    more = ", ".join(
        [*([label] if label != rule.name.lower() else []), *(["process"] if rule.side == "process" else [])]
    )
    return f"{rule.name}{f' ({more})' if more else ''}: {said}."


def _counted(policy: Policy, rule: ScoreRule) -> str:
    off = " off" if rule.kind == "deduction" else ""
    is_one = rule.every == 1 and MEASURES[rule.measure] == COUNT
    every = "" if is_one else f" {'begun' if rule.is_started else 'full'} {_quantity(policy, rule.measure, rule.every)}"
    start = _quantity(policy, rule.measure, rule.start)
    where = f" {'below' if rule.is_below else 'beyond'} {start}" if rule.start else ""
    most = f", at most {_points(rule.cap)}" if rule.cap is not None else ""
    return f"{_counted_points(rule.points)}{off} for each{every}{where}{most}"


def _graded(policy: Policy, rule: ScoreRule) -> str:
    on = {"value": "the value", "target": "its share of the target", "base": "its share of the period before"}[rule.on]
    own = f" ({_quantity(policy, rule.measure, rule.target)} where there is none)" if rule.target is not None else ""
    otherwise = f"; {_points(rule.otherwise)} where there is nothing to judge" if rule.otherwise else ""
    return f"{on}{own}{_score(policy, rule)}{_kept(rule)}; weight {_points(rule.weight)}{otherwise}"


def _score(policy: Policy, rule: ScoreRule) -> str:
    if rule.kind == "attainment":
        return " times 100"
    at = [
        f"{_points(score)} {'at' if rule.kind == 'curve' else 'from'} "
        f"{_quantity(policy, rule.measure, bound) if rule.on == 'value' else percent(bound)}"
        for bound, score in rule.at
    ]
    return f" scores {joined(at)}{', straight between' if rule.kind == 'curve' else ' on'}"


def _kept(rule: ScoreRule) -> str:
    floor, cap = rule.floor, rule.cap
    if floor is not None and cap is not None:
        return f", from {_points(floor)} to {_points(cap)}"
    if cap is not None:
        return f", at most {_points(cap)}"
    return f", at least {_points(floor)}" if floor is not None else ""


def _bounds(card: Scorecard) -> list[str]:
    lines = [f"{line.name} from {_points(line.lower)}" for line in card.lines]
    kept = [
        *([f"at least {_points(card.floor)}"] if card.floor is not None else []),
        *([f"at most {_points(card.cap)}"] if card.cap is not None else []),
    ]
    return [*([f"The total is {joined(kept)}."] if kept else []), *([f"Lines: {joined(lines)}."] if lines else [])]


def _plan(policy: Policy, plan: PayPlan) -> str:
    whom = f"{plan.name}, for {joined(plan.scorecards)}" if plan.scorecards else plan.name
    most = f", at most {minor(policy, plan.most)}" if plan.most is not None else ""
    if plan.bands:
        bands = [f"{minor(policy, money)} from {_points(lower)} points on" for lower, money in plan.bands]
        return f"{whom}: {joined(bands)}{most}, and nothing below."
    return (
        f"{whom}: {minor(policy, plan.base)} at {_points(plan.lower)} points and {minor(policy, plan.per_point)} for "
        f"each beyond them{most}, and nothing below."
    )


def _counted_points(thousandths: int) -> str:
    return f"{_points(thousandths)} point{'' if thousandths == POINT else 's'}"


def _quantity(policy: Policy, measure: str, number: int) -> str:
    if MEASURES[measure] == MONEY:
        return minor(policy, number)
    if MEASURES[measure] == RATE:
        return percent(number)
    return amount(Decimal(number).scaleb(-unit_digits(measure, 0)), least=0)


def _points(thousandths: int) -> str:
    return amount(Decimal(thousandths).scaleb(-POINT_DIGITS), least=0)
