"""Contribution against a ledger by brute force, and against its own rules."""

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab.measures import contribution
from tests.banks import account, entry, person
from tests.brute_worth import Brute
from tests.random_banks import DAYS, DRAWN, PRODUCTS, delivered, known, written

KEYS = ["customer_id", "month", "line", "manager_id"]


def found(lines: pl.DataFrame, bank) -> dict[tuple, dict[str, int]]:
    """Lines by the bank's own names."""
    names = bank.table("customers").select("customer_id", "customer_no").collect()
    named = lines.join(names, on="customer_id").with_columns(customer_id="customer_no").drop("customer_no")
    return {tuple(row[key] for key in KEYS): {k: row[k] for k in row if k not in KEYS} for row in named.to_dicts()}


@DRAWN
@given(delivered(), DAYS)
def test_contribution_equals_a_ledger_kept_day_by_day(tables, as_of):
    with TemporaryDirectory() as folder:
        bank = written(Path(folder), tables, as_of)
        lines = found(contribution.lines(crm.panel.facts(bank), bank).collect(), bank)
        hand = Brute(tables, as_of, bank.policy).lines()
    names = [*bank.policy.contribution.components, "points"]
    assert lines == {key: {name: of.get(name, 0) for name in names} for key, of in hand.items()}


def alone(bank):
    """The same bank where every account is its owner's alone and nobody looks after anybody."""

    class Alone:
        as_of, history_from, policy, base_currency = bank.as_of, bank.history_from, bank.policy, bank.base_currency
        has = bank.has

        @staticmethod
        def table(name):
            return bank.table(name).filter(name not in ("holders", "assignments"))

    return Alone()


def totals(lines: pl.LazyFrame, by: list[str]) -> pl.DataFrame:
    sums = lines.group_by(by).agg(pl.exclude(KEYS).sum()).sort(by).collect()
    return sums.filter(pl.any_horizontal(pl.exclude(by) != 0))


@settings(DRAWN, max_examples=3)  # each is told in every currency, twice
@given(delivered(), DAYS)
def test_nothing_is_lost_between_accounts_customers_and_managers(tables, as_of):
    with TemporaryDirectory() as folder:
        bank = written(Path(folder), tables, as_of)
        facts = crm.panel.facts(bank)
        for currency in (None, *bank.table("accounts").select(pl.col("currency").unique()).collect()["currency"]):
            lines = contribution.lines(facts, bank, currency)
            whole = contribution.lines(facts, alone(bank), currency)
            assert_frame_equal(totals(lines, ["month", "line"]), totals(whole, ["month", "line"]))
            told = contribution.long(lines).group_by("component").agg(pl.col("amount").sum()).collect()
            for component, amount in told.iter_rows():
                assert amount == lines.select(pl.col(component).sum()).collect().item()


# One customer and one account, unless a test says more. 100,000.00 for 31 days at 2 % less 0.5 %.
CURVE = [
    {"currency": currency, "line": line, "term_months": term, "on": "2020-01-01", "rate": rate}
    for currency in ("CNY", "USD")
    for line, term, rate in (("deposits", 0, "0.02"), ("deposits", 12, "0.025"), ("loans", 0, "0.03"))
]
POLICY = '[pricing]\ntenors = [0, 12]\n[contribution.cost]\ncounter = "8.00"\nmobile = "0.30"\nsystem = "0.00"\n'
START = entry("2024-01-01", "A1", "100000.00", "transfer", "counterparty")
OWED = entry("2024-01-01", "A1", "-100000.00", "transfer")
REPRICED = {"account_id": "A1", "on": "2023-12-20", "rate": "0.02"}
MARGIN = 10_000_000 * 31 * 15_000 // (365 * 10**6)  # 12,739.72…: truncated here, and 12740 once rounded


