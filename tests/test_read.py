"""`crm.read`: what an extract may look like, what is rejected and how it is told, and the wall at as_of."""

import gzip
import json
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmlab.bank import parse
from crmlab.bank import read as room
from crmlab.bank.schema import KNOWN_ON, TABLES, columns
from crmlab.errors import InputError
from tests.banks import account, entry, person, six, write

PRODUCTS = [{"product_id": "P-CUR", "line": "deposits"}]
ANY_SHARE = "[landing]\nmax_reject_share = 1.0\n"


def read(folder: Path, as_of: str | date | None = "2024-03-31", **more) -> room.Bank:
    return room.read(folder, as_of=as_of, landed=folder.parent / "landed", **more)


def little(folder: Path, transactions: list[dict] | None = None, **more) -> Path:
    """One customer with an account in yuan, one in yen, one in dinar."""
    tables = {
        "products": PRODUCTS,
        "customers": [person("C1", branch_id="")],
        "accounts": [
            account("A1", "C1", branch_id=""),
            account("A2", "C1", branch_id="", currency="JPY"),
            account("A3", "C1", branch_id="", currency="KWD"),
        ],
        "transactions": transactions or [entry("2024-01-02", "A1", "1.00")],
    }
    return write(folder, **{**tables, **more})


def dirty(folder: Path, transactions: list[dict], **more) -> room.Bank:
    """A bank that loads whatever can be loaded."""
    little(folder, transactions, **more)
    (folder / "policy.toml").write_text(ANY_SHARE)
    return read(folder)


def amounts(bank: room.Bank) -> list[int]:
    return bank.table("transactions").sort("transaction_id").collect()["amount"].to_list()


# -- what an extract may look like


@pytest.mark.parametrize(
    ("written", "currency", "minor"),
    [
        ("1234.56", "A1", 123456),
        ("1,234.56", "A1", 123456),
        ("1 234.56", "A1", 123456),
        ("(1,234.56)", "A1", -123456),
        ("1234.56-", "A1", -123456),
        ("−3.5", "A1", -350),
        ("+7", "A1", 700),
        ("12.300000000000", "A1", 1230),
        ("1,234,567", "A2", 1234567),
        ("0,125", "A3", 125),
        ("0.125", "A3", 125),
        ("92233720368547758.07", "A1", 2**63 - 1),
    ],
)
def test_amounts_become_minor_units_of_their_currency(tmp_path, written, currency, minor):
    assert amounts(read(little(tmp_path / "in", [entry("2024-01-02", currency, written)]))) == [minor]


def test_decimal_comma_is_told_from_its_file(tmp_path):
    rows = [
        entry("2024-01-02", "A1", text, transaction_id=f"T{i}") for i, text in enumerate(["1.234,56", "1.234", "7"])
    ]
    assert amounts(read(little(tmp_path / "in", rows))) == [123456, 123400, 700]


@pytest.mark.parametrize(
    "written",
    [
        "2024-01-05",
        "20240105",
        "2024/01/05",
        "05.01.2024",
        "2024-01-05 23:59:59",
        "2024-01-05T00:00:00Z",
        "2024年1月5日",
    ],
)
def test_dates(tmp_path, written):
    bank = read(little(tmp_path / "in", [entry(written, "A1", "1")]))
    assert bank.table("transactions").collect()["booked_on"].to_list() == [date(2024, 1, 5)]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_separators_and_encodings(tmp_path, separator, encoding):
    folder = little(tmp_path / "in")
    head, row = ["customer_id", "kind", "since", "name"], ["C1", "retail", "2020-01-01", "王小明 、“李”"]
    text = "\r\n".join(separator.join(cells) for cells in (head, row)) + "\r\n"
    (folder / "customers.csv").write_bytes(text.encode(encoding))
    bank = read(folder)
    assert bank.table("customers").collect()["name"].to_list() == ["王小明 、“李”"]
    assert bank.manifest["inputs"]["customers.csv"]["encoding"] == encoding.removesuffix("-sig")


