"""The panel against sums done by hand, against a daily ledger by brute force, and against its own rules."""

from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmlab as crm
from tests import banks, brute, random_banks
from tests.banks import account, entry, person

AS_OF = date(2024, 3, 31)
IDENTITY = (
    pl.col("opening") + pl.col("inflow") - pl.col("outflow")
    + pl.sum_horizontal("own_transfer", "interest", "fees", "valuation", "fx")
)  # fmt: skip


def read(folder: Path, as_of: date = AS_OF):
    return crm.read(folder, as_of=as_of, landed=folder.parent / "landed")


def named(frame: pl.DataFrame, bank) -> pl.DataFrame:
    """`frame` with the bank's own numbers in place of ours."""
    for key in ("account", "customer"):
        if f"{key}_id" in frame.columns:
            numbers = bank.table(f"{key}s").select(f"{key}_id", pl.col(f"{key}_no").alias(key)).collect()
            frame = frame.join(numbers, on=f"{key}_id", how="left").drop(f"{key}_id")
    return frame


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    bank = read(banks.six(tmp_path_factory.mktemp("six") / "extracts"))
    facts = crm.panel.facts(bank)
    return bank, facts.collect(), crm.panel.customers(facts, bank).collect()


def test_facts_of_an_account_worked_by_hand(six):
    bank, facts, _ = six
    found = named(facts, bank).filter(pl.col("account") == "A1").select(
        "starts_on", "days", "opening", "inflow", "outflow", "own_transfer", "interest", "fees", "closing",
        "balance_days", "n_transactions", "n_pos", "n_active_days",
    )  # fmt: skip
    assert found.rows() == [
        (date(2024, 1, 1), 31, 10000, 5000, 0, 0, 0, 0, 15000, 315000, 1, 0, 0),
        (date(2024, 2, 1), 14, 15000, 0, 3500, 30000, 0, 0, 41500, 492500, 3, 2, 1),
        (date(2024, 2, 15), 15, 41500, 0, -3000, 0, 0, 0, 44500, 652500, 1, 0, 0),
        (date(2024, 3, 1), 31, 44500, 0, 0, -2500, 111, -200, 41911, 1350521, 3, 0, 0),
    ]


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        # opened on the 10th, closed on 20 February: 80.00 for 22 + 19 days
        ("A3", [(22, 0, 8000, 176000), (20, 8000, 0, 152000)]),
        # the anchor of the first day already holds that day's −200.00
        ("A4", [(31, 120000, 100000, 3100000), (29, 100000, 100000, 2900000), (31, 100000, 100000, 3100000)]),
        # 500.00 for 15 days, 530.00 from the 16th on, 470.00 on the last day
        ("A6", [(31, 50000, 53000, 1598000), (29, 53000, 53000, 1537000), (31, 53000, 47000, 1637000)]),
        # a loan is negative
        ("A7", [(25, 0, -30000, -750000), (31, -30000, -27500, -900000)]),
    ],
)
def test_balances_and_their_days(six, number, expected):
    bank, facts, _ = six
    months = named(facts, bank).filter(pl.col("account") == number).group_by("month", maintain_order=True)
    found = months.agg(
        pl.col("days").sum(), pl.col("opening").first(), pl.col("closing").last(), pl.col("balance_days").sum()
    )
    assert found.drop("month").rows() == expected


def test_an_account_without_an_anchor_has_no_balance_and_is_never_zero(six):
    bank, facts, customers = six
    unanchored = named(facts, bank).filter(pl.col("account") == "A2")
    assert unanchored["closing"].null_count() == unanchored["balance_days"].null_count() == 3
    assert unanchored["outflow"].to_list() == [0, 1000, 0]
    of_customer = named(customers, bank).filter(pl.col("customer") == "C2")
    assert of_customer["n_without_balance"].to_list() == [1, 1, 1]
    assert of_customer.select("opening", "outflow", "closing").unique().rows() == [(0, 0, 0)]


def test_a_change_of_rate_is_fx_and_nothing_else(six):
    bank, _, customers = six
    found = named(customers, bank).filter(pl.col("customer") == "C4").select("opening", "outflow", "fx", "closing")
    assert found.rows() == [
        (840000, 142000, 12000, 710000),  # 1,200 at 7.0; 200 at 7.1 leave; 1,000 at 7.1 stay
        (710000, 0, 10000, 720000),
        (720000, 0, -15000, 705000),
    ]


