"""Rules by which managers are assessed: what a bank may write, and what it is told when it errs."""

from dataclasses import replace

import pytest

import crmlab as crm
from crmlab.policy.words import words

STEPS = 'name = "Cards", measure = "new_cards", kind = "steps"'
MONEY = 'name = "Money", measure = "net_new_money", kind = "attainment"'


def policy(tmp_path, text: str):
    path = tmp_path / "policy.toml"
    path.write_text(text, "utf-8")
    return crm.policy.load(path)


def card(*rules: str, more: str = "") -> str:
    """A policy of one scorecard: what more there is in line 3, its rules from line 5 on."""
    rows = "\n".join(f"  {{ {rule} }}," for rule in rules)
    return f'[[scorecards]]\nname = "Card"\n{more}\nrules = [\n{rows}\n]\n'


def graded(kind: str, more: str = "", weight: str = "100", measure: str = "retention") -> str:
    return f'name = "Rule", measure = "{measure}", kind = "{kind}", weight = "{weight}"{more and ", "}{more}'


def counted(more: str = "") -> str:
    return f'{STEPS}, every = "50", points = "5"{more and ", "}{more}'


LINES = 'lines = [{{name = "danger", from = "{}"}}, {{name = "elite", from = "{}"}}]'


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            card(graded("attainment", weight="60"), f'{MONEY}, weight = "39.5"'),
            "line 4: rules of Card have weights that add up to 99.5, not 100",
        ),
        (card(graded("curve")), "line 5: rules.at is missing; write it"),
        (card('name = "Rule", measure = "retention", kind = "bands", at = []'), "line 5: rules.weight is missing"),
        (
            card(counted().replace("new_cards", "new_card")),
            "line 5: rules.measure is 'new_card'. Did you mean new_cards",
        ),
        (card(counted().replace("steps", "step")), "line 5: rules.kind is 'step'. Did you mean steps"),
        (card(counted('weight = "5"')), "line 5: rules.weight is not a rule. Known: name, measure, kind, side, from"),
        (card(counted('side = "proces"')), "line 5: rules.side is 'proces'. Did you mean process"),
        (card(counted('cpa = "5"')), "line 5: rules.cpa is not a rule. Did you mean cap"),
        (card(counted().replace('"50"', '"0"')), "line 5: rules.every is 0; write a number above 0"),
        (card(counted().replace('"50"', '"0.5"')), "line 5: rules.every is '0.5'; write a whole number"),
        (card(counted().replace('"5"', '"-5"')), "line 5: rules.points is '-5'; write a number of at least 0"),
        (card(counted(), counted()), "rules have two rules of the name Cards"),
        (
            card('name = "Owed", measure = "collection", kind = "deduction", points = "2", from = "0", below = "0.97"'),
            "line 5: rules give Owed both from and below; write one",
        ),
        (
            card('name = "Owed", measure = "collection", kind = "deduction", points = "2", started = "no"'),
            "line 5: rules.started is 'no'; write true or false",
        ),
        (
            card(graded("bands", 'at = [["0.95", "80"], ["0.9", "100"]]')),
            "line 5: rules.at has 0.9 after 0.95; write the lowest bound first, and each once",
        ),
        (card(graded("curve", 'at = [["0.9", "1"], ["0.9", "2"]]')), "rules.at has 0.9 after 0.9; write the lowest"),
        (card(graded("curve", 'at = [["0.9", "1"]]')), "rules.at has one knot; write two at least"),
        (card(graded("bands", 'at = ["0.9"]')), "line 5: rules.at has '0.9'; write a bound and a score, such as"),
        (card(graded("bands", 'at = [["0.1234567", "1"]]')), "write at most 6 digits after the point"),
        (card(graded("bands", "at = 3")), "line 5: rules.at is 3; write a list of pairs"),
        (
            card(graded("attainment", 'floor = "90", cap = "80.5"')),
            "line 5: rules.floor is 90, above the cap of 80.5; write it lower",
        ),
        (
            card(graded("attainment", 'cap = "-1"')),
            "line 5: rules.floor is 0, above the cap of -1; write it lower",
        ),
        (card(counted(), more='floor = "10"\ncap = "5"'), "line 3: floor is 10, above the cap of 5; write it lower"),
        (card(graded("attainment", 'target = "0"')), "line 5: rules.target is '0'; write a number above 0"),
        (
            card(graded("attainment", 'on = "base", target = "0.9"')),
            "line 5: rules.target is of no use where on is base; leave it out",
        ),
        (card(graded("attainment", 'on = "value"')), "line 5: rules.on is 'value'. Known: target, base"),
        (card(graded("curve", 'on = "vlaue", at = [["0", "0"], ["1", "1"]]')), "on is 'vlaue'. Did you mean value"),
        (card(counted(), more='grades = "manager"'), "line 3: grades is 'manager'; write a list of names"),
        (card(counted(), more="years = [2026, 2025]"), "line 3: years is .2026, 2025.; write each number once"),
        (card(counted(), more='period = "weekly"'), "line 3: period is 'weekly'. Known: month, quarter, year"),
        (card(counted(), more='unmet = "all"'), "line 3: unmet is 'all'. Known: base, results"),
        (card(counted(), more=LINES.format(90, 60)), "lines have danger and elite out of order; write the lowest"),
        (card(counted(), more=LINES.format(60, 60)), "lines have danger and elite out of order"),
        (
            card(counted(), more='entries = [{measure = "saving_average", least = "1"}]'),
            "line 3: entries.measure is 'saving_average'. Did you mean savings_average",
        ),
        (card(counted(), more="entries = 3"), "line 3: entries is 3; write a list of entries"),
        ('[[scorecards]]\nname = "Card"\nrules = []\n', "line 3: rules is ..; write a list of rules"),
        (card(counted()) * 2, "line 7: scorecards have two scorecards of the name Card"),
        ("scorecards = [3]\n", "scorecards has 3; write a table with name, rules"),
        ('[[pay]]\nname = "Bonus"\n', "line 1: pay give Bonus bands or per_point; write one of the two"),
        ('[[pay]]\nname = "B"\nbands = [["60", "1"]]\nfrom = "50"\n', "give B bands, which say from where on"),
        (
            '[[pay]]\nname = "B"\nbands = [["60", "1"], ["50", "2"]]\n',
            "line 3: bands has 50 after 60; write the lowest",
        ),
        ('[[pay]]\nname = "B"\nbands = [["60", "-1"]]\n', "line 3: bands is '-1'; write an amount"),
        (
            '[[pay]]\nname = "B"\nper_point = "1"\nscorecards = ["Manager"]\n',
            "line 4: scorecards names 'Manager'. Did you mean Managers",
        ),
        ('[recut]\ntaken = "-1"\n', "line 2: taken is '-1'; write a number of at least 0"),
        ('[recut]\nstep = "0"\n', "line 2: step is 0; write a number above 0"),
        ('[recut]\ntolerance = "2"\n', "line 2: tolerance is '2'; write a share from 0 to 1"),
        ("[recut]\ncandidates = 0\n", "line 2: candidates is 0; write a whole number of at least 1"),
        (
            '[recut]\nnumber = "0"\ncontribution = "0"\ncontacts = "0"\n',
            "recut gives number, contribution and contacts all the weight 0; write one above it",
        ),
        ('[recut]\nbranch = "1"\n', "line 2: branch is not a rule"),
        (
            '[managing]\nleader_grades = ["head"]\nmiddle_grades = ["head"]\n',
            "line 3: middle_grades has head, which leader_grades has too; write it once",
        ),
        ('[managing]\nleader_grades = "head"\n', "line 2: leader_grades must be a list"),
        ('[managing]\ntwo_branches = "both"\n', "line 2: two_branches is 'both'. Known: larger share, earlier"),
        ("[managing]\nprotection_days = -1\n", "line 2: protection_days is -1; write a whole number of at least 0"),
        (
            '[[duties]]\nwho = ["goldd"]\nby = "manager"\ntimes = 1\nper = "week"\n',
            "line 2: who names 'goldd'. Did you mean gold",
        ),
        ('[[duties]]\nwho = ["rest"]\nby = "manager"\ntimes = 0\nper = "week"\n', "line 4: times is 0; write a whole"),
        ('[[duties]]\nwho = ["rest"]\nby = "manager"\ntimes = 1\n', "line 1: per is missing; write it"),
    ],
)
def test_a_wrong_rule_of_managers_is_named_with_its_line(tmp_path, text, says):
    with pytest.raises(crm.InputError, match=says):
        policy(tmp_path, text)


