"""Channels: a few transactions by hand, and what holds of any selection."""

from datetime import date

import polars as pl
import pytest

from crmlab import policy
from crmlab.errors import InputError
from crmlab.measures import channels

RULES = policy.load()
START, END = date(2024, 1, 1), date(2024, 12, 31)
JANUARY, FEBRUARY = date(2024, 1, 31), date(2024, 2, 29)

ACTS = pl.DataFrame(
    [
        (1, date(2024, 1, 5), "transfer", "mobile", "customer"),
        (1, date(2024, 1, 6), "cash", "counter", "customer"),
        (1, date(2024, 2, 6), "card", "pos", "customer"),
        (1, date(2024, 2, 7), "transfer", "online", "counterparty"),  # somebody paid them
        (1, date(2024, 2, 7), "payment", "mobile", "mandate"),
        (1, date(2024, 2, 7), "own_transfer", "mobile", "customer"),
        (2, date(2024, 2, 7), "cash", "atm", "customer"),
        (2, date(2024, 2, 8), "cash", None, "customer"),
        (3, date(2025, 1, 1), "cash", "atm", "customer"),
    ],
    schema=["customer_id", "booked_on", "kind", "channel", "initiated_by"],
    orient="row",
)


def test_acts_by_hand():
    told = channels.summary(ACTS, START, END, RULES)
    assert told.columns == ["customer_id", "month", *channels.COUNTS]
    assert told.rows() == [(1, JANUARY, 1, 0, 0, 0, 1), (1, FEBRUARY, 0, 0, 1, 0, 0), (2, FEBRUARY, 0, 1, 0, 0, 0)]
    assert channels.summary(ACTS.lazy().reverse(), START, END, RULES).equals(told)


def everyone() -> pl.DataFrame:
    """Three customers in two months, whether they did something or not."""
    all_ = pl.DataFrame({"customer_id": [1, 2, 3]}).join(pl.DataFrame({"month": [JANUARY, FEBRUARY]}), how="cross")
    told = all_.join(channels.summary(ACTS, START, END, RULES), on=["customer_id", "month"], how="left")
    return told.with_columns(outflow=pl.lit(7), other_banks=pl.col("customer_id") - 1, kind=pl.lit("retail"))


def test_groups_by_hand():
    told = channels.totals(everyone(), ["kind", "month"])
    assert told.rows() == [
        ("retail", JANUARY, 3, 1, 1, 0, 0, 0, 1, 21, 3, 2),
        ("retail", FEBRUARY, 3, 0, 0, 1, 1, 0, 0, 21, 3, 2),
    ]
    mix = channels.mix(told, "month")
    assert mix.filter(month=JANUARY)["share"].to_list() == [0.5, 0, 0, 0, 0.5]
    assert mix["channel"].to_list() == channels.CHANNELS * 2
    rates = channels.activation(told, "month")
    assert rates.select("n", "n_digital", "share").rows() == [(3, 1, 1 / 3), (3, 0, 0.0)]
    assert rates["upper"].to_list() == pytest.approx([0.7923, 0.5615], abs=1e-4)


def test_of_nobody_no_share_can_be_told():
    none = pl.DataFrame({"n_customers": [0], "n_digital": [0], **{name: [0] for name in channels.COUNTS}})
    assert channels.activation(none).row(0) == (0, 0, None, None, None)
    assert channels.mix(none)["share"].to_list() == [None] * 5


def test_groups_add_up_to_the_whole():
    told = channels.totals(everyone(), ["month"])
    assert (
        channels.mix(told)
        .select("channel", "n")
        .equals(channels.mix(everyone()).select("channel", "n").sort("channel"))
    )
    parts = channels.mix(told, "month").group_by("channel").agg(pl.col("n").sum()).sort("channel")
    assert parts.equals(channels.mix(told).select("channel", "n"))


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: channels.summary(ACTS, END, START, RULES), "from 2024-12-31 to 2024-01-01, which is no time"),
        (lambda: channels.summary(ACTS.drop("channel"), START, END, RULES), "needs a column channel"),
        (lambda: channels.totals(everyone().drop("n_pos"), "kind"), "channels.totals needs a column n_pos"),
        (lambda: channels.mix(everyone().clear()), "channels.mix has been given no row"),
        (lambda: channels.activation(everyone()), "needs a column n_customers"),
    ],
)
def test_bad_input_is_told_in_a_sentence(wrong, says):
    with pytest.raises(InputError, match=says):
        wrong()