def test_file_folder_gz_and_parquet_are_the_same(tmp_path):
    plain = six(tmp_path / "plain")
    other = six(tmp_path / "other")
    rows = pl.read_csv(other / "transactions.csv", infer_schema=False)
    (other / "transactions.csv").unlink()
    (other / "transactions").mkdir()
    rows[:5].write_csv(other / "transactions" / "a.csv")
    (other / "transactions" / "b.csv.gz").write_bytes(gzip.compress(rows[5:9].write_csv().encode()))
    typed = pl.col("booked_on").str.to_date(), pl.col("amount").cast(pl.Decimal(18, 2))
    rows[9:].with_columns(typed).write_parquet(other / "transactions" / "c.parquet")
    (other / "accounts.csv").write_text((other / "accounts.csv").read_text().replace("\n", " \n").replace(",C", ", C"))
    for table in TABLES:
        assert_frame_equal(read(other).table(table), read(plain).table(table))


def test_batches_of_any_size_give_the_same(tmp_path, monkeypatch):
    folder = six(tmp_path / "in")
    names = [f'"Line one\nline ""{i}"", two"' for i in range(1, 7)]
    (folder / "customers.csv").write_text(
        "customer_id,kind,since,name\n" + "".join(f"C{i},retail,2023-01-01,{name}\n" for i, name in enumerate(names, 1))
    )
    whole = read(folder)
    for size in (1, 7, 40, 100):
        monkeypatch.setattr("crmlab.bank.extract.PIECE", size)
        pieces = room.read(folder, as_of="2024-03-31", landed=tmp_path / f"landed-{size}")
        for table in ("customers", "transactions", "balances"):
            assert_frame_equal(pieces.table(table), whole.table(table))
    assert whole.table("customers").collect()["name"][0] == 'Line one\nline "1", two'


def test_padding_empty_lines_and_words_for_nothing(tmp_path):
    folder = little(tmp_path / "in")
    (folder / "customers.csv").write_text(
        'customer_id ,KIND,since,name,industry\n C1 ,retail,2020-01-01 , NULL,""\n\nC2,retail,2020-01-01,\\N,\n'
    )
    frame = read(folder).table("customers").collect()
    assert frame.select("customer_no", "name", "industry").rows() == [("C1", None, None), ("C2", None, None)]


def test_landing_twice_opens_what_is_there(tmp_path):
    folder = six(tmp_path / "in")
    seen = []
    first = read(folder, progress=lambda label, done, total: seen.append(label))
    assert "transactions" in seen
    again = []
    assert read(folder, "2024-01-31", progress=lambda label, done, total: again.append(label)).folder == first.folder
    assert set(again) == {"hash"}
    assert [path.name for path in (tmp_path / "landed").iterdir()] == [first.folder.name]


def test_numbers_follow_the_day_a_customer_became_known(tmp_path):
    bank = read(six(tmp_path / "in"))
    customers = bank.table("customers").collect().sort("customer_id")
    assert customers["customer_no"].to_list() == ["C1", "C2", "C4", "C5", "C6", "C3"]
    assert customers["customer_id"].dtype == pl.Int32
    accounts = bank.table("accounts").collect().sort("account_id")
    assert accounts["account_no"].to_list()[-2:] == ["A3", "A7"]


def test_files_are_by_month_and_sorted(tmp_path):
    paths = read(six(tmp_path / "in")).paths("transactions")
    assert [path.name for path in paths] == ["2024-01.parquet", "2024-02.parquet", "2024-03.parquet"]
    for path in paths:
        rows = pl.read_parquet(path)
        assert_frame_equal(rows, rows.sort("account_id", "booked_on", maintain_order=True))
        assert rows["month"].unique().to_list() == [rows["booked_on"].dt.month_end()[0]]


def test_base_currency_is_the_only_one_or_the_policys(tmp_path):
    accounts = [account("A1", "C1", branch_id="", currency="JPY")]
    assert read(little(tmp_path / "one", accounts=accounts)).base_currency == "JPY"
    assert read(little(tmp_path / "three")).base_currency == "CNY"