def test_a_banks_scorecards_stand_in_place_of_ours_in_whole_numbers(tmp_path):
    text = card(
        graded("curve", 'on = "base", floor = "-10", at = [["0.8", "-5"], ["1.000001", "100.5"]]', weight="62.5"),
        f'{MONEY}, weight = "37.5", target = "500000.50", cap = "150"',
        counted('side = "process", cap = "12.5"'),
        'name = "Owed", measure = "collection", kind = "deduction", points = "2", below = "0.97", every = "0.01"',
        'name = "Late", measure = "overdue_loans", kind = "deduction", points = "1", started = true',
        more='grades = ["junior"]\nyears = [2024, 2025]\nbase = "90"\ndeduction_cap = "50"\nfloor = "-2"',
    )
    [found] = policy(tmp_path, text).scorecards
    curve, money, cards, owed, late = found.rules
    assert (found.period, found.grades, found.peer_groups, found.years) == ("quarter", ("junior",), (), (2024, 2025))
    assert (found.base, found.deduction_cap, found.floor, found.cap, found.unmet) == (
        90_000,
        50_000,
        -2_000,
        None,
        "results",
    )
    assert (curve.at, curve.floor, curve.weight) == (((800_000, -5_000), (1_000_001, 100_500)), -10_000, 62_500)
    assert (money.on, money.target, money.floor, money.cap) == ("target", 50_000_050, 0, 150_000)
    assert (cards.side, cards.every, cards.points, cards.cap) == ("process", 50, 5_000, 12_500)
    assert (owed.side, owed.start, owed.every, owed.is_below) == ("deductions", 970_000, 10_000, True)
    assert (late.every, late.is_started) == (100, True)  # one unit of the base currency


