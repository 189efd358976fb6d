"""What is planted of managers shows in the extracts as it was planted, and nowhere where it was not."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from crmlab import simulate
from crmlab.errors import InputError
from crmlab.simulate import Future, Managing

# So strong that with half of the managers everybody leaves or is spoken to at once, and with most others nobody does.
ALL_OR_NOTHING = Managing(managers=24, branches=3, leaving=50.0, contacts=50.0, everybody=True)
NEVER = -12  # the logarithm of times as often from which on it does not happen
SIZE = {"customers": 600, "months": 12}


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> Path:
    return simulate.bank(tmp_path_factory.mktemp("planted") / "bank", seed=3, managing=ALL_OR_NOTHING, **SIZE)


def table(bank: Path, name: str) -> pl.DataFrame:
    return pl.read_csv(bank / f"{name}.csv", try_parse_dates=True)


def planted(bank: Path) -> pl.DataFrame:
    return simulate.truth(bank, "managers")


def test_customers_leave_by_whoever_looks_after_them_now(bank):
    leavers = (
        simulate.truth(bank, "leavers").select("customer_id", pl.col("starts_on").dt.month_end()).sort("starts_on")
    )
    effects = planted(bank).select("manager_id", "leaving")
    handed = simulate.truth(bank, "handovers")
    kept = table(bank, "assignments").filter(pl.col("role") == "maintains").sort("from_on")
    settled = leavers.join(handed, on="customer_id", how="anti")
    last = settled.join_asof(kept, left_on="starts_on", right_on="from_on", by="customer_id")
    last = last.filter(pl.col("manager_id").is_not_null()).join(effects, on="manager_id")
    assert last.height > 100
    assert (last["leaving"] > NEVER).all()
    # Of those with whom nobody leaves, customers leave once they are handed over (up to 15 days later), and not before.
    moved = handed.join(effects.filter(pl.col("leaving") < NEVER), left_on="from_manager_id", right_on="manager_id")
    moved = moved.unique("customer_id", keep="none").join(leavers, on="customer_id")
    assert moved.height > 5
    assert (moved["starts_on"] >= moved["on"] - timedelta(15)).all()


def test_customers_are_spoken_to_as_often_as_their_manager_does(bank):
    made = table(bank, "contacts").group_by("manager_id").len()
    told = planted(bank).join(made, on="manager_id", how="left").with_columns(pl.col("len").fill_null(0))
    assert (told.filter(pl.col("contacts") < NEVER)["len"] == 0).all()
    assert told.filter(pl.col("contacts") > 0)["len"].sum() > 100


def test_money_grows_with_a_manager_by_what_was_planted(tmp_path):
    strong = Managing(managers=6, branches=2, growth=0.1, everybody=True)
    bank = simulate.bank(tmp_path / "bank", seed=6, managing=strong, **SIZE)
    held = simulate.truth(bank, "tiers").join(
        table(bank, "assignments").filter(pl.col("role") == "maintains").unique("customer_id", keep="none"),
        on="customer_id",
    )
    first, last = (
        pl.col("aum").filter(pl.col("month") == day).sum() for day in (date(2023, 1, 31), date(2023, 12, 31))
    )
    grown = held.group_by("manager_id").agg(times=last / first)
    told = grown.join(planted(bank), on="manager_id")
    assert told.select(pl.corr("times", "growth", method="spearman")).item() > 0.7


def test_truth_names_only_what_is_planted(bank, tmp_path):
    assert planted(bank).columns == ["manager_id", "growth", "leaving", "contacts"]
    usual = simulate.bank(tmp_path / "usual", customers=120, months=2)
    assert planted(usual).columns == ["manager_id", "growth"]
    none = Managing(managers=4, branches=2, growth=0, differ=0.5)
    assert (planted(simulate.bank(tmp_path / "none", customers=120, months=2, managing=none))["growth"] == 0).all()


def test_few_managers_differ_where_few_shall(tmp_path):
    few = Managing(managers=200, branches=2, leaving=1.0, contacts=1.0, differ=0.1)
    told = planted(simulate.bank(tmp_path / "few", customers=120, months=1, managing=few))
    differs = told.select(pl.col("growth", "leaving", "contacts") != 0)
    assert (differs["leaving"] == differs["contacts"]).all()
    assert (differs["leaving"] == differs["growth"]).all()
    assert 8 <= differs["leaving"].sum() <= 35


def test_one_of_each_branch_is_handed_the_richest_for_as_many_of_their_own(tmp_path):
    shape = Managing(managers=12, branches=3, everybody=True)
    books = {}
    for favours in (False, True):
        place = tmp_path / str(favours)
        simulate.bank(place, customers=900, months=1, seed=8, managing=replace(shape, favours=favours))
        told = table(place, "assignments").filter(pl.col("role") == "maintains")
        first = told.filter(pl.col("from_on") < date(2023, 1, 1)).unique("customer_id", keep="first")
        books[favours] = first.join(simulate.truth(place, "tiers"), on="customer_id")
    sizes = [book.group_by("manager_id").len().sort("manager_id") for book in books.values()]
    assert sizes[0].equals(sizes[1])
    favourites = planted(tmp_path / "True").filter("is_favoured")["manager_id"].implode()
    staff = table(tmp_path / "True", "managers").filter(pl.col("manager_id").is_in(favourites))
    assert sorted(staff["branch_id"]) == ["B001", "B002", "B003"]
    is_theirs = pl.col("manager_id").is_in(favourites)
    theirs, others = (books[True].filter(whose)["aum"].mean() for whose in (is_theirs, ~is_theirs))
    assert theirs > 5 * others


def test_another_life_is_the_same_until_it_begins(tmp_path):
    lives = [None, Future(2, 1), Future(2, 1), Future(2, 2), Future(0, 1)]
    banks = [simulate.bank(tmp_path / str(i), customers=150, months=4, future=future) for i, future in enumerate(lives)]

    def month(name: str) -> list[bytes]:
        return [(bank / "transactions" / f"{name}.csv").read_bytes() for bank in banks]

    usual, once, again, other, from_start = month("2023-02")
    assert usual == once == again == other != from_start
    usual, once, again, other, from_start = month("2023-04")
    assert once == again
    assert len({usual, once, other, from_start}) == 4
    assert len({(bank / "managers.csv").read_bytes() for bank in banks}) == 1


@pytest.mark.parametrize(
    ("managing", "said"),
    [
        (Managing(leaving=-0.1), "leaving of managing is -0.1"),
        (Managing(times=float("nan")), "times of managing is nan"),
        (Managing(differ=1.5), "differ of managing is 1.5"),
        (Managing(managers=3), "3 managers and None branches"),
        (Managing(managers=3, branches=4), "3 managers and 4 branches"),
    ],
)
def test_managing_that_makes_no_bank_is_refused(managing, said, tmp_path):
    with pytest.raises(InputError, match=said):
        simulate.bank(tmp_path / "bank", customers=100, months=1, managing=managing)
