"""The published Berka files (PKDD'99) through the mapping: counts as published, and each trap of the files."""

import gzip
from datetime import date
from pathlib import Path

import polars as pl
import pytest

import crmlab as crm
from crmlab import policy
from crmlab.bank import berka
from crmlab.bank.check import check
from crmlab.errors import InputError
from tests.conftest import shared


@pytest.fixture(scope="module")
def folder() -> Path:
    return shared("berka")


@pytest.fixture(scope="module")
def bank(folder, tmp_path_factory):
    return crm.read(folder, as_of="1994-02-28", landed=tmp_path_factory.mktemp("landed"))


@pytest.fixture(scope="module")
def mapped(folder) -> dict[str, pl.DataFrame]:
    """The mapped tables before they are landed."""
    return {name: next(iter(read())).rows for name, read in berka.find(folder).tables.items()}


@pytest.fixture(scope="module")
def whole(bank) -> dict[str, pl.DataFrame]:
    """Everything that was landed, beyond the wall."""
    return {name: pl.read_parquet(bank.paths(name)) for name in ("customers", "accounts", "holders", "transactions")}


def counts(rows: pl.DataFrame, column: str) -> dict[str, int]:
    return dict(rows[column].cast(pl.String).value_counts().iter_rows())


def test_tables_are_as_large_as_published_with_PKDD99(bank):  # noqa: N802 the name of the source
    assert {name: table["rows_in"] for name, table in bank.manifest["tables"].items()} == {
        "customers": 5369,
        "accounts": 4500 + 682 + 892,
        "holders": 5369 + 682 + 892,
        "products": 7,
        "transactions": 46_997 + 37 + 123,
        "balances": 31_412,
        "branches": 77,
    }
    assert bank.rejects.n == 0


def test_owners_and_disponents_as_published_with_PKDD99(whole):  # noqa: N802
    current = whole["accounts"].filter(~pl.col("account_no").str.contains("[LC]"))
    assert current.height == 4500
    roles = counts(whole["holders"].join(current, on="account_id", how="semi"), "role")
    assert roles == {"owner": 4500, "user": 869}


def test_loans_and_cards_as_published_with_PKDD99(folder, whole):  # noqa: N802
    assert counts(whole["accounts"], "five_grade") == {"normal": 203 + 403, "loss": 31, "substandard": 45, None: 5392}
    products = counts(whole["accounts"], "product_id")
    assert {name: products[name] for name in ("classic", "junior", "gold")} == {
        "classic": 659,
        "junior": 145,
        "gold": 88,
    }
    amounts = pl.read_csv(folder / "loan.asc", separator=";")["amount"]
    assert round(amounts.mean(), 2) == 151_410.18
    assert pl.read_csv(folder / "order.asc", separator=";").height == 6471


def test_women_and_birth_dates_as_published_with_PKDD99(folder, bank):  # noqa: N802
    births = berka.births(pl.read_csv(folder / "client.asc", separator=";", infer_schema=False))
    assert births["is_woman"].sum() == 2645
    assert births["birth_on"].null_count() == 0
    assert births["birth_on"].dt.year().is_between(1911, 1987).all()


def test_every_posting_is_what_its_symbol_or_operation_says_in_PKDD99(mapped):  # noqa: N802
    rows = mapped["transactions"].filter(~pl.col("account_id").str.starts_with("L"))
    found = {(kind, by): n for kind, by, n in rows.group_by("kind", "initiated_by").len().iter_rows()}
    assert found == {
        ("cash", "customer"): 13_402 + 9_744 + 646 + 41,
        ("card", "customer"): 12,
        ("interest", "bank"): 8_305,
        ("fee", "bank"): 4_563 + 55,
        ("payment", "mandate"): 3_603
        + 644
        + 114
        + 1_636
        + 337,  # SIPO, POJISTNE, SIPO in cash, blank and empty symbols
        ("principal", "mandate"): 123,
        ("transfer", "counterparty"): 2_002,
        ("salary", "counterparty"): 1_770,
    }