def test_a_joint_account_is_split_by_largest_remainder(six):
    bank, _, customers = six
    found = named(customers, bank).filter(pl.col("line") == "deposits", pl.col("customer").is_in(["C5", "C6"]))
    march = found.filter(pl.col("month") == date(2024, 3, 31)).sort("customer")
    assert march.select("customer", "opening", "inflow", "own_transfer", "closing").rows() == [
        ("C5", 1, 2, 0, 3),
        ("C6", 0, 2, 0, 2),
    ]


def test_the_bridge_closes_in_both_grains(six):
    _, facts, customers = six
    for frame in (facts.filter(pl.col("opening").is_not_null()), customers):
        assert frame.filter(pl.col("closing") != IDENTITY).is_empty()


def test_customers_by_asset_class_have_the_line_where_there_is_none(tmp_path):
    classes = {"P-CUR": "demand money", "P-FUND": "equity fund"}
    products = [row | {"asset_class": classes.get(row["product_id"], "")} for row in banks.PRODUCTS]
    bank = crm.read(banks.six(tmp_path / "x", products=products), as_of="2024-03-31", landed=tmp_path / "landed")
    told = crm.panel.customers(crm.panel.facts(bank), bank, by="asset_class").collect()
    assert set(told["line"]) == {"demand money", "equity fund", "loans"}


def test_each_opening_is_the_closing_before(six):
    _, facts, customers = six
    for frame, key, on in ((facts, ["account_id"], "starts_on"), (customers, ["customer_id", "line"], "month")):
        before = pl.col("closing").shift(1).over(key)
        assert frame.sort(*key, on).filter(pl.col("opening") != before).is_empty()


def test_events_are_dated_and_in_order(six):
    bank, _, _ = six
    events = named(crm.panel.events(bank).collect(), bank)
    assert events.filter(pl.col("customer") == "C1").select("on", pl.col("kind").cast(pl.String)).rows() == [
        (date(2023, 1, 1), "opened"),
        (date(2024, 1, 31), "salary"),
        (date(2024, 2, 5), "opened"),
        (date(2024, 2, 15), "manager_change"),
    ]
    out = events.filter(pl.col("kind") == "outflow_other_bank")
    assert out.select("customer", "amount").rows() == [("C4", 140000)]


def test_a_joint_account_is_opened_and_closed_for_all_its_holders(tmp_path):
    holders = [
        {"account_id": number, "customer_id": who, "role": role, "share": share}
        for number in ("A2", "A3")
        for who, role, share in (("C1", "owner", "0.5"), ("C2", "joint", "0.5"), ("C3", "user", ""))
    ]
    folder = banks.write(
        tmp_path / "extracts",
        products=banks.PRODUCTS,
        customers=[person("C1"), person("C2"), person("C3")],
        accounts=[
            account("A1", "C2"),
            account("A2", "C1", closed_on="2024-01-20", close_reason="request"),
            account("A3", "C1", closed_on="2024-01-20", close_reason="deceased"),
        ],
        holders=holders,
        transactions=[entry("2024-01-05", "A1", "1.00")],
    )
    bank = read(folder)
    found = named(crm.panel.events(bank).collect(), bank).select("customer", pl.col("kind").cast(pl.String), "reason")
    opened, closed = ("opened", None), ("closed", "request")
    assert sorted(found.rows(), key=str) == sorted(
        [("C1", *opened)] * 2 + [("C1", *closed), ("C1", "closed", "deceased")]
        + [("C2", *opened)] * 3 + [("C2", *closed), ("C2", "closed", None)],  # the owner's death is not theirs
        key=str,
    )  # fmt: skip


def test_engines_give_equal_facts(six):
    bank, facts, _ = six
    assert_frame_equal(crm.panel.facts(bank, engine="duckdb").collect(), facts)


def test_unknown_engine_names_the_near_miss(six):
    with pytest.raises(crm.InputError, match="Did you mean duckdb"):
        crm.panel.facts(six[0], engine="duckdbb")


def test_missing_exchange_rate_is_named(tmp_path):
    folder = banks.six(tmp_path / "extracts", fx_rates=[{"currency": "USD", "on": "2024-02-29", "rate": "7"}])
    bank = read(folder)
    with pytest.raises(crm.InputError, match="no rate of USD at or before 2024-01-31"):
        crm.panel.customers(crm.panel.facts(bank), bank).collect()