def test_amounts_without_an_account_do_not_hang_on_later_accounts(tmp_path):
    campaigns = [{"campaign_id": "K1", "from_on": "2024-01-01", "to_on": "2024-12-31", "cost": "100"}]
    yen = account("A1", "C1", branch_id="", currency="JPY")
    accounts = {"before": [yen], "after": [yen, account("A2", "C1", branch_id="", opened="2024-06-01")]}
    for name, rows in accounts.items():
        bank = read(little(tmp_path / name, accounts=rows, campaigns=campaigns))
        assert bank.base_currency == "JPY"
        assert bank.table("campaigns").collect()["cost"].to_list() == [10_000]
    (tmp_path / "after" / "policy.toml").write_text('base_currency = "JPY"\n')
    assert read(tmp_path / "after").table("campaigns").collect()["cost"].to_list() == [100]


# -- what is rejected


BROKEN = [
    ("account_id|unknown", entry("2024-01-02", "A9", "1.00")),
    ("account_id|nullability", entry("2024-01-02", "", "1.00")),
    ("amount|decimals", entry("2024-01-02", "A1", "1.005")),
    ("amount|decimals", entry("2024-01-02", "A2", "1.5")),
    ("amount|format", entry("2024-01-02", "A1", "1e3")),
    ("amount|size", entry("2024-01-02", "A1", "92233720368547758.08")),
    ("booked_on|format", entry("2024-02-30", "A1", "1.00")),
    ("booked_on|before opening", entry("2022-12-31", "A1", "1.00")),
    ("kind|dtype", entry("2024-01-02", "A1", "1.00", "gift")),
    ("kind|nullability", entry("2024-01-02", "A1", "1.00", "")),
]


@pytest.mark.parametrize(("rule", "row"), BROKEN)
def test_broken_transaction_is_rejected_by_its_rule(tmp_path, rule, row):
    bank = dirty(tmp_path / "in", [entry("2024-01-02", "A1", "5.00"), row])
    assert bank.rejects.counts.select("table", "rule", "n").rows() == [("transactions", rule, 1)]
    assert amounts(bank) == [500]
    rejected = bank.rejects.table("transactions").collect().row(0, named=True)
    assert (rejected["file"], rejected["row"], rejected["amount"]) == ("transactions.csv", "2", row["amount"])


def test_rejects_are_told_in_a_sentence_with_the_first(tmp_path):
    bank = dirty(
        tmp_path / "in",
        [
            entry("2024-01-02", "A1", "5"),
            entry("2022-01-02", "A1", "7", transaction_id="T2"),
            entry("2021-01-02", "A1", "8"),
        ],
    )
    assert bank.rejects.counts["says"].to_list() == [
        "2 of 3 transactions are dated before their account opened "
        "(first: T2, account A1, 2022-01-02, transactions.csv row 2)"
    ]


def test_after_closing_and_rows_of_a_rejected_account(tmp_path):
    accounts = [
        account("A1", "C1", branch_id="", closed_on="2024-01-31"),
        account("A2", "C9", branch_id=""),
        account("A3", "C1", "P-NO", branch_id=""),
        account("A4", "C1", opened="2022-12-31", branch_id=""),
    ]
    rows = [entry("2024-01-31", "A1", "1"), entry("2024-02-01", "A1", "2"), entry("2024-01-05", "A2", "4")]
    bank = dirty(tmp_path / "in", rows, accounts=accounts)
    assert bank.rejects.counts.select("table", "rule", "n").rows() == [
        ("accounts", "customer_id|unknown", 1),
        ("accounts", "opened_on|before customer", 1),
        ("accounts", "product_id|unknown", 1),
        ("transactions", "account_id|unknown", 1),
        ("transactions", "booked_on|after closing", 1),
    ]
    assert bank.manifest["tables"]["transactions"]["control"] == {
        "CNY": {"in": 300, "loaded": 100, "rejected": 200},
        "account unknown": {"in": 400, "loaded": 0, "rejected": 400},
    }


