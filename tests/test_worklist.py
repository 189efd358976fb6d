"""The worklist: six customers by hand, what must hold of any list, and what an issued list is said to have done."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from crmlab import InputError
from crmlab.mart import ledger
from crmlab.measures.churn import followup, worklist
from crmlab.policy.rules import Worklist

RULE = Worklist(save_rate=200_000, cost=3_000, calls=20, control_share=100_000, read_out_months=3, maturing_days=90)
SOME = settings(deadline=None, max_examples=60)

# customer_no, manager, branch, state, AUM, contribution of the year, probability; expected gain at a save rate of 20 %
SIX = [
    ("C1", "M1", "B1", "at risk", 9_000, 100_000, 0.5),  # 10 000 − 3 000
    ("C2", "M1", "B1", "at risk", 8_000, 300_000, 0.5),  # 30 000 − 3 000
    ("C3", "M1", "B1", "unconfirmed", 7_000, 900_000, None),
    ("C4", None, "B1", "at risk", 6_000, -50_000, 0.9),  # a loss counts as 0
    ("C5", None, "B2", "at risk", 5_000, 15_000, 1.0),  # 3 000 − 3 000
    ("C6", "M2", "B2", "at risk", 4_000, 100_000, 0.5),
]


def frame(rows=SIX) -> pl.DataFrame:
    columns = ["customer_no", "manager_id", "branch_id", "state_of_watch", "aum", "contribution_year", "p3"]
    types = [*[pl.String] * 4, pl.Int64, pl.Int64, pl.Float64]
    return pl.DataFrame(rows, dict(zip(columns, types, strict=True)), orient="row")


def left_out(found: worklist.CallList) -> dict:
    return {reason: n for reason, n in found.left_out.select("reason", "n").rows() if n}


def test_six_customers():
    found = worklist.call_list(frame(), RULE, 3)
    assert found.calls.select("rank", "turn", "customer_no", "at_risk", "expected").rows() == [
        (1, 1, "C2", 300_000, 27_000),
        (2, 2, "C1", 100_000, 7_000),
        (3, 1, "C6", 100_000, 7_000),  # as much as C1: by number
    ]
    assert left_out(found) == {"money already going": 1, "earns nothing": 1, "not worth the call": 1}
    assert found.unconfirmed["customer_no"].to_list() == ["C3"]


def test_of_whom_nothing_is_known_nobody_is_called():
    unknown = pl.when(pl.col("customer_no") != "C1").then("state_of_watch").alias("state_of_watch")
    found = worklist.call_list(frame().with_columns(unknown), RULE, 3)
    assert found.calls["customer_no"].to_list() == ["C2", "C6"]
    assert left_out(found)["not at risk"] == 1


@pytest.mark.parametrize(
    ("capacity", "called"),
    [
        (1, ["C2", "C6"]),
        (0, []),
        (pl.DataFrame({"manager_id": ["M1"], "calls": [1]}), ["C2", "C6"]),
        (pl.DataFrame({"manager_id": ["M1", "M2"], "calls": [0, 5]}), ["C6"]),
    ],
)
def test_a_manager_makes_so_many_calls(capacity, called):
    found = worklist.call_list(frame(), RULE, 3, capacity)
    assert found.calls["customer_no"].to_list() == called
    assert left_out(found).get("no call left", 0) == 3 - len(called)


def test_nobody_s_customers_share_the_calls_of_their_branch():
    rows = [(f"C{i}", None, f"B{i % 2}", "at risk", 0, 100_000, 0.5) for i in range(6)]
    found = worklist.call_list(frame(rows), RULE, 3, capacity=2)
    assert found.calls["customer_no"].to_list() == ["C0", "C1", "C2", "C3"]
    assert found.left_out.filter(pl.col("reason") == "no call left")["expected"].item() == 2 * 7_000


def test_whom_an_earlier_list_leaves_alone_is_not_called():
    issued = pl.DataFrame(
        {
            "customer_no": ["C2", "C1", "C6"],
            "is_control": [True, False, True],
            "issued_on": date(2024, 3, 31),
            "ends_on": [date(2024, 6, 30), date(2024, 6, 30), date(2024, 4, 30)],
        }
    )
    held = worklist.held_out(issued, date(2024, 5, 31))
    found = worklist.call_list(frame(), RULE, 3, held_out=held)
    assert (held.to_list(), found.calls["customer_no"].to_list()) == (["C2"], ["C1", "C6"])
    assert left_out(found)["held out earlier"] == 1


@pytest.mark.parametrize(
    ("scores", "horizon", "capacity", "said"),
    [
        (frame(), 12, None, "No probability over 12 months is known. Choose 3 months"),
        (frame().clear(), 3, None, "nobody is selected"),
        (frame().drop("aum"), 3, None, "needs a column aum"),
        (frame([*SIX[:1], ("C7", "M1", "B1", "at risk", 0, 1, 1.5)]), 3, None, "1 of 2 customers.*first: C7, 1.5"),
        (frame([("C7", "M1", "B1", "at risk", 0, 1, float("nan"))]), 3, None, "within 0 and 1"),
        (frame([("C7", "M1", "B1", "at risk", 0, 1, None)]), 3, None, "history is too short"),
        (frame([("C7", "M1", "B1", "at risk", 0, 2**62 + 2**61, 1.0)]), 3, None, "too much for 64 bits"),
        (frame([*SIX, SIX[0]]), 3, None, "1 of 7 rows.*repeat a customer_no.*C1"),
        (frame(), 3, -1, "no -1 calls"),
        (frame(), 3, pl.DataFrame({"manager_id": ["M1", "M1"], "calls": 1}), "manager M1 is told twice"),
        (frame(), 3, pl.DataFrame({"manager_id": ["M1"], "calls": -2}), "no -2 calls"),
    ],
)
def test_what_cannot_be_ranked_is_said(scores, horizon, capacity, said):
    with pytest.raises(InputError, match=said):
        worklist.call_list(scores, RULE, horizon, capacity)


def test_some_without_a_probability_are_counted():
    rows = [*SIX, ("C7", "M1", "B1", "at risk", 0, 1, None), ("C8", "M1", "B1", "gone", 0, 1, None)]
    found = left_out(worklist.call_list(frame(rows), RULE, 3))
    assert (found["cannot tell"], found["not at risk"]) == (1, 1)


CUSTOMERS = st.lists(
    st.tuples(
        st.sampled_from(["M1", "M2", None]),
        st.sampled_from(["B1", "B2"]),
        st.sampled_from(["at risk", "at risk", "at risk", "unconfirmed", "gone"]),
        st.integers(0, 10**6),
        st.integers(-(10**5), 10**6),
        st.one_of(st.none(), st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.floats(0, 1)),
    ),
    min_size=1,
    max_size=40,
).map(lambda rows: [("C0", "M1", "B1", "at risk", 1, 1, 0.1), *((f"C{i}", *row) for i, row in enumerate(rows, 1))])


@given(CUSTOMERS, st.integers(0, 5), st.randoms())
@SOME
def test_any_list_counts_everybody_once_whatever_their_order(rows, capacity, chance):
    found = worklist.call_list(frame(rows), RULE, 3, capacity)
    assert found.calls.height + found.left_out["n"].sum() == len(rows)
    assert found.calls["aum"].sum() + found.left_out["aum"].sum() == sum(row[4] for row in rows)
    assert (found.calls["expected"] > 0).all()
    assert found.calls["expected"].is_sorted(descending=True)
    owner = pl.coalesce("manager_id", "branch_id")
    assert (found.calls.group_by(owner).len()["len"].max() or 0) <= capacity
    chance.shuffle(rows)
    again = worklist.call_list(frame(rows), RULE, 3, capacity)
    assert again.calls.equals(found.calls)
    assert again.left_out.equals(found.left_out)


@given(CUSTOMERS, st.integers(1, 4), st.integers(0, 10**6), st.integers(0, 50_000))
@SOME
def test_sensitivity_is_the_list_made_again(rows, capacity, rate, cost):
    rule = replace(RULE, save_rate=rate, cost=cost)
    found = worklist.sensitivity(frame(rows), rule, 3, capacity, save_rates=[0.05, 0.7])
    assert set(found["basis"]) == {"assumed"}
    assert found["n"].is_sorted()

    def made(save_rate: int) -> tuple:
        calls = worklist.call_list(frame(rows), replace(rule, save_rate=save_rate), 3, capacity).calls
        return calls.height, calls["expected"].sum()

    for case in found.iter_rows(named=True):
        assert (case["n"], case["expected"]) == made(round(case["save_rate"] * 10**6))
    half = found.filter(pl.col("case") == "half as long")
    assert half.is_empty() == (made(rate)[0] == 0)
    if not half.is_empty():
        at = round(half["save_rate"].item() * 10**6)
        assert 2 * made(at)[0] <= made(rate)[0] < 2 * made(at + 1)[0]


def test_a_save_rate_is_a_share():
    with pytest.raises(InputError, match=r"share from 0 to 1; 1\.5 is none"):
        worklist.sensitivity(frame(), RULE, 3, save_rates=[1.5])


# --- what became of them

LISTED = {"list_id": "L", "name": "March", "issued_on": date(2024, 3, 31), "ends_on": date(2024, 6, 30),
          "read_out_on": date(2024, 8, 31)}  # fmt: skip
NOBODY_LEFT = pl.DataFrame(
    schema={"customer_no": pl.String, "event": pl.Boolean, "ends_on": pl.Date, "known_on": pl.Date, "lost": pl.Int64}
)
NO_CONTACT = pl.DataFrame(schema={"customer_no": pl.String, "on": pl.Date})


def listed(n_listed: int, n_control: int) -> pl.DataFrame:
    numbers = [f"C{i}" for i in range(n_listed + n_control)]
    return pl.DataFrame({"customer_no": numbers}).with_columns(
        is_control=pl.int_range(pl.len()) >= n_listed, **{name: pl.lit(value) for name, value in LISTED.items()}
    )


def gone(numbers: list, ends_on=date(2024, 5, 31), known_on=date(2024, 7, 31), event=True) -> pl.DataFrame:
    rows = {"customer_no": numbers, "event": event, "ends_on": ends_on, "known_on": known_on, "lost": 100}
    return pl.DataFrame(rows, schema=NOBODY_LEFT.schema)


@pytest.mark.parametrize(
    ("departures", "n_left"),
    [
        (gone(["C0"]), 1),
        (gone(["C0"], ends_on=date(2024, 3, 31)), 0),  # before the issue
        (gone(["C0"], ends_on=date(2024, 6, 30)), 1),
        (gone(["C0"], ends_on=date(2024, 7, 31)), 0),  # after the list's end
        (gone(["C0"], known_on=date(2024, 9, 30)), 0),  # not known yet
        (gone(["C0"], event=False), 0),  # died
        (gone(["C99"]), 0),  # not on the list
        (pl.concat([gone(["C0"]), gone(["C0"], ends_on=date(2024, 6, 30))]), 1),  # twice, and counted once
    ],
)
def test_who_left_while_the_list_ran(departures, n_left):
    arms = worklist.followed_up(listed(2, 1), departures, NO_CONTACT, date(2024, 8, 31))
    assert arms["n_left"].sum() == n_left


@pytest.mark.parametrize(
    ("on", "n_called"), [(date(2024, 3, 31), 0), (date(2024, 4, 1), 1), (date(2024, 6, 30), 1), (date(2024, 7, 1), 0)]
)
def test_who_was_called_while_the_list_ran(on, n_called):
    contacts = pl.DataFrame({"customer_no": ["C0", "C0", "C2"], "on": on})
    arms = worklist.followed_up(listed(2, 1), NOBODY_LEFT, contacts, date(2024, 8, 31))
    assert arms.select("arm", "n", "n_contacted").rows() == [
        ("called", n_called, n_called),
        ("uncalled", 2 - n_called, 0),
        ("control", 1, n_called),
    ]


def verdict(n_listed: int, n_control: int, left: list[str], as_of=date(2024, 8, 31)) -> dict:
    arms = worklist.followed_up(listed(n_listed, n_control), gone(left), NO_CONTACT, as_of)
    return worklist.effects(arms).row(0, named=True)


def test_what_a_list_is_said_to_have_done():
    left = [f"C{i}" for i in (*range(100), *range(1000, 1040))]  # 10 % of the listed, 40 % of the control group
    found = verdict(1000, 100, left)
    assert (found["verdict"], found["why"], found["save_rate"]) == ("fewer left", None, pytest.approx(0.75))
    assert 0 < found["save_lower"] < 0.75 < found["save_upper"] < 1
    assert verdict(1000, 100, left, date(2024, 8, 30))["why"] == "every departure is known on 2024-08-31"
    more = verdict(1000, 100, [f"C{i}" for i in range(600)])
    assert (more["verdict"], more["save_rate"], more["save_lower"]) == ("more left", None, None)


@pytest.mark.parametrize(
    ("n_listed", "n_control", "why"),
    [
        (50, 0, "nobody was held out"),
        (50, 9, "has 9 customers, fewer than 10"),
        (0, 50, "everybody was held out"),
        (50, 50, "may as well be 0"),
    ],
)
def test_what_cannot_be_told_is_said(n_listed, n_control, why):
    found = verdict(n_listed, n_control, [f"C{i}" for i in range(0, 100, 10)])
    assert found["verdict"] == "cannot tell"
    assert why in found["why"]
    assert found["save_rate"] is None


def test_no_list_has_been_issued():
    arms = worklist.followed_up(ledger.issued("nowhere"), NOBODY_LEFT, NO_CONTACT, date(2024, 8, 31))
    assert (arms.height, worklist.effects(arms).height) == (0, 0)


@given(st.integers(10, 400), st.integers(10, 400), st.floats(0, 1), st.floats(0, 1))
@SOME
def test_the_two_intervals_do_not_contradict_each_other(n1, n2, share1, share2):
    counts = {"n": [n1, 0, n2], "n_contacted": 0, "n_left": [round(n1 * share1), 0, round(n2 * share2)]}
    arms = pl.DataFrame({**counts, "arm": followup.ARMS}).with_columns(
        is_over=True, **{name: pl.lit(value) for name, value in LISTED.items()}
    )
    found = worklist.effects(arms).row(0, named=True)
    if counts["n_left"][2] == 0:
        assert (found["save_lower"], found["save_upper"]) == (None, None)
        return
    assert found["save_lower"] <= found["save_upper"] <= 1
    assert (found["save_lower"] > 1e-9) == (found["upper"] < -1e-9)
    assert (found["save_upper"] < -1e-9) == (found["lower"] > 1e-9)


def lists(n_lists: int, n: int, listed_rate: float, control_rate: float, seed: int) -> pl.DataFrame:
    """Effects of so many lists of `n` customers, whose control group the ledger's own hash draws."""
    chance = np.random.default_rng(seed)
    numbers = pl.Series("customer_no", [f"C{i}" for i in range(n)])
    made, left = [], []
    for i in range(n_lists):
        rows = pl.DataFrame({"customer_no": numbers + f"-{i}"}).with_columns(
            ledger.control(numbers, f"L{i}", 100_000), **{name: pl.lit(value) for name, value in LISTED.items()}
        )
        rows = rows.with_columns(list_id=pl.lit(f"L{i}"))
        rate = np.where(rows["is_control"], control_rate, listed_rate)
        made.append(rows)
        left.append(rows["customer_no"].filter(pl.Series(chance.random(n) < rate)))
    return worklist.effects(worklist.followed_up(pl.concat(made), gone(pl.concat(left)), NO_CONTACT, date(2024, 8, 31)))


@pytest.mark.slow
def test_lists_that_did_nothing_are_seldom_said_to_have_done_something():
    n_false = lists(1000, 400, 0.2, 0.2, seed=20240331)["verdict"].is_in(["fewer left", "more left"]).sum()
    assert 0 < n_false <= binom.ppf(0.999, 1000, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("listed_rate", "control_rate"), [(0.2, 0.2), (0.16, 0.2), (0.05, 0.1)])
def test_intervals_hold_what_lists_did(listed_rate, control_rate):
    found = lists(1000, 800, listed_rate, control_rate, seed=20240630).drop_nulls("save_lower")
    assert found.height > 990
    truth, saved = listed_rate - control_rate, 1 - listed_rate / control_rate
    assert 0.93 <= ((found["lower"] <= truth) & (truth <= found["upper"])).mean() <= 0.97
    assert 0.93 <= ((found["save_lower"] <= saved) & (saved <= found["save_upper"])).mean() <= 0.97