def test_money_of_a_scorecard_is_in_the_smallest_unit_of_the_base_currency(tmp_path):
    yen = policy(tmp_path, 'base_currency = "JPY"\n')
    ours = crm.policy.load()
    targets = [{rule.name: rule.target for rule in found.scorecards[1].rules if rule.target} for found in (yen, ours)]
    assert targets == [
        {"Net new money": 500_000, "New customers": 4},
        {"Net new money": 50_000_000, "New customers": 4},
    ]
    assert (yen.pay[0].base, ours.pay[0].base) == (3_000, 300_000)


def test_our_scorecards_weigh_results_and_process_and_are_all_paid():
    ours = crm.policy.load()
    assert [found.name for found in ours.scorecards] == ["Associates", "Managers"]
    for found in ours.scorecards:
        weights = {
            side: sum(rule.weight or 0 for rule in found.rules if rule.side == side) for side in ("results", "process")
        }
        assert sum(weights.values()) == 100_000
        assert min(weights.values()) >= 30_000
        assert [line.name for line in found.lines] == ["danger", "lifeline", "model", "elite"]
    assert ours.scorecards[-1].grades == ours.pay[-1].scorecards == ()  # the last ones fit all


def test_duties_may_name_the_tiers_of_the_bank(tmp_path):
    text = '[[duties]]\nwho = ["private", "key"]\nby = "leader"\ntimes = 3\nper = "year"\n'
    [duty] = policy(tmp_path, text).duties
    assert (duty.who, duty.by, duty.times, duty.per) == (("private", "key"), "leader", 3, "year")
    assert policy(tmp_path, "duties = []\n").duties == ()


def test_the_rules_of_managers_in_words(tmp_path):
    text = card(
        graded("bands", 'at = [["0.9", "80"], ["1", "100"]], otherwise = "90"', weight="60"),
        f'{MONEY}, weight = "40", side = "process"',
        counted('from = "500", cap = "20"'),
        'name = "Owed", measure = "collection", kind = "deduction", points = "2", below = "0.97", every = "0.01"',
        'name = "Complaints", measure = "complaints", kind = "deduction", points = "1"',
        more='grades = ["junior"]\npeer_groups = ["small", "large"]\nbase = "1"\ndeduction_cap = "50"\ncap = "99.5"\n'
        + 'entries = [{measure = "savings_average", least = "3000000"}]',
    )
    text += '[[pay]]\nname = "Bonus"\nscorecards = ["Card"]\nbands = [["60", "100"], ["90", "250.50"]]\n'
    said = [line.strip() for line in words(policy(tmp_path, text))]
    for sentence in [
        "It is for managers of the grade junior in branches of the peer group small or large, every quarter.",
        "Entry: savings average of at least 3,000,000 CNY. It is worth 1 point; else neither these nor results count.",
        "Rule (retention): the value scores 80 from 90 % and 100 from 100 % on; weight 60; 90 where there is nothing "
        "to judge.",
        "Money (net new money, process): its share of the target times 100, at least 0; weight 40.",
        "Cards (new cards): 5 points for each full 50 beyond 500, at most 20.",
        "Owed (collection): 2 points off for each full 1 % below 97 %.",
        "Complaints: 1 point off for each.",
        "All deductions together take at most 50.",
        "The total is at most 99.5.",
        "Bonus, for Card: 100 CNY from 60 points on and 250.50 CNY from 90 points on, and nothing below.",
        "The manager speaks with those the branch has nominated twice a week.",
    ]:
        assert sentence in said, sentence


def test_what_a_book_dealt_anew_costs_is_the_banks_and_is_told(tmp_path):
    found = policy(tmp_path, '[recut]\ntaken = "2.5"\ntolerance = "1"\ncandidates = 9\n')
    ours = crm.policy.load().recut
    assert found.recut == replace(ours, taken=2.5, tolerance=1.0, candidates=9)
    said = "\n".join(words(found))
    assert "and taken from a manager who stays 2.5." in said
    assert "Each kind's share in what a manager receives is as it comes." in said
    assert "For each customer at most 9 managers are candidates." in said
