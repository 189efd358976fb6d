"""The rules of who customers are and where they stand, in words."""

from crmlab.policy.phrases import counted, joined, minor, percent, plain
from crmlab.policy.rules import DynamicSegment, Level, Policy


def customer_words(policy: Policy) -> dict[str, list[str]]:
    """Sentences under headings: growth, segments, life cycle, households, funnel, clusters, profiles, leaving.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> customer_words(load())["Funnel"]
    ['A lead younger than 90 days is counted, not judged.']
    """
    return {
        "Growth": _growth(policy),
        "Segments": _segments(policy),
        "Life cycle": _life_cycle(policy),
        "Households": _households(policy),
        "Funnel": [f"A lead younger than {counted(policy.funnel.settle_days, 'day')} is counted, not judged."],
        "Clusters": _clusters(policy),
        "Profiles": _profiles(policy),
        "Leaving": _leaving(policy),
        "Calls": _calls(policy),
    }


def _growth(policy: Policy) -> list[str]:
    rule = policy.growth
    return [
        f"Average AUM of the last {counted(rule.months, 'month')} is held against that of the {rule.months} before.",
        f"A customer is rising or falling where it changed by at least {percent(rule.change)} of what it was and by at "
        f"least {minor(policy, rule.least)}, and steady otherwise.",
        "Growth is not known where an average is not.",
    ]


def _segments(policy: Policy) -> list[str]:
    rules = policy.segmentation
    lowest, *others = rules.activity
    seen = [f"less than {counted(level.within, 'day')} before is {level.name}" for level in reversed(others)]
    return [
        f"At a month's end, who last did something of their own {joined([*seen, f'earlier is {lowest.name}'])}.",
        f"Earning is by the contribution of the last {counted(rules.contribution_months, 'month')}.",
        _earning(policy, rules.earning),
        *(sentence for row in rules.rows for sentence in _row(row)),
    ]


def _earning(policy: Policy, levels: tuple[Level, ...]) -> str:
    lowest, *others = levels
    if not others:
        return f"Every customer is {lowest.name}."
    if others[0].top is not None:
        tops = [f"the best {percent(level.top)} are {level.name}" for level in reversed(others)]
        return f"Of the customers of a kind in a month, {joined(tops)}; all others are {lowest.name}."
    bounds = [f"from {minor(policy, level.lower)} {level.name}" for level in others]
    return f"A customer is {lowest.name}, {joined(bounds)}."


def _row(row: DynamicSegment) -> list[str]:
    return [
        f"{row.name}: activity {joined(row.activity, 'or')}, earning {joined(row.earning, 'or')}, "
        f"growth {joined(row.growth, 'or')}.",
        f"{row.name}: {row.means} {row.do}",
    ]


def _life_cycle(policy: Policy) -> list[str]:
    rule = policy.life_cycle
    return [
        "Left is who has no open account at the month's end.",
        f"Won back is, for {counted(rule.won_back_months, 'month')}, who had left and has an account again.",
        f"New is, for {counted(rule.new_months, 'month')}, who opened the first account ever.",
        f"Dormant is who did nothing of their own for {counted(policy.activity_window_days, 'day')}.",
        "All others are growing, declining or mature as their AUM is rising, falling or neither.",
    ]


def _households(policy: Policy) -> list[str]:
    return [
        f"A household has at most {counted(policy.groups.max_household, 'customer')}.",
        f"The {policy.groups.surname} word of a name is the surname.",
    ]


def _clusters(policy: Policy) -> list[str]:
    rule = policy.clusters
    return [
        f"Customers of a kind are put into {rule.k[0]} to {rule.k[1]} clusters, where there are at least "
        f"{rule.least:,} of them.",
        f"Clusters are not to be relied on where {counted(rule.resamples, 'resample')} agree with them by an adjusted "
        f"Rand index of less than {plain(rule.floor)}.",
    ]


def _profiles(policy: Policy) -> list[str]:
    rule = policy.profile
    return [
        f"What sets a group apart has an effect size of at least {plain(rule.least_effect)}.",
        f"Spending is that of {counted(rule.spending_months, 'month')}; a salary is one within "
        f"{counted(rule.salary_months, 'month')}.",
    ]


def _leaving(policy: Policy) -> list[str]:
    rule, test = policy.churn, policy.leaving
    return [
        f"A customer has left at the first of these causes: {joined(rule.causes)}.",
        f"AUM is usual at the median of the {counted(rule.median_months, 'month')} before, of which "
        f"{rule.least_months} must be known; transfers to own loans and cards beyond the usual are given back.",
        f"Run-off and maturity: less than {percent(rule.share)} of it is left, and {minor(policy, rule.floor)} or more "
        f"went; run-off is dated at its first month and known {counted(rule.confirm_months, 'month')} later, maturity "
        f"is looked at {counted(rule.maturity_days, 'day')} after it.",
        f"Salary: it came {counted(rule.salary_months, 'month')} in a row and then stays away until "
        f"{counted(rule.confirm_months, 'month')} later, or the last everyday account is closed.",
        f"Leaving is told within {joined(map(str, test.horizons), 'or')} months, where history can test it.",
    ]


def _calls(policy: Policy) -> list[str]:
    rule, value = policy.worklist, policy.life_value
    return [
        f"A call is worth probability times contribution at risk times {percent(rule.save_rate)} (assumed, until lists "
        f"have been read out), less {minor(policy, rule.cost)}; a manager makes {counted(rule.calls, 'call')}.",
        f"Of an issued list {percent(rule.control_share)} are held out, and it is judged after "
        f"{counted(rule.read_out_months, 'month')}.",
        f"A customer's worth is looked at over {counted(value.months, 'month')}, money costing "
        f"{percent(value.discount)} a year.",
    ]