def test_word_for_word_repeats_stand_once_and_conflicts_fall(tmp_path):
    rows = [
        entry("2024-01-02", "A1", amount, transaction_id=number)
        for number, amount in [("T1", "1"), ("T1", "1"), ("T2", "2"), ("T2", "3"), ("T3", "4"), ("", "5"), ("", "5")]
    ]
    bank = dirty(tmp_path / "in", rows, customers=[person("C1", branch_id="")] * 2 + [person("C2", branch_id="")])
    assert sorted(amounts(bank)) == [100, 400, 500, 500]
    assert bank.rejects.counts.select("table", "rule", "n").rows() == [
        ("customers", "customer_id|repeated", 1),
        ("transactions", "transaction_id|conflicting", 2),
        ("transactions", "transaction_id|repeated", 1),
    ]
    assert bank.rejects.table("transactions").collect()["amount"].to_list() == ["1.00", "2.00", "3.00"]
    assert bank.manifest["tables"]["transactions"]["control"]["CNY"] == {"in": 2100, "loaded": 1500, "rejected": 600}


AGAIN = {  # rows by day and content: those that stand at the end of January, whatever comes later
    "a later conflict": ([("2024-01-25", "2"), ("2024-01-01", "1")], [100]),
    "a conflict of one day": ([("2024-01-01", "1"), ("2024-01-01", "2"), ("2024-01-25", "3")], []),
    "a repeat and a later conflict": ([("2024-01-25", "2"), ("2024-01-01", "1"), ("2024-01-01", "1")], [100]),
    "a later conflict, repeated": ([("2024-01-01", "1"), ("2024-01-25", "2"), ("2024-01-25", "2")], [100]),
}


@pytest.mark.parametrize("case", AGAIN)
def test_first_of_a_key_by_date_stands_and_later_conflicts_fall(tmp_path, case):
    rows, stand = AGAIN[case]
    rows = [entry(on, "A1", amount, transaction_id="T1") for on, amount in rows]
    assert amounts(dirty(tmp_path / "in", [entry("2024-01-01", "A2", "7", transaction_id=""), *rows])) == [7, *stand]


def test_offers_and_relations_may_come_again_on_another_day(tmp_path):
    offers = [{"campaign_id": "K1", "customer_id": "C1", "on": on} for on in ("2024-01-05", "2024-03-05", "2024-03-05")]
    starts = ("", "2024-01-05", "2024-03-05", "2024-03-05", "")
    kin = [{"customer_id": "C1", "other_id": "C2", "kind": "kin", "from_on": on} for on in starts]
    bank = dirty(
        tmp_path / "in",
        [entry("2024-01-02", "A1", "1")],
        customers=[person("C1", branch_id=""), person("C2", branch_id="")],
        campaigns=[{"campaign_id": "K1", "from_on": "2024-01-01", "to_on": "2024-12-31"}],
        offers=offers,
        relations=kin,
    )
    assert bank.table("offers").collect()["on"].to_list() == [date(2024, 1, 5), date(2024, 3, 5)]
    starts = bank.table("relations").collect()["from_on"].to_list()
    assert starts == [None, date(2024, 1, 5), date(2024, 3, 5)]
    assert bank.rejects.counts.select("table", "rule", "n").rows() == [
        ("offers", "campaign_id+customer_id+on|repeated", 1),
        ("relations", "customer_id+other_id+kind+from_on|repeated", 2),
    ]


def test_later_step_of_a_lead_leaves_the_first(tmp_path):
    leads = [{"lead_id": "L1", "step": "contacted", "on": on} for on in ("2024-03-05", "2024-01-05")]
    bank = dirty(tmp_path / "in", [entry("2024-01-02", "A1", "1")], leads=leads)
    assert bank.table("leads").collect()["on"].to_list() == [date(2024, 1, 5)]


def test_holder_shares_must_add_to_one(tmp_path):
    holders = [
        {"account_id": "A1", "customer_id": "C1", "role": "owner", "share": "0.5"},
        {"account_id": "A2", "customer_id": "C1", "role": "owner", "share": "100%"},
        {"account_id": "A3", "customer_id": "C1", "role": "owner", "share": ""},
    ]
    bank = dirty(tmp_path / "in", [entry("2024-01-02", "A1", "1")], holders=holders)
    assert bank.rejects.counts["rule"].to_list() == ["share|uneven"]
    assert bank.table("holders").collect()["share"].to_list() == [1_000_000, None]


