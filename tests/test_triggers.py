"""What followed life events, against counts by hand and by brute force, and how sure its intervals are."""

from dataclasses import replace
from datetime import date, timedelta
from statistics import median_low

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab.measures.crosssell.triggers import followed, fresh
from crmlab.panel.timeline import COLUMNS

AS_OF = date(2024, 12, 31)
POLICY = crm.policy.load()
STAYED = next(rule for rule in POLICY.triggers if rule.kind == "inflow_stayed")
PRODUCTS = pl.DataFrame(
    {
        "product_id": ["D", "T", "T2", "W"],
        "line": ["deposits", "deposits", "deposits", "wealth"],
        "term": ["demand", "term", "term", "demand"],
    }
)
OLD = date(2020, 1, 1)


def held(*rows) -> pl.DataFrame:
    """Spells of retail customers: customer, product, opened, closed."""
    schema = {"customer_id": pl.Int32, "product_id": pl.String, "opened_on": pl.Date, "closed_on": pl.Date}
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(kind=pl.lit("retail"))


def happened(*rows, kind="inflow_stayed") -> pl.DataFrame:
    """Events: customer, day."""
    return pl.DataFrame([{"customer_id": who, "on": on, "kind": kind} for who, on in rows], schema=COLUMNS)


def told(events, holdings, target="term deposits", rule=STAYED, as_of=AS_OF, products=PRODUCTS) -> dict:
    policy = replace(POLICY, triggers=(rule,))
    return followed(events, holdings, products, policy, as_of).filter(pl.col("target") == target).row(0, named=True)


MARCH = date(2024, 3, 15)


@pytest.mark.parametrize(
    ("taken_on", "n_taken"),
    [(date(2024, 3, 16), 1), (date(2024, 5, 14), 1), (date(2024, 5, 15), 0), (None, 0)],
)
def test_what_is_taken_within_sixty_days_after_has_followed(taken_on, n_taken):
    rows = [(1, "D", OLD, None), (2, "D", OLD, None)] + ([(1, "T", taken_on, None)] if taken_on else [])
    found = told(happened((1, MARCH)), held(*rows))
    assert (found["n"], found["n_taken"], found["n_base"], found["base_rate"]) == (1, n_taken, 1, 0.0)


def test_only_events_whose_days_are_over_count():
    people = held(*[(who, "D", OLD, None) for who in range(9)])
    days = [AS_OF - timedelta(60), AS_OF - timedelta(59), date(2022, 12, 31), date(2023, 1, 1)]
    assert told(happened(*enumerate(days)), people)["n"] == 2


def test_of_events_whose_days_overlap_the_first_counts():
    people = held(*[(who, "D", OLD, None) for who in range(9)])
    days = [MARCH, MARCH + timedelta(60), MARCH + timedelta(61), MARCH + timedelta(121)]
    found = told(happened(*[(0, day) for day in days]), people)
    assert (found["n"], found["n_customers"]) == (2, 1)  # the second and the fourth lie within the days of another


def test_those_alike_are_of_the_kind_hold_as_much_and_had_none():
    rows = [(who, "D", OLD, None) for who in range(1, 9)]
    rows += [(2, "T", OLD, None)]  # holds a term deposit already
    rows += [(4, "T", date(2024, 4, 1), None), (5, "T2", date(2024, 4, 1), None), (2, "T2", date(2024, 4, 1), None)]
    rows += [(9, "D", OLD, date(2024, 3, 15)), (10, "D", date(2024, 3, 16), None)]  # gone, and not there yet
    people = held(*rows).with_columns(
        kind=pl.when(pl.col("customer_id") == 3).then(pl.lit("corporate")).otherwise("kind")
    )
    events = happened((1, MARCH), (6, date(2024, 2, 1)), (7, date(2024, 3, 31)))
    assert told(events.head(1), people)["n_base"] == 5  # 4 to 8
    found = told(events, people)
    assert (found["n"], found["n_taken"]) == (3, 0)
    # from 23 March on 4 and 5 of 4, 5, 8 and 10; from 1 February on 4 and 5 of 1, 4, 5, 7, 8 and 9
    assert found["base_rate"] == pytest.approx((2 / 4 + 2 / 6 + 2 / 4) / 3)


def test_an_event_of_who_holds_nothing_any_more_does_not_count():
    """A salary that rose in the month in which the last account was closed: those alike are customers, too."""
    rows = [(1, "D", OLD, MARCH), (2, "D", OLD, None), (3, "D", OLD, None), (3, "T", MARCH + timedelta(9), None)]
    found = told(happened((1, MARCH), (3, MARCH)), held(*rows))
    assert (found["n"], found["n_taken"], found["n_unlike"], found["n_base"]) == (1, 1, 0, 1)


