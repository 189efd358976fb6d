"""Lists of offers issued: what each did at its read-out, and whom it leaves out until then."""

from dataclasses import replace
from datetime import date, timedelta

import polars as pl
import pytest

from crmlab.mart import ledger, snapshot
from crmlab.views.opportunities import listed, past, say
from crmlab.views.opportunities.tables import Tables
from crmlab.views.words import word
from tests.opportunities_mart import written
from tests.retention_mart import AS_OF

DAY = date(2025, 6, 30)  # a list of offers is issued


@pytest.fixture
def folder(tmp_path):
    """A mart on disk, beside which lists can be issued."""
    return written(tmp_path / "mart")


@pytest.fixture
def offered(folder):
    """A mart with a list of offers to 300 customers that is read out, and who of them were offered it."""
    people = snapshot.open(folder).page("people").head(300)
    rows = people.with_columns(rank=pl.int_range(1, 301), probability=0.1, expected=5, product_id=pl.lit("D13"))
    made = ledger.issue(folder, rows, name="Plans", on=DAY)
    return folder, people.join(made.filter(~pl.col("is_control")), on="customer_no", how="semi")["customer_id"]


def changed(path, rows):
    """A table of the mart with more rows."""
    pl.concat([pl.read_parquet(path, memory_map=False), rows], how="vertical_relaxed").write_parquet(path)


def test_a_list_of_offers_is_judged_by_what_was_opened(offered):
    folder, who = offered
    mart = snapshot.open(folder)
    opened = [(who.head(80), date(2025, 8, 1)), (who.tail(20), date(2025, 11, 1)), (who.tail(30), DAY)]
    rows = [pl.DataFrame({"customer_id": some, "product_id": "D13", "opened_on": on}) for some, on in opened]
    changed(mart.folder / "holdings.parquet", pl.concat(rows))
    row = Tables(mart).judged(1).verdicts.row(0, named=True)
    assert (row["outcome"], row["verdict"]) == ("response", "better")
    assert row["of_offered"] == pytest.approx(80 / len(who))  # neither on the day of issue nor after the read-out
    assert row["of_control"] == 0
    assert 0 < row["detectable_before"] < 1
    told = past.issued(Tables(mart), 1)
    assert "Lists of offers issued here: 1; by response 1 it worked." in told
    assert "beforehand" in told
    assert "as it was" in told


def test_a_list_of_offers_is_judged_by_money_too_adjusted_for_what_was_earned_before(offered):
    folder, who = offered
    mart = snapshot.open(folder)
    months = [date(2025, 7, 31), date(2025, 8, 31), date(2025, 9, 30)]
    more = pl.DataFrame({"customer_id": who}).join(pl.DataFrame({"month": months}), how="cross")
    path = mart.folder / "standing" / "0.parquet"
    changed(path, more.with_columns(contribution=pl.lit(5_000)))  # September ends after the read-out
    row = Tables(mart).judged(1).verdicts.row(1, named=True)
    assert (row["outcome"], row["verdict"]) == ("money", "better")
    sums = pl.read_parquet(path, memory_map=False).filter(pl.col("month").is_in(months[:2]))
    a_month = sums.group_by("customer_id").agg(pl.col("contribution").sum() / 2)
    assert row["of_offered"] == pytest.approx(
        a_month.filter(pl.col("customer_id").is_in(who.implode()))["contribution"].mean()
    )
    assert row["adjusted_lower"] < 5_000 < row["adjusted_upper"]
    assert "Money, CNY a month" in past.issued(Tables(mart), 1)


