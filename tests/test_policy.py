"""Rules are data: what a bank may change, and what it is told when it errs."""

from datetime import date
from decimal import Decimal

import polars as pl
import pytest

import crmlab as crm
from crmlab.bank import schema
from crmlab.policy.words import prices, words


def policy(tmp_path, text: str):
    path = tmp_path / "policy.toml"
    path.write_text(text, "utf-8")
    return crm.policy.load(path)


def test_a_banks_file_holds_only_what_differs(tmp_path):
    own = policy(tmp_path, '[activity]\nwindow_days = 30\n[minor_digits]\nXAU = 4\n[lines]\ninsurance = "services"\n')
    ours = crm.policy.load()
    assert (own.activity_window_days, own.digits("XAU"), own.digits("JPY")) == (30, 4, 0)
    assert own.activity_kinds == ours.activity_kinds
    assert own.lines_of("investments") == ["wealth"]
    assert own.hash != ours.hash


def test_the_hash_is_of_the_rules_and_not_of_their_layout(tmp_path):
    assert policy(tmp_path, "# ours, unchanged\n").hash == crm.policy.load().hash


def test_what_a_customer_is_worth_is_read_into_whole_numbers(tmp_path):
    own = policy(
        tmp_path,
        """
        [pricing.curves]
        cards = "0"
        [contribution]
        tax = 0.25
        [contribution.cost]
        counter = "7.25"
        [contribution.pd]
        AAA = "0.000001"
        [contribution.lgd]
        vessel = 0.4
        [contribution.capital]
        loans = "0.012"
        [contribution.points.deposits]
        average = "0"
        fee = "2"
        """,
    )
    ours, rules = crm.policy.load(), own.contribution
    assert own.pricing.curves == {"deposits": "deposits", "loans": "loans"}
    assert (rules.tax, rules.cost["counter"], rules.cost["atm"]) == (250_000, 725, 150)
    assert rules.pd == ours.contribution.pd | {"AAA": 1}
    assert rules.lgd == ours.contribution.lgd | {"vessel": 400_000}
    assert rules.capital == {"loans": 12_000}
    assert rules.points["deposits"] == {"fee": 2_000_000}
    assert rules.points["loans"] == {"average": 800}
    assert rules.components == ("margin", "fee", "service_cost", "expected_loss", "capital", "tax")
    assert own.deviation == crm.policy.Deviation(200_000, Decimal("10000.00"))


def test_a_zero_takes_a_line_out_and_with_the_last_one_the_component(tmp_path):
    rules = policy(
        tmp_path, '[contribution.capital]\nloans = "0"\n[contribution.points]\nloans = {average = 0}\n'
    ).contribution
    assert (rules.capital, rules.points.get("loans")) == ({}, None)
    assert rules.components == ("margin", "fee", "service_cost", "expected_loss")


def test_what_there_must_be_cannot_be_taken_away(tmp_path):
    rules = policy(tmp_path, '[contribution.lgd]\nvessel = 1\n[contribution.pd_by_class]\nloss = "0.9"\n').contribution
    assert (rules.lgd["none"], rules.pd_by_class["normal"]) == (600_000, 10_000)


def test_money_is_in_the_smallest_unit_of_the_base_currency(tmp_path):
    yen = policy(tmp_path, 'base_currency = "JPY"\n')
    assert (yen.tiers[0].levels[1].lower, yen.contribution.cost["counter"]) == (50_000, 8)
    assert yen.contribution.cost["atm"] == 2  # ours, 1.50, to the nearest
    with pytest.raises(crm.InputError, match=r"line 3: cost.atm is '1.50'; write at most 0 digits after the point."):
        policy(tmp_path, 'base_currency = "JPY"\n[contribution.cost]\natm = "1.50"\n')


