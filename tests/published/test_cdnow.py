"""RFM of the CDNOW purchases that Fader and Hardie published, against counts made without it."""

from collections import Counter, defaultdict
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple

import duckdb
import polars as pl
import pytest

import crmlab as crm
from tests.conftest import shared

PURCHASES, CUSTOMERS, CENTS, DAYS = 69_659, 23_570, 250_031_563, 67_591
LAST = date(1998, 6, 30)
WHOLE = (LAST - date(1997, 1, 1)).days + 1
WINDOWS = [(LAST, WHOLE), (LAST, 182), (date(1997, 12, 31), 92), (date(1997, 1, 1), 1)]


class Purchase(NamedTuple):
    """A line of the file: customer id, date, number of CDs (left out), dollars as cents."""

    customer_id: int
    booked_on: date
    amount: int


@pytest.fixture(scope="module")
def purchases() -> list[Purchase]:
    _, *lines = (shared("cdnow") / "CDNOW_master.txt").read_text("ascii").splitlines()
    rows = [line.split() for line in lines]
    return [
        Purchase(int(who), datetime.strptime(on, "%Y%m%d").date(), int(Decimal(dollars) * 100))
        for who, on, _, dollars in rows
    ]


@pytest.fixture(scope="module")
def frame(purchases) -> pl.DataFrame:
    return pl.DataFrame(purchases, schema=["customer_id", "booked_on", "amount"], orient="row")


@pytest.fixture(scope="module")
def scores(frame):
    return crm.rfm.scores(crm.rfm.summary(frame, LAST, WHOLE))


def by_hand(purchases: list[Purchase], as_of: date, window_days: int) -> dict[int, tuple]:
    """recency_days, frequency and monetary of everybody who ever bought by `as_of`."""
    last, days, cents = {}, defaultdict(set), Counter()
    for who, on, amount in purchases:
        if on <= as_of:
            last[who] = max(on, last.get(who, on))
            if (as_of - on).days < window_days:
                days[who].add(on)
                cents[who] += amount
    return {who: ((as_of - on).days, len(days[who]), cents[who]) for who, on in last.items()}


def test_totals_as_published_by_Fader_and_Hardie(purchases):  # noqa: N802
    assert len(purchases) == PURCHASES
    assert len({purchase.customer_id for purchase in purchases}) == CUSTOMERS
    assert sum(purchase.amount for purchase in purchases) == CENTS
    assert len({purchase[:2] for purchase in purchases}) == DAYS


def test_a_window_over_everything_keeps_every_customer_day_and_cent_of_CDNOW(frame):  # noqa: N802
    found = crm.rfm.summary(frame, LAST, WHOLE)
    assert (found.height, found["monetary"].sum(), found["frequency"].sum()) == (CUSTOMERS, CENTS, DAYS)


@pytest.mark.parametrize(("as_of", "window_days"), WINDOWS, ids=str)
@pytest.mark.parametrize("engine", ["polars", "duckdb"])
def test_summary_of_CDNOW_counted_by_hand(purchases, frame, engine, as_of, window_days):  # noqa: N802
    rows = frame if engine == "polars" else duckdb.from_arrow(frame.to_arrow())
    found = crm.rfm.summary(rows, as_of, window_days)
    found = found if engine == "polars" else found.pl()
    expected = by_hand(purchases, as_of, window_days)
    assert {who: tuple(map(int, rest)) for who, *rest in found.iter_rows()} == expected
    assert found.height == len(expected)


def test_bands_of_CDNOW_counted_by_hand(purchases, scores):  # noqa: N802
    summaries = by_hand(purchases, LAST, WHOLE)
    bands = []
    for values in zip(*((-days, often, cents) for days, often, cents in summaries.values()), strict=True):
        below, seen = {}, 0
        for value, n in sorted(Counter(values).items()):
            below[value], seen = seen, seen + n
        bands.append([below[value] * 5 // CUSTOMERS + 1 for value in values])
    found = scores.customers.select("customer_id", "r", "f", "m").iter_rows()
    assert {who: tuple(rest) for who, *rest in found} == dict(zip(summaries, zip(*bands, strict=True), strict=True))


def test_half_of_CDNOW_bought_on_one_day_only_and_shares_the_lowest_band(scores):  # noqa: N802
    once = scores.customers.filter(pl.col("frequency") == 1)
    assert once.height > CUSTOMERS / 2
    assert once["f"].unique().to_list() == [1]


def test_thresholds_of_CDNOW_part_the_customers(scores):  # noqa: N802
    for axis, value in (("r", "recency_days"), ("f", "frequency"), ("m", "monetary")):
        rows = scores.thresholds.filter(pl.col("measure") == axis).sort("lower")
        assert rows["n"].sum() == CUSTOMERS
        assert (rows["upper"].head(-1) < rows["lower"].tail(-1)).all()
        for band, lower, upper, n in rows.select("band", "lower", "upper", "n").iter_rows():
            inside = scores.customers.filter(pl.col(value).is_between(lower, upper))
            assert (inside.height, inside[axis].unique().to_list()) == (n, [band])


def test_every_customer_of_CDNOW_is_in_the_one_segment_of_its_cell(scores):  # noqa: N802
    found = crm.rfm.segments(scores)
    names = {cell: segment.name for segment in crm.policy.load().rfm_segments for cell in segment.cells()}
    assert found.height == CUSTOMERS
    assert [names[cell] for cell in found.select("r", "f", "m").iter_rows()] == found["segment"].to_list()
