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
from crmlab.measures import funnel, spending
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


def month_of(column: str) -> pl.Expr:
    return pl.col(column).dt.month_end()


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
    assert set(TABLES) - set(landed.manifest["tables"]) == {"nominations"}  # its branches keep no list of their own
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
    owes = set(table(bank, "accounts").filter(pl.col("product_id").str.contains("^[LC]|D04"))["account_id"])
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
    assert ends.mean() > 0.02
    assert ends.mean() > after.mean() + 0.01


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


def daily(bank: Path, pattern: str) -> pl.DataFrame:
    """Balance of each account whose product matches at the end of each day it is open, by adding up its rows."""
    accounts = table(bank, "accounts").filter(pl.col("product_id").str.contains(pattern))
    accounts = accounts.with_columns(from_on=pl.max_horizontal("opened_on", pl.lit(START)))
    accounts = accounts.with_columns(to_on=pl.col("closed_on").fill_null(END))
    days = accounts.with_columns(on=pl.date_ranges("from_on", "to_on")).explode("on")
    flows = minor(table(bank, "transactions"), bank).group_by("account_id", on="booked_on").agg(pl.col("amount").sum())
    stated = minor(table(bank, "balances"), bank, "balance")
    opening = stated.filter(kind="anchor").select("account_id", opening="balance")
    valued = stated.filter(kind="valuation").select("account_id", "on", value="balance")
    days = days.join(flows, on=["account_id", "on"], how="left").join(opening, on="account_id", how="left")
    days = days.join(valued, on=["account_id", "on"], how="left", maintain_order="left").sort("account_id", "on")
    running = (pl.col("amount").fill_null(0).cum_sum() + pl.col("opening").fill_null(0)).over("account_id")
    since = (pl.col("value") - pl.col("running")).forward_fill().over("account_id").fill_null(0)
    days = days.with_columns(running=running).with_columns(balance=pl.col("running") + since)
    return days.select("account_id", "customer_id", "currency", "limit", "opened_on", "on", "balance")


def test_every_deal_ever_made_finds_its_point_of_the_curve_and_earns_a_margin(bank):
    curve = table(bank, "ftp_curve").cast({"rate": pl.Float64, "term_months": pl.Int64})
    accounts = table(bank, "accounts").cast({"rate": pl.Float64, "term_months": pl.Int64})
    deals = accounts.join(table(bank, "products").select("product_id", "line"), on="product_id")
    deals = deals.filter(pl.col("line").is_in(["deposits", "loans"])).with_columns(pl.col("term_months").fill_null(0))
    again = table(bank, "repricings").cast({"rate": pl.Float64}).join(deals.drop("rate", "opened_on"), on="account_id")
    again = again.rename({"on": "opened_on"})
    demand = deals.filter(term_months=0).with_columns(opened_on=pl.max_horizontal("opened_on", pl.lit(START)))
    deals = pl.concat([deals.filter(pl.col("term_months") > 0), demand, again], how="diagonal").sort("opened_on")
    tenors = curve["term_months"].unique().sort()
    assert tenors.to_list() == [0, 3, 6, 12, 24, 36, 60, 120, 240]
    assert set(deals["term_months"]) <= set(tenors)
    by = ["currency", "line", "term_months"]
    priced = deals.join_asof(curve.sort("on"), left_on="opened_on", right_on="on", by=by, check_sortedness=False)
    margin = priced.select(
        pl.when(line="deposits")
        .then(pl.col("rate_right") - pl.col("rate"))
        .otherwise(pl.col("rate") - pl.col("rate_right"))
    ).to_series()
    assert priced.height > 3000
    assert priced["opened_on"].min() < START - timedelta(days=8 * 365)
    assert margin.null_count() == 0
    assert 0.001 < margin.min() < margin.max() < 0.045
    points = curve.filter(pl.col("on") >= START, term_months=0).group_by("currency", "line").len()
    assert points["len"].to_list() == [24] * 8