STARS = """
[[tiers]]
name = "star"
on = "points"
months = 6
assessed = [6, 12]
confirm = 2
levels = [
  {name = "unrated"}, {name = "quasi-star", above = "0"},
  {name = "three", from = "50"}, {name = "four", from = "500.5"},
]
[completeness]
key_tiers = ["four"]
"""
WEIGHTED = """
[[tiers]]
name = "asset class"
on = "weighted_average"
months = 3
near = 0.05
levels = [{name = "plain"}, {name = "noble", from = "300000"}]
[tiers.weights]
cash = "1"
bonds = "0.8"
deposits = 1.2
[completeness]
key_tiers = ["noble"]
"""


def test_tiers_on_points_counted_in_thousandths_and_assessed_twice_a_year(tmp_path):
    [star] = policy(tmp_path, STARS).tiers
    assert [(level.name, level.lower) for level in star.levels] == [
        ("unrated", None), ("quasi-star", 1), ("three", 50_000), ("four", 500_500),
    ]  # fmt: skip
    assert (star.on, star.months, star.assessed, star.confirm) == ("points", 6, (6, 12), 2)
    assert (star.buffer, star.near, star.weights) == (0, 0, {})


def test_tiers_on_weighted_assets(tmp_path):
    [rule] = policy(tmp_path, WEIGHTED).tiers
    assert rule.weights == {"cash": 1_000_000, "bonds": 800_000, "deposits": 1_200_000}
    assert [level.lower for level in rule.levels] == [None, 30_000_000]
    assert (rule.assessed, rule.near) == (tuple(range(1, 13)), 50_000)


def test_words_that_policy_shares_with_the_dictionary():
    customers = schema.TABLES["customers"].columns()
    may_be_missing = [name for name, column in customers.items() if column.nullable]
    known = [name for name in may_be_missing if name not in schema.columns("customers", time="current")]
    assert [*known, "contact_person"] == list(crm.policy.FIELDS)
    assert list(crm.policy.KINDS) == list(schema.KINDS)
    assert list(crm.policy.CHANNELS) == list(schema.CHANNELS)
    assert list(crm.policy.FIVE_GRADES) == list(schema.FIVE_GRADES)


def tier(levels: str, more: str = "") -> str:
    """A policy of one tier rule, its levels in line 5."""
    return f'[[tiers]]\nname = "tier"\non = "aum_average"\n{more}\nlevels = [{levels}]\n'


def segments(*rows: str, activity: str = '{name = "all"}', more: str = "") -> str:
    """A policy of one level of earning, its rows from line 5 on; a row is name, activity, growth."""
    head = f'[segments]\nactivity_levels = [{activity}]\nearning_levels = [{{name = "any"}}]\n{more}\n'
    return head + "".join(
        f'[[segments.rows]]\nname = "{name}"\nactivity = {names}\nearning = ["any"]\ngrowth = {growth}\n'
        f'means = "Is."\ndo = "Do."\n'
        for name, names, growth in (row.split("|") for row in rows)
    )


def trigger(kind: str, more: str, leads: str = 'lines = ["wealth"]') -> str:
    """A policy of one life event: its kind in line 3, what it is measured by from line 6 on."""
    days = "follow_days = 60\nfresh_days = 30"
    return f'[[triggers]]\nname = "Event"\nkind = "{kind}"\n{days}\n{more}\n{leads}\n'


ALL = 'Rest|["all"]|["falling", "steady", "rising"]'
TWO = '{name = "asleep"}, {name = "awake", within = 60}'


def test_segments_of_a_bank_stand_in_place_of_ours(tmp_path):
    text = segments(
        'Up|["awake"]|["rising"]',
        'Else|["awake"]|["falling", "steady"]',
        'Out|["asleep"]|["falling", "steady", "rising"]',
        activity=TWO,
        more="contribution_months = 12",
    )
    rules = policy(tmp_path, text).segmentation
    assert [(level.name, level.within) for level in rules.activity] == [("asleep", None), ("awake", 60)]
    assert [row.name for row in rules.rows] == ["Up", "Else", "Out"]
    assert rules.rows[1].cells() == [("awake", "any", "falling"), ("awake", "any", "steady")]
    assert rules.contribution_months == 12


