"""Maturities against sums done by hand, a daily ledger by brute force, the wall, and what was planted."""

from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab import simulate
from crmlab.measures import maturity
from tests import banks, brute, random_banks
from tests.banks import account, entry, person

AS_OF = date(2024, 4, 30)
MONEY = ["amount", "before", "after", "retained"]
KEPT = pl.col("retained") >= pl.col("amount") - pl.col("retained")


def found(bank, facts: pl.LazyFrame | None = None) -> pl.DataFrame:
    """Maturities under the bank's own numbers."""
    rows = crm.panel.maturities(crm.panel.facts(bank) if facts is None else facts, bank).collect()
    for key in ("account", "customer"):
        numbers = bank.table(f"{key}s").select(f"{key}_id", pl.col(f"{key}_no").alias(key)).collect()
        rows = rows.join(numbers, on=f"{key}_id", how="left", maintain_order="left").drop(f"{key}_id")
    return rows


# --- by hand -----------------------------------------------------------------------------------------------------


def term(number: str, owner: str, matures: str, closed: str = "", opened: str = "2023-08-10", **more) -> dict:
    return account(number, owner, "P-TD", opened, matures_on=matures, closed_on=closed, **more)


def paid(on: str, source: str, target: str, amount: str) -> list[dict]:
    return [entry(on, source, f"-{amount}", "own_transfer", "bank"), entry(on, target, amount, "own_transfer", "bank")]


def six(folder: Path) -> Path:
    opening = {
        "A1": "50.00", "T1": "100.00", "T0": "30.00", "T2": "300.00", "T3": "100.00", "T4": "100.00", "T5": "100.00",
        "T6": "100.00", "A5": "10.00", "T7": "80.00", "T8": "20.00", "T9": "40.00", "T10": "5.00", "T12": "10.00",
    }  # fmt: skip
    return banks.six(
        folder,
        accounts=[
            account("A1", "C1"),
            term("T1", "C1", "2024-02-10", "2024-02-10"),
            term("T0", "C1", "2024-03-01", "2024-01-15"),  # closed before its time
            account("L1", "C1", "P-LOAN", "2023-08-10", matures_on="2024-02-10"),
            account("A2", "C2"),
            term("T2", "C2", "2024-02-10", "2024-02-10"),  # two on one day
            term("T3", "C2", "2024-02-10", "2024-02-10"),
            term("T12", "C2", "2024-03-11", "2024-03-11"),  # on the thirtieth day after them
            term("N2", "C2", "2024-09-20", opened="2024-03-20"),  # still ahead
            account("A3", "C3"),
            term("T4", "C3", "2024-02-10", "2024-02-10"),  # two within thirty days; the second one's money leaves
            term("T5", "C3", "2024-02-20", "2024-02-20"),
            term("T6", "C4", "2024-02-10", currency="USD"),  # renews itself
            account("A5", "C5"),
            term("T7", "C5", "2024-04-20", "2024-04-20"),  # half of it is C6's; not known yet what stays
            term("T9", "C5", "2024-03-31"),
            term("T10", "C5", "2024-04-01"),
            term("T8", "C6", "2024-02-10"),
            account("A6", "C6"),  # older than the history and without an anchor
        ],
        customers=[person(f"C{n}", kind="corporate" if n == 4 else "retail") for n in range(1, 7)],
        holders=[
            {"account_id": "T7", "customer_id": "C5", "role": "owner", "share": "0.5"},
            {"account_id": "T7", "customer_id": "C6", "role": "joint", "share": "0.5"},
        ],
        balances=[
            {"account_id": number, "on": "2023-12-31", "balance": amount, "kind": "anchor"}
            for number, amount in (opening | dict.fromkeys(["A2", "A3"], "0.00") | {"L1": "-500.00"}).items()
        ],
        assignments=[],
        transactions=[
            entry("2024-01-01", "A1", "0.00", "fee", "bank"),
            *paid("2024-01-15", "T0", "A1", "30.00"),
            entry("2024-02-10", "T1", "1.00", "interest", "bank"),
            *paid("2024-02-10", "T1", "A1", "101.00"),
            entry("2024-02-20", "A1", "-60.00", counterparty_kind="other bank"),
            entry("2024-03-12", "A1", "-100.00"),  # the day after the thirty are over
            *paid("2024-02-10", "T2", "A2", "300.00"),
            *paid("2024-02-10", "T3", "A2", "100.00"),
            entry("2024-02-15", "A2", "-200.01"),
            entry("2024-03-11", "T12", "-10.00"),
            *paid("2024-03-20", "A2", "N2", "50.00"),
            *paid("2024-02-10", "T4", "A3", "100.00"),
            *paid("2024-02-20", "T5", "A3", "100.00"),
            entry("2024-02-20", "A3", "-100.00"),
            *paid("2024-04-20", "T7", "A5", "80.00"),
        ],
    )  # fmt: skip


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory):
    folder = tmp_path_factory.mktemp("six")
    return found(crm.read(six(folder / "extracts"), as_of=AS_OF, landed=folder / "landed"))


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("T1", (10000, 18000, 12100, 4100)),  # 80.00 were there beside it, 121.00 are: 41.00 of it stayed
        ("T2", (30000, 41000, 19999, 14999)),  # 199.99 stayed of both: 149.9925 and 49.9975; the last ten were T12
        ("T3", (10000, 41000, 19999, 5000)),
        ("T12", (1000, 20999, 19999, 0)),
        ("N2", (5000, 19999, None, None)),
        ("T4", (10000, 20000, 10000, 10000)),  # what left on the 20th is laid to the one of the 20th
        ("T5", (10000, 20000, 10000, 0)),
        ("T6", (71000, 71000, 72000, 71000)),  # at 7.1, then at 7.2
        ("T9", (4000, 13500, 13500, 4000)),  # its thirtieth day is the last one known
        ("T10", (500, 13500, None, None)),
        ("T7", (8000, 13500, None, None)),
        ("T8", (2000, None, None, None)),  # what else there was is not known
    ],
)
def test_maturities_worked_by_hand(by_hand, number, expected):
    assert by_hand.filter(account=number).select(MONEY).rows() == [expected]