def bank_of(folder: Path, as_of: date = date(2024, 1, 31), policy: str = POLICY, **more):
    tables = {
        "products": PRODUCTS,
        "customers": [person(number, since="2020-01-01") for number in ("C1", "C2")],
        "accounts": [account("A1", "C1", "DEMAND", "2024-01-01", rate="0.005")],
        "transactions": [START],
        "ftp_curve": CURVE,
        "policy": policy,
    }
    return written(folder, tables | more, as_of)


def told(bank, *columns: str, currency: str | None = None) -> list[tuple]:
    lines = contribution.lines(crm.panel.facts(bank), bank, currency).collect()
    return sorted(row for row in lines.select("line", *columns).rows() if any(row[1:]))


def test_margin_of_a_month_worked_by_hand(tmp_path):
    assert told(bank_of(tmp_path), "margin") == [("deposits", MARGIN + 1)]


def test_an_overdraft_bears_its_own_rate_until_it_is_long_overdue(tmp_path):
    """100,000.00 owed: 8 % less 3 % for 15 days; then nothing is paid on it, and still 3 % to be had for it."""
    bank = bank_of(
        tmp_path,
        accounts=[account("A1", "C1", "OD", "2024-01-01", rate="0.005")],
        transactions=[OWED],
        loan_status=[{"account_id": "A1", "on": "2024-01-15", "overdue_days": 90}],
    )
    assert told(bank, "margin") == [("deposits", 20_548 - 13_151)]  # 20,547.95 and 13,150.68


def test_a_settlement_service_earns_its_fees_and_its_float_is_counted_where_it_lies(tmp_path):
    """The customer collects 100,000.00; with a settlement service it passes through there on its way."""
    fee = [entry("2024-01-31", "A1", "-30.00", "fee", "bank")]
    without = bank_of(tmp_path / "without", transactions=[START, *fee])
    service = [
        entry("2024-01-01", "S1", "100000.00", "transfer", "counterparty"),
        entry("2024-01-01", "S1", "-100000.00", "own_transfer", "bank"),
        entry("2024-01-01", "A1", "100000.00", "own_transfer", "bank"),
        entry("2024-01-31", "A1", "-30.00", "own_transfer", "bank"),
        entry("2024-01-31", "S1", "30.00", "own_transfer", "bank"),
        entry("2024-01-31", "S1", "-30.00", "fee", "bank"),
    ]
    accounts = [
        account("A1", "C1", "DEMAND", "2024-01-01", rate="0.005"),
        account("S1", "C1", "SIGN", "2024-01-01"),
    ]
    with_it = bank_of(tmp_path / "with", transactions=service, accounts=accounts)
    margin = MARGIN + 1  # the fee leaves on the last day and takes no margin worth a minor unit
    assert told(without, "margin", "fee") == [("deposits", margin, 3000)]
    assert told(with_it, "margin", "fee") == [("deposits", margin, 0), ("settlement", 0, 3000)]


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        (None, [("deposits", -60)]),
        # 2 × 30 % × (8.00 − 0.30) are moved; of the two, only what really was spent stays with the customer
        ("2023-05-01", [("deposits", -522), ("e-banking", 462)]),
        ("2024-01-31", [("deposits", -522), ("e-banking", 462)]),
        ("2024-02-01", [("deposits", -60)]),
    ],
)
def test_e_banking_is_credited_with_what_it_saved_where_a_customer_has_it(tmp_path, app, expected):
    accounts = [account("A1", "C1", "DEMAND", "2024-01-01", rate="0.005")]
    accounts += [account("E1", "C1", "APP", app)] if app else [account("E2", "C2", "APP")]
    taps = [entry("2024-01-09", "A1", amount, channel="mobile") for amount in ("-1.00", "-2.00")]
    bank = bank_of(tmp_path, date(2024, 2, 29), accounts=accounts, transactions=[START, *taps])
    assert told(bank, "service_cost") == expected
    assert sum(amount for _, amount in expected) == -60