def test_our_segments_are_seven_to_nine_and_cover_27_cells_once():
    rules = crm.policy.load().segmentation
    cells = [cell for row in rules.rows for cell in row.cells()]
    assert 7 <= len(rules.rows) <= 9
    assert len(cells) == len(set(cells)) == len(rules.activity) * len(rules.earning) * len(crm.policy.GROWTH) == 27
    assert all(text.endswith(".") for row in rules.rows for text in (row.means, row.do))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[activity\n", "is not valid TOML"),
        ("[activity]\nwindow_day = 3\n", "line 2: window_day is not a rule. Did you mean window_days?"),
        ("[activity]\nwindow_days = 0\n", "line 2: window_days is 0; write a whole number of at least 1"),
        ('[activity]\nkinds = ["pament"]\n', "names 'pament'. Did you mean payment?"),
        ("[activity]\nkinds = []\n", "write a list of names"),
        ("[landing]\nmax_reject_share = 2\n", "write a share from 0 to 1"),
        ('[landing]\ntolerance = "ten"\n', "write an amount"),
        ('[lines]\ndeposits = "deposit"\n', "counts as 'deposit'. Did you mean deposits?"),
        ('[lines]\ncrypto = "deposits"\n', "crypto is not a rule"),
        ("activity = 3\n", "activity must be a table"),
        (
            '[[rfm.segments]]\nname = "All"\nr = [1, 5]\nf = [1, 5]\nm = [1, 4]\n',
            "leave 25 of 125 cells out .first: .1, 1, 5",
        ),
        (
            '[[rfm.segments]]\nname = "All"\nr = [1, 5]\nf = [1, 5]\nm = [1, 5]\n'
            '[[rfm.segments]]\nname = "Top"\nr = [5, 5]\nf = [5, 5]\nm = [5, 5]\n',
            "put cell .5, 5, 5. into two, All and Top",
        ),
        ('[[rfm.segments]]\nname = "All"\n', "each need a name"),
        ('[[rfm.segments]]\nname = "All"\nr = [1, 6]\nf = [1, 5]\nm = [1, 5]\n', "have 25 cells outside 1 to 5"),
        ('base_currency = "yuan"\n', "line 1: base_currency is 'yuan'; write a currency such as CNY"),
        ('[landing]\ntolerance = "-1"\n', "tolerance is '-1'; write an amount"),
        ("[churn]\nleast_months = 7\n", "least_months is 7; write at most 6, which is median_months"),
        ("[pricing]\ntenors = [0, 12, 6]\n", "line 2: tenors is .0, 12, 6.; write each number once, from the lowest"),
        ("[pricing]\ntenors = [0, 3, 3]\n", "write each number once"),
        ("[pricing]\ntenors = [3, 6]\n", "line 2: tenors begins with 3; begin with 0, which is demand"),
        ("[pricing]\ntenors = []\n", "write a list of whole numbers"),
        ("[pricing]\ntenors = 3\n", "line 2: tenors must be a list"),
        ('[pricing]\noverdraft_rate = "8"\n', "overdraft_rate is '8'; write a share from 0 to 1"),
        ('[pricing]\noverdraft_curve = "loan"\n', "overdraft_curve is 'loan'. Did you mean loans?"),
        (
            '[pricing.curves]\ndeposit = "deposits"\n',
            "line 2: curves.deposit is not a product line. Did you mean deposits?",
        ),
        ('[pricing.curves]\ncards = "loan"\n', "line 2: curves.cards is 'loan'. Did you mean loans?"),
        ("[pricing.day_count]\nCNY = 30\n", "line 2: day_count.CNY is 30; write a whole number from 360 to 366"),
        ("[pricing.day_count]\nyuan = 365\n", "line 2: day_count.yuan is no currency"),
        ('[contribution]\nsubstituted_share = "1.2"\n', "substituted_share is '1.2'; write a share from 0 to 1"),
        ("[contribution]\ntax = true\n", "tax is True; write a share from 0 to 1"),
        ('[contribution]\ntax = "nan"\n', "tax is 'nan'; write a share from 0 to 1"),
        ('[contribution]\ntax = "0.0000001"\n', "tax is '0.0000001'; write at most 6 digits after the point"),
        ('[contribution.cost]\nweb = "1"\n', "line 2: cost.web is not a channel. Known: counter, atm"),
        ('[contribution.cost]\ncounter = "-8"\n', "line 2: cost.counter is '-8'; write an amount"),
        ('[contribution.cost]\natm = "0.005"\n', "cost.atm is '0.005'; write at most 2 digits after the point"),
        ('[contribution.commission_on_balance]\nfunds = "0.1"\n', "commission_on_balance.funds is not a product line"),
        ('[contribution.commission_on_turnover]\ncard = "0.1"\n', "Did you mean cards?"),
        ('[contribution.pd]\nA = "3"\n', "line 2: pd.A is '3'; write a share from 0 to 1"),
        ('[contribution.pd_by_class]\ndoubtfull = "1"\n', "is not a five-grade class. Did you mean doubtful?"),
        ('[contribution.lgd]\nnone = ""\n', "lgd.none is ''; write a share from 0 to 1"),
        ('[contribution.conversion]\nloan = "1"\n', "conversion.loan is not a product line. Did you mean loans?"),
        ('[contribution.capital]\nloan = "1"\n', "capital.loan is not a product line. Did you mean loans?"),
        ('[contribution.points]\nfunds = {fee = "1"}\n', "line 2: points.funds is not a product line"),
        ("[contribution.points]\nloans = 3\n", "line 2: points.loans must be a table"),
        ('[contribution.points.cards]\nfees = "1"\n', "line 2: points.cards.fees is not a basis. Did you mean fee?"),
        ('[contribution.points.cards]\nfee = "-1"\n', "line 2: points.cards.fee is '-1'; write a number of at least 0"),
        ("[deviation]\nflag = 20\n", "line 2: flag is 20; write a share from 0 to 1"),
        ('[deviation]\nleast = "-1"\n', "line 2: least is '-1'; write an amount"),
        ('[completeness]\nkey_tiers = ["golden"]\n', "line 2: key_tiers names 'golden'. Did you mean gold?"),
        (
            '[completeness.fields]\nretails = ["name"]\n',
            "line 2: fields.retails is not a kind of customer. Did you mean retail?",
        ),
        (
            '[completeness.fields]\nretail = ["birthday"]\n',
            "line 2: fields.retail names 'birthday'. Did you mean birth_on?",
        ),
        ('[completeness.fields]\nretail = ["risk_grade"]\n', "fields.retail names 'risk_grade'. Known: branch_id"),
        ("tiers = []\n", "line 1: tiers is ..; write a list of rules"),
        ("tiers = [3]\n", "tiers has 3; write a table with name, on, levels"),
        (tier('{name = "a"}', "asessed = [6]"), "line 4: asessed is not a rule. Did you mean assessed?"),
        ('[[tiers]]\nname = "tier"\non = "point"\nlevels = []\n', "line 3: on is 'point'. Did you mean points?"),
        ('[[tiers]]\nname = "tier"\non = "points"\n', "line 1: levels is missing; write it"),
        (tier('{name = "a"}', "assessed = [6, 13]"), "line 4: assessed is 13; write a whole number from 1 to 12"),
        (tier('{name = "a"}', "assessed = [0]"), "line 4: assessed is 0; write a whole number from 1 to 12"),
        (tier('{name = "a"}', 'buffer = "1.1"'), "line 4: buffer is '1.1'; write a share from 0 to 1"),
        (tier('{name = "a"}', "confirm = 0"), "line 4: confirm is 0; write a whole number of at least 1"),
        (
            tier('{name = "a"}', "weights = {cash = 1}"),
            "line 4: weights must be there where on is weighted_average, and only",
        ),
        (
            WEIGHTED.replace('[tiers.weights]\ncash = "1"\nbonds = "0.8"\ndeposits = 1.2', ""),
            "line 2: weights must be there",
        ),
        (WEIGHTED.replace('"0.8"', '"-1"'), "line 10: weights.bonds is '-1'; write a number of at least 0"),
        (
            tier('{name = "a"}, {name = "b", from = "9"}, {name = "c", from = "8"}'),
            "line 5: levels have b and c overlap",
        ),
        (
            tier('{name = "a"}, {name = "b", from = "9"}, {name = "c", from = "9"}'),
            "have b and c overlap; write the lowest",
        ),
        (tier('{name = "a"}, {name = "b", top = "0.2"}, {name = "c", top = "0.5"}'), "have b and c overlap"),
        (tier('{name = "a"}, {name = "a", from = "9"}'), "line 5: levels have two levels of the name a"),
        (
            tier('{name = "a"}, {name = "b", from = "9"}, {name = "c", top = "0.2"}'),
            "levels mix amounts .from, above. and shares",
        ),
        (
            tier('{name = "a"}, {name = "b", from = "9", top = "0.2"}'),
            "levels give b two bounds, from and top; write one",
        ),
        (tier('{name = "a", from = "9"}'), "levels begin with a, which has a bound"),
        (tier('{name = "a"}, {name = "b"}'), "levels leave b without a bound; write from, above or top"),
        (tier('{name = "a"}, {name = "b", from = "-9"}'), "levels.from is '-9'; write an amount"),
        (tier('{name = "a"}, {name = "b", form = "9"}'), "levels.form is not a rule. Did you mean from?"),
        (tier('\n{name = "a"},\n{name = "b", from = "x"},\n'), "line 7: levels.from is 'x'; write an amount"),
        (tier('{name = "a"}'), "key_tiers names 'platinum'. Known: a"),
        (STARS + STARS.partition("[comp")[0], "line 15: tiers have two rules of the name star"),
        ("[growth]\nmonths = 0\n", "line 2: months is 0; write a whole number of at least 1"),
        ('[growth]\nchange = "10"\n', "line 2: change is '10'; write a share from 0 to 1"),
        (
            segments(ALL, 'Top|["all"]|["rising"]'),
            r"line 12: rows put cell \(all, any, rising\) into two, Rest and Top",
        ),
        (
            segments('Rest|["awake"]|["falling", "steady", "rising"]', 'Out|["asleep"]|["steady"]', activity=TWO),
            r"line 5: rows leave 2 of 6 cells out \(first: asleep, any, falling\); put each into one",
        ),
        (segments(ALL, ALL), "line 12: rows have two segments of the name Rest"),
        (segments('Rest|["al"]|["steady"]'), "line 7: rows.activity names 'al'. Did you mean all?"),
        (segments('Rest|["all"]|["stedy"]'), "line 9: rows.growth names 'stedy'. Did you mean steady?"),
        (segments('Rest|[]|["steady"]'), "line 7: rows.activity is ..; write a list of names"),
        (
            segments(ALL).replace('means = "Is."', 'mean = "Is."'),
            "line 10: rows.mean is not a rule. Did you mean means?",
        ),
        (segments(ALL).replace('do = "Do."', ""), "line 5: rows.do is missing; write it"),
        (segments(ALL).replace('"Do."', '" "'), "line 11: rows.do is ' '; write a text in quotes"),
        ("[segments]\nrows = []\n", "line 2: rows is ..; write a list of segments"),
        (
            segments(ALL, activity='{name = "all", within = 9}'),
            "line 2: activity_levels begin with all, which has a bound",
        ),
        (
            segments(ALL, activity='{name = "all"}, {name = "b"}'),
            "activity_levels leave b without a bound; write within",
        ),
        (
            segments(ALL, activity=f'{TWO}, {{name = "up", within = 60}}'),
            "activity_levels have awake and up overlap; write the lowest level first",
        ),
        (segments(ALL, activity=f"{TWO}, {TWO}"), "activity_levels have two levels of the name asleep"),
        (
            segments(ALL, activity='{name = "all"}, {name = "b", within = 0}'),
            "within is 0; write a whole number of at least 1",
        ),
        (segments(ALL, activity="3"), "line 2: activity_levels has 3; write a table with name"),
        ("[segments]\nearning_levels = []\n", "line 2: earning_levels is ..; write a list of levels"),
        (
            '[segments]\nearning_levels = [{name = "l"}, {name = "high", top = "0.2"}, {name = "mid", top = "0.5"}]\n',
            "line 2: earning_levels have high and mid overlap",
        ),
        ("[life_cycle]\nnew_months = 0\n", "line 2: new_months is 0; write a whole number of at least 1"),
        ("[groups]\nmax_household = 1\n", "line 2: max_household is 1; write a whole number of at least 2"),
        ('[groups]\nsurname = "frist"\n', "line 2: surname is 'frist'. Did you mean first?"),
        ("[funnel]\nsettle_days = -1\n", "line 2: settle_days is -1; write a whole number of at least 0"),
        ("[clusters]\nk = [2]\n", "line 2: k is .2.; write the fewest and the most, such as .2, 8."),
        ("[clusters]\nk = [8, 2]\n", "write each number once, from the lowest to the highest"),
        ("[clusters]\nleast = 15\n", "line 2: least is 15; write a whole number of at least 16"),
        ('[clusters]\nfloor = "2"\n', "line 2: floor is '2'; write a share from 0 to 1"),
        ('[profile]\nleast_effect = "-1"\n', "line 2: least_effect is '-1'; write a number of at least 0"),
        ("[crosssell]\nhorizons = [3, 1]\n", "line 2: horizons is .3, 1.; write each number once, from the lowest"),
        ('[crosssell]\nleast_support = "2"\n', "line 2: least_support is '2'; write a share from 0 to 1"),
        (trigger("maturing_soon", "days = 0"), "line 6: days is 0; write a whole number from 1 to 366"),
        (trigger("maturing", "days = 9"), "line 3: kind is 'maturing'. Did you mean maturing_soon?"),
        (
            trigger("maturing_soon", 'days = 9\ntimes = "2"'),
            "line 7: times is not a rule. Did you mean lines",
        ),
        (trigger("salary_rise", 'times = "1.2"\nmonths = 3'), "line 1: months_before is missing; write it"),
        (
            trigger("maturing_soon", "days = 9", 'lines = ["term deposit"]'),
            "line 7: lines names 'term deposit'. Did you",
        ),
        (trigger("maturing_soon", "days = 9", "lines = []"), "line 1: triggers let Event lead nowhere; write lines or"),
        (trigger("maturing_soon", "days = 9") * 2, "line 8: triggers have two triggers of the name Event"),
        (
            trigger("maturing_soon", "days = 9") + trigger("maturing_soon", "days = 9").replace("Event", "Other"),
            "line 8: triggers have two of the kind maturing_soon; write one",
        ),
        ("triggers = [3]\n", "line 1: triggers has 3; write a table with name, kind"),
        ('[eligibility]\nrules = ["owns"]\n', "line 2: rules names 'owns'. Did you mean owned"),
        ("[eligibility.age]\nloans = {from = 70}\n", "line 2: age.loans is from 70 to 65; write the youngest first"),
        ("[eligibility.age]\nloans = {form = 18}\n", "line 2: age.loans.form is not a rule. Did you mean from?"),
        ('[eligibility.highest_risk]\nC4 = "R6"\n', "line 2: highest_risk.C4 is 'R6'. Known: R1, R2"),
        (
            '[eligibility.exposure_cap]\nretails = "9"\n',
            "line 2: exposure_cap.retails is not a kind of customer. Did you",
        ),
        ('[eligibility.kinds]\ncards = ["people"]\n', "line 2: kinds.cards names 'people'. Known: retail"),
        ('[eligibility.missing]\nage = "drop"\n', "line 2: missing.age is 'drop'. Known: exclude, keep"),
        ("[campaigns]\nread_out_days = 0\n", "line 2: read_out_days is 0; write a whole number of at least 1"),
        ('[campaigns]\ncost = "0.001"\n', "line 2: cost is '0.001'; write at most 2 digits after the point"),
    ],
)
def test_a_wrong_rule_is_named_with_its_line(tmp_path, text, says):
    with pytest.raises(crm.InputError, match=says):
        policy(tmp_path, text)


