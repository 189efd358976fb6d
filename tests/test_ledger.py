"""The ledger: what is written stays, two writers do not harm each other, and a control group hangs on nobody else."""

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import date, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

import crmlab as crm
from crmlab import InputError
from crmlab.mart import ledger
from crmlab.mart.snapshot import FORMAT, POINTER, SNAPSHOTS
from crmlab.policy import Campaigns
from crmlab.policy.rules import Worklist

RULE = Worklist(save_rate=200_000, cost=3_000, calls=20, control_share=500_000, read_out_months=3, maturing_days=90)
DAY = date(2024, 3, 31)
SOME = settings(deadline=None, max_examples=40)


def calls(n: int = 6, first: int = 0) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "customer_id": range(n),
            "customer_no": [f"C{i}" for i in range(first, first + n)],
            "manager_id": [None if i % 3 == 0 else "M1" for i in range(n)],
            "branch_id": "B1",
            "rank": range(1, n + 1),
            "probability": 0.5,
            "expected": range(1000 * n, 0, -1000),
        }
    )


def write(mart, rows=None, name="March calls", on=DAY, **others) -> pl.DataFrame:
    rows = calls() if rows is None else rows
    return ledger.issue(mart, rows, name=name, on=on, rule=RULE, confirm_months=2, **others)


def test_a_list_is_read_back_as_it_was_issued(tmp_path):
    made = write(tmp_path, conditions={"horizon": 3})
    assert ledger.issued(tmp_path).equals(made)
    assert dict(made.schema) == ledger.SCHEMA
    first = made.row(0, named=True)
    assert [first[name] for name in ("list_id", "name", "issued_on", "ends_on", "read_out_on", "expected")] == [
        "2024-03-31-march-calls", "March calls", DAY, date(2024, 6, 30), date(2024, 8, 31), 6000,
    ]  # fmt: skip
    one = ledger.lists(tmp_path).row(0, named=True)
    assert (one["n"], one["n_control"]) == (6, made["is_control"].sum())
    assert json.loads(one["made_with"]) == {
        "horizon": 3, "confirm_months": 2, "rule": {
            "save_rate": 200_000, "cost": 3_000, "calls": 20, "control_share": 500_000, "read_out_months": 3,
            "maturing_days": 90,
        },
    }  # fmt: skip


@pytest.mark.parametrize(
    ("on", "ends_on", "read_out_on"),
    [
        (date(2024, 3, 10), date(2024, 6, 30), date(2024, 8, 31)),
        (date(2023, 11, 30), date(2024, 2, 29), date(2024, 4, 30)),
        (date(2024, 2, 29), date(2024, 5, 31), date(2024, 7, 31)),
    ],
)
def test_a_list_runs_whole_months(tmp_path, on, ends_on, read_out_on):
    assert write(tmp_path, on=on).select("ends_on", "read_out_on").row(0) == (ends_on, read_out_on)


def test_lists_add_up_and_stay(tmp_path):
    march = write(tmp_path)
    before = {path.name: path.read_bytes() for path in (tmp_path / "ledger").iterdir()}
    april = write(tmp_path, name="四月名单", on=date(2024, 4, 30))
    assert ledger.issued(tmp_path).equals(pl.concat([march, april]))
    after = {path.name: path.read_bytes() for path in (tmp_path / "ledger").iterdir()}
    assert set(after) - set(before) == {"2024-04-30-四月名单.parquet"}
    assert {name: after[name] for name in before} == before
    assert march["conditions"][0] == april["conditions"][0] != write(tmp_path, name="x", conditions={"horizon": 6},
        on=date(2024, 5, 31))["conditions"][0]  # fmt: skip


@pytest.mark.slow
def test_a_mart_built_again_keeps_its_ledger(sample_bank, sample_mart, tmp_path):
    mart = tmp_path / "mart"
    shutil.copytree(sample_mart, mart)
    made = write(mart)
    crm.build(sample_bank, "2024-05-31", mart)
    assert ledger.issued(mart).equals(made)


@pytest.mark.parametrize(
    ("rows", "name", "said"),
    [
        (calls().clear(), "A", "The list A is empty"),
        (calls().drop("rank", "expected"), "A", "The list A lacks rank, expected"),
        (pl.concat([calls(), calls(2)]), "A", r"4 of 8 rows of the list A name a customer twice \(first: C0\)"),
        (calls().with_columns(customer_no=pl.lit(None, pl.String)), "A", "6 of 6 rows of the list A name no customer"),
        (calls().with_columns(pl.col("rank").cast(pl.String)), "A", "rank of the list A is String"),
        (calls().drop("customer_no").rename({"customer_id": "customer_no"}), "A", "customer_no of the list A is Int64"),
        (calls(), " .. ", "The list has no name"),
        (calls(), "A" * 121, "has 121 characters. Use at most 120"),
    ],
)
def test_what_is_no_list_is_not_issued(tmp_path, rows, name, said):
    with pytest.raises(InputError, match=said):
        write(tmp_path, rows, name)
    assert not (tmp_path / "ledger").exists()


