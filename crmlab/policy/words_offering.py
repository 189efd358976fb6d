"""The rules of what comes next, in words."""

from crmlab.policy.offering import Trigger
from crmlab.policy.phrases import counted, joined, minor, percent, plain
from crmlab.policy.rules import Policy

SAID = {
    "status": "is frozen, deceased, merged or closed",
    "owned": "holds it",
    "kind": "is of a kind it is not made for",
    "age": "is too young or too old for it",
    "risk": "has a grade it is too risky for",
    "kyc": "is to be identified anew",
    "consent": "has not agreed to be asked",
    "complaint": "has a complaint that is not resolved",
    "contact": "was contacted lately",
    "exposure": "owes as much as the bank lends",
    "staff": "is related to staff",
}


def offering_words(policy: Policy) -> dict[str, list[str]]:
    """Sentences under headings: cross-sell, life events, eligibility, campaigns.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> offering_words(load())["Life events"][2]
    'Money about to mature: a deposit or plan matures within 30 days.'
    """
    return {
        "Cross-sell": _crosssell(policy),
        "Life events": [said for trigger in policy.triggers for said in _trigger(policy, trigger)],
        "Eligibility": _eligibility(policy),
        "Campaigns": _campaigns(policy),
    }


def _crosssell(policy: Policy) -> list[str]:
    rule = policy.crosssell
    return [
        f"Accounts of one product that are no more than {counted(rule.gap_days, 'day')} apart are one holding.",
        f"A rule holds for at least {percent(rule.least_support)} of the customers and {percent(rule.least_confidence)}"
        f" of those with its first part; of the rules told {percent(rule.false_discovery_rate)} may be mere chance.",
        f"Taking a product is told within {joined(map(str, rule.horizons), 'or')} months; a product that fewer than "
        f"{rule.least_events} took has no model of its own.",
    ]


def _trigger(policy: Policy, rule: Trigger) -> list[str]:
    told = {
        "inflow_stayed": lambda: (
            f"a month brought at least {plain(rule.times)} times the median of the {counted(rule.months, 'month')} "
            f"before and {minor(policy, rule.floor)}, and {counted(rule.days, 'day')} after it {percent(rule.share)} "
            "of what exceeded the median is still there"
        ),
        "maturing_soon": lambda: f"a deposit or plan matures within {counted(rule.days, 'day')}",
        "salary_rise": lambda: (
            f"in each of {counted(rule.months, 'month')} it was at least {plain(rule.times)} times the mean of the "
            f"{counted(rule.months_before, 'month')} before"
        ),
    }[rule.kind]()
    return [
        f"{rule.name}: {told}.",
        f"{rule.name}: it is worth a call for {counted(rule.fresh_days, 'day')}, and followed by what is taken of "
        f"{joined([*rule.lines, *rule.products], 'or')} within {counted(rule.follow_days, 'day')}.",
    ]


def _eligibility(policy: Policy) -> list[str]:
    rules = policy.eligibility
    unsure = {
        dealt: [name for name in rules.missing if rules.missing[name] == dealt and name in rules.rules]
        for dealt in ("exclude", "keep")
    }
    return [
        f"Nobody is offered a product who {joined([SAID[rule] for rule in rules.rules], 'or')}."
        if rules.rules
        else "Everybody may be offered everything.",
        *(f"Only {joined(kinds)} customers are offered {name}." for name, kinds in rules.kinds.items()),
        *(f"Only people of {_ages(*ages)} are offered {name}." for name, ages in rules.age.items() if any(ages)),
        *(f"A customer of grade {grade} takes no more risk than {risk}." for grade, risk in rules.highest_risk.items()),
        *(
            f"A customer of the kind {kind} who owes {minor(policy, cap)} is lent no more."
            for kind, cap in rules.exposure_cap.items()
        ),
        *([f"Those related to staff are not offered {joined(rules.staff_lines, 'or')}."] if rules.staff_lines else []),
        *([f"Who is not known to fit is left out: {joined(unsure['exclude'])}."] if unsure["exclude"] else []),
        *([f"Who is not known to fit is kept: {joined(unsure['keep'])}."] if unsure["keep"] else []),
    ]


def _ages(low: int | None, high: int | None) -> str:
    if low and high:
        return f"{low} to {high} years"
    return f"{low} years or more" if low else f"{high} years or less"


def _campaigns(policy: Policy) -> list[str]:
    rule = policy.campaigns
    return [
        f"An offer takes {counted(rule.minutes, 'minute')} and costs {minor(policy, rule.cost)}; nobody is asked again "
        f"within {counted(rule.contact_days, 'day')}.",
        f"{percent(rule.control_share)} of a list are held out, and it is judged after "
        f"{counted(rule.read_out_days, 'day')}.",
        f"A branch gets at least {counted(rule.least_per_branch, 'offer')}; a list is settled to within "
        f"{percent(rule.gap)} of the best there could be.",
    ]