def test_loans_and_deposits_closed_early_do_not_mature(by_hand):
    assert by_hand["account"].to_list() == [
        "T1", "T2", "T3", "T12", "N2", "T4", "T5", "T6", "T9", "T10", "T7", "T8",
    ]  # fmt: skip
    assert by_hand.filter(account="T6").select("kind", "line", "product", "opened_on", "matures_on").rows() == [
        ("corporate", "deposits", "Term deposit", date(2023, 8, 10), date(2024, 2, 10))
    ]


def test_facts_that_lack_a_month_are_named(tmp_path):
    bank = crm.read(six(tmp_path / "extracts"), as_of=AS_OF, landed=tmp_path / "landed")
    some = crm.panel.facts(bank).filter(pl.col("month") != date(2024, 3, 31))
    with pytest.raises(crm.InputError, match=r"lack .* balances that are needed \(first: 2024-03-10\)"):
        crm.panel.maturities(some, bank)


def test_a_bank_where_nothing_matures(tmp_path):
    bank = crm.read(banks.six(tmp_path / "extracts"), as_of="2024-03-31", landed=tmp_path / "landed")
    rows = crm.panel.maturities(crm.panel.facts(bank), bank).collect()
    assert rows.is_empty()
    assert maturity.calendar(rows, bank.as_of).is_empty()
    assert maturity.retention(rows).is_empty()
    assert maturity.retention(rows, "line").is_empty()
    assert maturity.renewal(rows, bank.as_of).is_empty()


STATED = [("2024-01-31", "110.00"), ("2024-02-05", "120.00"), ("2024-02-29", "90.00"), ("2024-03-05", "70.00")]