def test_home_loans_pay_the_rate_in_force(bank):
    loans = table(bank, "accounts").filter(product_id="L01").select("account_id", "opened_on", "rate", "is_floating")
    assert set(loans["is_floating"]) == {"true"}
    agreed = loans.select("account_id", "rate", on=pl.lit(date(1990, 1, 1)))
    rates = pl.concat([agreed, table(bank, "repricings")], how="diagonal").cast({"rate": pl.Float64}).sort("on")
    assert set(table(bank, "repricings")["on"]) == {date(2023, 1, 1), date(2024, 1, 1)}
    paid = minor(table(bank, "transactions").filter(kind="interest"), bank).filter(product_id="L01")
    before = daily(bank, "L01").select("account_id", "balance", booked_on=pl.col("on").dt.offset_by("1d"))
    paid = paid.join(before, on=["account_id", "booked_on"]).sort("booked_on")
    paid = paid.join_asof(rates, left_on="booked_on", right_on="on", by="account_id", check_sortedness=False)
    assert paid.height > 500
    assert paid["rate"].n_unique() > 3
    assert (paid["amount"] - paid["balance"] * paid["rate"] / 12).abs().max() < 0.501


def test_loan_status_says_what_has_not_been_paid(bank):
    accounts = table(bank, "accounts")
    loans = accounts.filter(pl.col("product_id").str.starts_with("L"))
    status = table(bank, "loan_status").cast({"overdue_days": pl.Int64})
    first = status.group_by("account_id").agg(pl.col("on").min())
    assert dict(first.rows()) == {
        account: max(opened, START) for account, opened in loans["account_id", "opened_on"].rows()
    }
    later = status.join(first, on=["account_id", "on"], how="anti").join(loans, on="account_id")
    assert later.filter(pl.col("on") != month_of("on"), pl.col("on").ne_missing(pl.col("closed_on"))).is_empty()

    grid = loans.with_columns(month=pl.date_ranges(pl.max_horizontal("opened_on", pl.lit(START)), pl.lit(END), "1d"))
    grid = grid.explode("month").filter(pl.col("month") == month_of("month"))
    grid = grid.filter(pl.col("closed_on").is_null() | (pl.col("closed_on") > pl.col("month"))).sort("month")
    told = status.sort("on").rename({"overdue_days": "told"})
    grid = grid.join_asof(told, left_on="month", right_on="on", by="account_id", check_sortedness=False)
    grown = (
        pl.when(pl.col("told") > 0).then(pl.col("told") + (pl.col("month") - pl.col("on")).dt.total_days()).otherwise(0)
    )
    grid = grid.with_columns(overdue=grown).with_columns(unpaid_from=pl.col("month") - pl.duration(days=grown))
    late, paid = grid.filter(pl.col("overdue") > 0), grid.filter(pl.col("overdue") == 0)
    n = (pl.col("opened_on") - date(1970, 1, 1)).dt.total_days() % 25 + 2
    assert late.filter(pl.col("unpaid_from").dt.day() != n).is_empty()
    moves = minor(table(bank, "transactions").filter(kind="principal"), bank).filter(pl.col("amount") > 0)
    in_month = moves.select("account_id", month=month_of("booked_on")).unique()
    owing = paid.filter(month_of("opened_on") < pl.col("month"))
    assert owing.height > 1000
    assert owing.join(in_month, on=["account_id", "month"], how="anti").is_empty()
    whole = late.filter(pl.col("overdue") < 30).join(in_month, on=["account_id", "month"], how="anti")
    assert whole.height > 10

    last = grid.filter(month=END).select("account_id", "overdue", "five_grade_right").sort("account_id")
    now = accounts.join(last, on="account_id").sort("account_id").cast({"overdue_days": pl.Int64})
    assert (now["overdue_days"] == now["overdue"]).all()
    assert (now["five_grade"] == now["five_grade_right"]).all()
    worst = status.filter(pl.col("overdue_days") > 90)
    assert set(worst["risk_grade"]) == {"C"}
    assert worst["account_id"].n_unique() >= 2


