"""Leaving against what was planted in a simulated bank: who is found, under which cause, and who is found in error."""

from datetime import date

import polars as pl
import pytest

import crmlab as crm
from crmlab import simulate
from crmlab.measures.churn.clauses import NEEDED
from crmlab.panel.calendar import month_ends

AS_OF = date(2025, 12, 31)
RULE = crm.policy.load().churn
TOLD_UNTIL = date(2025, 10, 31)  # two months must confirm
AUM = ["deposits", "wealth", "insurance"]


@pytest.fixture(scope="module")
def bank(tmp_path_factory) -> dict[str, pl.DataFrame]:
    """Three years of 2,500 customers: standing, events, maturities, and what was planted, by our own numbers."""
    folder = tmp_path_factory.mktemp("leaving")
    extracts = simulate.bank(folder / "extracts", customers=2500, months=36, seed=29, start=date(2023, 1, 1))
    known = crm.read(extracts, as_of=AS_OF, landed=folder / "landed")
    facts = crm.panel.facts(known)
    people = known.table("customers").select("customer_id", "customer_no", pl.col("kind").cast(pl.String)).collect()
    numbers = people.select("customer_id", number="customer_no")
    planted = simulate.truth(extracts, "leavers").rename({"customer_id": "number"}).join(numbers, on="number")
    segments = simulate.truth(extracts, "segments").rename({"customer_id": "number"}).join(numbers, on="number")
    return {
        "standing": _standing(crm.panel.customers(facts, known).collect(), known, people),
        "events": crm.panel.events(known).collect(),
        "maturities": crm.panel.maturities(facts, known).collect(),
        "planted": planted.with_columns(pl.col("starts_on", "left_on").cast(pl.Date)),
        "entries": _last_entries(known),
        "asleep": segments.filter(pl.col("segment") == "dormant"),
    }


def _standing(lines: pl.DataFrame, known, people: pl.DataFrame) -> pl.DataFrame:
    """What leaving needs of `standing.table`, without what customers earn."""
    aum = pl.col("line").is_in(AUM)
    first = known.table("accounts").group_by("customer_id").agg(first_on=pl.col("opened_on").min()).collect()
    rows = lines.group_by("customer_id", "month").agg(
        pl.col("days").first(),
        (pl.col("n_open") > 0).any().alias("is_open"),
        pl.col("balance_days", "own_transfer", "n_without_average").filter(aum).sum(),
        pl.col("last_active_on").max(),
    )
    assert set(NEEDED) <= set(rows.columns)
    return rows.join(people, on="customer_id").join(first, on="customer_id").sort("month", "customer_id")


def _last_entries(known) -> pl.DataFrame:
    """The last thing booked by standing order, by the bank, or by somebody else, and the last by the customer."""
    own = pl.col("initiated_by") == "customer"
    rows = known.table("transactions").join(
        known.table("accounts").select("account_id", "customer_id"), on="account_id"
    )
    day = pl.col("booked_on")
    return rows.group_by("customer_id").agg(other=day.filter(~own).max(), own=day.filter(own).max()).collect()


@pytest.fixture(scope="module")
def episodes(bank) -> pl.DataFrame:
    return crm.churn.episodes(bank["standing"], bank["events"], RULE, bank["maturities"])


@pytest.fixture(scope="module")
def planted(bank, episodes) -> pl.DataFrame:
    """Those planted whose leaving can be told by now, at risk when it began, with the first end found since."""
    at_risk = episodes.filter(pl.col("episode") == 1).select("customer_id", first="starts_on")
    ends = episodes.filter(pl.col("cause").is_not_null()).select(
        "customer_id", "ends_on", "lost", found="cause", left="event"
    )
    # The money of a maturity is looked for some days later.
    until = pl.col("left_on") + pl.duration(days=pl.when(pl.col("cause") == "maturity").then(RULE.maturity_days)
        .otherwise(0))  # fmt: skip
    return (
        bank["planted"]
        .filter(until <= TOLD_UNTIL)
        .join(at_risk, on="customer_id")
        .filter(pl.col("first") <= pl.col("starts_on").dt.month_end())
        .join(ends, on="customer_id", how="left")
        .with_columns(is_found=(pl.col("ends_on") >= pl.col("starts_on")).fill_null(False))
        .sort("customer_id", "is_found", "ends_on", descending=[False, True, False])
        .unique("customer_id", keep="first", maintain_order=True)
    )


def test_the_months_are_what_they_are_taken_for(bank):
    assert bank["standing"]["month"].unique().sort().to_list() == month_ends(date(2023, 1, 1), AS_OF)


def test_who_left_is_found(planted):
    found = planted.group_by("cause").agg(n=pl.len(), share=pl.col("is_found").mean())
    share = dict(found.select("cause", "share").iter_rows())
    assert min(found["n"]) >= 10
    assert {cause for cause, part in share.items() if part == 1} >= {"closure", "salary", "death"}
    assert share["maturity"] >= 0.9
    assert share["run-off"] >= 0.9