def test_a_list_of_offers_is_judged_by_the_segment_before_it(offered):
    tables = Tables(snapshot.open(offered[0]))
    found = tables.judged(1).segments
    before = tables.mart.page("paths")["segment 2025-05-31"].unique().to_list()
    assert set(found["segment"]) <= set(before)
    assert (
        found.filter(pl.col("outcome") == "response").select(pl.sum_horizontal("n_offered", "n_control").sum()).item()
        == 300
    )
    assert ("Plans", "2025-06-30-plans") in past.names(tables, 1)
    told = past.by_segment(tables, "2025-06-30-plans", 1)
    assert "Response, money" in told  # said once where there are too few
    assert "is-faint" in told


def test_a_lot_that_was_not_fair_or_control_that_was_offered_cannot_be_judged(offered):
    folder, _ = offered
    mart = snapshot.open(folder)
    held = ledger.issued(folder).filter("is_control").join(mart.page("people"), on="customer_no")["customer_id"]

    def after(product):
        made = pl.DataFrame({"customer_id": held, "on": date(2025, 7, 9), "product": product})
        return Tables(replace(mart, _pages={"offers": made})).judged(1).verdicts.row(0, named=True)

    assert "got the offer all the same" in after("Term deposit")["why"]
    assert "got the offer all the same" in after(None)["why"]
    assert "got the offer" not in (after("Credit card")["why"] or "")
    path = folder / "ledger" / "2025-06-30-plans.parquet"
    rows = pl.read_parquet(path, memory_map=False)
    told = pl.read_parquet_metadata(path)["made_with"]
    rows.filter(pl.col("is_control") | (pl.col("rank") <= 120)).write_parquet(path, metadata={"made_with": told})
    why = Tables(mart).judged(1).verdicts["why"][0]
    assert "no fair lot does that" in why
    assert Tables(mart).judged(1).n_lost == 0


def test_customers_of_a_list_whom_the_bank_delivers_no_more_are_counted(offered):
    mart = snapshot.open(offered[0])
    people = mart.page("people").tail(-10)
    assert "10 of 300 customers on them are delivered no more" in past.issued(
        Tables(replace(mart, _pages={"people": people})), 1
    )


def test_a_list_that_is_not_read_out_says_when_and_what_it_could_show(folder):
    people = snapshot.open(folder).page("people").head(300)
    rows = people.with_columns(rank=pl.int_range(1, 301), probability=0.1, expected=5, product_id=pl.lit("D13"))
    ledger.issue(folder, rows, name="Plans")
    tables = Tables(snapshot.open(folder))
    told = past.issued(tables, 1)
    assert "<b>Not yet</b>: it is read out on 2026-03-31" in told
    assert "beforehand" in told
    assert "Money" not in told
    assert past.names(tables, 1) == past.names(tables)


@pytest.mark.parametrize(
    ("days_ago", "is_offer", "why"),
    [(1, True, "listed"), (80, True, "listed"), (91, True, None), (29, False, "called"), (30, False, None)],
)
def test_who_is_on_an_earlier_list_is_left_out_as_lately_contacted(folder, days_ago, is_offer, why):
    people = snapshot.open(folder).page("roster").filter(pl.col("customer_no").is_not_null()).head(120)
    rows = people.select("customer_no", "manager_id", rank=pl.int_range(1, 121), probability=0.1, expected=5)
    rows = rows.with_columns(product_id=pl.lit("D13")) if is_offer else rows
    made = ledger.issue(folder, rows, name="Earlier", on=AS_OF - timedelta(days_ago))
    asked = made.filter(~pl.col("is_control"))["customer_no"]
    tables = Tables(snapshot.open(folder))
    found = dict(tables.busy(1).rows())
    assert {found.get(one) for one in asked} == {why}
    offers = tables.next_best()
    left = set(asked) & set(listed.next_best(tables, 1)["customer_no"])
    assert left == (set() if why else set(asked) & set(offers["customer_no"]))
    assert left >= set(asked) & set(tables.pairs(1)["customer_no"])
    told = say.excluded(tables, 1)
    if why:
        assert word(f"opportunities.busy_{why}", n=len(asked), days=30) in told
    else:
        assert "on a list of" not in told