@pytest.mark.parametrize(
    ("kind", "days", "expected"),
    [
        ("daily", slice(None), (12000, 12000, 7000, 7000)),
        ("month_end", slice(0, 3, 2), (11000, 11000, 9000, 9000)),  # the last month end before each day
        ("transactions", slice(0), (10000, 10000, 10000, 10000)),
    ],
)
def test_balances_are_taken_as_far_as_they_are_stated(tmp_path, kind, days, expected):
    stated = [("2023-12-31", "100.00"), *STATED[days]]
    folder = banks.six(
        tmp_path / "extracts",
        accounts=[account("A1", "C1"), term("T1", "C2", "2024-02-10", history_kind=kind)],
        holders=[],
        transactions=[entry("2024-01-01", "A1", "1.00")],
        balances=[{"account_id": "T1", "on": on, "balance": sum_, "kind": "anchor"} for on, sum_ in stated],
    )
    rows = found(crm.read(folder, as_of=AS_OF, landed=tmp_path / "landed"))
    assert rows.select(MONEY).rows() == [expected]


# --- by brute force ------------------------------------------------------------------------------------------------


@st.composite
def maturing(draw) -> dict:
    """A random bank some of whose accounts mature, several of a customer on a day or soon after each other."""
    tables = draw(random_banks.delivered())
    more = [
        account(f"M{n}", draw(st.sampled_from(["C1", "C2"])), "TERM", str(draw(st.dates(date(2023, 9, 1), FIRST_DUE))))
        for n in range(4)
    ]
    days = st.dates(FIRST_DUE, date(2024, 3, 10)) | st.just(date(2024, 2, 20)) | st.just(date(2024, 6, 1))
    rows = []
    for row in tables["accounts"] + more:
        due = draw(days) if row["account_id"][0] in "DTUWLM" else None
        is_due = due and str(due) >= row["opened_on"]
        closes = draw(st.none() | st.integers(-5, 5)) if is_due and row["account_id"][0] == "M" else None
        if closes is not None:
            row = row | {"closed_on": str(max(due + timedelta(days=closes), date.fromisoformat(row["opened_on"])))}
        rows.append(row | {"matures_on": str(due) if is_due else ""})
    amounts = st.integers(-(10**4), 10**5).filter(bool)
    tables["balances"] += [
        {"account_id": row["account_id"], "on": "2023-12-31", "kind": "anchor",
         "balance": random_banks.text(draw(st.integers(1, 10**5)), 2)}
        for row in more if row["opened_on"] < "2024-01-01"
    ]  # fmt: skip
    closed = {row["account_id"]: row.get("closed_on") or "9999" for row in rows}
    drawn = draw(st.lists(st.tuples(random_banks.DAYS, st.sampled_from(more), amounts), max_size=12))
    tables["transactions"] = tables["transactions"] + [
        entry(day, row["account_id"], random_banks.text(amount, 2), "cash")
        for day, row, amount in drawn
        if row["opened_on"] <= str(day) <= closed[row["account_id"]]
    ]
    days = draw(st.sampled_from([1, 10, 30]))
    return tables | {"accounts": rows, "policy": tables["policy"] + f"\n[churn]\nmaturity_days = {days}\n"}


FIRST_DUE = date(2024, 1, 25)