def test_who_ran_off_unseen_mostly_had_too_little(planted, bank):
    missed = planted.filter(~pl.col("is_found")).join(bank["standing"], on="customer_id")
    before = pl.col("month").is_between(pl.col("starts_on").dt.offset_by("-6mo"), "starts_on")
    money = missed.filter(before).group_by("customer_id").agg((pl.col("balance_days") / pl.col("days")).median())
    much = money["balance_days"] >= 2 * RULE.floor  # the others had a few hundred or thousand, of which some stays
    # Some carry it away so slowly, or keep so much of a joint account, that no month falls by as much as is asked for.
    assert much.sum() <= 0.02 * planted.height


def test_the_cause_is_the_one_that_shows_first(planted):
    """Whoever begins to leave takes their salary away at once, whatever they do later: that is seen first."""
    pairs = planted.filter("is_found").group_by("cause", "found").len().rows()
    told = {(cause, found): n for cause, found, n in pairs}
    assert set(told) <= {
        ("closure", "closure"), ("closure", "salary"), ("closure", "maturity"), ("closure", "run-off"),
        ("run-off", "run-off"), ("run-off", "salary"), ("run-off", "closure"), ("run-off", "maturity"),
        ("maturity", "maturity"), ("maturity", "salary"), ("maturity", "run-off"), ("maturity", "closure"),
        ("salary", "salary"), ("death", "death"), ("death", "salary"),
    }  # fmt: skip
    for cause in ("closure", "run-off", "maturity"):
        own, salary = (told.get((cause, found), 0) for found in (cause, "salary"))
        n = planted.filter("is_found", pl.col("cause") == cause).height
        assert own + salary >= 0.85 * n, cause
        assert own > salary, cause
    assert told["salary", "salary"] == planted.filter("is_found", pl.col("cause") == "salary").height
    assert told["death", "death"] >= 0.8 * planted.filter(pl.col("cause") == "death").height


def test_standing_orders_and_interest_hide_nobody(planted, bank):
    still = planted.filter(~pl.col("is_closed"), pl.col("left_on") <= date(2025, 6, 30))
    still = still.join(bank["entries"], on="customer_id")
    busy = still.filter(pl.col("other") > pl.col("left_on").dt.offset_by("3mo"))
    assert busy.height >= 30
    assert busy.height >= 0.8 * still.height  # by entries, most of those who left are still alive
    assert busy["is_found"].mean() >= 0.9


def test_who_is_found_had_left(bank, episodes):
    began = bank["planted"].select("customer_id", began_on="starts_on")
    slept = bank["asleep"].select("customer_id", slept_on=pl.col("from_on").cast(pl.Date)).unique("customer_id")
    found = episodes.filter("event").join(began, on="customer_id", how="left").join(slept, on="customer_id", how="left")
    is_planted = (pl.col("began_on") <= pl.col("ends_on")).fill_null(False)
    found = found.with_columns(
        is_planted=is_planted, is_right=is_planted | (pl.col("slept_on") <= pl.col("ends_on")).fill_null(False)
    )
    rates = found.group_by("cause").agg(pl.len(), pl.col("is_planted", "is_right").mean())
    by = {cause: (planted, right) for cause, _, planted, right in rates.iter_rows()}
    assert by["closure"] == by["maturity"] == (1, 1)
    # Those who fall asleep have no salary paid to them any more: it moved, though their money did not.
    assert by["salary"][0] >= 0.65
    assert by["salary"][1] == 1
    # Others took most of their money out once, or spent it, as savers do; no one planted that.
    assert by["run-off"][0] >= 0.75
    assert found["is_planted"].mean() >= 0.8
    wrong = found.filter(~pl.col("is_right"))
    assert set(wrong["cause"]) <= {"run-off"}
    assert (wrong["lost"] >= RULE.floor).all()
    assert wrong.height <= 0.004 * len(bank["standing"]) / 12  # a year, of all customers


def test_few_are_told_to_have_left_twice(bank, episodes):
    again = episodes.filter("event").group_by("customer_id").len().filter(pl.col("len") > 1)
    assert again.height <= 0.1 * episodes["event"].sum()


def test_who_is_at_risk_has_not_gone(bank, episodes, planted):
    """Nobody whose closing or falling is complete is watched as one who could still be kept."""
    watched = crm.churn.watch(bank["standing"], bank["events"], RULE, bank["maturities"])
    later = watched.join(planted.filter("is_found").select("customer_id", "ends_on"), on="customer_id")
    later = later.filter(pl.col("month") >= pl.col("ends_on"))
    assert later.filter(pl.col("state") == "not yet").is_empty()
    assert later.filter(pl.col("month") == pl.col("ends_on"), pl.col("state") == "at risk").is_empty()
    back = later.filter(pl.col("state") == "at risk")["customer_id"].n_unique()  # their money stayed on for a while
    assert back <= 0.03 * later["customer_id"].n_unique()
