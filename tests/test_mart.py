"""The mart: what a snapshot holds, that it adds up, and that it is published whole or not at all."""

import csv
import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from fractions import Fraction
from functools import partial
from importlib import import_module
from pathlib import Path
from threading import Event, Thread

import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab import policy
from crmlab.bank.schema import KNOWN_ON, TABLES, columns
from crmlab.mart.publish import alone, publish
from crmlab.measures.churn.causes import TABLE
from tests import banks
from tests.banks import account, entry, person

ROOT = Path(__file__).parents[1]
PAGES = [
    "people", "paths", "segments", "segment_cells", "members", "links", "jointly", "complaints", "offers", "leads",
    "roster", "trend", "heads", "branches", "managers", "rfm_thresholds", "rfm_segments", "worth", "worth_lines",
    "worth_months", "worth_tiers", "concentration", "deviations", "completeness", "moves_aum", "moves_loans",
    "moves_contribution", "referrals", "traits", "spending_months", "channel_months", "clusters",
    "leaving", "reasons", "hazards", "departures", "curves", "incidence", "overlap", "trial_accuracy",
    "trial_calibration", "trial_gains", "trial_lead", "trial_verdict", "maturing", "matured", "win_back", "returned",
    "life_values", "products", "penetration", "products_each", "affinity", "attach_rates", "led_to", "followed",
    "occasions", "taking_products", "taking_rankings", "taking_gains", "taking_verdicts", "taking_choices", "excluded",
    "next_best", "pairs", "prices", "campaigns_past", "campaigns_by_segment", "assessed", "scores", "totals",
    "fairness", "target_audit", "book_bridges", "assignment_findings", "due", "duties", "to_deal", "receivers",
]  # fmt: skip
GROUP = ["branch_id", "manager_id", "kind"]
OLD, NEW = date(2024, 2, 29), date(2024, 3, 31)