OF_A2 = {"account_id": "A2", "customer_id": "C1", "role": "owner", "share": "1"}
SHARES = {  # role and share of each holder, the rules broken
    "whole": ([("owner", "1"), ("user", "0"), ("user", "")], []),
    "split": ([("owner", "0.7"), ("joint", "0.3")], []),
    "not given": ([("owner", ""), ("user", "0")], []),
    "a user has the rest": ([("owner", "0.7"), ("user", "0.3")], ["share|uneven", "user_holds_no_share"]),
    "a user has more": ([("owner", "1"), ("user", "0.3")], ["user_holds_no_share"]),
    "too little": ([("owner", "0.7"), ("joint", "0.2")], ["share|uneven"] * 2),
    "too much": ([("owner", "0.7"), ("joint", "0.4")], ["share|uneven"] * 2),
}


@pytest.mark.parametrize("case", SHARES)
def test_shares_are_of_owners_and_joint_holders_alone(tmp_path, case):
    rows, rules = SHARES[case]
    holders = [
        {"account_id": "A1", "customer_id": f"C{i}", "role": role, "share": share}
        for i, (role, share) in enumerate(rows, 1)
    ]
    customers = [person(f"C{i}", branch_id="") for i in (1, 2, 3)]
    bank = dirty(tmp_path / "in", [entry("2024-01-02", "A1", "1")], holders=[*holders, OF_A2], customers=customers)
    assert sorted(bank.rejects.table("holders").collect()["rule"]) == rules
    assert bank.table("holders").collect().height == 1 + len(rows) - len(rules)


def test_all_rejected_rows_are_written_out(tmp_path):
    bank = dirty(tmp_path / "in", [entry("2024-01-02", "A1", "5.00"), *(row for _, row in BROKEN)])
    written = bank.rejects.write(tmp_path / "out")
    assert [path.name for path in written] == ["transactions.csv"]
    assert pl.read_csv(written[0], infer_schema=False).height == len(BROKEN) == bank.rejects.n


def test_dangling_referrer_is_loaded_without_and_noted(tmp_path):
    customers = [person("C1", branch_id=""), person("C2", branch_id="", referred_by_id="C1", legal_rep_id="C9")]
    bank = read(little(tmp_path / "in", customers=customers))
    assert bank.table("customers").collect().select("referred_by_id", "legal_rep_id").rows() == [
        (None, None),
        (0, None),
    ]
    assert "1 of 2 customers name a legal_rep_id" in bank.manifest["notes"][0]["says"]


def test_payments_to_an_own_account_are_own_transfers(tmp_path):
    cases = [  # kind as delivered, counterparty, kind as landed
        ("payment", "own", "own_transfer"),
        ("transfer", "own", "own_transfer"),
        ("own_transfer", "own", "own_transfer"),
        ("principal", "own", "principal"),
        ("interest", "own", "interest"),
        ("transfer", "other bank", "transfer"),
        ("payment", "", "payment"),
    ]
    rows = [entry("2024-01-02", "A1", f"{i}", kind, counterparty_kind=who) for i, (kind, who, _) in enumerate(cases)]
    bank = read(little(tmp_path / "in", rows))
    landed = bank.table("transactions").sort("amount").collect()["kind"].cast(pl.String).to_list()
    assert landed == [kind for *_, kind in cases]
    assert [note["says"] for note in bank.manifest["notes"]] == [
        "transactions between a customer's own accounts, 1 of kind payment and 1 of kind transfer, "
        "are loaded as own_transfer"
    ]


def test_unread_columns_and_files_are_named(tmp_path):
    folder = little(tmp_path / "in", [entry("2024-01-02", "A1", "1", chanel="atm")])
    (folder / "managres.csv").write_text("manager_id\nM1\n")
    bank = read(folder)
    assert "chanel (did you mean channel?)" in bank.manifest["notes"][0]["says"]
    assert bank.manifest["unread"] == [
        "managres.csv was not read: the dictionary has no such table. Did you mean managers?"
    ]


