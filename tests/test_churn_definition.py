"""Who left: a few customers in the head for each clause; on any bank by brute force, behind the wall, in parts."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab.errors import InputError
from crmlab.measures import history
from crmlab.measures.churn.definition import COLUMNS, WATCHED
from crmlab.panel.timeline import COLUMNS as OF_EVENTS
from tests import brute_churn

RULE = crm.policy.load().churn
MONTHS = pl.date_range(date(2024, 1, 1), date(2024, 12, 1), "1mo", eager=True).dt.month_end().to_list()
JAN, FEB, MAR, APR, MAY, JUN, JUL, AUG, SEP, OCT, NOV, DEC = MONTHS
STANDING = {
    "customer_id": pl.Int32, "month": pl.Date, "kind": pl.String, "first_on": pl.Date, "is_open": pl.Boolean,
    "balance_days": pl.Int64, "days": pl.Int32, "n_without_average": pl.Int32, "own_transfer": pl.Int64,
    "last_active_on": pl.Date,
}  # fmt: skip
OF_MATURITIES = {
    "customer_id": pl.Int32, "matures_on": pl.Date, "amount": pl.Int64, "before": pl.Int64, "after": pl.Int64,
}  # fmt: skip
GONE = None  # no row: no account on any day of the month
OLD = date(2020, 1, 15)


def through(customer_id: int, averages: list, **more) -> list[dict]:
    """A customer's months from January 2024 on, averages in thousands; a list in `more` goes month by month."""
    rows = []
    for n, average in enumerate(averages):
        if average is GONE:
            continue
        usual = {"kind": "retail", "first_on": OLD, "n_without_average": 0, "own_transfer": 0, "last_active_on": None}
        own = {name: of[n] if isinstance(of, list) else of for name, of in more.items()}
        later = averages[n + 1 : n + 2]
        row = {"customer_id": customer_id, "month": MONTHS[n], "is_open": later != [GONE], **usual, **own}
        row.setdefault("days", MONTHS[n].day)
        rows.append(row | {"balance_days": int(average * 100_000) * row["days"]})
    return rows


def standing(*customers: list[dict]) -> pl.DataFrame:
    return pl.DataFrame([row for rows in customers for row in rows], schema=STANDING).sort("month", "customer_id")


def events(*rows: tuple) -> pl.DataFrame:
    """customer_id, day, kind, and of a closing its reason, line and maturity."""
    names = ("customer_id", "on", "kind", "reason", "line", "matures_on")
    return pl.DataFrame([dict(zip(names, row, strict=False)) for row in rows], schema=OF_EVENTS)


def matured(*rows: tuple) -> pl.DataFrame:
    """customer_id, day, thousands before and after."""
    return pl.DataFrame(
        [(who, on, before * 100_000, before * 100_000, after * 100_000) for who, on, before, after in rows],
        schema=OF_MATURITIES,
        orient="row",
    )


def salaries(customer_id: int, *months: date) -> list[tuple]:
    return [(customer_id, month.replace(day=10), "salary") for month in months]


def told(rows: pl.DataFrame, *names: str) -> list[tuple]:
    return rows.select(names or ("customer_id", "starts_on", "ends_on", "cause")).rows()


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


# -- on any bank


@st.composite
def banks(draw) -> tuple:
    n, ids = draw(st.integers(2, 11)), draw(st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True))
    day = st.dates(date(2023, 11, 1), MONTHS[n - 1])
    rows, happened, known = through(0, [100] * n), [], []
    for who in ids:
        high, low = st.sampled_from([100, 100, 101, 60, 2]), st.sampled_from([0, 1, 19, 20, 25, -3, GONE])
        fall = draw(st.integers(0, n + 3))
        averages = [draw(low if fall <= i < fall + draw(st.integers(2, 9)) else high) for i in range(n)]
        moved = draw(st.lists(st.sampled_from([0] * 6 + [-100_000, -6_000_000, 500_000]), min_size=n, max_size=n))
        more = {
            "own_transfer": moved,
            "first_on": draw(st.none() | st.dates(date(2023, 1, 1), date(2024, 9, 1))),
            "n_without_average": draw(st.lists(st.sampled_from([0] * 12 + [1]), min_size=n, max_size=n)),
            "kind": draw(st.sampled_from(["retail", "corporate"])),
        }
        if draw(st.booleans()):
            more["is_open"] = draw(st.lists(st.sampled_from([True] * 5 + [False]), min_size=n, max_size=n))
        rows += through(who, averages, **more)
        until = draw(st.integers(0, n))
        happened += salaries(who, *MONTHS[: until if draw(st.booleans()) else 0])
        lines = st.tuples(st.sampled_from(["deposits", "loans"]), st.none() | st.just(DEC))
        happened += [
            (who, on, "closed", reason, *line)
            for on, reason, line in draw(
                st.lists(
                    st.tuples(day, st.sampled_from(["request", "request", "matured", "deceased", "merged"]), lines),
                    max_size=2,
                )
            )
        ]
        happened += [(who, on, "opened", None, *draw(lines)) for on in draw(st.lists(day, max_size=2))]
        known += [
            (who, on, before, draw(st.sampled_from([0, 10, 25, 90])))
            for on, before in draw(st.lists(st.tuples(day, st.sampled_from([0, 100])), max_size=2))
            if on + timedelta(RULE.maturity_days) <= MONTHS[n - 1]
        ]
    rule = replace(
        RULE,
        causes=draw(st.sampled_from([RULE.causes] * 4 + [("closure",), ("run-off",), ("maturity",), ("salary",)])),
        share=draw(st.sampled_from([200_000, 500_000, 1_000_000])),
        median_months=draw(st.integers(2, 4)),
        least_months=draw(st.integers(1, 2)),
        confirm_months=draw(st.integers(1, 2)),
        salary_months=draw(st.integers(1, 3)),
        maturity_days=draw(st.sampled_from([10, 30, 30, 75])),
    )
    kept = pl.col("matures_on") + pl.duration(days=rule.maturity_days) <= MONTHS[n - 1]
    return standing(rows), events(*happened), rule, matured(*known).filter(kept)