def test_an_app_that_is_closed_saves_nothing_any_more(tmp_path):
    accounts = [
        account("A1", "C1", "DEMAND", "2024-01-01", rate="0.005"),
        account("E1", "C1", "APP", closed_on="2024-01-31"),
    ]
    taps = [entry(day, "A1", "-1.00", channel="mobile") for day in ("2024-01-31", "2024-02-01")]
    bank = bank_of(tmp_path, date(2024, 2, 29), accounts=accounts, transactions=[START, *taps])
    assert told(bank, "service_cost") == [("deposits", -261), ("deposits", -30), ("e-banking", 231)]


COMPONENTS = ["margin", "fee", "service_cost", "expected_loss"]


TAX = '[contribution]\ntax = "0.25"\n'
CAPITAL = '[contribution.capital]\nloans = "0.01"\n'


@pytest.mark.parametrize(
    ("rules", "more", "expected"),
    [
        ("", [], (-2548, 0, 0, -5096)),
        (CAPITAL, ["capital"], (-2548, 0, 0, -5096, -8493)),  # 100,000.00 owed for 31 days at 1 %
        (TAX, ["tax"], (-2548, 0, 0, -5096, 1911)),
        (TAX + CAPITAL, ["capital", "tax"], (-2548, 0, 0, -5096, -8493, 4034)),
    ],
)
def test_capital_and_tax_are_components_where_a_bank_has_a_rule(tmp_path, rules, more, expected):
    bank = bank_of(
        tmp_path,
        policy=rules + POLICY,
        accounts=[account("A1", "C1", "LOAN", "2024-01-01", rate="0.027")],
        transactions=[entry("2024-01-01", "A1", "-100000.00", "principal", "bank")],
    )
    lines = contribution.lines(crm.panel.facts(bank), bank)
    assert list(bank.policy.contribution.components) == [*COMPONENTS, *more]
    assert lines.select(*COMPONENTS, *more).collect().rows() == [expected]
    assert contribution.long(lines).collect()["amount"].sum() == sum(expected)


@settings(DRAWN, max_examples=4)
@given(delivered(), st.dates(date(2024, 1, 10), date(2024, 3, 20)))
def test_the_wall_what_is_delivered_later_changes_nothing(tables, as_of):
    now = {"five_grade": "loss", "overdue_days": 400, "auto_renew": "true"}
    later = tables | {
        "accounts": [row | now for row in tables["accounts"]],
        "customers": [row | {"risk_grade": "C", "status": "deceased"} for row in tables["customers"]],
    }
    told = []
    for of in (known(tables, as_of), later):
        with TemporaryDirectory() as folder:
            bank = written(Path(folder), of, as_of)
            facts = crm.panel.facts(bank)
            frames = (contribution.lines(facts, bank), crm.panel.books(facts, bank))
            told.append([found(frame.collect(), bank) for frame in frames])
    assert told[0] == told[1]


@pytest.mark.parametrize(("amount", "times"), [("1000000000000.00", 10**5), ("40000000000000.00", 4 * 10**6)])
def test_a_book_of_trillions_is_as_exact_as_a_small_one(tmp_path, amount, times):
    """Every component of the small book is a whole number before rounding, so that of the large one is a multiple."""
    rules = POLICY + '[contribution.pd_by_class]\nnormal = "0.0365"\n'
    accounts = [
        account("A1", "C1", "DEMAND", "2024-01-01", rate="0.00175"),
        account("L1", "C2", "LOAN", "2024-01-01", rate="0.0665"),
        account("S1", "C2", "SIGN", "2024-01-01"),
    ]

    def of(folder: Path, size: str) -> list[tuple]:
        moves = [("A1", "", "transfer"), ("L1", "-", "principal"), ("S1", "", "own_transfer"), ("S1", "-", "fee")]
        posted = [entry("2024-01-01", number, f"{sign}{size}", kind, "bank") for number, sign, kind in moves]
        bank = bank_of(folder, policy=rules, accounts=accounts, transactions=posted)
        return told(bank, "margin", "fee", "expected_loss", "points")

    small, large = of(tmp_path / "small", "10000000.00"), of(tmp_path / "large", amount)
    assert small == [
        ("deposits", 1_550_000, 0, 0, 10_000_000),
        ("loans", 3_100_000, 0, -1_860_000, 8_000_000),
        ("settlement", 0, 10**9, 0, 5 * 10**9),
    ]
    assert large == [(line, *(value * times for value in values)) for line, *values in small]