def test_amounts_beyond_64_bits_stop_instead_of_wrapping(tmp_path):
    huge = [entry("2024-01-02", "A1", "500000000000000.00", "cash") for _ in range(12)]
    with pytest.raises(crm.InputError, match="too much for 64 bits"):
        crm.panel.facts(read(banks.six(tmp_path / "extracts", transactions=huge)))


def test_history_of_month_end_balances_has_no_average(tmp_path):
    folder = banks.six(
        tmp_path / "extracts",
        accounts=[account("A1", "C1", history_kind="month_end"), account("A2", "C2", history_kind="daily")],
        holders=[],
        assignments=[],
        transactions=[entry("2024-01-01", "A1", "1.00")],
        balances=[
            {"account_id": "A1", "on": "2023-12-31", "balance": "10.00", "kind": "anchor"},
            {"account_id": "A1", "on": "2024-01-31", "balance": "12.00", "kind": "anchor"},
            {"account_id": "A2", "on": "2024-01-11", "balance": "5.00", "kind": "anchor"},
            {"account_id": "A2", "on": "2024-01-21", "balance": "6.00", "kind": "anchor"},
        ],
    )
    bank = read(folder, date(2024, 2, 29))
    found = named(crm.panel.facts(bank).collect(), bank).select(
        "account", "opening", "valuation", "closing", "balance_days"
    )
    assert found.rows() == [
        ("A1", 1000, 100, 1200, None),
        ("A2", None, None, 600, None),
        ("A1", 1200, 0, 1200, None),
        ("A2", 600, 0, 600, 17400),
    ]


def test_balance_days_as_the_bank_states_them(tmp_path):
    folder = banks.six(
        tmp_path / "extracts",
        accounts=[account("A1", "C1", history_kind="balance_days")],
        holders=[],
        assignments=[],
        transactions=[entry("2024-01-01", "A1", "1.00")],
        balances=[
            {"account_id": "A1", "on": "2023-12-31", "balance": "10.00", "kind": "anchor"},
            {"account_id": "A1", "on": "2024-01-31", "balance": "12.00", "kind": "anchor"},
            {"account_id": "A1", "on": "2024-01-31", "balance": "345.67", "kind": "balance_days"},
        ],
    )
    found = crm.panel.facts(read(folder, date(2024, 1, 31))).collect()
    assert found.select("closing", "balance_days").rows() == [(1200, 34567)]


def small(folder: Path, *, as_of: date = date(2024, 3, 31), **tables) -> tuple:
    """A bank of C1 to C3 with what is given; facts and customers by the bank's own numbers."""
    given = {"holders": [], "assignments": [], "balances": [], "fx_rates": []} | tables
    given.setdefault("customers", [person(f"C{n}") for n in (1, 2, 3)])
    bank = read(banks.six(folder / "extracts", **given), as_of)
    facts = crm.panel.facts(bank)
    return named(facts.collect(), bank), named(crm.panel.customers(facts, bank).collect(), bank)


def held(*shares: tuple[str, str, str]) -> list[dict]:
    return [{"account_id": "A1", "customer_id": who, "role": role, "share": share} for who, role, share in shares]


@pytest.mark.parametrize(
    ("holders", "expected"),
    [
        (held(("C1", "owner", "0.5"), ("C2", "joint", "0.5")), {"C1": 5000, "C2": 5000}),
        (held(("C1", "owner", "1"), ("C2", "user", "")), {"C1": 10000}),
        (held(("C1", "owner", "0"), ("C2", "joint", "1")), {"C2": 10000}),
        (held(("C2", "owner", "1")), {"C2": 10000}),
        (held(("C2", "owner", "0.5"), ("C3", "joint", "0.5")), {"C2": 5000, "C3": 5000}),
        (held(("C1", "owner", "0.333333"), ("C2", "joint", "0.333333"), ("C3", "joint", "0.333334")),
         {"C1": 3333, "C2": 3333, "C3": 3334}),
    ],
)  # fmt: skip
def test_whoever_holds_an_account_its_money_and_life_are_counted_once(tmp_path, holders, expected):
    _, customers = small(
        tmp_path,
        as_of=date(2024, 1, 31),
        accounts=[account("A1", "C1", opened="2024-01-01")],
        holders=holders,
        transactions=[entry("2024-01-01", "A1", "100.00", "cash")],
    )
    assert dict(customers.filter(pl.col("closing") != 0).select("customer", "closing").iter_rows()) == expected
    assert customers.select(pl.col("n_transactions", "n_accounts").sum()).row(0) == (1, len(expected))
    assert customers["last_active_on"].drop_nulls().to_list() == [date(2024, 1, 1)]