FIELDS = st.sampled_from(["2024-01-02", "20240103", "2022-01-01", "31.02.2024", ""])
ACCOUNTS = st.sampled_from(["A1", "A2", "A3", "A9", ""])
AMOUNTS = st.sampled_from(["1.00", "-2", "3.001", "x", "", "1e5", "(4)", "99999999999999999999"])
ROW = st.builds(
    lambda on, number, amount, kind, id_: entry(on, number, amount, kind, transaction_id=id_),
    FIELDS,
    ACCOUNTS,
    AMOUNTS,
    st.sampled_from(["payment", "gift", ""]),
    st.sampled_from(["T1", "T2", "T3", ""]),
)


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(ROW, max_size=12))
def test_loaded_and_rejected_are_what_came(tmp_path_factory, rows):
    sure = entry("2024-01-02", "A1", "5.00", transaction_id="T0")
    bank = dirty(tmp_path_factory.mktemp("any") / "in", [sure, *rows])
    table = bank.manifest["tables"]["transactions"]
    landed = pl.concat(pl.read_parquet(path) for path in bank.paths("transactions"))
    rejected = bank.rejects.table("transactions").collect()
    assert table["rows_in"] == 1 + len(rows) == landed.height + rejected.height
    assert (table["loaded"], table["rejected"]) == (landed.height, rejected.height)
    assert sum(entry["n"] for entry in bank.manifest["rejects"]) == rejected.height
    for sums in table["control"].values():
        assert sums["in"] == sums["loaded"] + sums["rejected"]
    assert sum(sums["loaded"] for sums in table["control"].values()) == landed["amount"].sum()


# -- the values survive the way through text


@settings(deadline=None)
@given(
    st.lists(st.decimals(-(10**15), 10**15, places=4, allow_nan=False), min_size=1), st.booleans(), st.integers(0, 3)
)
def test_numbers_survive_any_way_of_writing(values, comma, style):
    grouped = [f"{value:,.4f}" if style else f"{value:.4f}" for value in values]
    if comma:
        grouped = [text.translate(str.maketrans(",.", ".,")) for text in grouped]
    if style == 2:
        grouped = [text.replace("." if comma else ",", "\u00a0") for text in grouped]
    if style == 3:
        grouped = [f"({text[1:]})" if text.startswith("-") else text for text in grouped]
    read = parse.numbers(pl.Series(grouped), comma)
    assert read.to_list() == [value.quantize(Decimal("1e-10")) for value in values]


@settings(deadline=None)
@given(st.lists(st.integers(-(2**62), 2**62), min_size=1), st.sampled_from([0, 2, 3, 6, 8]))
def test_units_and_text_are_each_others_way_back(values, digits):
    text = pl.DataFrame({"units": values}).select(parse.as_text(pl.col("units"), digits)).to_series()
    exact = pl.DataFrame({"exact": parse.numbers(text)})
    assert exact.select(parse.units(pl.col("exact"), digits)).to_series().to_list() == values


@settings(deadline=None)
@given(
    st.lists(st.dates(date(1800, 1, 1)), min_size=1), st.sampled_from(["%Y-%m-%d", "%Y%m%d", "%d.%m.%Y", "%Y/%m/%d"])
)
def test_dates_survive_any_way_of_writing(days, style):
    assert parse.dates(pl.Series([day.strftime(style) for day in days])).to_list() == days


# -- the wall


def test_rows_after_as_of_are_not_there_and_dated_columns_masked(tmp_path):
    bank = read(six(tmp_path / "in"), "2024-01-31")
    for name, known_on in KNOWN_ON.items():
        days = bank.table(name).collect()[known_on].drop_nulls()
        assert days.is_empty() or days.max() <= date(2024, 1, 31)
    accounts = bank.table("accounts").collect()
    assert "A7" not in accounts["account_no"]
    assert accounts["closed_on"].null_count() == accounts.height
    assert bank.table("assignments").collect()["to_on"].to_list() == [None]
    assert bank.table("holders").collect().height == 2


def test_current_columns_are_served_only_by_name(tmp_path):
    bank = read(six(tmp_path / "in"))
    for name in TABLES:
        assert not set(columns(name, time="current")) & set(bank.table(name).collect_schema().names())
    assert bank.current("customers").collect().columns == [
        "customer_id", "risk_grade", "graded_on", "kyc_due_on", "consent", "staff_related", "status"
    ]  # fmt: skip