def ledger(tables: dict, as_of: date) -> dict[str, dict[date, int]]:
    """What the bank owes on each day from the one before the history on, account by account, in base currency."""
    first = random_banks.FIRST
    rates = defaultdict(dict)
    for row in tables["fx_rates"]:
        rates[row["currency"]][date.fromisoformat(row["on"])] = Fraction(row["rate"])
    held = {}
    for row in tables["accounts"]:
        if random_banks.LINE[row["product_id"]] not in ("deposits", "wealth"):
            continue
        number, digits = row["account_id"], random_banks.DIGITS[row["currency"]]
        start = max(date.fromisoformat(row["opened_on"]), first)
        end = min(date.fromisoformat(row.get("closed_on") or "9999-12-31"), as_of)
        stated = [b for b in tables["balances"] if b["account_id"] == number]
        opening = sum(_minor(b["balance"], digits) for b in stated if b["kind"] == "anchor")
        moved = [t for t in tables["transactions"] if t["account_id"] == number]
        days = brute.daily_balances(
            start, end, opening,
            [(date.fromisoformat(str(t["booked_on"])), _minor(t["amount"], digits)) for t in moved],
            {b["on"]: _minor(b["balance"], digits) for b in stated if b["kind"] == "valuation"},
        )  # fmt: skip
        if row["opened_on"] < str(first):
            days[first - timedelta(days=1)] = opening
        if row["currency"] != "CNY":
            of = rates[row["currency"]]
            days = {day: round(amount * of[max(on for on in of if on <= day)]) for day, amount in days.items()}
        held[number] = days
    return held


def _minor(text: str, digits: int) -> int:
    return int(Fraction(text) * 10**digits)


def by_days(tables: dict, as_of: date, days: int) -> dict[str, tuple]:
    """amount, before and after of each account that matures, day by day."""
    held = ledger(tables, as_of)
    owned = {row["account_id"]: row["customer_id"] for row in tables["accounts"]}

    def of_owner(who: str, day: date) -> int:
        return sum(held[number].get(day, 0) for number in held if owned[number] == who)

    result = {}
    for row in tables["accounts"]:
        number = row["account_id"]
        closed = row.get("closed_on") or "9999"
        if number not in held or not row["matures_on"] or (closed < row["matures_on"] and closed <= str(as_of)):
            continue
        due = date.fromisoformat(row["matures_on"])
        eve, later = min(due - timedelta(days=1), as_of), due + timedelta(days=days)
        after = of_owner(owned[number], later) if later <= as_of else None
        result[number] = (max(held[number].get(eve, 0), 0), of_owner(owned[number], eve), after)
    return result


def stayed(rows: list[dict], days: int) -> dict[date, int]:
    """Of one customer's maturities, what stayed of those of each day: the last ones lose first."""
    due, before, after = defaultdict(int), {}, {}
    for row in rows:
        due[row["matures_on"]] += row["amount"]
        before[row["matures_on"]], after[row["matures_on"]] = row["before"], row["after"]
    result = {}
    for day in (day for day in due if after[day] is not None):
        level = after[day]
        for later in sorted((d for d in due if day < d <= day + timedelta(days=days)), reverse=True):
            level += min(max(before[later] - level, 0), due[later])
        result[day] = due[day] - min(max(before[day] - level, 0), due[day])
    return result


@random_banks.DRAWN
@given(tables=maturing())
def test_maturities_against_a_daily_ledger_by_brute_force(tables):
    with TemporaryDirectory() as folder:
        bank = random_banks.written(Path(folder), tables)
        rows = found(bank)
    days = bank.policy.churn.maturity_days
    told = {row["account"]: (row["amount"], row["before"], row["after"]) for row in rows.to_dicts()}
    assert told == by_days(tables, random_banks.LAST, days)
    for (customer,), of in rows.group_by("customer"):
        by_day = of.group_by("matures_on").agg(pl.col("retained").sum(), known=pl.col("retained").is_not_null().all())
        assert {day: kept for day, kept, known in by_day.rows() if known} == stayed(of.to_dicts(), days), customer
    conserved(rows, days)