def test_sums_beyond_64_bits_stop_instead_of_wrapping(tmp_path):
    """Each account's margin fits, that of both does not."""
    both = [account(number, "C1", "DEMAND", "2024-01-01", rate="100000") for number in ("A1", "A2")]
    moves = [entry("2024-01-01", row["account_id"], "10000000000000.00", "transfer") for row in both]
    bank = bank_of(tmp_path, accounts=both, transactions=moves)
    facts = crm.panel.facts(bank)
    with pytest.raises(crm.InputError, match=r"The contributions of 2024-01 add up to .* too much for 64 bits"):
        contribution.lines(facts, bank)


def asked(bank):
    return contribution.lines(crm.panel.facts(bank), bank)


TERM = [account("A1", "C1", "TERM", "2023-03-05", rate="0.02", term_months=18)]
WITH_ANCHOR = [{"account_id": "A1", "on": "2023-12-31", "balance": "5.00", "kind": "anchor"}]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"accounts": TERM, "ftp_curve": [CURVE[0], CURVE[1] | {"on": "2023-03-06"}]},
            r"no point for 1 term deals \(first: Term deposit, 18 months in CNY, made on 2023-03-05; deposits at 12 ",
        ),
        (
            {"accounts": TERM, "ftp_curve": [CURVE[0], CURVE[1] | {"on": "2023-12-21"}], "repricings": [REPRICED]},
            r"first: Term deposit, 18 months in CNY, made on 2023-12-20; deposits at 12 months, at or before that day",
        ),
        (
            {"ftp_curve": [CURVE[0] | {"on": "2024-02-01"}, CURVE[0] | {"line": "cards"}]},
            r"no demand point \(term 0\) for deposits in CNY at or before 2024-01-31. Add one",
        ),
        (
            {"accounts": [account("A1", "C1", "OD", "2024-01-01")], "ftp_curve": [CURVE[0]], "transactions": [OWED]},
            r"no demand point \(term 0\) for loans in CNY at or before 2024-01-31",
        ),
    ],
)
def test_a_gap_in_the_curve_names_the_deal(tmp_path, more, words):
    bank = bank_of(tmp_path, **{"balances": WITH_ANCHOR if more.get("accounts") == TERM else []} | more)
    with pytest.raises(crm.InputError, match=words):
        asked(bank)


@pytest.mark.parametrize(
    "accounts",
    [
        # closed before the history; opened after its first month, with a point by then; priced before the history
        [account("A2", "C1", "DEMAND", "2020-01-01", currency="JPY", closed_on="2023-05-05")],
        [account("A2", "C1", "DEMAND", "2024-02-02", currency="JPY")],
        [account("A2", "C1", "TERM", "2020-01-01", currency="JPY", term_months=24)],
    ],
)
def test_a_curve_needs_points_only_for_what_lives(tmp_path, accounts):
    points = [("2023-12-31", 12), ("2024-02-20", 0)]
    jpy = [{"currency": "JPY", "line": "deposits", "term_months": t, "on": day, "rate": "0.01"} for day, t in points]
    bank = bank_of(
        tmp_path,
        date(2024, 2, 29),
        accounts=[account("A1", "C1", "DEMAND", "2024-01-01", rate="0.005"), *accounts],
        ftp_curve=CURVE + jpy,
        repricings=[{"account_id": "A2", "on": "2024-01-01", "rate": "0.01"}] if "term_months" in accounts[0] else [],
        fx_rates=[{"currency": "JPY", "on": "2023-12-31", "rate": "0.05"}],
    )
    assert len(told(bank, "margin")) == 2