def content(snapshot: Path) -> dict[str, str]:
    """Every file of a snapshot with the hash of its bytes."""
    files = (path for path in sorted(snapshot.rglob("*")) if path.is_file())
    return {path.relative_to(snapshot).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def python(source: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess:
    """Python on its own, so that it can be killed or looked at."""
    command = [sys.executable, "-c", source, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=os.environ | environment)


@pytest.fixture(scope="module")
def extracts(tmp_path_factory) -> Path:
    return banks.six(tmp_path_factory.mktemp("six") / "extracts")


@pytest.fixture(scope="module")
def six(extracts) -> crm.mart.Mart:
    return crm.build(extracts, NEW, extracts.parent / "mart")


@pytest.fixture(scope="module")
def old(extracts, tmp_path_factory) -> Path:
    """A mart of an earlier day, to be copied by tests that do something to it."""
    mart = tmp_path_factory.mktemp("old") / "mart"
    crm.build(extracts, OLD, mart)
    return mart


@pytest.fixture
def mart(old, tmp_path) -> Path:
    """A mart that shows the earlier day."""
    return Path(shutil.copytree(old, tmp_path / "mart"))


@pytest.fixture(scope="module")
def sample(sample_mart) -> crm.mart.Mart:
    return crm.mart.open(sample_mart)


@pytest.fixture(scope="module")
def young(sample_bank, sample, tmp_path_factory) -> crm.mart.Mart:
    """The mart of the sample bank a year earlier, after half a year of history."""
    mart = tmp_path_factory.mktemp("young") / "mart"
    shutil.copytree(sample.folder.parents[1] / "landed", mart / "landed")
    return crm.build(sample_bank, "2023-06-30", mart)


# -- what it holds


def test_roster_worked_by_hand(six):
    found = six.page("roster").select(
        "customer_no", "name", "branch", "manager", "tenure_months", "aum", "aum_average", "loans", "aum_change_month",
        "n_lines", "is_active", "recency_days", "frequency", "monetary",
    )  # fmt: skip
    assert found.rows() == [
        ("C1", "N…", "Riverside", "Lan", 14, 41911, 43565, 27500, -2589, 2, True, 50, 1, 8500),
        # the account is older than the history and nothing says with how much it opened: not known is not zero
        ("C2", "N…", "Riverside", None, 14, None, None, 0, None, 1, False, None, 0, 1000),
        ("C4", "N…", "Riverside", None, 14, 705000, 705000, 0, -15000, 1, False, 90, 1, 140000),
        ("C5", "N…", "Old Market", None, 14, 3, 2, 0, 2, 1, True, 30, 1, 4),
        ("C6", "N…", "Riverside", None, 14, 47002, 52808, 0, -5998, 2, False, None, 0, 0),
    ]


def test_a_balance_that_is_not_known_is_known_to_none_of_its_holders(tmp_path):
    shares = [
        {"account_id": "A2", "customer_id": customer, "role": role, "share": "0.5"}
        for customer, role in (("C2", "owner"), ("C4", "joint"))
    ]
    roster = crm.build(banks.six(tmp_path / "extracts", holders=shares), NEW, tmp_path / "mart").page("roster")
    assert roster.filter(pl.col("aum").is_null())["customer_no"].to_list() == ["C2", "C4"]


def test_trend_follows_who_kept_the_customer_at_each_months_end(six):
    found = six.page("trend").filter(pl.col("manager_id").is_not_null())
    assert found.select("month", "manager_id", "line", "closing", "balance_days", "days", "n_holders").rows() == [
        (date(2024, 1, 31), "M1", "deposits", 15000, 315000, 31, 1),
        (date(2024, 2, 29), "M2", "deposits", 44500, 1145000, 29, 1),
        (date(2024, 2, 29), "M2", "loans", -30000, -750000, 29, 1),
        (date(2024, 3, 31), "M2", "deposits", 41911, 1350521, 31, 1),
        (date(2024, 3, 31), "M2", "loans", -27500, -900000, 31, 1),
    ]


def test_heads_worked_by_hand(six):
    months = six.page("heads").group_by("month", maintain_order=True)
    assert months.agg(pl.col("n_customers", "n_active", "n_lines").sum()).rows() == [
        (date(2024, 1, 31), 6, 2, 7),
        (date(2024, 2, 29), 5, 2, 7),  # C3 left on the 20th; C1 took a loan
        (date(2024, 3, 31), 5, 2, 7),
    ]


def test_manifest_tells_what_the_snapshot_was_made_from(six, extracts):
    manifest = six.manifest
    files = {path.name: path.read_bytes() for path in extracts.iterdir()}
    assert manifest["inputs"] == {
        name: {"bytes": len(data), "encoding": "utf-8", "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in files.items()
    }
    assert (manifest["format"], manifest["as_of"], manifest["history_from"]) == (6, "2024-03-31", "2024-01-01")
    assert (manifest["base_currency"], manifest["minor_digits"], manifest["bands"]) == ("CNY", 2, 5)
    assert manifest["policy_hash"] == policy.load().hash
    libraries = {"polars", "narwhals", "duckdb", "dataframely", "scikit-learn", "lifelines", "numpy"}
    assert manifest["versions"].keys() == {"crmlab", *libraries}
    assert manifest["rejects"] == []
    assert manifest["tables"]["transactions"]["control"] == {
        "CNY": {"in": 3415, "loaded": 3415, "rejected": 0},
        "USD": {"in": -20000, "loaded": -20000, "rejected": 0},
    }
    checks = manifest["checks"]
    assert (checks["is_clean"], checks["balance_breaks"], checks["accounts_without_anchor"]) == (False, 0, 1)
    assert checks["report"].endswith("Not clean: 1 account without an anchor.")


@pytest.mark.parametrize("name", ["six", "sample"])
def test_manifest_counts_the_rows_of_every_table(request, name):
    mart = request.getfixturevalue(name)
    lazy = {
        table: getattr(mart, table)
        for table in (
            "facts",
            "customers",
            "books",
            "contribution",
            "standing",
            "events",
            "accounts",
            "holdings",
            "behind",
        )
    }
    rows = {table: frame.select(pl.len()).collect().item() for table, frame in lazy.items()}
    assert mart.manifest["rows"] == rows | {page: mart.page(page).height for page in PAGES}
    assert sorted(file.stem for file in (mart.folder / "pages").iterdir()) == sorted(PAGES)


def test_rejects_and_control_totals_stand_in_the_manifest(extracts, tmp_path):
    folder = Path(shutil.copytree(extracts, tmp_path / "extracts"))
    with (folder / "transactions.csv").open("a") as file:
        file.write("A9,2024-01-05,7.00,payment,customer\n")
    (folder / "policy.toml").write_text("[landing]\nmax_reject_share = 0.5\n")
    manifest = crm.build(folder, NEW, tmp_path / "mart").manifest
    assert [(reject["table"], reject["n"]) for reject in manifest["rejects"]] == [("transactions", 1)]
    table = manifest["tables"]["transactions"]
    assert (table["rows_in"], table["loaded"], table["rejected"]) == (16, 15, 1)
    assert manifest["policy_hash"] == policy.load(folder / "policy.toml").hash != policy.load().hash


# -- the same input gives the same bytes


def built_elsewhere(extracts: Path, as_of: date, mart: Path) -> crm.mart.Mart:
    """A mart built in a process of its own, by one thread and with other hashes of text."""
    source = "import sys, crmlab as crm; crm.build(*sys.argv[1:])"
    built = python(source, extracts, as_of, mart, POLARS_MAX_THREADS="1", PYTHONHASHSEED="7")
    assert built.returncode == 0, built.stderr
    return crm.mart.open(mart)


def test_two_builds_of_the_same_input_give_the_same_bytes(extracts, six, tmp_path):
    """The manifest among them; of 600 customers the test of the wall asks the same."""
    again = built_elsewhere(extracts, NEW, tmp_path / "mart")
    assert again.folder.name == six.folder.name
    assert content(again.folder) == content(six.folder)


def test_bits_beyond_the_last_row_leave_no_trace():
    packed = import_module("crmlab.mart.build")._packed

    def written(beyond: int) -> bytes:
        known = pa.py_buffer(bytes([0b00000111, 0b00000010 | beyond]))
        rows = pl.from_arrow(pa.table({
            "amount": pa.Array.from_buffers(pa.int64(), 10, [known, pa.py_buffer(bytes(80))]),
            "is_known": pa.Array.from_buffers(pa.bool_(), 10, [None, known]),
        }))  # fmt: skip
        into = io.BytesIO()
        packed(rows).write_ipc(into, compression="uncompressed")
        return into.getvalue()

    assert written(0b11111100) == written(0)


def test_building_again_changes_nothing_and_another_day_or_rule_stands_beside(extracts, mart, tmp_path):
    before = content(mart)
    crm.build(extracts, OLD, mart)
    assert content(mart) == before
    crm.build(extracts, NEW, mart)
    rules = tmp_path / "policy.toml"
    rules.write_text("[activity]\nwindow_days = 30\n")
    crm.build(extracts, NEW, mart, policy=policy.load(rules))
    assert len(list((mart / "snapshots").iterdir())) == 3
    assert crm.mart.open(mart).manifest["activity_window_days"] == 30


@pytest.mark.parametrize("room", ["policy", "bank", "panel", "measures/tiers", "mart"])
def test_code_that_decides_the_content_decides_the_name(room, monkeypatch, tmp_path):
    build = import_module("crmlab.mart.build")
    monkeypatch.setattr(build, "__file__", str(tmp_path / "mart" / "build.py"))
    (tmp_path / room).mkdir(parents=True)
    codes = {build._code()}
    for text in ("one", "another"):
        (tmp_path / room / "rule.py").write_text(text)
        codes.add(build._code())
    assert len(codes) == 3


# -- it adds up


def test_closing_and_balance_days_are_the_same_in_trend_customers_and_facts(sample, sample_bank):
    """Facts are converted here once more, with fractions and Python's own rounding half to even."""
    money = ["closing", "balance_days"]
    last = pl.col("starts_on") == pl.col("starts_on").max().over("account_id", "month")
    facts = (
        sample.facts.with_columns(pl.when(last).then("closing").otherwise(0))
        .join(sample.accounts.select("account_id", "currency"), on="account_id")
        .select("month", "currency", *money)
        .collect()
    )
    rates = rates_at_month_ends(sample_bank)
    assert facts["currency"].n_unique() > 2
    expected = {month: [0, 0] for month in facts["month"].unique()}
    for month, currency, *values in facts.iter_rows():
        rate = rates[currency, month]
        expected[month] = [total + round(value * rate) for total, value in zip(expected[month], values, strict=True)]
    for frame in (sample.page("trend"), sample.customers.collect()):
        found = frame.group_by("month").agg(pl.col(money).sum())
        assert {month: rest for month, *rest in found.iter_rows()} == expected


def rates_at_month_ends(extracts: Path) -> dict[tuple[str, date], Fraction]:
    """What one minor unit of a currency is worth in fen at a month's end."""
    days = pl.date_range(date(2023, 1, 31), date(2024, 6, 30), "1mo", eager=True).dt.month_end().to_list()
    with (extracts / "fx_rates.csv").open() as file:
        rows = sorted((row["currency"], row["on"], row["rate"]) for row in csv.DictReader(file))
    rates = {("CNY", day): Fraction(1) for day in days}
    for currency, on, rate in rows:
        digits = policy.load().digits(currency)
        rates |= {(currency, day): Fraction(rate) * 10 ** (2 - digits) for day in days if f"{day}" >= on}
    return rates


def test_roster_agrees_with_the_last_month_of_trend_and_heads(sample):
    roster, now = sample.page("roster"), pl.col("month") == sample.as_of
    heads = sample.page("heads").filter(now).drop("month")
    counted = roster.group_by(GROUP).agg(
        n_customers=pl.len().cast(pl.Int32),
        n_active=pl.col("is_active").sum().cast(pl.Int32),
        n_lines=pl.col("n_lines").sum().cast(pl.Int32),
    )
    assert_frame_equal(counted, heads, check_row_order=False)
    trend = sample.page("trend").filter(now).with_columns(held=pl.col("class").is_in(["deposits", "investments"]))
    assert roster["aum"].sum() == trend.filter("held")["closing"].sum()
    assert roster["deposits"].sum() == trend.filter(pl.col("class") == "deposits")["closing"].sum()
    assert roster["loans"].sum() == -trend.filter(pl.col("class") == "loans")["closing"].sum()
    assert roster["loans"].sum() > 0


def test_change_of_aum_is_the_difference_of_two_rosters(sample_bank, sample, young):
    month_before = crm.build(sample_bank, "2023-05-31", young.folder.parents[1])
    pairs = [(young, month_before, "aum_change_month"), (sample, young, "aum_change_year")]
    for now, then, change in pairs:
        both = now.page("roster").join(then.page("roster").select("customer_no", then="aum"), on="customer_no")
        both = both.filter(pl.col("since") <= then.as_of)
        assert both.height > 300
        assert (both["aum"] - both["then"]).equals(both[change])


def test_active_means_a_sign_of_life_within_the_window(sample):
    days = sample.manifest["activity_window_days"]
    roster = sample.page("roster").with_columns(lately=(pl.col("recency_days") < days).fill_null(False))
    assert roster["is_active"].equals(roster["lately"])
    assert 0 < roster["is_active"].sum() < roster.height


def test_roster_names_the_manager_and_branch_of_the_extract(sample, sample_bank):
    read = partial(pl.read_csv, infer_schema=False)
    as_of = f"{sample.as_of}"
    keeps = read(sample_bank / "assignments.csv").filter(
        pl.col("role") == "maintains",
        pl.col("from_on") <= as_of,
        (pl.col("to_on") >= as_of) | pl.col("to_on").is_null(),
    )
    assert keeps["scope"].unique().to_list() == ["customer"]
    keeps = keeps.join(read(sample_bank / "managers.csv").select("manager_id", manager="name"), on="manager_id")
    people = read(sample_bank / "customers.csv").join(
        read(sample_bank / "branches.csv").select("branch_id", branch="name"), on="branch_id"
    )
    columns = ["customer_id", "branch_id", "branch", "manager_id", "manager"]
    expected = people.join(keeps.select("customer_id", "manager_id", "manager"), on="customer_id", how="left")
    roster = sample.page("roster").drop("customer_id").rename({"customer_no": "customer_id"})
    expected = expected.join(roster, on="customer_id", how="semi").select(columns)
    assert_frame_equal(roster.select(columns), expected, check_row_order=False)
    assert 0 < roster["manager_id"].null_count() < roster.height


def test_a_history_too_short_for_a_model_has_the_columns_of_one(young):
    assert young.manifest["leaving"]["main"] is None
    assert young.page("hazards").schema == TABLE
    assert young.page("hazards").is_empty()


def test_a_day_inside_a_month_averages_the_days_so_far(extracts, mart):
    found = crm.build(extracts, date(2024, 3, 15), mart)
    assert found.page("trend").filter(pl.col("month") == NEW)["days"].unique().to_list() == [15]
    first = found.page("roster").row(0, named=True)
    assert (first["customer_no"], first["aum"], first["aum_average"]) == ("C1", 44500, 44500)


def test_a_month_in_which_nobody_has_an_account(tmp_path):
    folder = banks.write(
        tmp_path / "extracts",
        products=banks.PRODUCTS,
        customers=[person("C1", branch_id=""), person("C2", since="2024-04-05", branch_id="")],
        accounts=[
            account("A1", "C1", opened="2024-01-10", closed_on="2024-02-20", branch_id=""),
            account("A2", "C2", opened="2024-04-05", branch_id=""),
        ],
        transactions=[
            entry("2024-01-10", "A1", "80.00"),
            entry("2024-02-20", "A1", "-80.00"),
            entry("2024-04-05", "A2", "9.00"),
        ],
    )
    with pytest.raises(crm.InputError, match="Nobody has an open account on 2024-03-31"):
        crm.build(folder, "2024-03-31", tmp_path / "mart")
    found = crm.build(folder, "2024-04-30", tmp_path / "mart").page("roster")
    assert found.select("customer_no", "aum", "aum_change_month").rows() == [("C2", 900, 900)]


def test_what_those_who_leave_take_elsewhere_is_money_to_other_banks(tmp_path):
    folder = banks.write(
        tmp_path / "extracts",
        products=banks.PRODUCTS,
        customers=[person("C1"), person("C2")],
        accounts=[account("A1", "C1"), account("A2", "C2", opened="2024-01-02", closed_on="2024-02-20")],
        transactions=[
            entry("2024-01-02", "A2", "80.00", "transfer", channel="online"),
            entry("2024-02-20", "A2", "-80.00", "transfer", channel="counter", counterparty_kind="other bank"),
        ],
    )
    found = crm.build(folder, "2024-03-31", tmp_path / "mart").page("channel_months")
    sums = found.group_by("month").agg(pl.col("n_customers", "n_counter", "other_banks", "n_other_banks").sum())
    assert [row[1:] for row in sums.sort("month").rows()] == [(2, 0, 0, 0), (2, 1, 80_00, 1), (1, 0, 0, 0)]


def test_who_holds_an_account_jointly_is_new_as_its_owner_is(tmp_path):
    folder = banks.write(
        tmp_path / "extracts",
        products=banks.PRODUCTS,
        customers=[person("C1"), person("C2", since="2024-02-01")],
        accounts=[account("A1", "C1"), account("A2", "C1", opened="2024-02-03")],
        holders=[
            {"account_id": "A2", "customer_id": "C1", "role": "owner", "share": "0.5"},
            {"account_id": "A2", "customer_id": "C2", "role": "joint", "share": "0.5"},
        ],
        transactions=[entry("2024-01-05", "A1", "1.00"), entry("2024-02-03", "A2", "9.00")],
    )
    found = crm.build(folder, "2024-03-31", tmp_path / "mart")
    assert found.page("people")["first_on"].to_list() == [date(2023, 1, 1), date(2024, 2, 3)]
    assert found.page("roster").select("customer_no", "state").rows() == [("C1", "mature"), ("C2", "new")]
    assert found.page("traits").select("n_lines", "has_deposits", "has_loans").rows() == [(1, True, False)] * 2


def test_segments_states_and_households_add_up_to_the_bank(sample):
    paths, roster, now = sample.page("paths"), sample.page("roster"), sample.as_of
    held = sample.page("trend").filter(pl.col("class").is_in(["deposits", "investments"]))
    for month in (date(2023, 7, 31), now):
        bank = held.filter(pl.col("month") == month)["closing"].sum()
        for name in ("segment", "state", "tier"):
            assert paths.group_by(f"{name} {month}").agg(pl.col(f"aum {month}").sum())[f"aum {month}"].sum() == bank
    there = paths.filter(pl.col(f"state {now}") != "left")
    assert there["customer_id"].sort().equals(roster["customer_id"])
    assert sample.page("traits")["customer_id"].equals(roster["customer_id"])
    members = sample.page("members")
    assert members["customer_id"].equals(sample.page("people")["customer_id"])
    amounts = roster.select("customer_id", "aum")
    homes = members.select("customer_id", "household_id", n_members="n_household")
    whole = homes.select("customer_id").join(amounts, on="customer_id", how="left")
    assert crm.groups.totals(homes, whole)["aum"].sum() == roster["aum"].sum()


def test_months_of_channels_and_spending_hold_all_that_customers_did(sample, sample_bank, tmp_path):
    months = sample.page("channel_months")
    assert months.group_by("month").agg(pl.col("n_customers").sum()).sort("month").rows() == (
        sample.standing.group_by("month").len("n").sort("month").collect().cast({"n": pl.Int64}).rows()
    )
    bank = crm.read(sample_bank, as_of=sample.as_of, landed=tmp_path / "landed")
    rows = bank.table("transactions").filter(pl.col("kind").is_in(["payment", "card"]), pl.col("amount") < 0)
    owners = bank.table("accounts").select("account_id", "customer_id", "currency")
    spent = -crm.panel.in_base_of_the_day(rows.join(owners, on="account_id"), bank).collect()["amount"].sum()
    assert 0.97 * spent < sample.page("spending_months")["amount"].sum() <= spent  # but for what was reversed


# -- the wall


CHANGED = {  # the current columns of the dictionary, as they may stand in an extract of another day
    "risk_grade": "Z", "graded_on": "2024-01-01", "kyc_due_on": "2031-01-01", "consent": "true",
    "staff_related": "true", "status": "frozen", "grade": "clerk", "auto_renew": "true",
    "five_grade": "loss", "overdue_days": "999",
}  # fmt: skip


def as_delivered(extracts: Path, into: Path, as_of: str) -> Path:
    """The extracts as the bank would have delivered them on `as_of`: nothing later, other values in current columns."""
    tables = {path.stem: pl.read_csv(path, infer_schema=False) for path in extracts.glob("*.csv")}
    tables["transactions"] = pl.concat(
        pl.read_csv(path, infer_schema=False) for path in sorted((extracts / "transactions").iterdir())
    )
    into.mkdir()
    for name, rows in tables.items():
        if name in KNOWN_ON:
            tables[name] = rows = rows.filter(pl.col(KNOWN_ON[name]) <= as_of)
        delivered = set(rows.columns)
        dated = [(column, TABLES[name].columns()[column].metadata["by"]) for column in columns(name, time="dated")]
        rows = rows.with_columns(
            [pl.when(pl.col(by) <= as_of).then(column).alias(column) for column, by in dated if column in delivered]
            + [pl.lit(CHANGED[column]).alias(column) for column in columns(name, time="current") if column in delivered]
        )
        for column, parent, key in CHILDREN:
            if column in delivered and name != parent:
                rows = rows.filter(pl.col(column).is_in(tables[parent][key].implode()) | pl.col(column).is_null())
        for column in ("referred_by_id", "legal_rep_id"):
            if column in delivered:
                known = pl.col(column).is_in(tables["customers"]["customer_id"].implode())
                rows = rows.with_columns(pl.when(known).then(column).alias(column))
        rows.write_csv(into / f"{name}.csv")
    return into


# A grade decides which card scores a manager: it, and what of a file is in order, are known on the extract's day alone.
OF_THE_DAY = ("assessed", "scores", "totals")
MEASURED_ON_THE_DAY = ("kyc_in_time", "file_completeness")
CHILDREN = [
    ("customer_id", "customers", "customer_id"), ("other_id", "customers", "customer_id"),
    ("account_id", "accounts", "account_id"),
]  # fmt: skip


def test_the_wall_a_later_extract_gives_the_same_bytes_at_the_same_day(sample_bank, tmp_path):
    as_of = date(2024, 2, 14)
    known = crm.build(as_delivered(sample_bank, tmp_path / "then", f"{as_of}"), as_of, tmp_path / "mart")
    whole = built_elsewhere(sample_bank, as_of, tmp_path / "mart")
    for table in ("customers", "accounts", "transactions", "assignments"):
        assert known.manifest["tables"][table]["loaded"] < whole.manifest["tables"][table]["loaded"]
    roster = [mart.page("roster").drop("customer_id").sort("customer_no") for mart in (known, whole)]
    assert_frame_equal(*roster)
    for page in PAGES[1:]:
        if page not in OF_THE_DAY:
            assert_frame_equal(known.page(page), whole.page(page))
    is_of_the_day = pl.col("measure").is_in(MEASURED_ON_THE_DAY)
    assert_frame_equal(*(mart.page("assessed").filter(~is_of_the_day).drop("grade") for mart in (known, whole)))
    assert whole.page("assessed")["grade"].null_count() == whole.page("assessed").height
    assert whole.page("assessed").filter(is_of_the_day)["value"].drop_nulls().is_empty()
    counts = [
        {name: n for name, n in mart.manifest["rows"].items() if name not in OF_THE_DAY} for mart in (known, whole)
    ]
    assert counts[0] == counts[1]
    before, after = (content(mart.folder) for mart in (known, whole))
    differing = {name for name in before if before[name] != after[name]}
    assert differing - {f"pages/{page}.arrow" for page in OF_THE_DAY} == {"manifest.json"}


# -- published whole or not at all


def broken(mart: Path, case: str) -> None:
    snapshot = next((mart / "snapshots").iterdir())
    manifest = snapshot / "manifest.json"
    text = manifest.read_text("utf-8")
    match case:
        case "absent":
            shutil.rmtree(mart)
        case "no pointer":
            (mart / "CURRENT").unlink()
        case "empty pointer":
            (mart / "CURRENT").write_text("")
        case "pointer of another alphabet":
            (mart / "CURRENT").write_bytes(b"\xff\xfe")
        case "missing snapshot":
            shutil.rmtree(snapshot)
        case "torn manifest":
            manifest.write_text(text[: len(text) // 2], "utf-8")
        case "empty manifest":
            manifest.write_text("", "utf-8")
        case "manifest of something else":
            manifest.write_text("[1, 2]", "utf-8")
        case "another format":
            manifest.write_text(text.replace('"format": 6', '"format": 7'), "utf-8")


UNUSABLE = {
    "absent": r"There is no mart in .*Build one: crmlab build FOLDER --as-of DATE --mart",
    "no pointer": "There is no mart in",
    "empty pointer": "cannot be read. Build it again",
    "pointer of another alphabet": "cannot be read. Build it again",
    "missing snapshot": "cannot be read. Build it again",
    "torn manifest": "cannot be read. Build it again",
    "empty manifest": "cannot be read. Build it again",
    "manifest of something else": "cannot be read. Build it again",
    "another format": "is of format 7, this crmlab reads format 6. Build it again",
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_a_mart_that_cannot_be_used_says_so_and_building_it_again_helps(mart, extracts, case):
    sound = content(mart / "snapshots")
    broken(mart, case)
    with pytest.raises(crm.InputError, match=UNUSABLE[case]) as told:
        crm.mart.open(mart)
    assert "\n" not in str(told.value)
    assert crm.build(extracts, OLD, mart).as_of == OLD
    assert content(mart / "snapshots") == sound


def test_an_unknown_page_names_the_near_miss(six):
    with pytest.raises(crm.InputError, match=r"has no page table rooster\. Did you mean roster"):
        six.page("rooster")


def test_extracts_that_cannot_be_used_leave_the_mart_as_it_was(mart, tmp_path):
    before = content(mart)
    with pytest.raises(crm.InputError):
        crm.build(banks.six(tmp_path / "extracts", products=[]), NEW, mart)
    assert content(mart) == before


KILLED = """
import os, sys
from pathlib import Path
import crmlab.bank.read as reading, crmlab.mart.build as building, crmlab.mart.publish as publishing

def die(*_, **__):
    os._exit(9)

def half(path, text, *_):
    path.write_bytes(text.encode()[: len(text) // 2])
    die()

POINTS = {
    "while landing": (reading, "land"),
    "after facts": (building.panel, "events"),
    "after pages": (building, "check"),
    "before the manifest": (building, "_manifest"),
    "half a manifest": (Path, "write_text"),
    "before the rename of the snapshot": (Path, "rename"),
    "before the pointer": (publishing, "_point"),
    "before the rename of the pointer": (Path, "replace"),
}
point, extracts, as_of, mart = sys.argv[1:]
if point == "while landing":
    (Path(extracts) / "surveys.csv").write_text("customer_id,on,score\\nC1,2024-01-02,9\\n")
setattr(*POINTS[point], half if point == "half a manifest" else die)
building.build(extracts, as_of, mart)
"""
POINTS = [line.split('"')[1] for line in KILLED.splitlines() if line.startswith('    "')]


@pytest.fixture(scope="module")
def killed(extracts, old, tmp_path_factory) -> dict[str, tuple[Path, Path, subprocess.CompletedProcess]]:
    """Builds killed at each point, side by side: their extracts, their marts, and how they ended."""
    folders = {point: tmp_path_factory.mktemp("killed") for point in POINTS}
    copies = {
        point: (Path(shutil.copytree(extracts, folder / "extracts")), Path(shutil.copytree(old, folder / "mart")))
        for point, folder in folders.items()
    }
    with ThreadPoolExecutor(4) as pool:
        ends = pool.map(lambda point: python(KILLED, point, copies[point][0], NEW, copies[point][1]), POINTS)
        return {point: (*copies[point], end) for point, end in zip(POINTS, ends, strict=True)}


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_build_leaves_the_old_snapshot_standing(killed, old, point):
    extracts, mart, end = killed[point]
    assert end.returncode == 9, end.stderr
    before, standing = content(old / "snapshots"), crm.mart.open(mart)
    assert (standing.as_of, standing.folder.name) == (OLD, crm.mart.open(old).folder.name)
    assert before.items() <= content(mart / "snapshots").items()
    assert crm.build(extracts, NEW, mart).as_of == NEW
    assert before.items() <= content(mart / "snapshots").items()
    assert sorted(path.name for path in mart.iterdir()) == ["CURRENT", "landed", "snapshots"]
    assert len(list((mart / "snapshots").iterdir())) == 2
    assert [path for path in mart.rglob("*") if path.name.startswith(".") or ".part-" in path.name] == []


def test_only_one_build_at_a_time(extracts, mart):
    before = content(mart)
    with alone(mart), pytest.raises(crm.InputError, match="Another build is writing to"):
        crm.build(extracts, NEW, mart)
    assert content(mart) == before
    assert crm.build(extracts, NEW, mart).as_of == NEW


def test_a_reader_keeps_reading_while_snapshots_are_published(extracts, mart):
    held, done, seen, wrong = crm.mart.open(mart), Event(), [], []
    before = [held.page("trend").clone(), held.facts.collect()]

    def read() -> None:
        while not done.wait(0.1):
            found = crm.mart.open(mart)
            last = found.facts.select(pl.col("ends_on").max()).collect().item()
            rows = {page: found.page(page).height for page in PAGES}
            if last != found.as_of or any(found.manifest["rows"][page] != n for page, n in rows.items()):
                wrong.append((found.as_of, last, rows))
            seen.append(found.as_of)

    reader = Thread(target=read)
    reader.start()
    days = [date(2024, 3, day) for day in (1, 15, 31)]
    try:
        for day in days:
            crm.build(extracts, day, mart)
    finally:
        done.set()
        reader.join()
    assert wrong == []
    assert OLD in seen
    assert set(seen) <= {OLD, *days}
    assert held.as_of == OLD
    for frame, then in zip([held.page("trend"), held.facts.collect()], before, strict=True):
        assert_frame_equal(frame, then)
    assert held.accounts.collect().height == held.manifest["rows"]["accounts"]


def test_a_write_that_fails_publishes_nothing(tmp_path):
    def write(folder: Path) -> None:
        (folder / "half").write_text("of it")
        raise OSError(28, "No space left on device")

    publish(tmp_path, "first", lambda folder: (folder / "whole").write_text("all of it"))
    with pytest.raises(OSError, match="No space left"):
        publish(tmp_path, "second", write)
    assert (tmp_path / "CURRENT").read_text() == "first\n"
    publish(tmp_path, "third", lambda folder: (folder / "whole").write_text("all of it"))
    assert sorted(path.name for path in (tmp_path / "snapshots").iterdir()) == ["first", "third"]


# -- opened without anything heavy


def test_opening_a_mart_loads_nothing_heavy(six):
    source = (
        "import sys, crmlab as crm; assert 'polars' not in sys.modules;"
        "mart = crm.mart.open(sys.argv[1]); mart.page('roster').height; mart.facts.collect(); print(*sys.modules)"
    )
    run = python(source, six.folder.parents[1])
    assert run.returncode == 0, run.stderr
    heavy = {"pandas", "scipy", "sklearn", "lifelines", "duckdb", "narwhals", "dataframely", "plotly", "ipywidgets"}
    heavy |= {f"crmlab.{name}" for name in ("bank", "panel", "measures", "simulate", "views", "mart.build")}
    assert heavy & set(run.stdout.split()) == set()


def test_pages_are_read_once_and_mapped_from_disk(six):
    assert six.page("roster") is six.page("roster")
    for page in PAGES:
        assert (six.folder / "pages" / f"{page}.arrow").read_bytes()[:6] == b"ARROW1"
    assert json.loads((six.folder / "manifest.json").read_text("utf-8")) == six.manifest