def conserved(rows: pl.DataFrame, days: int) -> None:
    """Nothing stays that was not there."""
    known = rows.filter(pl.col("retained").is_not_null())
    assert known.filter(~pl.col("retained").is_between(0, pl.col("amount"))).is_empty()
    assert (rows["retained"].is_null() == rows["after"].is_null()).all()
    alone = known.filter(pl.struct("customer", "matures_on").is_unique())
    formula = (pl.col("after") - (pl.col("before") - pl.col("amount"))).clip(0, pl.col("amount"))
    # Where another one follows, more may have stayed of the first than its own formula says, never less.
    assert alone.filter(pl.col("retained") < formula).is_empty()
    # What matures is more than there is where an overdraft stands against it: then what stays may be, too.
    due = pl.col("amount").sum().over("customer", "matures_on")
    first = known.select("customer", first="matures_on", there="before").unique()
    together = (
        first.join(known.with_columns(covered=due <= pl.col("before")), on="customer")
        .filter(
            pl.col("matures_on").is_between("first", pl.col("first") + pl.duration(days=days)),
            pl.col("opened_on") < pl.col("first"),  # money that matures twice stays twice
        )
        .group_by("customer", "first", "there")
        .agg(pl.col("amount", "retained").sum(), pl.col("after").max(), pl.col("covered").all())
        .filter(pl.col("there") >= pl.col("amount"), "covered")
    )
    assert together.filter(pl.col("retained") > pl.col("after").clip(lower_bound=0)).is_empty()


# --- the wall ------------------------------------------------------------------------------------------------------


@settings(random_banks.DRAWN, max_examples=4)
@given(tables=maturing(), as_of=st.dates(date(2024, 1, 31), date(2024, 4, 10)))
def test_nothing_after_as_of_and_no_current_column_changes_a_maturity(tables, as_of):
    current = {"auto_renew": "Y", "overdue_days": "77", "five_grade": "loss"}
    changed = tables | {"accounts": [row | current for row in tables["accounts"]]}
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        then = found(random_banks.written(Path(one), random_banks.known(tables, as_of), as_of))
        later = random_banks.written(Path(other), changed)
        at = crm.read(Path(other) / "extracts", as_of=as_of, landed=Path(other) / "landed")
        assert_frame_equal(found(at), then)
        # What is known once stays so.
        known = then.filter(pl.col("retained").is_not_null())
        assert_frame_equal(found(later).join(known, on="account", how="semi"), known)
    assert then.filter(pl.col("after").is_not_null() & (pl.col("matures_on") >= as_of)).is_empty()


# --- what was planted ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Maturities of a simulated bank, with why the customer left and when."""
    folder = tmp_path_factory.mktemp("simulated")
    extracts = simulate.bank(folder / "bank", customers=3_000, months=24, seed=7)
    rows = found(crm.read(extracts, as_of=None, landed=folder / "landed"))
    left = simulate.truth(extracts, "leavers").select("cause", "left_on", customer="customer_id")
    return rows.join(left, on="customer", how="left", maintain_order="left")


def test_planted_leavers_at_maturity_keep_nothing_and_others_most(simulated):
    known = simulated.filter(pl.col("retained").is_not_null(), pl.col("kind") == "retail")
    leavers = known.filter(pl.col("cause") == "maturity", pl.col("matures_on") == pl.col("left_on"))
    assert leavers.height >= 5
    assert (leavers["retained"] <= leavers["amount"] * 0.05).all()
    others = maturity.retention(known.filter(pl.col("cause").is_null()))
    n, rate, lower = others.select("n", "rate", "lower").row(0)
    assert n > 1_500
    assert rate > 0.9
    assert lower > 0.9


def test_nothing_stays_that_was_not_there_on_a_simulated_bank(simulated):
    conserved(simulated, 30)