def test_a_curve_that_nobody_knew_yet_is_none(tmp_path):
    bank = bank_of(tmp_path, ftp_curve=[CURVE[0] | {"on": "2025-01-01"}])
    assert "margin" in contribution.coverage(contribution.ledger(bank), crm.panel.facts(bank))["missing"]


def test_what_is_overpaid_on_a_loan_bears_no_interest(tmp_path):
    loan = account("A1", "C1", "LOAN", "2024-01-01", rate="0.18")
    paid = [entry("2024-01-01", "A1", "365.00", "principal")]
    curve = [CURVE[0] | {"line": "loans", "rate": "0.02"}]
    bank = bank_of(tmp_path, accounts=[loan], transactions=paid, ftp_curve=curve)
    margin = contribution.lines(crm.panel.facts(bank), bank).select(pl.col("margin").sum()).collect().item()
    assert margin == round(bank.as_of.day * 365_00 * 0.02 / 365)


def test_amounts_of_a_policy_with_other_decimals_are_refused(tmp_path):
    yen = [account("A1", "C1", "DEMAND", "2024-01-01", currency="JPY")]
    moved = [entry("2024-01-01", "A1", "500")]
    bank = bank_of(tmp_path, accounts=yen, transactions=moved, balances=[], policy="")
    with pytest.raises(crm.InputError, match=r"All accounts are in JPY, but policy.toml states its amounts in CNY"):
        asked(bank)


def test_a_currency_without_a_rate_or_without_accounts_is_refused(tmp_path):
    foreign = [account("A1", "C1", "DEMAND", "2024-01-01", currency="USD"), account("A2", "C1", "DEMAND")]
    bank = bank_of(tmp_path, accounts=foreign)
    with pytest.raises(crm.InputError, match="no rate of USD at or before 2024-01-31"):
        asked(bank)
    with pytest.raises(crm.InputError, match=r"No account is in EUR. There are CNY, USD"):
        contribution.lines(crm.panel.facts(bank), bank, "EUR")
    assert told(bank, "fee", "points", currency="USD") == []


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", r"1 of 10 products has no line \(first: ODD"),
        ("depozits", r"1 of 10 products has a line that is none of: deposits, .* \(first: ODD, depozits"),
    ],
)
def test_a_product_without_a_line_is_refused(tmp_path, line, words):
    with pytest.raises(crm.InputError, match=words):
        bank_of(tmp_path, products=[*PRODUCTS, {"product_id": "ODD", "line": line}])


def test_what_bears_no_known_margin_is_counted(tmp_path):
    accounts = [
        account("A1", "C1", "DEMAND", "2024-01-01"),  # no client rate
        account("A2", "C1", "DEMAND", rate="0.01"),  # no opening balance
        account("A3", "C1", "FUND"),  # neither, but of a line without a curve
        account("A4", "C1", "DEMAND", "2024-01-01", rate="0.01"),
        account("A5", "C1", "DEMAND", "2022-01-01", closed_on="2022-12-31"),  # gone before the history
        account("A6", "C1", "DEMAND", "2024-01-01", rate="0.01", history_kind="month_end"),  # no average
    ]
    bank = bank_of(tmp_path, accounts=accounts)
    facts = crm.panel.facts(bank)
    assert contribution.coverage(contribution.ledger(bank), facts) == {
        "components": COMPONENTS, "missing": {}, "n_unpriced": 3,
    }  # fmt: skip


def test_without_a_curve_there_is_no_margin_and_the_reason_is_said(tmp_path):
    bank = bank_of(tmp_path, ftp_curve=[], transactions=[START, entry("2024-01-05", "A1", "-3.00", "fee", "bank")])
    assert told(bank, "margin", "fee") == [("deposits", 0, 300)]
    of = contribution.coverage(contribution.ledger(bank), crm.panel.facts(bank))
    assert (of["missing"], of["n_unpriced"]) == ({"margin": "the extract holds no ftp_curve"}, 0)
