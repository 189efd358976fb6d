"""`crmlab check`: on a bank whose faults were put there by hand, and on the simulated one."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

import crmlab as crm
from crmlab.bank.check import Report, check
from tests.banks import account, entry, person, six, write

PRODUCTS = [
    {"product_id": "P-CUR", "line": "deposits", "overdraft_allowed": "false"},
    {"product_id": "P-OD", "line": "deposits", "overdraft_allowed": "true"},
    {"product_id": "P-FUND", "line": "wealth"},
]


def control(on: str, number: str, balance: str, kind: str = "control") -> dict:
    return {"account_id": number, "on": on, "balance": balance, "kind": kind}


def report(folder: Path, as_of: str = "2024-03-31") -> Report:
    bank = crm.read(folder, as_of=as_of, landed=folder.parent / "landed")
    return check(bank, crm.panel.facts(bank))


def bank(folder: Path, **more) -> Path:
    tables = {
        "products": PRODUCTS,
        "customers": [person(f"C{i}", branch_id="", national_id=id_) for i, id_ in ((1, "N1"), (2, "N2"), (3, "N1"))],
        "accounts": [
            account("A1", "C1", branch_id="", opened="2024-01-01"),
            account("A2", "C2", product="P-FUND", branch_id="", opened="2024-01-01"),
        ],
        "transactions": [
            entry("2024-01-01", "A1", "100.00"),
            entry("2024-01-20", "A1", "50.00"),
            entry("2024-02-10", "A1", "-30.00"),
            entry("2024-01-01", "A2", "10.00"),
            entry("2024-02-05", "A2", "5.00"),
        ],
    }
    return write(folder, **{**tables, **more})


BALANCES = [  # account, day, recorded, what the flows give
    ("A1", "2024-01-01", "100.00", "100.00"),
    ("A1", "2024-01-19", "100.00", "100.00"),
    ("A1", "2024-01-20", "151.00", "150.00"),
    ("A1", "2024-01-31", "150.00", "150.00"),
    ("A1", "2024-02-29", "119.99", "120.00"),
    ("A2", "2024-01-10", "10.00", "10.00"),
    ("A2", "2024-01-16", "12.00", "12.00"),  # the day of the valuation
    ("A2", "2024-02-06", "17.00", "17.00"),  # valued in January, 5 came since
    ("A2", "2024-02-29", "20.00", "17.00"),
]


def test_recorded_balances_against_flows_day_by_day(tmp_path):
    rows = [control(on, number, recorded) for number, on, recorded, _ in BALANCES]
    found = report(bank(tmp_path / "in", balances=[*rows, control("2024-01-16", "A2", "12.00", "valuation")]))
    assert found.n_controls == len(BALANCES)
    assert found.breaks.select(
        "account_no", pl.col("on").cast(pl.String), "recorded", "from_flows", "difference"
    ).rows() == [
        ("A1", "2024-01-20", 15100, 15000, 100),
        ("A1", "2024-02-29", 11999, 12000, -1),
        ("A2", "2024-02-29", 2000, 1700, 300),
    ]
    assert not found.is_clean
    assert "3 of 9 recorded balances differ from their flows, 3 by more than 0.00" in found.text
    assert "A1       2024-01-20    151.00      150.00        1.00" in found.text
    assert found.text.endswith("Not clean: 3 recorded balances off by more than 0.00.")


def test_balances_within_the_banks_tolerance_are_clean(tmp_path):
    folder = bank(tmp_path / "in", balances=[control("2024-01-20", "A1", "151.00")])
    (folder / "policy.toml").write_text('[landing]\ntolerance = "1.00"\n')
    found = report(folder)
    assert found.is_clean
    assert found.sizes.rows() == [(100, 1)]
    assert found.text.endswith("Clean within tolerance.")


ANCHORS = {  # opened, kind of history, day, recorded, compared, breaks (the account holds 1.00 from the 5th of January)
    "opened inside": ("2024-01-05", "", "2024-01-20", "999.00", 1, 1),
    "opened inside, agrees": ("2024-01-05", "", "2024-01-31", "1.00", 1, 0),
    "on the first day": ("2024-01-01", "", "2024-01-01", "999.00", 1, 1),
    "opens the history": ("2023-01-01", "", "2024-01-01", "999.00", 0, 0),
    "before the history": ("2023-01-01", "", "2023-12-31", "999.00", 0, 0),
    "is the history": ("2024-01-05", "month_end", "2024-01-31", "999.00", 0, 0),
}


@pytest.mark.parametrize("case", ANCHORS)
def test_an_anchor_that_opens_nothing_is_compared_like_a_control(tmp_path, case):
    opened, kind, on, recorded, n, n_breaks = ANCHORS[case]
    accounts = [
        account("A1", "C1", branch_id="", opened="2024-01-01"),
        account("A2", "C2", branch_id="", opened=opened, history_kind=kind),
    ]
    rows = [entry("2024-01-01", "A1", "5.00"), entry("2024-01-05", "A2", "1.00")]
    balances = [control(on, "A2", recorded, "anchor")]
    found = report(bank(tmp_path / "in", accounts=accounts, transactions=rows, balances=balances))
    assert (found.n_controls, found.breaks.height) == (n, n_breaks)
    assert found.is_clean == (not n_breaks)


def test_valuation_on_the_first_day_of_history_counts(tmp_path):
    rows = [control(on, "A2", "12.00") for on in ("2024-01-01", "2024-01-10", "2024-01-31")]
    found = report(bank(tmp_path / "in", balances=[*rows, control("2024-01-01", "A2", "12.00", "valuation")]))
    assert (found.n_controls, found.breaks.height) == (3, 0)


def test_controls_after_as_of_and_on_periods_cut_within_a_month(tmp_path):
    rows = [control("2024-01-19", "A1", "100"), control("2024-01-21", "A1", "150"), control("2024-03-31", "A1", "9")]
    keeps = [
        {"manager_id": "M1", "role": "maintains", "scope": "account", "account_id": "A1", "from_on": on, "to_on": to}
        for on, to in (("2024-01-01", "2024-01-10"), ("2024-01-11", "2024-01-20"), ("2024-01-21", ""))
    ]
    found = report(bank(tmp_path / "in", balances=rows, assignments=keeps), "2024-02-29")
    assert (found.n_controls, found.breaks.height, found.is_clean) == (2, 0, True)


def test_totals_by_currency_agree_with_rejects(tmp_path):
    folder = bank(tmp_path / "in")
    with (folder / "transactions.csv").open("a") as file:
        file.write("A1,2023-12-31,7.00,payment,customer\n")
    (folder / "policy.toml").write_text("[landing]\nmax_reject_share = 0.5\n")
    found = report(folder)
    assert found.is_reconciled
    assert found.is_clean
    assert "transactions     6       5         1  agrees" in found.text
    assert "transactions, CNY     142.00  135.00      7.00  agrees" in found.text
    assert "1 of 6 transactions is dated before its account opened (first: account A1, 2023-12-31" in found.text


def test_a_total_that_does_not_agree_is_told(tmp_path):
    found = report(bank(tmp_path / "in"))
    found.bank.manifest["tables"]["transactions"]["control"]["CNY"]["loaded"] -= 1
    assert not found.is_reconciled
    assert "off by 1" in found.text
    assert "loaded and rejected do not add up" in found.text


def test_accounts_without_an_anchor_are_listed(tmp_path):
    found = report(six(tmp_path / "in"))
    assert found.unanchored["account_no"].to_list() == ["A2"]
    assert "kept out of averages: 1\n  A2" in found.text
    assert not found.is_clean


def test_one_person_under_two_numbers_is_reported_and_loaded(tmp_path):
    parties = [{"customer_id": "C2", "party_id": "X"}, {"customer_id": "C3", "party_id": "X"}]
    found = report(bank(tmp_path / "in", parties=parties))
    assert found.duplicates.rows() == [("national_id", ["C1", "C3"]), ("party", ["C2", "C3"])]
    assert found.is_clean


ASSIGNED = {
    "two at once": (
        [("M1", "2024-01-01", "2024-01-31", "1"), ("M2", "2024-01-31", "", "1")],
        [(date(2024, 1, 31), 2_000_000)],
    ),
    "handed over": ([("M1", "2024-01-01", "2024-01-31", "1"), ("M2", "2024-02-01", "", "")], []),
    "shared": ([("M1", "2024-01-01", "", "0.6"), ("M2", "2024-01-01", "", "0.4")], []),
    "a share not given is the whole": (
        [("M1", "2024-01-01", "", ""), ("M2", "2024-02-01", "", "0.5")],
        [(date(2024, 2, 1), 1_500_000)],
    ),
    "too much": (
        [("M1", "2024-01-01", "", "0.6"), ("M2", "2024-02-01", "2024-02-02", "0.5")],
        [(date(2024, 2, 1), 1_100_000)],
    ),
}


@pytest.mark.parametrize("case", ASSIGNED)
def test_assigned_beyond_the_whole(tmp_path, case):
    rows, overlaps = ASSIGNED[case]
    keeps = [
        {
            "manager_id": who,
            "role": "maintains",
            "scope": "customer",
            "customer_id": "C1",
            "from_on": on,
            "to_on": to,
            "share": share,
        }
        for who, on, to, share in rows
    ]
    found = report(bank(tmp_path / "in", assignments=keeps))
    assert found.overlaps.select("from_on", "share").rows() == overlaps
    assert found.is_clean


def test_overdrafts_without_leave_are_reported(tmp_path):
    accounts = [
        account(f"A{i}", "C1", product, branch_id="", opened="2024-01-01") for i, product in ((1, "P-CUR"), (2, "P-OD"))
    ]
    rows = [entry("2024-01-01", "A1", "-5.00"), entry("2024-01-02", "A2", "-5.00")]
    found = report(bank(tmp_path / "in", accounts=accounts, transactions=rows))
    assert found.overdrafts.rows() == [("A1", "CNY", date(2024, 1, 31), -500)]
    assert "(first: A1, −5.00 on 2024-01-31)" in found.text


def test_quarter_end_against_the_months_average(tmp_path):
    accounts = [account("A1", "C1", branch_id="", opened="2024-01-01")]
    rows = [entry("2024-01-01", "A1", "310.00"), entry("2024-03-31", "A1", "310.00")]
    found = report(bank(tmp_path / "in", accounts=accounts, transactions=rows))
    row = found.deviations.row(0, named=True)
    assert (row["quarter"], row["closing"], row["average"]) == (date(2024, 3, 31), 62_000, 32_000)
    assert row["deviation_share"] == pytest.approx(620 / 320 - 1)
    assert "2024-03-31  CNY       deposits   620.00   320.00  +93.8 %" in found.text
    assert report(tmp_path / "in", "2024-03-30").deviations.is_empty()


def test_closing_below_the_average_has_a_minus_like_money(tmp_path):
    accounts = [account("A1", "C1", branch_id="", opened="2024-01-01")]
    rows = [entry("2024-01-01", "A1", "310.00"), entry("2024-03-31", "A1", "-155.00")]
    found = report(bank(tmp_path / "in", accounts=accounts, transactions=rows))
    assert "155.00   305.00  −49.2 %" in found.text


@pytest.mark.parametrize(
    ("lost", "says"),
    [
        (("B1", "B2"), "Nothing was booked in 2024-02 in the whole bank; usually it is 60 rows a month."),
        (("B2",), "Nothing was booked in 2024-02 in branch B2; usually it is 30 rows a month."),
        ((), "Clean within tolerance."),
    ],
)
def test_a_month_that_is_missing_for_all_or_for_one_branch(tmp_path, lost, says):
    months = [(f"2024-0{month}", branch) for month in (1, 2, 3) for branch in ("B1", "B2")]
    kept = [(month, branch) for month, branch in months if month != "2024-02" or branch not in lost]
    folder = write(
        tmp_path / "bank",
        products=PRODUCTS,
        branches=[{"branch_id": "B1"}, {"branch_id": "B2"}],
        customers=[person("C1")],
        accounts=[account(f"A-{branch}", "C1", opened="2024-01-01", branch_id=branch) for branch in ("B1", "B2")],
        transactions=[entry(f"{month}-01", f"A-{branch}", "1.00") for month, branch in kept for _ in range(30)],
    )
    found = report(folder)
    assert says in found.text
    assert found.is_clean == (not lost)


def test_as_of_long_after_the_last_transaction_is_told(tmp_path):
    folder = bank(tmp_path / "in")  # the last transaction is of 10 February
    says = "As of 2024-03-13 lies 32 days after the last transaction: months without any are built."
    assert says in report(folder, "2024-03-13").text
    assert "months without any" not in report(folder, "2024-03-12").text


def test_average_of_the_first_month_is_over_the_days_of_the_history(tmp_path):
    rows = [entry("2024-03-22", "A1", "100.00")]
    accounts = [account("A1", "C1", branch_id="", opened="2024-03-22")]
    found = report(bank(tmp_path / "in", accounts=accounts, transactions=rows))
    assert found.deviations.select("closing", "average", "deviation_share").rows() == [(10_000, 10_000, 0.0)]


def test_accounts_without_an_average_are_left_out_of_both_sides(tmp_path):
    accounts = [
        account("A1", "C1", branch_id="", opened="2024-01-01"),
        account("A2", "C2", branch_id="", opened="2024-01-01", history_kind="month_end"),
    ]
    ends = [control(on, "A2", "1000.00", "anchor") for on in ("2024-01-31", "2024-02-29", "2024-03-31")]
    rows = [entry("2024-01-01", "A1", "1.00")]
    found = report(bank(tmp_path / "in", accounts=accounts, transactions=rows, balances=ends))
    assert found.deviations.select("closing", "average").rows() == [(100, 100)]


def test_simulated_bank_is_clean(sample_bank):
    found = report(sample_bank, "2024-06-30")
    assert found.n_controls > 1000
    assert found.is_clean


def test_rejects_of_a_dirty_simulated_bank_are_those_put_there(tmp_path):
    folder = tmp_path / "in"
    crm.simulate.bank(folder, customers=300, months=6, seed=5, dirt=0.004)
    (folder / "policy.toml").write_text("[landing]\nmax_reject_share = 0.05\n")
    found = report(folder, None)
    truth = pl.read_parquet(folder / "truth" / "dirt.parquet").group_by("table", "rule").agg(n=pl.len().cast(pl.Int64))
    truth = truth.filter(pl.col("rule") != "anchor|missing").sort("table", "rule")
    assert found.bank.rejects.counts.select("table", "rule", "n").sort("table", "rule").equals(truth)
    assert found.is_reconciled
