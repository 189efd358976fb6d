"""The funnel against leads that are counted in the head, against brute force, and against its own rules."""

from datetime import date, timedelta
from statistics import median

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.bank.read import read
from crmlab.errors import InputError
from crmlab.measures import funnel
from tests import banks

AS_OF, SETTLE = date(2024, 12, 31), 90
DAYS = [*funnel.DAYS, "lost_on"]
SCHEMA = {"lead_id": pl.String, **dict.fromkeys(DAYS, pl.Date), "cost": pl.Int64, "line": pl.String}
SOME = settings(deadline=None, max_examples=80)


def day(text: str | None) -> date | None:
    return text and date.fromisoformat(f"2024-{text}")


def wide(*rows: tuple) -> pl.DataFrame:
    """Leads from their days (contacted, responded, offered, opened, lost), cost and line."""
    told = [(f"L{i}", *map(day, row[:5]), *row[5:], *[None] * (7 - len(row))) for i, row in enumerate(rows)]
    return pl.DataFrame(told, schema=SCHEMA, orient="row")


# contacted, responded, offered, opened, lost, cost
BOOK = wide(
    ("01-10", "01-12", "01-20", "02-01", None, 3_000),
    ("01-10", "01-20", "01-25", None, "03-01", 3_000),
    ("02-01", None, None, None, "02-20", 3_000),
    ("02-01", None, None, None, None, 3_000),  # nobody knows
    ("03-01", None, None, "03-11", None, None),  # opened, with nothing told in between, and no cost
    (None, None, "04-01", None, None, 5_000),  # begins with an offer
    ("05-10", "05-01", None, None, None, 3_000),  # an answer before the question
    ("12-01", "12-05", None, None, None, 3_000),  # young
    ("12-20", None, None, None, "12-24", 3_000),  # young, though lost
    ("06-01", "06-03", "06-05", "06-09", "06-07", 3_000),  # won after it had been lost
    (None, None, None, None, "07-01", 0),  # all that is known is the loss
)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("n", [11, 7, 5, 3]),
        ("n_young", [2, 1, 0, 0]),
        ("n_judged", [9, 6, 5, 3]),
        ("n_next", [6, 5, 3, None]),
        ("conversion", [6 / 9, 5 / 6, 3 / 5, None]),
        ("n_timed", [4, 3, 2, None]),  # 2, 10, 2 and 4 days; 8, 5 and 2; 12 and 4
        ("median_days", [3.0, 5.0, 8.0, None]),
        ("n_waiting", [1, 2, 1, None]),
        ("n_lost", [3, 0, 1, None]),
        ("n_implied", [2, 2, 1, 0]),
        ("n_out_of_order", [1, 0, 0, 1]),
        ("cost", [None] * 3 + [7 * 3_000 + 5_000 - 3_000]),
        ("n_settled", [None] * 3 + [9]),
        ("n_wins", [None] * 3 + [3]),
        ("n_paid_for", [None] * 3 + [2]),
        ("cost_per_win", [None] * 3 + [11_500.0]),
    ],
)
def test_steps_worked_by_hand(column, expected):
    assert funnel.steps(BOOK, AS_OF, SETTLE)[column].to_list() == pytest.approx(expected)


def test_rates_carry_their_interval():
    told = funnel.steps(BOOK, AS_OF, SETTLE).filter(pl.col("conversion").is_not_null())
    assert (told["lower"] < told["conversion"]).all()
    assert (told["conversion"] < told["upper"]).all()
    assert told["upper"].max() < 1


def test_leads_as_young_as_the_rule_says_are_not_judged():
    rows = wide(("10-02", "10-04", None, None, None), ("10-03", "10-04", None, None, None))
    told = funnel.steps(rows, AS_OF, SETTLE)  # 90 days and 89
    assert told.select("n", "n_young", "n_judged", "n_next").row(0) == (2, 1, 1, 1)
    # both answers are 88 days old: whether an offer follows is asked of neither
    assert told.select("n", "n_young", "n_judged", "conversion", "lower").row(1) == (2, 2, 0, None, None)
    assert told["cost_per_win"].to_list() == [None] * 4


