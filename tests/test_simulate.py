"""The simulated bank keeps its books: every claim about it is checked against the files it wrote."""

import hashlib
from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from crmlab import simulate
from crmlab.bank.read import read
from crmlab.bank.schema import TABLES
from crmlab.errors import InputError
from crmlab.simulate import run

START, END = date(2023, 1, 1), date(2024, 12, 31)
SIZE = {"customers": 1500, "months": 24}


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    return simulate.bank(tmp_path_factory.mktemp("simulated") / "bank", seed=11, **SIZE)


@pytest.fixture(scope="module")
def landed(bank, tmp_path_factory):
    return read(bank, as_of=END, landed=tmp_path_factory.mktemp("landed"))


def table(bank: Path, name: str) -> pl.DataFrame:
    """A delivered table as text, dates read."""
    where = bank / name / "*.csv" if (bank / name).is_dir() else bank / f"{name}.csv"
    frame = pl.read_csv(where, infer_schema=False)
    days = [column for column in frame.columns if column.endswith("_on") or column in ("on", "month", "since")]
    return frame.with_columns(pl.col(days).str.to_date())


def minor(frame: pl.DataFrame, bank: Path, column: str = "amount") -> pl.DataFrame:
    """Rows with their money in minor units, read digit by digit, and their account's customer and currency."""
    accounts = table(bank, "accounts").select("account_id", "customer_id", "product_id", "currency")
    frame = frame.join(accounts, on="account_id")
    digits = [0 if currency == "JPY" else 2 for currency in frame["currency"]]
    units = [int(Decimal(text).scaleb(n)) for text, n in zip(frame[column], digits, strict=True)]
    return frame.with_columns(pl.Series(column, units))


def hashed(folder: Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path):
    hashes = [
        hashed(simulate.bank(tmp_path / str(n), customers=120, months=4, seed=seed, dirt=0.01))
        for n, seed in enumerate((3, 3, 4))
    ]
    assert hashes[0] == hashes[1] != hashes[2]


def test_all_tables_are_delivered_and_land_without_a_reject(bank, landed):
    assert set(landed.manifest["tables"]) == set(TABLES)
    assert landed.manifest["rejects"] == []
    assert landed.manifest["notes"] == []
    assert landed.history_from == START


def test_control_balances_equal_a_brute_force_ledger(bank):
    events = defaultdict(list)
    for account, day, amount in minor(table(bank, "transactions"), bank)["account_id", "booked_on", "amount"].rows():
        events[account].append((day, 0, "flow", amount))
    order = {"anchor": 1, "valuation": 2, "control": 3}
    balances = minor(table(bank, "balances"), bank, "balance")
    for account, day, kind, balance in balances["account_id", "on", "kind", "balance"].rows():
        events[account].append((day, order[kind], kind, balance))
    n_controls, broken, overdrawn = 0, [], []
    owes = set(table(bank, "accounts").filter(pl.col("product_id").str.contains("^[LC]"))["account_id"])
    for account, rows in events.items():
        balance = 0
        for day, _, kind, value in sorted(rows):
            if kind == "control":
                n_controls += 1
                broken += [(account, day)] * (balance != value)
                overdrawn += [(account, day)] * (balance < 0 and account not in owes)
            else:
                balance = balance + value if kind == "flow" else value
    assert n_controls > 5000
    assert broken == []
    assert overdrawn == []


def test_accounts_open_before_they_move_and_are_empty_when_closed(bank):
    accounts = table(bank, "accounts")
    moves = table(bank, "transactions").join(accounts, on="account_id")
    assert moves.filter(pl.col("booked_on") < pl.col("opened_on")).is_empty()
    assert moves.filter(pl.col("booked_on") > pl.col("closed_on")).is_empty()
    closing = table(bank, "balances").join(accounts, on="account_id").filter(pl.col("on") == pl.col("closed_on"))
    closed = accounts.filter(pl.col("closed_on").is_not_null())
    assert closed.height > 500
    assert set(closing["account_id"]) == set(closed["account_id"])
    assert closing.filter(pl.col("balance").cast(pl.Decimal(20, 2)) != 0).is_empty()