def cut(bank: tuple, month: date) -> tuple:
    """The bank as it was known at a month's end."""
    rows, happened, rule, known = bank
    found_on = pl.col("matures_on") + pl.duration(days=rule.maturity_days)
    known = known.filter(pl.col("matures_on") <= month).with_columns(after=pl.when(found_on <= month).then("after"))
    return rows.filter(pl.col("month") <= month), happened.filter(pl.col("on") <= month), rule, known


def months(ends: pl.Expr) -> pl.Expr:
    return ends.dt.year().cast(pl.Int32) * 12 + ends.dt.month()


@settings(max_examples=100, deadline=None)
@given(banks())
def test_equals_brute_force(bank):
    found = crm.churn.episodes(*bank)
    names = ("customer_id", "episode", "entry", "duration", "event", "cause", "ends_on", "lost")
    assert told(found, *names) == brute_churn.episodes(*bank)


@settings(max_examples=50, deadline=None)
@given(banks(), st.integers(0, 10))
def test_what_is_said_at_a_month_end_stays_so(bank, n):
    """Episodes known at T, from data cut at T, are those of all data with what came after T − k taken for unknown."""
    ends = bank[0]["month"].unique().sort().to_list()
    then, k = ends[min(n, len(ends) - 1)], bank[2].confirm_months
    found = crm.churn.episodes(*cut(bank, then))
    place = ends.index(then) - k
    if place < 0:
        assert found.is_empty()
        return
    last, whole = ends[place], crm.churn.episodes(*bank)
    late = pl.col("ends_on") > last
    assert whole.filter(pl.col("cause").is_not_null(), late == (pl.col("known_on") <= then)).is_empty()
    expected = whole.filter(pl.col("starts_on") <= last).with_columns(
        duration=pl.when(late).then(pl.col("duration") - months(pl.col("ends_on")) + months(pl.lit(last)))
        .otherwise("duration"),
        event=pl.col("event") & ~late,
        ends_on=pl.min_horizontal("ends_on", pl.lit(last)),
        **{name: pl.when(~late).then(name) for name in ("cause", "known_on", "lost")},
    )  # fmt: skip
    assert_frame_equal(found, expected, check_dtypes=False)
    until = pl.col("month") <= then
    assert_frame_equal(crm.churn.watch(*cut(bank, then)), crm.churn.watch(*bank).filter(until))


@settings(max_examples=50, deadline=None)
@given(banks())
def test_each_month_is_in_one_state_and_who_is_at_risk_has_not_left(bank):
    found, watched = crm.churn.episodes(*bank), crm.churn.watch(*bank)
    assert watched.select("month", "customer_id").rows() == bank[0].select("month", "customer_id").rows()
    assert watched["state"].null_count() == 0
    assert (found["entry"] < found["duration"]).all()
    assert (found["starts_on"] <= found["ends_on"]).all()
    assert found.filter("event")["cause"].null_count() == 0
    again = found.with_columns(before=pl.col("ends_on").shift().over("customer_id"))
    assert (again["starts_on"] > again["before"]).all(ignore_nulls=True)
    assert (again["episode"] == pl.int_range(1, pl.len() + 1).over("customer_id").pipe(again.select).to_series()).all()
    # At risk, or not sure, within an episode only, or after the last month that can be told; before the first not yet.
    both = watched.join(found, on="customer_id", how="left")
    inside = pl.col("month").is_between("starts_on", "ends_on")
    k, ends = bank[2].confirm_months, bank[0]["month"].unique().sort()
    told_until = ends[-1 - k] if len(ends) > k else date(2023, 12, 31)
    within = both.group_by("customer_id", "month", "state").agg(inside.fill_null(False).any().alias("inside"))
    past = within.filter(pl.col("month") <= told_until)
    assert past.filter(pl.col("state") == "at risk", ~pl.col("inside")).is_empty()
    assert past.filter(pl.col("state") == "not yet", "inside").is_empty()
    left = both.filter("event", pl.col("month") == pl.col("ends_on"))
    assert left.filter(pl.col("state") == "at risk").is_empty()


@settings(max_examples=20, deadline=None)
@given(banks(), st.randoms(use_true_random=False), st.integers(1, 30))
def test_no_order_no_number_and_no_size_of_blocks_matters(bank, random, block):
    rows, happened, rule, known = bank
    expected = crm.churn.episodes(*bank)
    mixed = [frame[random.sample(range(len(frame)), len(frame))] for frame in (rows, happened, known)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(history, "BLOCK", block)
        assert_frame_equal(crm.churn.episodes(mixed[0], mixed[1], rule, mixed[2]), expected)
        assert_frame_equal(crm.churn.watch(mixed[0], mixed[1], rule, mixed[2]), crm.churn.watch(*bank))
    other = [frame.with_columns(customer_id=1000 - 7 * pl.col("customer_id")) for frame in (rows, happened, known)]
    found = crm.churn.episodes(other[0], other[1], rule, other[2])
    assert_frame_equal(
        found.sort("customer_id", "episode", descending=[True, False]).drop("customer_id"), expected.drop("customer_id")
    )


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