def test_the_first_year_predicts_the_second(simulated):
    middle = simulated["matures_on"].filter(simulated["retained"].is_not_null()).median()
    then = pl.when(pl.col("matures_on") <= middle - timedelta(days=30)).then(pl.col("after", "retained"))
    numbered = simulated.with_row_index("account_id").with_columns(customer_id=pl.col("customer").rank("dense"))
    told = maturity.renewal(numbered.with_columns(then), middle)
    came = numbered.select("account_id", came="retained").filter(pl.col("came").is_not_null())
    told = told.join(came, on="account_id").filter(pl.col("probability").is_not_null())
    kept = pl.col("came") >= pl.col("amount") - pl.col("came")
    assert told.height > 800
    assert told.select((kept.mean() - pl.col("probability").mean()).abs()).item() < 0.03
    interval = [pl.col(name).first() for name in ("lower", "upper")]
    groups = told.group_by("line", "term", "kind").agg(*interval, n=pl.len(), k=kept.sum())
    groups = groups.filter(pl.col("n") >= 20)
    lower, upper = crm.uncertainty.wilson(pl.col("k"), pl.col("n"))
    meets = groups.select(meets=(lower <= pl.col("upper")) & (upper >= pl.col("lower")))["meets"]
    assert len(meets) >= 4
    assert meets.mean() >= 0.8


# --- the measures --------------------------------------------------------------------------------------------------


def rows_of(groups: list[tuple[str, int, int]], ahead: int = 1) -> pl.DataFrame:
    """By kind, so many maturities of which so many were kept, each of a customer of its own, and some ahead."""
    past = [
        {"kind": kind, "matures_on": date(2024, 3, 1), "retained": 100 * (i < k)}
        for kind, n, k in groups
        for i in range(n)
    ]
    coming = [
        {"kind": kind, "matures_on": date(2024, 5, 1), "retained": None} for kind, *_ in groups for _ in range(ahead)
    ]
    frame = pl.DataFrame(past + coming, schema_overrides={"retained": pl.Int64}).with_row_index("account_id")
    return frame.with_columns(
        customer_id="account_id",
        line=pl.lit("deposits"),
        opened_on=pl.col("matures_on") - pl.duration(days=91),
        amount=pl.lit(100, pl.Int64),
    )


def test_a_small_group_leans_on_the_whole_and_a_large_one_speaks_for_itself():
    told = maturity.renewal(
        rows_of([("retail", 2_000, 1_800), ("corporate", 2_000, 1_000), ("institution", 6, 0)]), AS_OF
    )
    large, mid, small = (told.filter(kind=kind).row(0, named=True) for kind in ("retail", "corporate", "institution"))
    assert large["probability"] == pytest.approx(0.9, abs=0.005)
    assert mid["probability"] == pytest.approx(0.5, abs=0.005)
    assert 0.02 < small["probability"] < 0.5
    assert small["upper"] - small["lower"] > 5 * (mid["upper"] - mid["lower"])


def test_shrinkage_by_Kleinman_1973_worked_by_hand():  # noqa: N802 the name is the source
    # Shares 0.8 and 0.4 of 50 each, all together 0.6: γ = (4 − 0.24) / (0.24 · (100 − 50 − 1)) and s = 1/γ − 1.
    told = maturity.renewal(rows_of([("retail", 50, 40), ("corporate", 50, 20)]), AS_OF)
    alike = (50 * 0.2**2 * 2 - 0.24) / (0.24 * 49)
    weight = 1 / alike - 1
    expected = {"retail": (40 + 0.6 * weight) / (50 + weight), "corporate": (20 + 0.6 * weight) / (50 + weight)}
    assert dict(told.select("kind", "probability").rows()) == pytest.approx(expected)


def test_groups_that_do_not_differ_are_one():
    told = maturity.renewal(rows_of([("retail", 40, 30), ("corporate", 20, 15)]), AS_OF)
    assert told["probability"].to_list() == pytest.approx([0.75, 0.75])


@pytest.mark.parametrize(("n", "reason"), [(0, maturity.FEW), (4, maturity.FEW), (5, None)])
def test_fewer_than_a_handful_cannot_tell(n, reason):
    told = maturity.renewal(rows_of([("retail", 100, 80), ("corporate", n, min(n, 2))]), AS_OF)
    row = told.filter(kind="corporate").row(0, named=True)
    assert (row["n_like"], row["reason"]) == (n, reason)
    assert (row["probability"] is None) == (row["lower"] is None) == (row["upper"] is None) == (reason is not None)