def test_loans_that_stop_are_never_paid_again_and_bear_no_interest_after_90_days(bank):
    stopped = simulate.truth(bank, "defaults")
    moves = table(bank, "transactions").join(stopped, on="account_id").filter(pl.col("booked_on") >= pl.col("from_on"))
    assert stopped.height >= 2
    assert set(moves["kind"]) == {"interest"}
    assert moves.filter(pl.col("booked_on") > pl.col("from_on") + timedelta(days=90)).is_empty()
    status = table(bank, "loan_status").cast({"overdue_days": pl.Int64}).join(stopped, on="account_id")
    status = status.filter(pl.col("on") > pl.col("from_on"))
    assert (status["overdue_days"] == (status["on"] - status["from_on"]).dt.total_days()).all()


def test_service_fees_stand_on_the_service_and_leave_it_at_zero(bank):
    fees = minor(table(bank, "transactions").filter(kind="fee"), bank).filter(pl.col("amount") < 0)
    assert set(fees["product_id"]) >= {"E02", "S01", "S02", "T01", "G01", "C01", "D02"}
    services = daily(bank, "^[ESTG]")
    assert services["balance"].unique().to_list() == [0]
    assert set(fees.filter(product_id="S01")["booked_on"].dt.month()) == {3, 6, 9, 12}
    limits = table(bank, "accounts").filter(pl.col("product_id").is_in(["G01", "D04", "C01"]))["limit"]
    assert limits.null_count() == 0


def test_overdrafts_stay_within_their_limit_and_are_repaid_within_weeks(bank):
    days = daily(bank, "D04").filter(pl.col("on") < END - timedelta(days=31))
    days = days.with_columns(limit=pl.col("limit").cast(pl.Float64) * 100, below=pl.col("balance") < 0)
    days = days.with_columns(run=pl.col("below").rle_id().over("account_id"))
    below = days.filter("below").group_by("account_id", "run").agg(pl.len(), pl.col("balance").min(), pl.first("limit"))
    assert below.height > 5
    assert below.filter(-pl.col("balance") > pl.col("limit") * 1.02).is_empty()
    assert below["len"].max() <= 40
    charged = minor(table(bank, "transactions").filter(kind="interest"), bank).filter(product_id="D04")
    assert charged.filter(pl.col("amount") < 0).height > 0


def test_tiers_are_those_of_the_daily_balances(bank):
    month = date(2024, 6, 30)
    held = daily(bank, "^[DWI]").filter(month_of("on") == month)
    held = held.group_by("account_id", "customer_id", "currency").agg(
        aum=pl.col("balance").filter(pl.col("on") == month).sum(), aum_average=pl.col("balance").sum() / 30
    )
    fx = table(bank, "fx_rates").filter(on=month).select("currency", fx=pl.col("rate").cast(pl.Float64))
    yen = pl.when(currency="JPY").then(100).otherwise(1)
    held = held.join(fx, on="currency", how="left").with_columns(fx=pl.col("fx").fill_null(1.0) * yen)
    holders = table(bank, "holders").select("account_id", "customer_id", share=pl.col("share").cast(pl.Float64))
    held = held.drop("customer_id").join(holders, on="account_id")
    sums = held.group_by("customer_id").agg(
        (pl.col(name) * pl.col("fx") * pl.col("share")).sum() for name in ("aum", "aum_average")
    )
    truth = simulate.truth(bank, "tiers").filter(month=month).join(sums, on="customer_id", how="left")
    assert truth.height > 1300
    for name in ("aum", "aum_average"):
        assert (truth[name] - truth[f"{name}_right"].fill_null(0)).abs().max() <= 1
    lower = {"basic": None, "gold": 50_000, "platinum": 200_000, "diamond": 1_000_000, "private": 6_000_000}
    for (name, least), most in zip(lower.items(), [*list(lower.values())[1:], None], strict=True):
        inside = truth.filter(tier=name)["aum_average"]
        assert least is None or inside.min() is None or inside.min() >= least * 100
        assert most is None or inside.max() < most * 100