def test_old_accounts_have_an_anchor_and_wealth_moves_without_transactions(bank):
    accounts, balances = table(bank, "accounts"), table(bank, "balances")
    old = accounts.filter(pl.col("opened_on") < START)
    anchors = balances.filter(kind="anchor")
    assert set(old["account_id"]) == set(anchors["account_id"])
    assert anchors["on"].unique().to_list() == [START - timedelta(days=1)]
    valued = set(balances.filter(kind="valuation")["account_id"])
    assert len(valued - set(table(bank, "transactions")["account_id"])) > 20


@pytest.mark.parametrize("kind", ["own_transfer", "principal"])
def test_transfers_within_a_customer_net_to_zero(bank, kind):
    legs = minor(table(bank, "transactions").filter(kind=kind), bank)
    sums = legs.group_by("customer_id", "booked_on").agg(pl.col("amount").sum(), pl.len())
    assert sums.height > 100
    assert sums.filter(pl.col("amount") != 0).is_empty()


def test_quarter_ends_are_dressed_and_undressed(bank):
    closing = simulate.truth(bank, "tiers").group_by("month").agg(pl.sum("aum"), pl.sum("aum_average")).sort("month")
    deviation = closing.select("month", deviation=pl.col("aum") / pl.col("aum_average") - 1)
    ends = deviation.filter(pl.col("month").dt.month() % 3 == 0)["deviation"]
    after = deviation.filter(pl.col("month").dt.month().is_in([4, 7, 10]))["deviation"]
    assert ends.min() > 0.02
    assert after.max() < ends.min()


def test_salaries_come_at_the_months_end_and_leave_employers_as_batches(bank):
    salaries = minor(table(bank, "transactions").filter(kind="salary"), bank).filter(category="wages")
    paid_in, paid_out = salaries.filter(pl.col("amount") > 0), salaries.filter(pl.col("amount") < 0)
    assert paid_in["booked_on"].dt.day().min() >= 20
    pays = table(bank, "relations").filter(kind="pays wages to")
    batches = paid_in.join(pays, left_on="customer_id", right_on="other_id").rename({"customer_id_right": "employer"})
    batches = batches.group_by("employer", "booked_on").agg(pl.col("amount").sum())
    both = paid_out.join(batches, left_on=["customer_id", "booked_on"], right_on=["employer", "booked_on"], how="left")
    assert both.height > 100
    assert (both["amount"] + both["amount_right"] == 0).all()


def test_standing_orders_keep_dead_accounts_busy(bank):
    moves = table(bank, "transactions").join(
        table(bank, "accounts").select("account_id", "customer_id"), on="account_id"
    )
    asleep = simulate.truth(bank, "segments").filter(pl.col("segment") == "dormant", pl.col("from_on") > START)
    since = moves.join(asleep, on="customer_id").filter(pl.col("booked_on") >= pl.col("from_on") + timedelta(days=40))
    assert since.filter(initiated_by="mandate").height > 20
    assert since.filter(pl.col("initiated_by") == "customer", pl.col("kind") != "own_transfer").is_empty()


def test_reversals_take_back_an_earlier_row_of_the_same_account(bank):
    moves = minor(table(bank, "transactions"), bank)
    pairs = moves.filter(kind="reversal").join(moves, left_on="reverses_id", right_on="transaction_id", how="left")
    assert pairs.height > 20
    assert (pairs["amount"] + pairs["amount_right"] == 0).all()
    assert (pairs["account_id"] == pairs["account_id_right"]).all()
    assert (pairs["booked_on"] > pairs["booked_on_right"]).all()


def test_leavers_leave_as_the_truth_says(bank):
    leavers = simulate.truth(bank, "leavers")
    assert set(leavers["cause"]) == {"closure", "run-off", "maturity", "salary", "death"}
    gone = leavers.filter(pl.col("left_on").is_not_null())
    months = simulate.truth(bank, "tiers").join(gone, on="customer_id")
    before = months.filter(pl.col("month") < pl.col("starts_on")).sort("month").group_by("customer_id").last()
    after = months.filter(pl.col("month") >= pl.col("left_on") + timedelta(days=31)).group_by("customer_id").first()
    both = after.join(before, on="customer_id")
    assert both.height > 30
    assert both.filter(pl.col("aum") > pl.col("aum_right") * 0.2 + 100_000).height <= both.height * 0.05
    closed = table(bank, "accounts").group_by("customer_id").agg(pl.col("closed_on").is_null().sum())
    assert closed.join(gone.filter("is_closed"), on="customer_id")["closed_on"].sum() == 0