def test_life_events_of_a_bank_stand_in_place_of_ours(tmp_path):
    text = trigger("maturing_soon", "days = 20", 'products = ["D13"]\nlines = ["term deposits"]')
    [event] = policy(tmp_path, text).triggers
    assert (event.days, event.lines, event.products) == (20, ("term deposits",), ("D13",))
    assert (event.times, event.months, event.share, event.floor) == (None,) * 4
    assert policy(tmp_path, "triggers = []\n").triggers == ()


def test_our_life_events_are_three():
    ours = crm.policy.load().triggers
    assert [event.kind for event in ours] == ["inflow_stayed", "maturing_soon", "salary_rise"]
    assert (ours[0].times, ours[0].floor, ours[0].share) == (3_000_000, 2_000_000, 800_000)


def test_who_may_be_offered_what_is_laid_over_ours(tmp_path):
    rules = policy(
        tmp_path,
        """
        [eligibility]
        rules = ["owned", "age", "risk"]
        [eligibility.age]
        loans = {from = 21}
        cards = {from = 0, to = 0}
        W04 = {to = 70}
        [eligibility.highest_risk]
        E = "R1"
        [eligibility.exposure_cap]
        retail = "0"
        [eligibility.missing]
        consent = "keep"
        """,
    ).eligibility
    assert rules.rules == ("owned", "age", "risk")
    assert (rules.age["loans"], rules.age["cards"], rules.age["W04"]) == ((21, 65), (None, None), (None, 70))
    assert (rules.highest_risk["E"], rules.highest_risk["C5"]) == ("R1", "R5")
    assert rules.exposure_cap == {"small business": 1_000_000_000}
    assert (rules.missing["consent"], rules.missing["age"]) == ("keep", "exclude")