@pytest.mark.parametrize("on", ["2024-03-31", datetime(2024, 3, 31, 9)])
def test_a_list_is_issued_on_a_day(tmp_path, on):
    with pytest.raises(InputError, match="A list is issued on a day"):
        write(tmp_path, on=on)


def test_no_condition_takes_the_place_of_the_rule_in_force(tmp_path):
    write(tmp_path, conditions={"rule": "another"})
    assert json.loads(ledger.lists(tmp_path)["made_with"][0])["rule"] == asdict(RULE)


def test_names_that_are_long_in_bytes_differ_still(tmp_path):
    one, other = "名" * 119 + "一", "名" * 119 + "二"
    write(tmp_path, name=one)
    write(tmp_path, calls(first=9), name=other)
    assert ledger.lists(tmp_path)["name"].to_list() == sorted([one, other], key=lambda name: ledger._slug(name))


@pytest.mark.parametrize(
    ("rows", "name", "said"),
    [
        (calls(3), "march  CALLS", "A list March calls has been issued on 2024-03-31 already, to 6 customers"),
        (calls().reverse(), "another", "The same 6 customers have been issued on 2024-03-31 already, as March calls"),
    ],
)
def test_a_list_is_issued_once_a_day(tmp_path, rows, name, said):
    made = write(tmp_path)
    with pytest.raises(InputError, match=said):
        write(tmp_path, rows, name)
    assert ledger.issued(tmp_path).equals(made)
    write(tmp_path, rows, name, on=date(2024, 4, 1))


def test_of_writers_at_once_one_issues_the_list(tmp_path):
    def one(_):
        try:
            return write(tmp_path).height
        except InputError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        said = list(pool.map(one, range(8)))
    assert said.count(6) == 1
    assert all("already" in text for text in said if text != 6)
    assert [path.name for path in (tmp_path / "ledger").iterdir()] == ["2024-03-31-march-calls.parquet"]


def test_of_writers_at_once_each_issues_its_own_list(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: write(tmp_path, calls(first=10 * i), name=f"list {i}"), range(8)))
    assert ledger.lists(tmp_path)["n"].to_list() == [6] * 8


def test_where_a_lock_holds_nobody_a_file_is_never_replaced(tmp_path, monkeypatch):
    made = write(tmp_path)
    monkeypatch.setattr(ledger, "_new", lambda *_: None)  # as if the other list had come a moment later
    with pytest.raises(InputError, match="issued by somebody else just now"):
        write(tmp_path, calls(2))
    assert ledger.issued(tmp_path).equals(made)