def test_one_manager_at_a_time_who_works_here(bank):
    kept = table(bank, "assignments").filter(role="maintains").sort("customer_id", "from_on")
    before = pl.col("to_on").shift().over("customer_id")
    assert kept.filter(
        pl.int_range(pl.len()).over("customer_id") > 0, before.is_null() | (before >= pl.col("from_on"))
    ).is_empty()
    staff = kept.join(table(bank, "managers"), on="manager_id")
    assert staff.filter(pl.col("from_on") < pl.col("joined_on")).is_empty()
    assert staff.filter(
        (pl.col("to_on") > pl.col("left_on")) | (pl.col("to_on").is_null() & pl.col("left_on").is_not_null())
    ).is_empty()
    handed = simulate.truth(bank, "handovers")
    assert set(handed["reason"]) == {"manager left", "new manager"}


def test_foreign_money_has_its_digits_and_a_rate_from_the_first_day(bank):
    currencies = table(bank, "accounts")["currency"]
    assert set(currencies) == {"CNY", "USD", "EUR", "JPY"}
    yen = table(bank, "transactions").join(table(bank, "accounts").filter(currency="JPY"), on="account_id")
    assert not yen["amount"].str.contains(".", literal=True).any()
    assert table(bank, "fx_rates").group_by("currency").agg(pl.col("on").min())["on"].max() < START


def test_maturing_deposits_are_renewed_or_lost(bank):
    accounts = table(bank, "accounts")
    matured = accounts.filter(close_reason="matured").filter(pl.col("product_id").str.starts_with("D"))
    assert (matured["closed_on"] == matured["matures_on"]).all()
    renewed = matured.join(
        accounts, left_on=["customer_id", "closed_on"], right_on=["customer_id", "opened_on"], how="semi"
    )
    assert 0.3 < renewed.height / matured.height < 0.9


def test_dirt_is_rejected_rule_by_rule_and_the_rest_is_the_clean_bank(bank, landed, tmp_path):
    dirty = simulate.bank(tmp_path / "dirty", seed=11, dirt=0.004, **SIZE)
    found = read(dirty, as_of=END, landed=tmp_path / "landed")
    planted = simulate.truth(dirty, "dirt")
    wanted = planted.filter(pl.col("table") != "balances").group_by("table", "rule").len("n")
    rejected = pl.DataFrame(
        [{key: entry[key] for key in ("table", "rule", "n")} for entry in found.manifest["rejects"]]
    )
    assert sorted(rejected.rows()) == sorted(wanted.rows())
    assert wanted.height == 13
    for name in set(TABLES) - {"balances"}:
        assert found.table(name).collect().equals(landed.table(name).collect()), name
    lost = planted.filter(table="balances")["key"]
    assert len(lost) > 0
    n_lost = landed.table("balances").collect().height - found.table("balances").collect().height
    assert n_lost == len(lost)


def test_several_blocks_are_one_bank(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "BLOCK", 150)
    bank = simulate.bank(tmp_path / "bank", customers=400, months=5, seed=5)
    landed = read(bank, as_of=date(2023, 5, 31), landed=tmp_path / "landed")
    assert landed.manifest["rejects"] == []
    assert landed.manifest["tables"]["customers"]["loaded"] == 400
    assert len(list((bank / "transactions").iterdir())) == 3 * 5
    assert simulate.truth(bank, "tiers")["customer_id"].n_unique() > 380


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"customers": 3}, "customers is 3; a bank needs at least 50."),
        ({"months": 0}, "months is 0; a bank needs at least 1."),
        ({"dirt": 2.0}, "dirt is 2.0; it must be a share from 0 to 0.5."),
    ],
)
def test_numbers_that_make_no_bank_are_told_in_a_sentence(tmp_path, wrong, says):
    with pytest.raises(InputError, match=says):
        simulate.bank(tmp_path / "bank", **wrong)


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="is not an empty folder"):
        simulate.bank(tmp_path)


def test_truth_names_the_near_miss(bank):
    with pytest.raises(InputError, match="Did you mean leavers"):
        simulate.truth(bank, "leaver")


def test_the_dictionary_in_words_names_every_table_and_column():
    words = (Path(__file__).parents[1] / "data" / "README.md").read_text("utf-8")
    missing = [name for name in TABLES if f"**{name}**" not in words]
    missing += [
        f"{name}.{column}"
        for name, schema in TABLES.items()
        for column in schema.columns()
        if f"`{column}`" not in words
    ]
    assert missing == []