def test_what_matured_later_is_no_past():
    told = maturity.renewal(rows_of([("retail", 100, 80)]), date(2024, 2, 29))
    assert told.height == 101
    assert set(told["n_like"]) == {0}


def test_customers_with_many_maturities_widen_the_interval():
    rows = rows_of([("retail", 200, 100)])
    same = rows.with_columns(customer_id=pl.col("account_id") // 20)  # twenty each, kept all or none
    single, many = (maturity.renewal(frame, AS_OF).row(0, named=True) for frame in (rows, same))
    assert many["probability"] == single["probability"]
    assert many["upper"] - many["lower"] > 3 * (single["upper"] - single["lower"])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).map(sorted), min_size=1, max_size=3))
def test_a_probability_lies_within_its_interval(groups):
    kinds = zip(("retail", "corporate", "institution"), groups, strict=False)
    told = maturity.renewal(rows_of([(kind, n, k) for kind, (k, n) in kinds]), AS_OF)
    known = told.filter(pl.col("probability").is_not_null())
    within = known.select(pl.col("probability").is_between(pl.col("lower") - 1e-12, pl.col("upper") + 1e-12))
    assert within.to_series().all()
    assert known.filter(~pl.col("lower").is_between(0, 1) | ~pl.col("upper").is_between(0, 1)).is_empty()


@pytest.mark.parametrize(
    ("opened", "expected"),
    [
        ("2024-03-31", "up to 3 months"),
        ("2024-01-01", "up to 6 months"),
        ("2023-07-01", "up to 1 year"),
        ("2021-07-01", "over 1 year"),
    ],
)
def test_terms_are_told_by_their_days(opened, expected):
    rows = rows_of([("retail", 1, 1)]).with_columns(
        opened_on=pl.lit(date.fromisoformat(opened)), matures_on=pl.lit(date(2024, 7, 2))
    )
    assert set(maturity.renewal(rows, AS_OF)["term"]) == {expected}


def test_retention_adds_up_over_groups_and_leaves_out_what_is_not_known(simulated):
    whole = maturity.retention(simulated).row(0, named=True)
    parts = maturity.retention(simulated, ["kind", "line"])
    known = simulated.filter(pl.col("retained").is_not_null(), pl.col("amount") > 0)
    assert parts.select(pl.col("n", "amount", "retained", "n_kept").sum()).row(0, named=True) == {
        name: whole[name] for name in ("n", "amount", "retained", "n_kept")
    }
    assert (whole["n"], whole["n_kept"]) == (known.height, known.filter(KEPT).height)
    assert parts.filter(~pl.col("kept_rate").is_between("lower", "upper")).is_empty()


def test_the_calendar_holds_what_is_ahead_once():
    rows = rows_of([("retail", 3, 1)], ahead=2).with_columns(amount=pl.Series([1, 2, 3, 4, None]))
    told = maturity.calendar(rows, AS_OF, days=1)
    assert told.rows() == [(date(2024, 5, 1), "deposits", 2, 2, 4, 1)]
    assert maturity.calendar(rows, date(2024, 5, 1), days=400).is_empty()


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda rows: maturity.calendar(rows, AS_OF, 0), "looks 0 days ahead"),
        (lambda rows: maturity.calendar(rows.drop("line"), AS_OF), "calendar needs a column line"),
        (lambda rows: maturity.retention(rows, "manager"), "retention needs a column manager"),
        (lambda rows: maturity.renewal(rows.drop("kind"), AS_OF), "renewal needs a column kind"),
    ],
)
def test_bad_input_is_said(ask, says):
    with pytest.raises(crm.InputError, match=says):
        ask(rows_of([("retail", 1, 1)]))