def test_an_event_beside_which_nobody_is_alike_is_told_apart():
    people = held((1, "D", OLD, None), (2, "D", OLD, None)).with_columns(kind=pl.Series(["corporate", "retail"]))
    found = told(happened((1, MARCH)), people)
    assert (found["n"], found["n_unlike"], found["rate"], found["base_rate"], found["lower"]) == (0, 1, *[None] * 3)


def test_no_event_is_no_rate_and_a_line_not_sold_no_row():
    found = followed(happened(), held((1, "D", OLD, None)), PRODUCTS, POLICY, AS_OF)
    assert found["n"].to_list() == [0] * found.height
    assert found["rate"].null_count() == found.height
    assert set(found["target"]) == {"term deposits", "wealth"}


def test_a_trigger_that_leads_to_an_unknown_product():
    rule = replace(STAYED, products=("T3",))
    with pytest.raises(crm.InputError, match=r"stays leads to a product T3, which there is not\. Did"):
        told(happened((1, MARCH)), held((1, "D", OLD, None)), rule=rule)
    with pytest.raises(crm.InputError, match="followed needs a column term"):
        told(happened(), held((1, "D", OLD, None)), products=PRODUCTS.drop("term"))


def brute(events: pl.DataFrame, holdings: pl.DataFrame, members=("T", "T2"), days=60) -> dict:
    """The same, one customer and one event after the other."""
    spells = holdings.select("customer_id", "product_id", "opened_on", "closed_on", "kind").rows()
    kind = {who: kind for who, *_, kind in spells}

    def open_(who, on, of=None):
        return any(
            w == who and a <= on and (b is None or b > on) and (of is None or p in of) for w, p, a, b, _ in spells
        )

    def takes(who, on):
        return any(w == who and p in members and 0 < (a - on).days <= days for w, p, a, _, _ in spells)

    had = sorted(set(events.select("customer_id", "on").rows()))
    counted, last = [], {}
    for who, on in had:
        in_time = AS_OF.replace(year=AS_OF.year - 2) < on <= AS_OF - timedelta(days)
        if who in kind and in_time and open_(who, on) and (who not in last or (on - last[who]).days > days):
            counted.append((who, on))
            last[who] = on
    rows = []
    for who, on in counted:
        month = [day for _, day in counted if (day.year, day.month) == (on.year, on.month)]
        low, high = median_low(month), sorted(month)[len(month) // 2]
        middle = low + timedelta((high - low).days // 2)
        end = pl.select(pl.lit(on).dt.month_end()).item()
        alike = [
            other
            for other in kind
            if open_(other, middle)
            and kind[other] == kind[who]
            and open_(other, middle, members) == open_(who, on, members)
            and not any(w == other and middle - timedelta(days) < day <= end for w, day in had)
        ]
        if alike:
            rows.append((takes(who, on), sum(takes(other, middle) for other in alike) / len(alike)))
    return {
        "n": len(rows), "n_unlike": len(counted) - len(rows), "n_taken": sum(took for took, _ in rows),
        "base_rate": sum(base for _, base in rows) / len(rows) if rows else None,
    }  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6))
def test_counts_by_brute_force(seed):
    rng = np.random.default_rng(seed)

    def day(n):
        return [date(2022, 10, 1) + timedelta(int(at)) for at in rng.integers(0, 820, n)]

    n = 24
    rows = [(who, "D", OLD, None) for who in range(10)]
    for who, product, start in zip(rng.integers(0, 12, n), rng.choice(["T", "T2", "W"], n), day(n), strict=True):
        rows.append((int(who), str(product), start, start + timedelta(90) if rng.random() < 0.5 else None))
    people = held(*rows).with_columns(
        kind=pl.when(pl.col("customer_id") % 3 == 0).then(pl.lit("corporate")).otherwise("kind")
    )
    events = happened(*zip(rng.integers(0, 12, 14).tolist(), day(14), strict=True))
    found, by_hand = told(events, people), brute(events, people)
    assert {name: found[name] for name in ("n", "n_unlike", "n_taken")} == {
        name: by_hand[name] for name in ("n", "n_unlike", "n_taken")
    }
    assert found["base_rate"] == (None if by_hand["base_rate"] is None else pytest.approx(by_hand["base_rate"]))


def test_what_comes_after_as_of_changes_nothing():
    rng = np.random.default_rng(5)
    rows = [(who, "D", OLD, None) for who in range(60)]
    rows += [(who, "T", date(2024, 1, 1) + timedelta(int(rng.integers(0, 360))), None) for who in range(0, 60, 2)]
    events = happened(*[(who, date(2024, 1, 1) + timedelta(int(rng.integers(0, 360)))) for who in range(0, 60, 3)])
    short, then = replace(STAYED, follow_days=10), date(2024, 7, 20)
    cut = held(*[row for row in rows if row[2] <= then])
    assert told(events, held(*rows), rule=short, as_of=then) == told(
        events.filter(pl.col("on") <= then), cut, rule=short, as_of=then
    )