def test_a_holder_who_comes_later_has_no_share_before(tmp_path):
    given = {
        "customers": [person("C1"), person("C2", since="2024-03-01")],
        "accounts": [account("A1", "C1", opened="2024-01-01")],
        "holders": held(("C1", "owner", "0.5"), ("C2", "joint", "0.5")),
        "transactions": [entry("2024-01-01", "A1", "100.00", "cash")],
    }
    _, customers = small(tmp_path, as_of=date(2024, 2, 29), **given)
    assert customers.select("customer", "closing").rows() == [("C1", 10000)] * 2


HANDOVER = [
    {"manager_id": "M1", "role": "maintains", "scope": "customer", "customer_id": "C1", "from_on": "2024-01-15"}
]


@pytest.mark.parametrize(("valued_on", "parts"), [("2024-01-10", (50000, 50000)), ("2024-01-20", (None, 50000))])
def test_a_first_valuation_ends_not_knowing_also_across_a_handover(tmp_path, valued_on, parts):
    facts, customers = small(
        tmp_path,
        as_of=date(2024, 2, 29),
        accounts=[account("A1", "C1", "P-FUND")],
        assignments=HANDOVER,
        balances=[{"account_id": "A1", "on": valued_on, "balance": "500.00", "kind": "valuation"}],
        transactions=[entry("2024-01-01", "A1", "1.00"), entry("2024-01-05", "A1", "7.00")],
    )
    assert facts["closing"].to_list() == [*parts, 50000]
    assert customers.select("closing", "n_without_balance").rows() == [(50000, 0), (50000, 0)]
    assert customers.filter(pl.col("closing") != IDENTITY).is_empty()


def test_a_valuation_on_the_first_day_of_an_account_and_of_history_counts(tmp_path):
    facts, _ = small(
        tmp_path,
        as_of=date(2024, 1, 31),
        accounts=[account("A1", "C1"), account("A2", "C2", "P-FUND", opened="2024-01-01")],
        balances=[{"account_id": "A2", "on": "2024-01-01", "balance": "500.00", "kind": "valuation"}],
        transactions=[entry("2024-01-01", "A1", "1.00")],
    )
    assert facts.filter(pl.col("account") == "A2").select("closing", "balance_days").rows() == [(50000, 1550000)]


def test_the_first_month_is_averaged_over_the_days_of_the_history(tmp_path):
    _, customers = small(
        tmp_path,
        as_of=date(2024, 1, 31),
        accounts=[account("A1", "C1")],
        balances=[{"account_id": "A1", "on": "2023-12-31", "balance": "100.00", "kind": "anchor"}],
        transactions=[entry("2024-01-16", "A1", "1.00")],
    )
    assert customers.select("balance_days", "days").rows() == [(161600, 16)]


def test_balance_days_that_are_stated_are_not_doubled_by_a_handover_nor_invented(tmp_path):
    facts, _ = small(
        tmp_path,
        as_of=date(2024, 2, 29),
        accounts=[account("A1", "C1", history_kind="balance_days")],
        assignments=HANDOVER,
        balances=[
            {"account_id": "A1", "on": "2023-12-31", "balance": "10.00", "kind": "anchor"},
            {"account_id": "A1", "on": "2024-01-31", "balance": "310.00", "kind": "balance_days"},
        ],
        transactions=[entry("2024-01-01", "A1", "1.00")],
    )
    assert facts["balance_days"].to_list() == [31000, None]


def test_a_zero_valuation_after_the_end_of_an_account_is_nothing(tmp_path):
    facts, _ = small(
        tmp_path,
        accounts=[account("A1", "C1"), account("A2", "C2", "P-FUND", opened="2023-06-01", closed_on="2023-12-15")],
        balances=[{"account_id": "A2", "on": "2024-01-20", "balance": "0.00", "kind": "valuation"}],
        transactions=[entry("2024-01-01", "A1", "1.00")],
    )
    assert facts["account"].unique().to_list() == ["A1"]