def test_third_type_of_PKDD99_is_a_debit(folder, mapped):  # noqa: N802
    raw = pl.read_csv(gzip.decompress((folder / "trans.asc.gz").read_bytes()), separator=";", infer_schema=False)
    rows = mapped["transactions"].join(raw.select("trans_id", "type"), left_on="transaction_id", right_on="trans_id")
    is_debit = rows.group_by("type").agg(pl.col("amount").str.starts_with("-").unique())
    assert dict(is_debit.iter_rows()) == {"PRIJEM": [False], "VYDAJ": [True], "VYBER": [True]}


def test_loans_and_cards_after_as_of_are_invisible(bank):
    accounts = bank.table("accounts").collect()
    assert accounts["opened_on"].max() <= date(1994, 2, 28)
    numbers = accounts["account_no"]
    assert (numbers.str.starts_with("L").sum(), numbers.str.starts_with("C").sum()) == (31, 5)
    assert bank.table("transactions").collect()["booked_on"].max() == date(1994, 2, 28)
    assert bank.table("holders").collect()["account_id"].is_in(accounts["account_id"].implode()).all()


def test_accounts_opened_after_the_excerpt_stay_out(bank, whole):
    posted = whole["transactions"]["account_id"].unique()
    silent = whole["accounts"].filter(
        ~pl.col("account_id").is_in(posted.implode()), ~pl.col("account_no").str.contains("C")
    )
    assert silent["opened_on"].min() > date(1994, 3, 30)


def test_loans_are_paid_back_by_the_instalments_of_their_account(whole):
    rows = whole["transactions"].join(whole["accounts"].select("account_id", "account_no"), on="account_id")
    loans = rows.filter(pl.col("account_no").str.starts_with("L")).sort("account_id", "booked_on")
    balance = loans.select(pl.col("amount").cum_sum().over("account_id")).to_series()
    assert balance.max() <= 0
    instalments = rows.filter(pl.col("kind") == "principal", ~pl.col("account_no").str.starts_with("L"))
    assert instalments["amount"].sum() == -loans.filter(pl.col("amount") > 0)["amount"].sum()


def test_since_is_the_first_account_and_never_later_than_any(whole):
    held = whole["holders"].join(whole["accounts"].select("account_id", "opened_on"), on="account_id")
    first = held.group_by("customer_id").agg(pl.col("opened_on").min())
    both = whole["customers"].join(first, on="customer_id", how="left")
    assert (both["since"] == both["opened_on"]).all()


def test_recorded_balances_of_PKDD99_drift_by_roundings(folder, tmp_path):  # noqa: N802
    rules = tmp_path / "policy.toml"
    rules.write_text('[landing]\ntolerance = "0.70"\n')
    strict = crm.read(folder, as_of="1994-03-30", landed=tmp_path)
    loose = crm.read(folder, as_of="1994-03-30", landed=tmp_path, policy=policy.load(rules))
    report = check(strict, crm.panel.facts(strict))
    assert (report.n_controls, report.breaks.height, report.n_accounts_off) == (31_412, 11_906, 807)
    assert report.sizes.head(3).rows() == [(10, 10_100), (20, 1_571), (30, 196)]
    assert not report.is_clean
    assert "Not clean: 11,906 recorded balances off by more than 0.00" in report.text
    tolerant = check(loose, crm.panel.facts(loose))
    assert tolerant.is_clean
    assert tolerant.sizes.equals(report.sizes)


def test_csv_with_commas_and_a_missing_file(folder, tmp_path):
    copy = tmp_path / "berka"
    copy.mkdir()
    for name in ("account", "client", "disp", "order", "loan", "card", "district"):
        text = (folder / f"{name}.asc").read_text().replace(";", ",")
        (copy / f"{name}.csv").write_text(text)
    trans = gzip.decompress((folder / "trans.asc.gz").read_bytes()).decode().splitlines()[:2001]
    (copy / "trans.csv").write_text("\n".join(trans))
    bank = crm.read(copy, as_of=None, landed=tmp_path / "landed")
    assert bank.table("transactions").filter(pl.col("kind") != "principal").collect().height == 2000
    (copy / "card.csv").unlink()
    with pytest.raises(InputError, match=r"no card\.asc or card\.csv"):
        crm.read(copy, as_of=None, landed=tmp_path / "landed")