def test_absent_table_is_empty_and_typed(tmp_path):
    bank = read(little(tmp_path / "in"))
    assert not bank.has("holders")
    empty = bank.table("holders").collect()
    assert empty.is_empty()
    assert empty.schema["account_id"] == pl.Int32
    with pytest.raises(InputError, match="Did you mean holders"):
        bank.table("holder")


LATER = st.dates(date(2024, 4, 1), date(2025, 12, 31))


@settings(max_examples=10, deadline=None)
@given(days=st.lists(LATER, min_size=1, max_size=5), grade=st.sampled_from(["A", "E"]), flag=st.booleans())
def test_later_rows_and_current_columns_change_nothing(tmp_path_factory, days, grade, flag):
    folder = tmp_path_factory.mktemp("wall")
    before = read(six(folder / "before"))
    base = {path.stem: pl.read_csv(path, infer_schema=False).to_dicts() for path in (folder / "before").glob("*.csv")}
    new = [f"{day}" for day in days]
    base["customers"] = [
        row | {"risk_grade": grade, "consent": f"{flag}", "status": "frozen"} for row in base["customers"]
    ]
    base["customers"] += [person(f"B{i}", since=on, referred_by_id="C1") for i, on in enumerate(new)]
    base["accounts"] = [row | {"overdue_days": "9", "five_grade": "loss"} for row in base["accounts"]]
    base["accounts"] += [account(f"A0{i}", f"B{i}", opened=on, currency="EUR") for i, on in enumerate(new)]
    base["holders"] += [
        {"account_id": f"A0{i}", "customer_id": "C1", "role": "joint", "share": "1"} for i in range(len(new))
    ]
    base["transactions"] += [entry(on, "A1", "9.99", transaction_id=f"T{i}") for i, on in enumerate(new)]
    base["balances"] += [{"account_id": "A1", "on": on, "balance": "1", "kind": "control"} for on in sorted(set(new))]
    base["assignments"][1]["to_on"] = new[0]
    base["customers"] += [person("C2", since=new[0], kind="corporate")]
    base["accounts"] += [account("A2", "C1", opened=new[0])]
    write(folder / "after", **base)
    (folder / "after" / "policy.toml").write_text(ANY_SHARE)
    after = read(folder / "after")
    assert after.base_currency == before.base_currency
    assert after.history_from == before.history_from
    for table in TABLES:
        assert_frame_equal(after.table(table), before.table(table))


# -- bad input is told in one sentence


def broken(folder: Path, name: str, content: str | bytes | None) -> Path:
    """The small bank with one file put differently, or without it."""
    little(folder)
    (folder / name).unlink(missing_ok=True)
    if content is not None:
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