LEADS = pl.DataFrame(
    [
        ("L1", "contacted", day("01-05"), None, "M1", "P1", 300),
        ("L1", "opened", day("02-01"), 7, "M2", "P1", None),  # joins that day; M2 has taken over
        ("L2", "contacted", day("01-05"), 7, None, "P2", None),  # a lead is known before its customer is
        ("L3", "contacted", day("03-05"), 8, None, "P2", 100),
        ("L3", "offered", day("03-07"), None, None, None, 50),
        ("L4", "lost", day("04-01"), None, "M9", None, None),
    ],
    schema=dict(
        zip(funnel.ROWS, [pl.String, pl.String, pl.Date, pl.Int32, pl.String, pl.String, pl.Int64], strict=True)
    ),
    orient="row",
)
PRODUCTS = pl.DataFrame({"product_id": ["P1", "P2"], "line": ["deposits", "loans"]})
MANAGERS = pl.DataFrame({"manager_id": ["M1", "M2"], "branch_id": ["B1", "B2"]})
PEOPLE = pl.DataFrame(
    {"customer_id": [7, 8], "since": [day("02-01"), date(2020, 1, 1)], "branch_id": ["B7", "B8"]},
    schema_overrides={"customer_id": pl.Int32},
)


def test_leads_by_hand():
    told = funnel.leads(LEADS, PRODUCTS, MANAGERS, PEOPLE)
    assert told.select("lead_id", "customer_id", "manager_id", "branch_id", "line", "is_prospect", "cost").rows() == [
        ("L1", 7, "M2", "B2", "deposits", True, 300),
        ("L2", 7, None, "B7", "loans", True, None),
        ("L3", 8, None, "B8", "loans", False, 150),
        ("L4", None, "M9", None, None, True, None),
    ]
    assert told.select(DAYS).row(0) == (day("01-05"), None, None, day("02-01"), None)


def test_a_bank_without_leads_has_an_empty_frame_of_them_and_no_funnel():
    told = funnel.leads(LEADS.clear(), PRODUCTS, MANAGERS.clear(), PEOPLE)
    assert told.schema == funnel.leads(LEADS, PRODUCTS, MANAGERS, PEOPLE).schema
    with pytest.raises(InputError, match=r"funnel\.steps has been given no row"):
        funnel.steps(told, AS_OF, SETTLE)


def test_the_days_of_a_lead_are_the_first_and_no_order_of_rows_matters():
    again = pl.concat([LEADS, LEADS.with_columns(pl.col("on") + timedelta(days=3))])
    first = funnel.leads(LEADS, PRODUCTS, MANAGERS, PEOPLE).select(DAYS)
    assert funnel.leads(again, PRODUCTS, MANAGERS, PEOPLE).select(DAYS).equals(first)
    turned = funnel.leads(LEADS.reverse(), PRODUCTS.reverse(), MANAGERS.reverse(), PEOPLE.reverse())
    assert turned.equals(funnel.leads(LEADS, PRODUCTS, MANAGERS, PEOPLE))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: funnel.steps(BOOK, date(2024, 6, 1), SETTLE), "4 of 11 leads have a step after 2024-06-01"),
        (lambda: funnel.steps(pl.concat([BOOK, BOOK]), AS_OF, SETTLE), "11 of 22 rows .* repeat a lead_id .first: L0"),
        (lambda: funnel.steps(BOOK, AS_OF, SETTLE, "lines"), "needs a column lines. Did you mean line?"),
        (lambda: funnel.leads(LEADS.drop("cost"), PRODUCTS, MANAGERS, PEOPLE), "needs a column cost"),
    ],
)
def test_bad_input_is_told_in_a_sentence(wrong, says):
    with pytest.raises(InputError, match=says):
        wrong()


DATES = st.none() | st.dates(date(2024, 6, 1), AS_OF)
ROW = st.tuples(*[DATES] * 5, st.none() | st.integers(0, 10**6), st.sampled_from(["deposits", "loans", None]))
MANY = st.lists(ROW.filter(lambda row: any(row[:5])), min_size=1, max_size=30).map(
    lambda rows: pl.DataFrame([(f"L{i:02}", *row) for i, row in enumerate(rows)], schema=SCHEMA, orient="row")
)