def test_a_crash_before_the_last_step_issues_nothing(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as broken:
        broken.setattr(os, "link", fail)
        with pytest.raises(
            InputError, match=r"cannot be written to \(Read-only file system\). Nothing has been issued"
        ):
            write(tmp_path)
    assert list((tmp_path / "ledger").iterdir()) == []
    (tmp_path / "ledger" / f"{ledger.BESIDE}1-left").write_bytes(b"half")
    assert ledger.issued(tmp_path).is_empty()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_named(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(InputError, match="ledger cannot be written to"):
        write(tmp_path)


def test_a_ledger_that_is_no_folder_is_named(tmp_path):
    (tmp_path / "ledger").write_text("x")
    with pytest.raises(InputError, match="ledger cannot be written to"):
        write(tmp_path)


def test_there_is_no_mart(tmp_path):
    with pytest.raises(InputError, match="There is no mart in"):
        write(tmp_path / "absent")
    with pytest.raises(InputError, match="There is no mart in"):
        ledger.issue(tmp_path, calls(), name="A")


def test_day_and_rules_are_those_of_the_mart(tmp_path):
    manifest = {"format": FORMAT, "as_of": "2024-03-31", "worklist": asdict(RULE), "confirm_months": 2}
    (tmp_path / POINTER).write_text("one")
    (tmp_path / SNAPSHOTS / "one").mkdir(parents=True)
    (tmp_path / SNAPSHOTS / "one" / "manifest.json").write_text(json.dumps(manifest))
    assert ledger.issue(tmp_path, calls(), name="March calls").equals(write(tmp_path / SNAPSHOTS))
    del manifest["confirm_months"]
    (tmp_path / SNAPSHOTS / "one" / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(InputError, match="does not tell its rules for lists"):
        ledger.issue(tmp_path, calls(), name="April calls")


@pytest.mark.parametrize("damage", ["cut", "other", "renamed"])
def test_a_damaged_file_stops_and_is_named(tmp_path, damage):
    write(tmp_path)
    path = tmp_path / "ledger" / "2024-03-31-march-calls.parquet"
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "other":
        calls().write_parquet(path)
    else:
        path = path.rename(path.with_name("2024-03-31-copy.parquet"))
    for read in (ledger.issued, ledger.lists, lambda mart: write(mart, calls(2), "more")):
        with pytest.raises(InputError, match=f"{path.name} is no list that can be read"):
            read(tmp_path)


# --- the control group

NUMBERS = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=60, unique=True)


@given(NUMBERS, st.data())
@SOME
def test_who_else_is_listed_changes_no_arm(numbers, data):
    series = pl.Series("customer_no", numbers)
    arm = dict(zip(numbers, ledger.control(series, "L", 300_000), strict=True))
    some = data.draw(st.lists(st.sampled_from(numbers), unique=True, min_size=1))
    assert ledger.control(pl.Series("customer_no", some), "L", 300_000).to_list() == [arm[one] for one in some]


@given(NUMBERS, st.integers(0, 10**6), st.integers(0, 10**6))
@SOME
def test_a_larger_share_keeps_those_held_out(numbers, one, other):
    few, many = (ledger.control(pl.Series(numbers), "L", share) for share in sorted((one, other)))
    assert not (few & ~many).any()


def test_all_or_nobody_can_be_held_out():
    numbers = pl.Series([f"C{i}" for i in range(1000)])
    assert (ledger.control(numbers, "L", 0).sum(), ledger.control(numbers, "L", 10**6).sum()) == (0, 1000)


def test_a_known_draw_stays_for_ever():
    drawn = ledger.control(pl.Series([f"C{i}" for i in range(12)]), "2024-03-31-calls", 300_000)
    assert drawn.arg_true().to_list() == [2, 3, 4, 5, 8, 11]


@pytest.mark.parametrize("share", [20_000, 100_000, 500_000])
def test_the_share_is_that_of_chance(share):
    n, numbers = 5_000, pl.Series([f"C{i:07}" for i in range(5_000)])
    for list_id in map(str, range(20)):
        k = ledger.control(numbers, list_id, share).sum()
        assert binom.ppf(1e-5, n, share / 1e6) <= k <= binom.ppf(1 - 1e-5, n, share / 1e6)


@pytest.mark.parametrize(("list_id", "salt"), [("M", ""), ("L", "ours")])
def test_another_list_or_salt_draws_anew(list_id, salt):
    numbers = pl.Series([f"C{i}" for i in range(10_000)])
    one, other = ledger.control(numbers, "L", 100_000), ledger.control(numbers, list_id, 100_000, salt)
    # Held out by both are as many as chance has it: 1 % of all.
    assert binom.ppf(1e-5, 10_000, 0.01) <= (one & other).sum() <= binom.ppf(1 - 1e-5, 10_000, 0.01)


def offers(n: int = 6) -> pl.DataFrame:
    return calls(n).with_columns(product_id=pl.lit("D13"))


OFFERED = Campaigns(
    control_share=500_000, contact_days=30, read_out_days=90, minutes=30, cost=3_000, least_per_branch=0, gap=1_000
)


def test_a_list_of_offers_tells_what_is_offered_and_is_read_out_on_its_day(tmp_path):
    made = ledger.issue(tmp_path, offers(), name="Plans", on=DAY, rule=OFFERED)
    assert ledger.issued(tmp_path).equals(made)
    assert made["product_id"].unique().to_list() == ["D13"]
    assert made.select("ends_on", "read_out_on").unique().rows() == [(date(2024, 6, 29), date(2024, 6, 29))]


def test_a_list_issued_before_there_were_offers_is_read_as_calls(tmp_path):
    made = write(tmp_path)
    path = next((tmp_path / "ledger").glob("*.parquet"))
    pl.read_parquet(path).drop("product_id").write_parquet(path, metadata={"made_with": "{}"})
    assert ledger.issued(tmp_path).equals(made)
    assert made["product_id"].null_count() == made.height


def test_offers_want_a_product_each_and_their_own_rules(tmp_path):
    some = offers().with_columns(product_id=pl.when(pl.col("rank") > 2).then("product_id"))
    with pytest.raises(InputError, match="2 of 6 rows of the list Plans offer no product"):
        ledger.issue(tmp_path, some, name="Plans", on=DAY, rule=OFFERED)
    with pytest.raises(InputError, match="A list of offers is issued by the rules"):
        ledger.issue(tmp_path, offers(), name="Plans", on=DAY, rule=RULE)
    with pytest.raises(InputError, match="A list of calls is issued by the rules"):
        ledger.issue(tmp_path, calls(), name="Calls", on=DAY, rule=OFFERED)
    assert not list((tmp_path / "ledger").glob("*.parquet"))