HEAD = "account_id,booked_on,amount,kind\n"
BAD = {
    "missing table": ("products.csv", None, "has no table products, which is required. Deliver products.csv"),
    "missing column": ("transactions.csv", "account_id,booked,amount,kind\n", "has no column booked_on"),
    "near column": ("transactions.csv", "account_id,booked_no,amount,kind\n", "Did you mean booked_on by booked_no"),
    "column twice": ("transactions.csv", "account_id,amount,amount,kind\n", "column 'amount' more than once"),
    "wrong type": (
        "transactions.csv",
        HEAD + "A1,2024-01-02,abc,card\n",
        "1 of 1 transactions has an amount that is not",
    ),
    "wrong kind": ("transactions.csv", HEAD + "A1,2024-01-02,1,gift\n", "none of: payment, card"),
    "empty file": ("transactions.csv", "", "transactions.csv is empty"),
    "empty table": ("transactions.csv", HEAD, "The table transactions has no rows"),
    "nothing but blank lines": ("transactions.csv", HEAD + "\n\n", "The table transactions has no rows"),
    "wrong encoding": ("customers.csv", b"customer_id,kind,since,name\nC1,retail,2020-01-01,M\xff\xffr\n", "line 2"),
    "open quote": ("transactions.csv", HEAD + 'A1,2024-01-02,1,"card\n', "opens a quote"),
    "too many fields": (
        "transactions.csv",
        HEAD + "A1,2024-01-02,1,234,card\n",
        r"1 rows of .* \(first: row 1 with 5\)",
    ),
    "half a gzip": ("transactions.csv.gz", gzip.compress(HEAD.encode() * 99)[:-9], "twice|half-written"),
    "half a parquet": ("balances.parquet", b"PAR1 and then nothing", "half-written"),
    "all rejected": ("policy.toml", ANY_SHARE, None),
    "duplicate keys": ("products.csv", "product_id,line\nP-CUR,deposits\nP-CUR,loans\n", "share their product_id with"),
    "a table twice": ("accounts.parquet", b"", "holds the table accounts twice"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence(tmp_path, case):
    name, content, says = BAD[case]
    folder = broken(tmp_path / "in", name, content)
    if case == "half a gzip":
        (folder / "transactions.csv").unlink()
    if case == "all rejected":
        (folder / "transactions.csv").write_text(HEAD + "A9,2024-01-02,1,card\n")
        says = "Not one of the 1 transactions could be loaded"
    with pytest.raises(InputError, match=says) as told:
        read(folder)
    assert "\n" not in str(told.value)
    assert str(told.value).endswith((".", "?"))
    landed = tmp_path / "landed"
    assert not landed.exists() or not list(landed.iterdir())


def test_parquet_of_any_type_is_read_or_told(tmp_path):
    folder = little(tmp_path / "in")
    (folder / "transactions.csv").unlink()
    rows = pl.DataFrame(
        {
            "account_id": ["A1 "],
            "booked_on": [20240102],
            "amount": [12.5],
            "kind": pl.Series(["card"], dtype=pl.Categorical),
        }
    )
    rows.write_parquet(folder / "transactions.parquet")
    assert amounts(read(folder)) == [1250]
    rows.with_columns(pl.concat_list("amount")).write_parquet(folder / "transactions.parquet")
    with pytest.raises(InputError, match="holds lists"):
        read(folder)


def test_misnamed_table_names_the_near_miss(tmp_path):
    folder = little(tmp_path / "in")
    (folder / "customers.csv").rename(folder / "custmers.csv")
    with pytest.raises(InputError, match=r"has no table customers.*Did you mean customers by custmers\.csv\?"):
        read(folder)


def test_missing_folder_names_the_near_miss(tmp_path):
    little(tmp_path / "extracts")
    with pytest.raises(InputError, match=r"There is no folder .*extract\. Did you mean .*extracts\?"):
        read(tmp_path / "extract")
    with pytest.raises(InputError, match="is a file"):
        read(tmp_path / "extracts" / "customers.csv")


def test_as_of_before_the_first_transaction(tmp_path):
    folder = little(tmp_path / "in")
    with pytest.raises(InputError, match="as_of 2024-01-01 is before the first transaction, 2024-01-02"):
        read(folder, "2024-01-01")
    with pytest.raises(InputError, match="not a date"):
        read(folder, "yesterday")
    assert read(folder, None).as_of == date(2024, 1, 2)


def test_ceiling_names_count_rule_first_and_remedy(tmp_path):
    rows = (
        [entry("2024-01-02", "A1", "1")] * 98 + [entry("2022-01-02", "A1", "1")] * 2 + [entry("2024-01-02", "A1", "?")]
    )
    with pytest.raises(InputError) as told:
        read(little(tmp_path / "in", rows))
    assert str(told.value) == (
        "2 of 101 transactions are dated before their account opened (first: account A1, 2022-01-02, transactions.csv "
        "row 99), and 1 more break other rules. Fix the extract, or raise max_reject_share in policy.toml."
    )


def test_sums_that_would_wrap_stop_the_landing(tmp_path):
    rows = [entry("2024-01-02", "A1", "92233720368547758.07")] * 2
    with pytest.raises(InputError, match="more than can be summed exactly"):
        read(little(tmp_path / "in", rows))


def test_manifest_holds_what_the_mart_needs(tmp_path):
    bank = read(six(tmp_path / "in"))
    on_disk = json.loads((bank.folder / "manifest.json").read_text())
    assert on_disk["format"] == 1
    assert on_disk["inputs"]["accounts.csv"]["bytes"] == (tmp_path / "in" / "accounts.csv").stat().st_size
    assert on_disk["hash"].startswith(bank.folder.name)
    assert bank.manifest["tables"]["customers"] == {"rows_in": 6, "loaded": 6, "rejected": 0}