@SOME
@given(MANY)
def test_steps_are_those_of_brute_force(leads):
    told = funnel.steps(leads, AS_OF, SETTLE).rows(named=True)
    days = [row[1:6] for row in leads.rows()]
    for k, row in enumerate(told):
        here = [d for d in days if k == 0 or any(d[k:4])]
        on = [d[k] or min(filter(None, d[k + 1 :])) for d in here]
        judged = [d for d, at in zip(here, on, strict=True) if (AS_OF - at).days >= SETTLE]
        assert (row["n"], row["n_judged"], row["n_young"]) == (len(here), len(judged), len(here) - len(judged))
        assert row["n_implied"] == sum(d[k] is None for d in here)
        odd = [d for d in here if d[k] and any(later and later < d[k] for later in d[k + 1 :])]
        assert row["n_out_of_order"] == len(odd)
        if k < 3:
            assert row["n_next"] == sum(any(d[k + 1 : 4]) for d in judged)
            took = [(d[k + 1] - d[k]).days for d in here if d[k] and d[k + 1] and d not in odd]
            assert (row["n_timed"], row["median_days"]) == (len(took), median(took) if took else None)


@SOME
@given(MANY)
def test_every_lead_went_on_waits_or_is_lost_and_groups_add_up(leads):
    told = funnel.steps(leads, AS_OF, SETTLE)
    n, waiting, lost = (told[name].to_list() for name in ("n", "n_waiting", "n_lost"))
    assert all(n[k] == n[k + 1] + waiting[k] + lost[k] for k in range(3))
    by_line = funnel.steps(leads, AS_OF, SETTLE, by="line")
    assert by_line.height == 4 * leads["line"].n_unique()
    counted = [*funnel.COUNTS, *funnel.WON, "cost"]
    sums = by_line.group_by("step").agg(pl.col(counted).sum()).sort("step")
    assert sums.rows() == told.select("step", pl.col(counted).fill_null(0)).rows()
    assert funnel.steps(leads.reverse(), AS_OF, SETTLE).equals(told)


def test_what_comes_after_the_wall_changes_nothing(tmp_path):
    def lead(number: str, step: str, on: str, **more) -> dict:
        return {"lead_id": number, "step": step, "on": on, "product_id": "P-CUR", **more}

    early = [
        lead("L1", "contacted", "2024-01-05", manager_id="M1", cost="30.00"),
        lead("L2", "contacted", "2024-01-09", customer_id="C1", manager_id="M1"),
        lead("L2", "responded", "2024-01-12", customer_id="C1", manager_id="M1"),
    ]
    late = [
        lead("L1", "opened", "2024-02-10", customer_id="C7", manager_id="M2", cost="9.00"),
        lead("L2", "lost", "2024-02-20", customer_id="C1", manager_id="M2"),
        lead("L3", "contacted", "2024-02-21", manager_id="M1"),
    ]
    told = []
    for name, rows in (("early", early), ("late", early + late)):
        people = [banks.person("C1"), banks.person("C7", since="2024-02-10")]
        moves = [banks.entry("2024-01-01", "A1", "5.00"), banks.entry("2024-03-31", "A1", "5.00")]
        folder = banks.six(
            tmp_path / name, customers=people, accounts=[banks.account("A1", "C1")], transactions=moves, leads=rows,
            holders=[], balances=[], assignments=[],
        )  # fmt: skip
        for as_of in (date(2024, 1, 31), date(2024, 3, 31)):
            bank = read(folder, as_of=as_of, landed=tmp_path / "landed")
            tables = [bank.table(table).collect() for table in ("leads", "products", "managers", "customers")]
            told.append(funnel.leads(*tables))
    assert told[0].equals(told[2])
    assert told[0].select("lead_id", "is_prospect", "customer_id").rows() == [("L1", True, None), ("L2", False, 0)]
    assert told[3].select("is_prospect", "customer_id", "cost").row(0) == (True, 1, 3_900)


def test_the_wall_who_was_won_later_is_a_lead_of_nobodys_yet(tmp_path):
    """A bank that names the customer on every step of a lead: before the win, the lead is there, the name is not."""
    said = {"lead_id": "L1", "customer_id": "C3", "manager_id": "M1", "product_id": "P-TD"}
    steps = [said | {"step": "contacted", "on": "2024-01-02"}, said | {"step": "opened", "on": "2024-01-10"}]
    folder = banks.six(tmp_path / "bank", leads=steps)
    told = {}
    for on in (date(2024, 1, 9), date(2024, 1, 31)):
        bank = read(folder, as_of=on, landed=tmp_path / "landed")
        tables = [bank.table(name).collect() for name in ("leads", "products", "managers", "customers")]
        told[on.day] = funnel.leads(*tables).select("customer_id", "is_prospect", "opened_on").rows()
    assert told[9] == [(None, True, None)]
    assert told[31][0][1:] == (True, date(2024, 1, 10))
    assert told[31][0][0] is not None