def test_gaps_are_those_planted_and_more_where_a_manager_is_careless(bank):
    planted = simulate.truth(bank, "gaps")
    customers = table(bank, "customers")
    retail = pl.col("kind") == "retail"
    needed = {"mobile": pl.lit(True), "address": pl.lit(True), "birth_on": retail, "industry": ~retail}
    for field, needs in needed.items():
        missing = customers.filter(needs, pl.col(field).is_null())["customer_id"]
        assert set(missing) == set(planted.filter(field=field)["customer_id"]), field
    firms = set(customers.filter(~retail)["customer_id"]) - set(table(bank, "contact_persons")["customer_id"])
    assert firms == set(planted.filter(field="contact_person")["customer_id"])
    assert 0.04 < planted.filter(pl.col("field").is_in(["mobile", "address", "birth_on"])).height / (1500 * 3) < 0.1
    kept = table(bank, "assignments").filter(pl.col("to_on").is_null(), role="maintains")
    share = kept.group_by("manager_id").agg(
        pl.col("customer_id").is_in(planted["customer_id"].implode()).mean(), n=pl.len()
    )
    share = share.filter(pl.col("n") >= 15)["customer_id"].sort()
    assert share[0] < 0.15 < 0.3 < share[-1]


def prospects(bank: Path) -> pl.DataFrame:
    """Leads of those who were no customers when first spoken to, by `funnel.leads`."""
    rows = minor_cost(table(bank, "leads"))
    told = funnel.leads(rows, table(bank, "products"), table(bank, "managers"), table(bank, "customers"))
    return told.filter("is_prospect", pl.col("lead_id").str.starts_with("N"))


def minor_cost(leads: pl.DataFrame) -> pl.DataFrame:
    return leads.with_columns((pl.col("cost").cast(pl.Decimal(20, 2)) * 100).cast(pl.Int64))


def test_prospects_go_from_step_to_step_at_the_planted_rates(bank):
    leads = prospects(bank)
    planted = simulate.truth(bank, "funnel")
    told = funnel.steps(leads, END, settle_days=90).head(3)
    assert told["step"].to_list() == planted["step"].to_list()
    error = (planted["rate"] * (1 - planted["rate"]) / told["n_judged"]).sqrt()
    assert ((told["conversion"] - planted["rate"]).abs() < 3 * error).all()
    assert ((told["median_days"] - planted["days"]).abs() <= 3).all()
    assert told.select(pl.col("n_implied", "n_out_of_order").sum()).row(0) == (0, 0)
    assert told["n_waiting"].min() > 0
    assert told["n_young"].min() > 0


def test_a_prospect_who_is_won_joins_on_that_day_and_is_nobody_before(bank):
    leads = prospects(bank).join(table(bank, "customers").select("customer_id", "since"), on="customer_id", how="left")
    assert leads.filter(pl.col("opened_on").is_null() != pl.col("customer_id").is_null()).is_empty()
    won = leads.drop_nulls("opened_on")
    assert won.height > 20
    assert (won["opened_on"] == won["since"]).all()
    assert won["customer_id"].is_unique().all()
    rows = table(bank, "leads").filter(pl.col("lead_id").str.starts_with("N"))
    assert rows.filter(pl.col("step") != "opened")["customer_id"].null_count() == rows.height - won.height
    staff = leads.join(table(bank, "managers"), on="manager_id")
    assert (staff["contacted_on"] >= staff["joined_on"]).all()


def test_money_goes_to_other_banks_before_those_leave_who_go_little_by_little(bank):
    moves = minor(table(bank, "transactions"), bank).filter(currency="CNY")
    sent = spending.outflow(moves, START, END).filter(pl.col("other_banks") > 0)
    gone = simulate.truth(bank, "leavers").filter(pl.col("left_on") > START + timedelta(days=300))
    seen = gone.select("customer_id", "cause", "left_on", before=pl.int_ranges(1, 9)).explode("before")
    ago = "-" + pl.format("{}mo", "before")
    seen = seen.with_columns(month=pl.col("left_on").dt.month_start().dt.offset_by(ago).dt.month_end())
    seen = seen.join(sent, on=["customer_id", "month"], how="left")
    sends, slow = pl.col("other_banks").is_not_null(), pl.col("cause").is_in(["run-off", "salary"])
    early, late = (sends.filter(when).mean() for when in (pl.col("before") >= 7, pl.col("before") <= 2))
    by = seen.group_by(slow=slow).agg(early=early, late=late).sort("slow")
    assert by["early"].max() < 0.45
    assert by.row(1)[2] > 0.85  # they carry it away month by month
    assert by.row(0)[2] < 0.3  # who closes, waits for maturity or dies gives no such sign
