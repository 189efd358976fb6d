"""Contact duties: which one holds, when it is due, whether there is time for it, and whether it was kept."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import crmlab as crm
from crmlab.errors import InputError
from crmlab.measures.managers import by_role, due, duties, on_schedule, spans, workload

DAY = timedelta(days=1)
POLICY = crm.policy.load()
RULES = """
[[duties]]
who = ["nominated"]
by = "leader"
times = 1
per = "quarter"
[[duties]]
who = ["{named}"]
by = "manager"
times = 3
per = "month"
[[duties]]
who = ["rest"]
by = "manager"
times = 1
per = "year"
"""
FIRST = date(2025, 1, 1)


def owed(*rows: tuple) -> pl.DataFrame:
    """Duties of managers: customer_id, manager_id, times, per, from_on, to_on."""
    names = ["customer_id", "manager_id", "times", "per", "from_on", "to_on"]
    return pl.DataFrame(rows, names, orient="row", schema_overrides={"to_on": pl.Date}).with_columns(
        branch_id=pl.lit("B1"), by=pl.lit("manager"), who=pl.lit("rest")
    )


def spoken(*rows: tuple[int, date]) -> pl.DataFrame:
    return pl.DataFrame(rows, {"customer_id": pl.Int64, "on": pl.Date}, orient="row")


def test_the_most_frequent_duty_of_a_role_holds_and_rest_is_who_has_no_other():
    key = POLICY.completeness.key_tiers[0]
    customers = pl.DataFrame(
        {
            "customer_id": [1, 2, 3, 4], "manager_id": ["M1", "M1", "M1", None], "tier": [key, key, None, None],
            "from_on": date(2025, 1, 1), "is_nominated": [False, True, True, None],
        }
    )  # fmt: skip
    found = duties(customers, POLICY).select("customer_id", "by", "who", "times", "per", "a_year").rows()
    assert found == [
        (1, "manager", "key", 1, "month", 12),
        (2, "leader", "nominated", 1, "quarter", 4),
        (2, "middle", "nominated", 1, "month", 12),
        (2, "manager", "nominated", 2, "week", 104),
        (3, "leader", "nominated", 1, "quarter", 4),
        (3, "middle", "nominated", 1, "month", 12),
        (3, "manager", "nominated", 2, "week", 104),
        (4, "manager", "rest", 1, "quarter", 4),
    ]


def test_a_tier_by_name_and_nominated_ones_whom_no_duty_of_that_role_names(tmp_path):
    named, other = (level.name for level in POLICY.tiers[0].levels[:2])
    path = tmp_path / "policy.toml"
    path.write_text(RULES.format(named=named), "utf-8")
    customers = pl.DataFrame(
        {"customer_id": [1, 2], "manager_id": "M1", "tier": [named, other], "from_on": FIRST, "is_nominated": True}
    )
    assert duties(customers, crm.policy.load(path)).select("customer_id", "by", "who", "a_year").rows() == [
        (1, "leader", "nominated", 4),
        (1, "manager", named, 36),
        (2, "leader", "nominated", 4),
        (2, "manager", "rest", 1),
    ]


def test_a_bank_without_duties_owes_nobody_a_contact():
    customers = pl.DataFrame({"customer_id": [1], "manager_id": "M1", "tier": None, "from_on": date(2025, 1, 1)})
    none = duties(customers, replace(POLICY, duties=()))
    assert none.is_empty()
    assert due(none, spoken(), date(2025, 1, 31)).is_empty()
    assert on_schedule(none, spoken(), date(2025, 12, 31), date(2025, 1, 1)).is_empty()


@pytest.mark.parametrize(
    ("times", "per", "from_on", "days", "on", "due_on", "overdue"),
    [
        (1, "month", date(2025, 1, 1), [], date(2025, 1, 20), date(2025, 1, 31), 0),
        (1, "month", date(2025, 1, 31), [], date(2025, 3, 1), date(2025, 2, 27), 2),
        (1, "quarter", date(2020, 1, 1), [date(2025, 11, 30)], date(2026, 2, 28), date(2026, 2, 28), 0),
        (1, "quarter", date(2020, 1, 1), [date(2025, 11, 30)], date(2026, 3, 2), date(2026, 2, 28), 2),
        (1, "year", date(2020, 1, 1), [date(2024, 2, 29)], date(2025, 3, 1), date(2025, 2, 28), 1),
        (2, "week", date(2025, 1, 1), [date(2025, 6, 2), date(2025, 6, 5)], date(2025, 6, 6), date(2025, 6, 9), 0),
        (2, "week", date(2025, 1, 1), [date(2025, 6, 5), date(2025, 6, 5)], date(2025, 6, 6), date(2025, 1, 7), 150),
        # Contacts of the manager before count, and the new one has a whole period.
        (1, "month", date(2025, 3, 20), [date(2025, 3, 1)], date(2025, 4, 10), date(2025, 4, 19), 0),
    ],
)
def test_when_a_contact_is_due(times, per, from_on, days, on, due_on, overdue):
    found = due(owed((1, "M1", times, per, from_on, None)), spoken(*((1, day) for day in days)), on).row(0, named=True)
    assert (found["due_on"], found["overdue_days"], found["is_due"]) == (due_on, overdue, due_on <= on)
    assert found["last_on"] == max(days, default=None)


@pytest.mark.parametrize(
    ("from_on", "times", "days", "owed_on", "overdue", "told"),
    [
        (date(2010, 1, 1), 1, [], None, None, "never contacted; history begins on 2025-01-01"),
        (date(2025, 1, 1), 1, [], date(2025, 1, 1), 29, "never contacted; owed since 2025-01-01"),
        (date(2025, 1, 11), 1, [], date(2025, 1, 11), 19, "never contacted; owed since 2025-01-11"),
        (date(2010, 1, 1), 1, [date(2025, 1, 4)], None, 25, "last contacted on 2025-01-04"),
        (date(2010, 1, 1), 2, [date(2025, 1, 4)], None, None,
         "last contacted on 2025-01-04; history begins on 2025-01-01"),
        (date(2025, 2, 20), 1, [date(2025, 1, 4)], date(2025, 2, 20), 0, "last contacted on 2025-01-04"),
    ],
)  # fmt: skip
def test_since_when_somebody_waits_is_told_only_where_history_tells_it(from_on, times, days, owed_on, overdue, told):
    rows = owed((1, "M1", times, "month", from_on, None))
    on, since = date(2025, 3, 1), date(2025, 1, 1)
    found = due(rows, spoken(*((1, day) for day in days)), on, since).row(0, named=True)
    assert (found["owed_on"], found["overdue_days"], found["told"]) == (owed_on, overdue, told)
    assert found["is_due"] == (overdue != 0)
    capacity = pl.DataFrame(schema={"manager_id": pl.String, "month": pl.Date, "n_contacts": pl.Int64})
    load = workload(due(rows, spoken(*((1, day) for day in days)), on, since), capacity, on)
    assert load["n_overdue"].item() == (overdue != 0)


SPELLS = {"customer_id": pl.Int64, "from_on": pl.Date, "to_on": pl.Date}
KEEPING = pl.DataFrame(
    [(1, FIRST, date(2025, 3, 9), "M1"), (1, date(2025, 3, 10), None, "M2"), (2, FIRST, None, None)],
    SPELLS | {"manager_id": pl.String}, orient="row",
)  # fmt: skip
OURS = pl.DataFrame([(1, date(2024, 5, 1), None), (2, FIRST, date(2025, 2, 9))], SPELLS, orient="row")
TIERS = pl.DataFrame(
    {"customer_id": 1, "month": [date(2025, n, d) for n, d in ((1, 31), (2, 28), (3, 31))],
     "tier": ["gold", "platinum", "private"]}
)  # fmt: skip


def test_spans_are_cut_by_manager_tier_and_nomination_and_end_with_the_customer():
    named_ones = pl.DataFrame(
        [(1, date(2025, 4, 5), date(2025, 4, 8)), (1, date(2025, 4, 7), date(2025, 4, 9))], SPELLS, orient="row"
    )
    assert spans(KEEPING, OURS, TIERS, named_ones).rows() == [
        (1, "M1", "gold", False, FIRST, date(2025, 2, 28)),
        (1, "M1", "platinum", False, date(2025, 3, 1), date(2025, 3, 9)),
        (1, "M2", "platinum", False, date(2025, 3, 10), date(2025, 3, 31)),
        (1, "M2", "private", False, date(2025, 4, 1), date(2025, 4, 4)),
        *[(1, "M2", "private", True, *of) for of in ((date(2025, 4, 5), date(2025, 4, 6)),
                                                     (date(2025, 4, 7), date(2025, 4, 8)),
                                                     (date(2025, 4, 9), date(2025, 4, 9)))],
        (1, "M2", "private", False, date(2025, 4, 10), None),
        (2, None, None, False, FIRST, date(2025, 2, 9)),
    ]  # fmt: skip


def test_what_is_known_on_the_day_counts_and_nothing_later():
    on = date(2025, 3, 31)
    later = pl.DataFrame([(1, date(2025, 4, 1), None)], SPELLS, orient="row")
    now = spans(KEEPING, OURS, TIERS, later, on).filter(customer_id=1)
    assert now.row(-1) == (1, "M2", "private", False, on, None)
    before = spans(KEEPING, OURS, TIERS.head(2), later, on).filter(customer_id=1)
    assert before["tier"].to_list() == ["gold", "platinum", "platinum"]


def test_a_duty_is_owed_since_the_latest_of_assignment_tier_and_nomination():
    named_ones = pl.DataFrame([(1, date(2025, 4, 20), None)], SPELLS, orient="row")
    by_day = {
        date(2025, 1, 30): FIRST,  # one of the rest, with M1 all the time
        date(2025, 3, 5): date(2025, 3, 1),  # has become platinum, a key tier
        date(2025, 3, 20): date(2025, 3, 10),  # is with M2
        date(2025, 4, 10): date(2025, 3, 10),  # private is a key tier, too: the same duty goes on
        date(2025, 4, 25): date(2025, 4, 20),  # is nominated
    }
    assert {"gold", "platinum", "private"} & set(POLICY.completeness.key_tiers) == {"platinum", "private"}
    for on, since in by_day.items():
        owed_ = duties(spans(KEEPING, OURS, TIERS, named_ones, on), POLICY).filter(by="manager")
        assert due(owed_, spoken(), on, FIRST).filter(customer_id=1)["owed_on"].item() == since, on


STAFF = pl.DataFrame(
    [("M1", "manager", None), ("D1", "team leader", date(2025, 2, 1)), ("B9", "branch manager", None),
     ("X", None, None)],
    {"manager_id": pl.String, "grade": pl.String, "graded_on": pl.Date}, orient="row",
)  # fmt: skip


def test_the_grade_of_who_speaks_says_whose_duty_is_met():
    contacts = pl.DataFrame(
        [(1, date(2025, 1, 5), "D1"), (1, date(2025, 3, 5), "D1"), (1, date(2025, 3, 6), "B9"),
         (3, date(2025, 3, 7), "B9"), (1, date(2025, 3, 8), None), (1, date(2025, 3, 9), "X")],
        {"customer_id": pl.Int64, "on": pl.Date, "manager_id": pl.String}, orient="row",
    )  # fmt: skip
    keeping = pl.DataFrame([(3, FIRST, None, "B9")], KEEPING.schema, orient="row")
    found = by_role(contacts, STAFF, keeping, POLICY.managing)
    assert found.sort("on", "by").select(pl.col("on").dt.day(), "by").rows() == [
        (5, "manager"),  # promoted in February: in January a manager like others
        (5, "middle"),
        (6, "leader"),
        (7, "leader"),
        (7, "manager"),  # looks after the customer
        (8, "manager"),
        (9, "manager"),
    ]


def test_a_nominated_customer_is_spoken_with_by_each_role_or_overdue():
    named_ones = pl.DataFrame([(1, FIRST, None)], SPELLS, orient="row")
    on = date(2025, 7, 31)
    owed_ = duties(spans(KEEPING, OURS, TIERS, named_ones, on), POLICY)
    contacts = pl.DataFrame(
        [(1, date(2025, 7, 20), who) for who in ("B9", "D1", "M1")],
        {"customer_id": pl.Int64, "on": pl.Date, "manager_id": pl.String}, orient="row",
    )  # fmt: skip
    found = due(owed_, by_role(contacts, STAFF, KEEPING, POLICY.managing), on, FIRST).filter(customer_id=1)
    kept = dict(found.select("by", ~pl.col("is_due")).iter_rows())
    assert kept == {"leader": True, "middle": True, "manager": False}  # the manager owes two a week


def test_what_leaders_do_is_not_what_managers_owe():
    rows = owed((1, "M1", 1, "month", date(2025, 1, 1), None))
    contacts = spoken((1, date(2025, 2, 10))).with_columns(by=pl.lit("leader"))
    assert due(rows, contacts, date(2025, 2, 11))["last_on"].item() is None
    assert due(rows.with_columns(by=pl.lit("leader")), contacts, date(2025, 2, 11))["last_on"].item() is not None


def test_a_span_that_is_over_or_to_come_owes_nothing_today():
    rows = owed(
        (1, "M1", 1, "month", date(2025, 1, 1), date(2025, 3, 31)),
        (1, "M2", 1, "month", date(2025, 4, 1), None),
        (2, "M2", 1, "month", date(2025, 7, 1), None),
    )
    assert due(rows, spoken(), date(2025, 3, 31))["manager_id"].to_list() == ["M1"]
    assert due(rows, spoken(), date(2025, 4, 1))["manager_id"].to_list() == ["M2"]


def test_overload_is_said():
    on = date(2025, 12, 10)
    rows = owed(
        (1, "M1", 2, "week", date(2025, 1, 1), None),
        (2, "M1", 1, "quarter", date(2025, 1, 1), None),
        (3, "M2", 1, "month", date(2025, 12, 1), None),
        (4, "M3", 1, "year", date(2025, 12, 1), None),
    )
    contacts = spoken((1, date(2025, 12, 2)), (1, date(2025, 12, 8)), (2, date(2025, 12, 1)))
    capacity = pl.DataFrame({"manager_id": ["M1", "M2"], "month": date(2025, 12, 31), "n_contacts": [6, 90]})
    found = workload(due(rows, contacts, on), capacity, on)
    # Customer 1 was spoken with on the 2nd and the 8th: again by the 10th (the 9th is over), 17, 24, 31; 15, 22, 29.
    assert found.select("manager_id", "n_made", "n_needed", "n_contacts", "n_over").rows() == [
        ("M1", 3, 7, 6, 4),
        ("M2", 0, 1, 90, 0),
        ("M3", 0, 0, None, None),
    ]
    assert found["sentence"].to_list() == [
        "M1 is to make 10 contacts in 2025-12, 3 of them made, and can make 6: 4 too many.",
        "M2 is to make 1 contact in 2025-12, 0 of them made, and can make 90: 89 to spare.",
        "M3 is to make 0 contacts in 2025-12, 0 of them made; how many they can make is not known.",
    ]


def test_only_whole_months_count_each_for_whom_it_was():
    rows = owed(
        (1, "M1", 1, "month", date(2025, 1, 1), date(2025, 3, 15)),
        (1, "M2", 1, "month", date(2025, 3, 16), None),
    )
    contacts = spoken((1, date(2025, 2, 28)), (1, date(2025, 3, 20)), (1, date(2025, 4, 30)), (1, date(2025, 7, 1)))
    found = on_schedule(rows, contacts, date(2025, 6, 30), date(2024, 1, 1))
    assert found.select("manager_id", "period", "n", "n_events").rows() == [
        ("M1", date(2025, 3, 31), 2, 1),
        ("M2", date(2025, 6, 30), 3, 1),
    ]
    assert on_schedule(rows, contacts, date(2025, 6, 29), date(2024, 1, 1))["manager_id"].to_list() == ["M1"]
    late = on_schedule(rows, contacts, date(2025, 6, 30), date(2025, 1, 2))
    assert late["n"].to_list() == [1, 3]


days_of = st.lists(st.dates(date(2024, 1, 1), date(2025, 12, 31)), max_size=60)
a_duty = st.tuples(st.integers(1, 3), st.sampled_from(["week", "month", "quarter", "year"]),
                   st.dates(date(2024, 1, 1), date(2025, 3, 1)))  # fmt: skip


def last_day(times: int, per: str, from_on: date, days: list[date]) -> date:
    """Until when a duty is kept: the first day after which the period up to it has too few days with a contact."""
    offset = {"week": "1w", "month": "1mo", "quarter": "1q", "year": "1y"}[per]
    after = lambda day: pl.Series([day]).dt.offset_by(offset).item()  # noqa: E731
    known = sorted(set(days), reverse=True)[:times]
    return min([after(day) if day >= from_on else after(from_on) - DAY for day in known]
               + [after(from_on) - DAY] * (len(known) < times))  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(a_duty, days_of, st.dates(date(2025, 3, 1), date(2025, 12, 31)))
def test_due_as_told_day_by_day_and_blind_to_what_is_later(duty, days, on):
    times, per, from_on = duty
    rows = owed((1, "M1", times, per, from_on, None))
    found = due(rows, spoken(*((1, day) for day in days)), on)
    seen = [day for day in days if day <= on]
    assert found["due_on"].item() == last_day(times, per, from_on, seen)
    assert found.equals(due(rows, spoken(*((1, day) for day in seen)), on))
    assert found["n_made"].item() == len({day for day in seen if (day.year, day.month) == (on.year, on.month)})
    # What is needed till the end of the month, counted by making each contact on its last day.
    expires = sorted([day for day in sorted(set(seen), reverse=True)[:times]], reverse=True)
    ends = [last_day(1, per, from_on, [day]) for day in expires]
    ends += [last_day(1, per, from_on, [])] * (times - len(ends))
    end, needed = pl.Series([on]).dt.month_end().item(), 0
    for expiry in ends:
        while expiry <= end:
            needed, made_on = needed + 1, max(expiry, on)
            expiry = last_day(1, per, date(2000, 1, 1), [made_on])
    assert found["n_needed"].item() == needed


@settings(max_examples=40, deadline=None)
@given(a_duty, st.integers(0, 3))
def test_who_keeps_to_the_days_told_keeps_every_duty(duty, early):
    """Contacts made on their last day, or some days before it: `on_schedule` is 100 %."""
    times, per, from_on = duty
    rows, days, on = owed((1, "M1", times, per, from_on, None)), [], date(2025, 12, 31)
    while (expiry := last_day(times, per, from_on, days)) <= on:
        day = max(expiry - early * DAY, from_on)
        while day in days:  # several on one day are one
            day -= DAY
        if day < from_on:
            return
        days.append(day)
    found = on_schedule(rows, spoken(*((1, day) for day in days)), on, date(2024, 1, 1), "month")
    assert found["n"].equals(found["n_events"], check_names=False)


@settings(max_examples=40, deadline=None)
@given(a_duty, days_of)
def test_kept_windows_as_counted_day_by_day(duty, days):
    times, per, from_on = duty
    on, n, kept = date(2025, 12, 31), 0, 0
    span = lambda day: {"week": (day - day.weekday() * DAY,), "month": (day.year, day.month),  # noqa: E731
                        "quarter": (day.year, (day.month - 1) // 3), "year": (day.year,)}[per]  # fmt: skip
    every, day = {}, date(2023, 12, 1)
    while day <= date(2026, 1, 31):
        every.setdefault(span(day), []).append(day)
        day += DAY
    for window in every.values():
        if window[0] >= from_on and window[-1] <= on and window[0] > date(2023, 12, 25):
            n, kept = n + 1, kept + (len(set(window) & set(days)) >= times)
    contacts = spoken(*((1, day) for day in days))
    found = on_schedule(owed((1, "M1", times, per, from_on, None)), contacts, on, date(2024, 1, 1), "year")
    assert (found["n"].sum(), found["n_events"].sum()) == (n, kept)


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (
            lambda: duties(pl.DataFrame({"customer_id": [1], "manager_id": "M1", "from_on": date(2025, 1, 1)}), POLICY),
            "managers.duties needs a column tier",
        ),
        (
            lambda: duties(
                pl.DataFrame({"customer_id": [1, 1], "manager_id": "M1", "tier": None, "from_on": FIRST}), POLICY
            ),
            r"1 of 2 rows given to managers.duties repeat a customer_id, from_on \(first: 1, 2025-01-01\)",
        ),
        (
            lambda: due(owed(*[(7, m, 1, "month", date(2025, 1, n), None) for n, m in enumerate("AB", 1)]), spoken(),
                        date(2025, 2, 1)),
            r"1 of 2 rows given to managers.due repeat a customer_id, by \(first: 7, manager\)",
        ),
        (
            lambda: on_schedule(owed((1, "M1", 1, "month", date(2025, 1, 1), None)), spoken(), date(2025, 2, 1),
                                date(2025, 1, 1), "week"),
            "managers.on_schedule knows no period week. Known: month, quarter, year.",
        ),
        (
            lambda: workload(
                due(owed((1, "M1", 1, "month", date(2025, 1, 1), None)), spoken(), date(2025, 2, 1)),
                pl.DataFrame({"manager_id": ["M1", "M1"], "month": date(2025, 2, 28), "n_contacts": 9}),
                date(2025, 2, 1),
            ),
            r"1 of 2 rows given to managers.workload repeat a manager_id \(first: M1\)",
        ),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, says):
    with pytest.raises(InputError, match=says):
        call()
