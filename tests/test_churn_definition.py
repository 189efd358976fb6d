"""Who left: a few customers for each clause, worked in the head; and what cannot be told."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab.errors import InputError
from crmlab.measures.churn.definition import COLUMNS, WATCHED
from tests.leavers import (
    APR,
    AUG,
    DEC,
    FEB,
    GONE,
    JAN,
    JUL,
    JUN,
    MAR,
    MAY,
    MONTHS,
    NOV,
    OCT,
    OLD,
    RULE,
    SEP,
    events,
    matured,
    salaries,
    standing,
    through,
    told,
)

STILL = (APR, OCT, None)  # at risk once three months are known, told until two months before the last


@pytest.mark.parametrize(
    ("averages", "expected"),
    [
        ([100] * 12, [STILL]),
        ([100] * 6 + [19] * 6, [(APR, JUL, "run-off")]),
        ([100] * 6 + [20] * 6, [STILL]),  # a fifth is not below a fifth
        ([100] * 6 + [19, 19] + [100] * 4, [STILL]),  # back within two months
        ([100] * 6 + [19, 19, 20] + [5] * 3, [(APR, OCT, "run-off")]),  # the usual has fallen to 60, 5 is below 12
        ([100] * 10 + [5, 5], [STILL]),  # not confirmed: nothing yet
        ([100] * 9 + [5, 5, 5], [(APR, OCT, "run-off")]),  # confirmed by the last month
        ([1] * 6 + [0] * 6, [(APR, JUL, "run-off")]),  # a thousand is just enough
        ([0.9] * 6 + [0] * 6, [STILL]),  # too little to tell
        ([100] * 2 + [5] * 10, [(JUN, OCT, None)]),  # fell before anything was usual; with what is left from June on
        ([100, 100, 5] + [100] * 9, [(MAY, OCT, None)]),
        ([-50] * 6 + [-900] * 6, [STILL]),  # an overdraft is a loan
        ([100] * 6 + [GONE] * 6, [(APR, JUN, "closure")]),  # closed in June
        ([100] * 5 + [19, 19] + [GONE] * 5, [(APR, JUN, "run-off")]),  # the money went before the account
        ([100] * 5 + [19] + [GONE] * 6, [(APR, JUN, "closure")]),  # a tie
        ([100] * 6 + [GONE] + [100] * 5, [STILL]),  # back within two months
        ([100] * 6 + [GONE, GONE] + [100] * 4, [(APR, JUN, "closure")]),  # none at the end of August: too late
        ([0] * 6 + [GONE] * 6, [(APR, JUN, "closure")]),  # no money, but an account
        ([100] * 10 + [GONE, GONE], [(APR, OCT, "closure")]),
        ([100] * 11 + [GONE], [STILL]),
        ([100, 100] + [GONE] * 10, []),  # left before anything was usual
        ([GONE] * 7 + [100] * 5, []),  # not at risk before November, which cannot be told yet
        ([GONE] * 6 + [100] * 6, [(OCT, OCT, None)]),
        # Gone in May, told in July; back from August to October: at risk again from November on, which is too late,
        ([100] * 4 + [5] * 3 + [100] * 5, [(APR, MAY, "run-off")]),
    ],
)
def test_leaving_worked_by_hand(averages, expected):
    rows = standing(through(1, averages), through(2, [1] * 12))
    found = crm.churn.episodes(rows, events(), RULE).filter(pl.col("customer_id") == 1)
    assert told(found, "starts_on", "ends_on", "cause") == expected
    assert found["event"].to_list() == [cause is not None for *_, cause in expected]


def test_who_comes_back_enters_again_and_late():
    rule = replace(RULE, confirm_months=1)
    #  J    F    M    A  M  J    J    A    S    O    N  D
    averages = [100, 100, 100, 5, 5, 100, 100, 100, 100, 100, 5, 5]
    found = crm.churn.episodes(standing(through(1, averages)), events(), rule)
    assert told(found, "episode", "starts_on", "ends_on", "cause", "entry", "duration") == [
        (1, APR, APR, "run-off", 51, 52),  # opened in January 2020
        (2, AUG, NOV, "run-off", 55, 59),  # good in June and July
    ]
    assert told(found, "known_on", "lost") == [(MAY, 9_500_000), (DEC, 9_500_000)]


def test_own_loans_and_cards_take_no_customer_away():
    even, prepaid = [-100_000] * 12, [0] * 6 + [-9_500_000] + [0] * 5
    low = [100] * 6 + [40] + [5] * 5
    rows = standing(
        through(1, low),
        through(2, low, own_transfer=prepaid),  # the loan repaid ahead, out of deposits, in July
        through(3, low, own_transfer=[0] * 7 + [-9_500_000] + [0] * 4),  # in August, the first month below
        through(4, low, own_transfer=even),  # instalments and card, as ever
        through(5, [100] * 12, own_transfer=even),
        through(6, low, own_transfer=[0] * 6 + [-500_000] + [0] * 5),  # a little only: 10 stay of 100
    )
    gone, there = (APR, AUG, "run-off"), STILL
    found = crm.churn.episodes(rows, events(), RULE)
    assert [row[1:] for row in told(found)] == [gone, there, there, gone, there, gone]
    assert found["lost"].to_list() == [9_500_000, None, None, 9_500_000, None, 9_000_000]


def test_standing_orders_and_interest_keep_nobody_here():
    low = [100] * 6 + [5] * 6
    rows = standing(through(1, low, last_active_on=DEC), through(2, low, last_active_on=OLD))
    assert [row[1:] for row in told(crm.churn.episodes(rows, events(), RULE))] == [(APR, JUL, "run-off")] * 2


def test_maturities():
    fell = [100] * 6 + [50] + [5] * 5
    rows = standing(*(through(n, fell) for n in (1, 2, 3)), *(through(n, [100] * 12) for n in (4, 5)), through(6, fell))
    known = matured(
        (1, date(2024, 7, 20), 100, 5),  # found gone on 19 August: the first month below
        (2, date(2024, 7, 20), 100, 60),  # most stayed for a month
        (3, date(2024, 5, 20), 100, 100),
        (4, date(2024, 7, 20), 100, 5),  # went and came back at once: told in August
        (5, date(2024, 7, 20), 0, 0),  # too little
        (6, date(2024, 10, 20), 100, 5),  # gone long before
    )
    gone = "run-off"
    assert [row[2:] for row in told(crm.churn.episodes(rows, events(), RULE, known))] == [
        (AUG, "maturity"), (AUG, gone), (AUG, gone), (AUG, "maturity"), (OCT, None), (AUG, gone),
    ]  # fmt: skip
    assert [row[2:] for row in told(crm.churn.episodes(rows, events(), RULE))][:2] == [(AUG, gone)] * 2


def test_money_that_goes_before_thirty_days_are_over_is_dated_by_its_going():
    rows = standing(
        through(1, [100] * 6 + [10] + [0] * 5),  # in July below already, found on 1 September
        through(2, [100] * 6 + [60] + [0] * 5),
        through(3, [100] * 7 + [GONE] * 5),  # closed in July
        through(4, [100] * 7 + [GONE] * 5, own_transfer=[0] * 6 + [-9_000_000] + [0] * 5),
        through(5, [100] * 6 + [60] + [0] * 5),
    )
    known = matured(*((n, date(2024, 8, 2) if n == 5 else date(2024, 7, 2), 100, 0) for n in (1, 2, 3, 4, 5)))
    assert [row[2:] for row in told(crm.churn.episodes(rows, events(), RULE, known))] == [
        (JUL, "maturity"), (AUG, "maturity"), (JUL, "maturity"), (JUL, "maturity"), (AUG, "maturity"),
    ]  # fmt: skip
    paid_off = known.with_columns(after=pl.when(pl.col("customer_id") == 4).then(1_500_000).otherwise("after"))
    causes = crm.churn.episodes(rows, events(), RULE, paid_off)["cause"].to_list()
    assert causes[3] == "closure"  # 90 of 100 went to a loan of their own and 15 stayed


def test_salary_and_everyday_account():
    rows = standing(*(through(n, [100] * 12) for n in range(1, 7)))
    opened, term = ("opened", None, "deposits"), (DEC,)
    happened = events(
        *salaries(1, *MONTHS[:6]),  # none from July on
        *salaries(2, *MONTHS[:6], *MONTHS[8:]),  # two missed
        *salaries(3, *MONTHS[0:9:2]),  # never regular
        *salaries(4, *MONTHS[:10]),  # none in November and December: not confirmed
        (5, OLD, *opened), (5, OLD, *opened, *term), (5, date(2024, 8, 3), "closed", "request", "deposits"),
        (6, OLD, *opened), (6, OLD, *opened), (6, date(2024, 8, 3), "closed", "request", "deposits"),
    )  # fmt: skip
    assert [row[2:] for row in told(crm.churn.episodes(rows, happened, RULE))] == [
        (JUL, "salary"), (OCT, None), (OCT, None), (OCT, None), (AUG, "salary"), (OCT, None),
    ]  # fmt: skip
    assert crm.churn.episodes(rows, happened, replace(RULE, causes=("closure",)))["event"].sum() == 0


def test_after_their_salary_has_gone_the_money_of_some_stays():
    rule = replace(RULE, median_months=3, confirm_months=1)
    rows = standing(through(1, [100] * 12), through(2, [100] * 5 + [5] * 7))
    happened = events(*salaries(1, JAN, FEB, MAR), *salaries(2, JAN, FEB, MAR))
    assert told(crm.churn.episodes(rows, happened, rule)) == [
        (1, APR, APR, "salary"), (1, SEP, NOV, None), (2, APR, APR, "salary"),
    ]  # fmt: skip


def test_exits_that_are_not_leaving():
    loan, low = ("loans", JUN), [100] * 5 + [5] * 7
    rows = standing(
        through(1, [100] * 6 + [GONE] * 6),
        through(2, low),  # the heirs took the money in June, and told the bank in August
        through(3, [100] * 12),  # one account of the dead; nobody is at risk any more
        through(4, [0] * 6 + [GONE] * 6),
        through(5, [0] * 6 + [GONE] * 6),
        through(6, [100] * 6 + [GONE] * 6),
    )
    happened = events(
        (1, date(2024, 6, 9), "closed", "deceased", "deposits"),
        (2, date(2024, 8, 9), "closed", "deceased", "deposits"),
        (3, date(2024, 6, 9), "closed", "deceased", "deposits"),
        (4, date(2024, 6, 3), "closed", "request", "deposits"),
        (4, date(2024, 6, 9), "closed", "matured", *loan),  # the loan was the last one
        (5, date(2024, 6, 9), "closed", "request", "deposits"),
        (5, date(2024, 6, 9), "closed", "matured", *loan),  # on the same day
        (6, date(2024, 6, 9), "closed", "merged", "deposits"),
    )
    found = crm.churn.episodes(rows, happened, RULE)
    assert [row[2:] for row in told(found)] == [
        (JUN, "death"), (JUN, "death"), (JUN, "death"), (JUN, "repaid"), (JUN, "closure"), (JUN, "merger"),
    ]  # fmt: skip
    assert found["event"].to_list() == [False] * 4 + [True, False]
    assert found["lost"].null_count() == 5


def test_who_died_or_was_merged_before_they_were_at_risk_never_is():
    rows = standing(
        through(1, [100] * 8 + [GONE] * 4),  # the heirs keep the last account until August
        through(2, [100] * 12),
        through(3, [100] * 4 + [GONE] * 2 + [100] * 6),  # back, and dead before they were at risk again
        through(4, [100] * 12),
    )
    happened = events(
        (1, date(2024, 2, 9), "closed", "deceased", "deposits"),
        (1, date(2024, 8, 30), "closed", "request", "deposits"),
        (2, date(2023, 2, 9), "closed", "merged", "deposits"),
        (3, date(2024, 4, 9), "closed", "request", "deposits"),
        (3, date(2024, 8, 9), "closed", "deceased", "deposits"),
    )
    found = crm.churn.episodes(rows, happened, RULE)
    assert told(found, "customer_id", "cause") == [(3, "closure"), (4, None)]
    states = crm.churn.watch(rows, happened, RULE).filter(pl.col("month") == DEC)["state"].to_list()
    assert states == ["gone", "gone", "at risk"]  # the first has no account left


def test_money_that_went_before_a_maturity_did_not_leave_at_it():
    rows = standing(*(through(n, [100] * 5 + [5] * 7) for n in (1, 2)))
    known = matured((1, date(2024, 6, 28), 10, 0), (2, date(2024, 6, 28), 20, 0))  # the usual is 100
    assert crm.churn.episodes(rows, events(), RULE, known)["cause"].to_list() == ["run-off", "maturity"]


def test_where_nothing_matured_nothing_left_at_maturity():
    rows = standing(through(1, [100] * 6 + [50] + [5] * 5))
    known = matured((1, date(2024, 7, 20), 100, 5))
    emptied_before = known.with_columns(amount=pl.lit(0, pl.Int64))
    causes = [crm.churn.episodes(rows, events(), RULE, of)["cause"].item() for of in (known, emptied_before)]
    assert causes == ["maturity", "run-off"]


def test_watch_knows_no_more_than_a_month_end():
    rows = standing(
        through(1, [100] * 6 + [5] * 6),
        through(2, [100] * 6 + [5, 5] + [100] * 4),
        through(3, [100] * 6 + [GONE] + [100] * 5),
        through(4, [100] * 12),
    )
    found = crm.churn.watch(rows, events(*salaries(4, *MONTHS[:10])), RULE)
    letters = {"not yet": ".", "at risk": "R", "unconfirmed": "?", "gone": "G"}
    states = found.with_columns(pl.col("state").cast(pl.String).replace(letters)).sort("month")
    assert states.group_by("customer_id").agg(pl.col("state").str.join("")).sort("customer_id").rows() == [
        (1, "...RRR??GGGG"),
        (2, "...RRR??RRRR"),
        (3, "...RRGRRRRR"),  # no account at the end of June, and no row in July
        (4, "...RRRRRRR??"),
    ]
    first = found.filter(pl.col("customer_id") == 1)
    assert first["reference"].to_list()[:5] == [None, None, None, 10_000_000, 10_000_000]
    assert first["average"].to_list()[5:7] == [10_000_000, 500_000]


def test_a_month_that_is_not_over_tells_nothing():
    rows = standing(through(1, [100] * 6 + [5] * 6), through(2, [1] * 12))
    begun = rows.with_columns(days=pl.when(pl.col("month") == DEC).then(pl.lit(9, pl.Int32)).otherwise("days"))
    until = rows.filter(pl.col("month") < DEC)
    for measure in (crm.churn.episodes, crm.churn.watch):
        assert_frame_equal(measure(begun, events(), RULE), measure(until, events(), RULE))


def test_an_unknown_average_is_no_fall():
    unknown = [0] * 7 + [1] + [0] * 4
    rows = standing(through(1, [100] * 6 + [5] * 6, n_without_average=unknown), through(2, [100] * 12))
    assert told(crm.churn.episodes(rows, events(), RULE))[0][2:] == (SEP, "run-off")


def test_overlap_of_what_each_clause_finds():
    rows = standing(
        through(1, [100] * 6 + [5] * 6, last_active_on=OLD),
        through(2, [100] * 6 + [GONE] * 6, last_active_on=JUN),
        through(3, [100] * 12, last_active_on=[month if month < JUL else JUN for month in MONTHS]),
        through(4, [0] * 6 + [GONE] * 6, last_active_on=JUN),
    )
    found = crm.churn.overlap(rows, events(), replace(RULE, causes=("closure", "run-off")))
    assert found.drop("rate", "lower", "upper").rows() == [
        # clause n, months at risk, found by: any closure run-off dormant
        ("any", 3, 4 + 3 + 7 + 3, 3, 2, 2, 0),
        ("closure", 2, 7 + 3 + 7 + 3, 2, 2, 1, 0),
        ("run-off", 2, 4 + 4 + 7 + 4, 2, 1, 2, 0),
        ("dormant", 1, 0 + 2 + 6 + 2, 0, 0, 0, 1),  # customer 3 in September; asleep ever since the first is none
    ]
    first = found.row(0, named=True)
    assert first["rate"] == pytest.approx(1 - (1 - 3 / 17) ** 12)
    assert first["lower"] < first["rate"] < first["upper"] <= 1


# -- what cannot be

GOOD = standing(through(1, [100] * 6), through(2, [100] * 6))


def test_too_short_a_history_holds_nobody():
    rows = GOOD.filter(pl.col("month") <= MAR)
    assert crm.churn.episodes(rows, events(), RULE).schema == crm.churn.episodes(GOOD, events(), RULE).schema
    assert crm.churn.episodes(rows, events(), RULE).is_empty()
    assert set(crm.churn.watch(rows, events(), RULE)["state"]) == {"not yet"}
    assert crm.churn.overlap(rows, events(), RULE)["rate"].null_count() == 5
    begun = GOOD.filter(pl.col("month") == JAN).with_columns(days=pl.lit(5, pl.Int32))
    assert crm.churn.episodes(begun, events(), RULE).schema == pl.Schema(COLUMNS)
    assert crm.churn.watch(begun, events(), RULE).schema == pl.Schema(WATCHED)


@pytest.mark.parametrize(
    ("rows", "happened", "known", "says"),
    [
        (GOOD.clear(), events(), None, "churn.episodes has been given no row"),
        (GOOD.drop("own_transfer"), events(), None, "churn.episodes needs a column own_transfer"),
        (GOOD.drop("first_on"), events(), None, "churn.episodes needs a column first_on"),
        (GOOD.with_columns(kind=pl.lit(None)), events(), None, "12 of 12 rows given to churn.episodes have no kind"),
        (GOOD.filter(pl.col("month") != FEB), events(), None, "no rows of 2024-02, though there are rows before"),
        (pl.concat([GOOD, GOOD[:1]]), events(), None, r"repeat a month, customer_id \(first: 2024-01-31, 1\)"),
        (GOOD, events().drop("reason"), None, "churn.episodes needs a column reason"),
        (GOOD, events(), matured().drop("after"), "churn.episodes needs a column after"),
    ],
)
def test_what_cannot_be_told_is_said(rows, happened, known, says):
    for measure in (crm.churn.episodes, crm.churn.watch, crm.churn.overlap):
        with pytest.raises(InputError, match=says.replace("no kind", "no kind|needs")):
            measure(rows, happened, RULE, known)