def test_one_very_large_transfer_does_not_stop_a_bank(tmp_path):
    crowd = [entry("2024-01-01", "A1", "0.01") for _ in range(2000)]
    facts, _ = small(
        tmp_path,
        as_of=date(2024, 1, 31),
        accounts=[account("A1", "C1", opened="2024-01-01"), account("A2", "C2", opened="2024-01-01")],
        transactions=[*crowd, entry("2024-01-01", "A2", "2000000000000.00")],
    )
    assert facts["closing"].to_list() == [2000, 2 * 10**14]


def test_an_assignment_without_a_share_is_of_the_whole_and_nobody_keeps_after_leaving(tmp_path):
    folder = banks.six(
        tmp_path / "extracts",
        managers=[{"manager_id": "M1"}, {"manager_id": "M2", "left_on": "2024-02-10"}],
        assignments=[
            {**HANDOVER[0], "manager_id": manager, "share": share, "from_on": "2024-01-01"}
            for manager, share in (("M1", "0.1"), ("M2", ""))
        ],
    )
    bank = read(folder)
    kept = [crm.panel.keepers(bank, day)["manager_id"].to_list() for day in (date(2024, 2, 1), date(2024, 3, 1))]
    assert kept == [["M2"], ["M1"]]


# Properties on banks drawn at random: two accounts, a handover, flows and valuations on any day.
DAYS = st.dates(date(2024, 1, 1), date(2024, 4, 15))
ENTRIES = st.lists(
    st.tuples(
        DAYS,
        st.sampled_from(["A1", "A2"]),
        st.integers(-(10**9), 10**9).filter(bool),
        st.sampled_from(["payment", "card", "salary", "own_transfer", "principal", "interest", "fee", "reversal"]),
        st.sampled_from(["customer", "bank"]),
    ),
    min_size=1,
    max_size=25,
)
VALUATIONS = st.dictionaries(DAYS, st.integers(-(10**9), 10**9), max_size=4)
SHARES = st.integers(1, 999_999)
DRAWN = settings(random_banks.DRAWN, max_examples=8)


def drawn(folder: Path, entries, valuations, cut: date, share: int) -> Path:
    def money(value: int) -> str:
        return f"{value / 100:.2f}"

    return banks.write(
        folder,
        products=banks.PRODUCTS,
        customers=[person("C1"), person("C2")],
        accounts=[
            account("A1", "C1"),
            account("A2", "C2", opened="2024-01-20", closed_on="2024-04-10", currency="USD"),
        ],
        holders=[
            {"account_id": "A1", "customer_id": "C1", "role": "owner", "share": f"{share / 1e6:.6f}"},
            {"account_id": "A1", "customer_id": "C2", "role": "joint", "share": f"{1 - share / 1e6:.6f}"},
        ],
        balances=[{"account_id": "A1", "on": "2023-12-31", "balance": "12.34", "kind": "anchor"}]
        + [
            {"account_id": "A1", "on": day, "balance": money(value), "kind": "valuation"}
            for day, value in valuations.items()
        ],
        fx_rates=[{"currency": "USD", "on": f"2024-0{m}-01", "rate": f"7.{m}1234567"} for m in range(1, 5)],
        assignments=[
            {"manager_id": "M1", "role": "maintains", "scope": "customer", "customer_id": "C1", "from_on": cut}
        ],
        managers=[{"manager_id": "M1"}],
        transactions=[entry("2024-01-01", "A1", "0.01", "interest", "bank")]
        + [
            entry(day, number, money(amount), kind, by)
            for day, number, amount, kind, by in entries
            if not outside(day, number)
        ],
    )


def outside(day: date, number: str) -> bool:
    return number == "A2" and not date(2024, 1, 20) <= day <= date(2024, 4, 10)


@DRAWN
@given(ENTRIES, VALUATIONS, DAYS, DAYS, SHARES)
def test_facts_equal_a_daily_ledger_by_brute_force(entries, valuations, cut, as_of, share):
    with TemporaryDirectory() as folder:
        bank = read(drawn(Path(folder) / "extracts", entries, valuations, cut, share), as_of)
        facts = named(crm.panel.facts(bank).collect(), bank)
    for number, first, last, opening in (
        ("A1", date(2024, 1, 1), as_of, 1234),
        ("A2", date(2024, 1, 20), min(as_of, date(2024, 4, 10)), 0),
    ):
        known = [(day, amount) for day, of, amount, *_ in entries if of == number and not outside(day, number)]
        if number == "A1":
            known.append((date(2024, 1, 1), 1))
        resets = {day: value for day, value in valuations.items() if day > date(2024, 1, 1)} if number == "A1" else {}
        if number == "A1" and date(2024, 1, 1) in valuations:
            opening = valuations[date(2024, 1, 1)] - sum(amount for day, amount in known if day == date(2024, 1, 1))
        expected = brute.by_month(brute.daily_balances(first, last, opening, known, resets)) if first <= last else None
        found = (
            facts.filter(pl.col("account") == number)
            .group_by("month", maintain_order=True)
            .agg(pl.col("days").sum().cast(pl.Int64), pl.col("closing").last(), pl.col("balance_days").sum())
        )
        if expected is None:
            assert found.is_empty()
        else:
            assert_frame_equal(found, expected)