def test_a_file_that_is_not_there():
    with pytest.raises(crm.InputError, match="There is no policy file"):
        crm.policy.load("nowhere.toml")


# -- in words


CURVE = pl.DataFrame(
    [
        ("CNY", "deposits", 0, date(2025, 4, 1), 15000),
        ("CNY", "deposits", 12, date(2024, 12, 1), 99000),  # no longer
        ("CNY", "deposits", 12, date(2025, 3, 1), 23500),
        ("CNY", "deposits", 13, date(2025, 3, 1), 99000),  # not a tenor of the policy
        ("USD", "loans", 240, date(2025, 3, 1), 41250),
        ("CNY", "insurance", 12, date(2025, 3, 1), 99000),  # no line is funded on it
    ],
    schema=["currency", "line", "term_months", "on", "rate"],
    orient="row",
)


def test_transfer_prices_in_words():
    assert prices(crm.policy.load(), CURVE) == [
        "Deposits in CNY on demand on 2025-04-01 earn 1.5 % (FTP) less the client rate.",
        "Deposits in CNY of 12 months made on 2025-03-01 earn 2.35 % (FTP) less the client rate.",
        "Loans in USD of 240 months made on 2025-03-01 earn the client rate less 4.125 % (FTP).",
        "Cards in USD of 240 months made on 2025-03-01 earn the client rate less 4.125 % (FTP).",
    ]
    assert prices(crm.policy.load(), CURVE.clear()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "A customer without one for 90 days is not active."),
        ("", "Cards, settlement, e-banking, international and guarantees count as services."),
        ("", "Champions have recency 4 to 5, frequency 4 to 5 and monetary 4 to 5."),
        ("", "A transaction in the channel counter costs 8 CNY."),
        ("", "In place of one at the counter, an online transaction saves 7.60 CNY, a mobile one 7.70 CNY."),
        ("", "A default without a listed collateral loses 60 %."),
        ("", "Cards yield 0.35 % of what is spent in commission."),
        ("", "E-banking earns 0.05 points a month for each transaction."),
        ("", "Settlement earns 0.5 points a month for each CNY of fees."),
        ("", "Contribution bears no cost of capital."),
        ('[contribution.capital]\nloans = "0.0125"\n', "Capital costs 1.25 % a year of the exposure of loans."),
        ("[contribution]\ntax = 0.25\n", "Tax takes 25 % of what is left."),
        (
            "",
            "A customer is basic, from 50,000 CNY gold, from 200,000 CNY platinum, from 1,000,000 CNY diamond "
            "and from 6,000,000 CNY private.",
        ),
        ("", "Whoever is more than 10 % below the bound of the level falls at once."),
        ("", "Of the customers of a kind, the best 50 % are B and the best 20 % are A; all others are C."),
        ("", "Key customers are those of the tier platinum, diamond or private."),
        (
            "",
            "At a month's end, who last did something of their own less than 30 days before is active, less than 90 "
            "days before is quiet and earlier is dormant.",
        ),
        (
            "",
            "Of the customers of a kind in a month, the best 20 % are high and the best 50 % are middle; all others "
            "are low.",
        ),
        ("", "Slipping: activity quiet or active, earning middle or high, growth falling."),
        (segments(ALL), "Rest: Is. Do."),
        (
            "",
            "A customer is rising or falling where it changed by at least 10 % of what it was and by at least 1,000 "
            "CNY, and steady otherwise.",
        ),
        ("", "A household has at most 6 customers."),
        (STARS, "It is assessed at the end of June and December on the points of the last 6 months."),
        (
            STARS,
            "A customer is unrated, from 0.001 points quasi-star, from 50 points three and from 500.50 points four.",
        ),
        (STARS, "Whoever is below the level falls when 2 assessments in a row say so."),
        ("", "Accounts of one product that are no more than 45 days apart are one holding."),
        (
            "",
            "Large inflow that stays: a month brought at least 3 times the median of the 6 months before and 20,000 "
            "CNY, and 15 days after it 80 % of what exceeded the median is still there.",
        ),
        ("[eligibility]\nrules = []\n", "Everybody may be offered everything."),
        ("[eligibility.age]\nW04 = {to = 70}\n", "Only people of 70 years or less are offered W04."),
        ('[eligibility.missing]\nkyc = "keep"\n', "Who is not known to fit is kept: kyc."),
        (WEIGHTED, "Cash counts with 100 %, bonds counts with 80 % and deposits counts with 120 %."),
    ],
)
def test_rules_in_words(tmp_path, text, sentence):
    assert f"  {sentence}" in words(policy(tmp_path, text))


def test_a_bank_without_some_rules_in_words(tmp_path):
    none = """
    [lines]\ndeposits = "services"\nwealth = "services"\ninsurance = "services"
    [contribution.commission_on_balance]\nwealth = 0\ninsurance = 0
    [contribution.commission_on_turnover]\ncards = 0
    """
    said = words(policy(tmp_path, none))
    assert "  There is no commission." in said
    assert not any("make up AUM" in line for line in said)