def test_the_same_customers_seen_more_often_are_no_surer():
    """Each has an event every quarter and always does the same after it: eight looks at one are one."""
    people = 40
    rows, events = [], []
    for who in range(2 * people):
        rows.append((who, "D", OLD, None))
        for at in range(8):
            on = date(2023, 1, 15) + timedelta(91 * at)
            if on > AS_OF - timedelta(60):
                break
            if who < people:
                events.append((who, on))
                if who % 4 == 0:
                    rows.append((who, "W", on + timedelta(5), on + timedelta(30)))
    often = told(happened(*events), held(*rows), "wealth")
    once = told(happened(*events[:: len(events) // people]), held(*rows), "wealth")
    assert often["n"] > 6 * once["n"]
    assert often["upper"] - often["lower"] == pytest.approx(once["upper"] - once["lower"], rel=0.1)


@pytest.mark.slow
@pytest.mark.parametrize(("rate", "base"), [(0.11, 0.02), (0.05, 0.05)])
def test_the_interval_of_the_difference_holds_the_truth(rate, base):
    """1,000 banks of 400 customers, four months, and habits of taking, so that a customer's windows hang together."""
    rng = np.random.default_rng(20261122)
    days = [date(2024, month, 15) for month in (1, 4, 7, 10)]
    hits = 0
    for _ in range(1000):
        habit = rng.gamma(2, 0.5, 400)
        rows, events = [(who, "D", OLD, None) for who in range(400)], []
        for on in days:
            has = rng.random(400) < 0.25
            takes = rng.random(400) < np.where(has, rate, base) * habit
            events += [(int(who), on) for who in np.flatnonzero(has)]
            rows += [(int(who), "W", on + timedelta(9), on + timedelta(20)) for who in np.flatnonzero(takes)]
        found = told(happened(*events), held(*rows), "wealth")
        hits += found["least"] <= rate - base <= found["most"]
    assert 930 <= hits <= 975


# -- whom to call


def test_fresh_is_the_latest_of_each_kind_not_too_old_and_still_there():
    rule = {rule.kind: rule for rule in POLICY.triggers}
    days = {kind: timedelta(rule[kind].fresh_days) for kind in rule}
    events = pl.concat(
        [
            happened((1, AS_OF - days["inflow_stayed"]), (2, AS_OF - days["inflow_stayed"] - timedelta(1))),
            happened((3, AS_OF - timedelta(40)), (3, AS_OF - timedelta(9))),
            happened((3, AS_OF), (4, AS_OF), (5, AS_OF), kind="maturing_soon").with_columns(
                account_id=pl.Series([30, 40, 50], dtype=pl.Int32)
            ),
            happened((4, AS_OF), (5, AS_OF), kind="closed").with_columns(
                account_id=pl.Series([40, 99], dtype=pl.Int32)
            ),
        ]
    )
    found = fresh(events, POLICY, AS_OF)
    assert found.select("customer_id", "kind", "on", "until").rows() == [
        (1, "inflow_stayed", AS_OF - days["inflow_stayed"], AS_OF),
        (3, "inflow_stayed", AS_OF - timedelta(9), AS_OF - timedelta(9) + days["inflow_stayed"]),
        (3, "maturing_soon", AS_OF, AS_OF + days["maturing_soon"]),
        (5, "maturing_soon", AS_OF, AS_OF + days["maturing_soon"]),
    ]
    assert_frame_equal(found, fresh(events.reverse(), POLICY, AS_OF))
    later = [happened((who, AS_OF + timedelta(1)), kind=kind) for who in (3, 5) for kind in ("closed", "inflow_stayed")]
    later = pl.concat(later).with_columns(account_id=pl.lit(50, pl.Int32))
    assert_frame_equal(found, fresh(events.vstack(later), POLICY, AS_OF))


def test_the_worked_example_of_a_manager():
    """42 customers of yours received more than 3 × their usual month, and what such customers did in two years."""
    rows = [(who, "D", OLD, None) for who in range(1000)]
    events = [(who, MARCH) for who in range(100)] + [(who, AS_OF - timedelta(16)) for who in range(500, 542)]
    rows += [(who, "T", MARCH + timedelta(30), None) for who in (*range(11), *range(100, 118))]
    events, people = happened(*events), held(*rows)
    found = told(events, people)
    whose = fresh(events, POLICY, AS_OF).filter(pl.col("kind") == "inflow_stayed")
    said = (
        f"{whose.height} customers of yours received more than {STAYED.times // 10**6} × their usual month and still "
        f"hold it; in the last two years {100 * found['rate']:.0f} % of such customers took a term product within "
        f"{found['days']} days, {100 * found['base_rate']:.0f} % of the others."
    )
    assert said == (
        "42 customers of yours received more than 3 × their usual month and still hold it; in the last two years 11 % "
        "of such customers took a term product within 60 days, 2 % of the others."
    )
    assert found["least"] > 0.03