@DRAWN
@given(ENTRIES, VALUATIONS, DAYS, SHARES)
def test_nothing_is_lost_between_the_grains_and_the_engines_agree(entries, valuations, cut, share):
    with TemporaryDirectory() as folder:
        bank = read(drawn(Path(folder) / "extracts", entries, valuations, cut, share), date(2024, 4, 15))
        facts = crm.panel.facts(bank)
        assert_frame_equal(crm.panel.facts(bank, engine="duckdb").collect(), facts.collect())
        customers = crm.panel.customers(facts, bank).collect()
        whole = crm.panel.customers(facts, _without_holders(bank)).collect()
    assert customers.filter(pl.col("closing") != IDENTITY).is_empty()
    carried = customers.sort("customer_id", "line", "month").filter(
        pl.col("opening") != pl.col("closing").shift(1).over("customer_id", "line")
    )
    assert carried.is_empty()
    money = [
        "opening",
        "inflow",
        "outflow",
        "own_transfer",
        "interest",
        "fees",
        "valuation",
        "fx",
        "closing",
        "balance_days",
    ]
    assert_frame_equal(customers.group_by("month").agg(pl.col(money).sum()).sort("month"),
                       whole.group_by("month").agg(pl.col(money).sum()).sort("month"))  # fmt: skip


def _without_holders(bank):
    class Sole:
        as_of, history_from = bank.as_of, bank.history_from
        policy, base_currency = bank.policy, bank.base_currency

        @staticmethod
        def table(name):
            return bank.table(name).filter(name != "holders")

    return Sole()


@DRAWN
@given(ENTRIES, ENTRIES, VALUATIONS, DAYS)
def test_the_wall_what_comes_after_as_of_changes_nothing(entries, later, valuations, cut):
    as_of = date(2024, 2, 20)
    known = {day: value for day, value in valuations.items() if day <= as_of}
    unknown = {day: value for day, value in valuations.items() if day > as_of}
    after = [(max(day, as_of + timedelta(days=1)), *rest) for day, *rest in later]
    with TemporaryDirectory() as one, TemporaryDirectory() as two:
        before = [row for row in entries if row[0] <= as_of]
        banks_ = [
            read(drawn(Path(one) / "extracts", before, known, min(cut, as_of), 600_000), as_of),
            read(drawn(Path(two) / "extracts", before + after, known | unknown, min(cut, as_of), 600_000), as_of),
        ]
        for measure in (_facts, _customers, _events):
            assert_frame_equal(*(measure(bank) for bank in banks_))


def _facts(bank):
    return named(crm.panel.facts(bank).collect(), bank)


def _customers(bank):
    return named(crm.panel.customers(crm.panel.facts(bank), bank).collect(), bank)


def _events(bank):
    return named(crm.panel.events(bank).collect(), bank)


def test_the_wall_current_columns_change_nothing(tmp_path):
    current = [
        account("A1", "C1", rate="0.01", five_grade="normal", overdue_days="0", auto_renew="true"),
        account("A1", "C1", rate="0.09", five_grade="loss", overdue_days="400", auto_renew="false"),
    ]
    people = [person("C1", status="active", risk_grade="A"), person("C1", status="deceased", risk_grade="Z")]
    found = []
    for n in range(2):
        folder = banks.six(
            tmp_path / f"extracts{n}", accounts=[current[n]], customers=[people[n]], holders=[], assignments=[],
            balances=[], transactions=[entry("2024-01-02", "A1", "5.00")],
        )  # fmt: skip
        bank = read(folder)
        found.append([_facts(bank), _customers(bank), _events(bank)])
    for before, after in zip(*found, strict=True):
        assert_frame_equal(before, after)
