"""Whether the model was any good: figures checkable in the head, by brute force, and what must hold on any bank."""

from datetime import date
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.utils import concordance_index
from polars.testing import assert_frame_equal
from sklearn.linear_model import LogisticRegression

from crmlab import policy as rules
from crmlab.errors import InputError
from crmlab.measures import churn
from crmlab.measures.churn import backtest, capture, ranking
from tests import drawn_leavers

# customer, probability, month in which they left (0: stayed), money lost, AUM, change of AUM
HAND = [
    (1, 0.8, 1, 60, 100, -50), (2, 0.6, 3, 30, 300, 0), (3, 0.6, 0, None, 100, 10), (4, 0.3, 0, None, 50, -40),
    (5, 0.1, 2, 10, 10, -10), (6, 0.1, 0, None, 40, None),
]  # fmt: skip
H = 3
METHODS = ["model", "fell most in money", "fell most in share", "random"]
POLICY = rules.load()


def book(rows: list[tuple] = HAND, horizon: int = H) -> pl.DataFrame:
    names = ["customer_id", "probability", "left", "lost", "aum", "aum_change"]
    frame = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    left = pl.col("left")
    return frame.with_columns(
        kind=pl.lit("retail"), month=date(2025, 1, 31), event=left > 0, contribution=pl.col("aum") // 10,
        duration=pl.when(left > 0).then(left).otherwise(horizon).cast(pl.Int32),
    ).drop("left")  # fmt: skip


def drawn(seed: int, n: int = 400, steps: int = 20) -> pl.DataFrame:
    """Customers with few different probabilities, of whom about as many leave as told."""
    rng = np.random.default_rng(seed)
    p = rng.integers(1, steps, n) / (2 * steps)
    left = np.where(rng.random(n) < p, rng.integers(1, H + 1, n), 0)
    aum = rng.integers(1, 1000, n)
    rows = zip(range(n), p, left, np.where(left > 0, aum // 2, 0), aum, rng.integers(-300, 300, n), strict=True)
    return book([tuple(one.item() if hasattr(one, "item") else one for one in row) for row in rows])


@st.composite
def books(draw) -> pl.DataFrame:
    """Small banks full of ties of which somebody left and somebody stayed."""
    row = st.tuples(
        st.sampled_from([0.0, 0.1, 0.1, 0.5, 1.0]), st.integers(0, H), st.integers(0, 50), st.integers(0, 90),
        st.none() | st.integers(-40, 40),
    )  # fmt: skip
    rows = draw(st.lists(row, min_size=2, max_size=14))
    rows[0], rows[1] = (rows[0][0], 2, *rows[0][2:]), (rows[1][0], 0, *rows[1][2:])
    return book([(n, p, left, lost if left else None, *rest) for n, (p, left, lost, *rest) in enumerate(rows)])


def test_accuracy_worked_by_hand():
    found = churn.accuracy(book(), H)
    assert found["method"].unique(maintain_order=True).to_list() == METHODS
    model = found.filter(method="model")
    # Month 1: 1 stands before all five. Month 2: of 8 pairs 1 wins 4, 5 ties with 6 and loses to three others.
    # Month 3: of 9, 1 wins 3, 2 ties with 3 and wins 2, 5 ties with 6.
    assert model["auc"].to_list() == pytest.approx([1, 4.5 / 8, 6 / 9])
    assert model["n_events"].to_list() == [1, 2, 3]
    # In order: 1 before five; 5 (month 2) against 2, 3, 4, 6: a half; 2 (month 3) against 3, 4, 6: two and a half.
    assert model["concordance"].to_list() == pytest.approx([8 / 12] * 3)
    assert model["brier"].to_list() == [None, None, pytest.approx((0.04 + 0.16 + 0.36 + 0.09 + 0.81 + 0.01) / 6)]
    assert model["brier_base"].to_list() == pytest.approx([5 / 36, 8 / 36, 1 / 4])
    assert model["brier_scaled"][2] == pytest.approx(1 - 1.47 / 6 * 4)
    # In money: 1 fell 50, 4 40, 5 10, 2 0, 3 −10, of 6 it is not known, so it stands last.
    money = found.filter(method="fell most in money")
    assert money["auc"].to_list() == pytest.approx([1, (4 + 3) / 8, (3 + 2 + 2) / 9])
    assert money["brier"].null_count() == H
    # In share: 5 fell by 10 of 20, 1 by 50 of 150, 4 by 40 of 90.
    assert found.filter(method="fell most in share", month=1)["auc"].item() == pytest.approx(3 / 5)
    assert found.filter(method="random").select("auc", "lower", "upper", "concordance").unique().row(0) == (0.5,) * 4


def test_a_probability_of_each_month_has_its_brier():
    found = churn.accuracy(book().with_columns(p1=pl.lit(0.5)), H).filter(method="model")
    assert found["brier"].is_null().to_list() == [False, True, False]
    assert found["brier"][0] == 0.25


def test_who_leaves_otherwise_counts_as_one_who_did_not_leave():
    rows = book()
    died = rows.with_columns(duration=pl.when(customer_id=3).then(1).otherwise("duration").cast(pl.Int32))
    assert_frame_equal(churn.accuracy(rows, H), churn.accuracy(died, H))
    later = rows.with_columns(duration=pl.when(customer_id=2).then(9).otherwise("duration").cast(pl.Int32))
    stayed = rows.with_columns(event=pl.col("event") & (pl.col("customer_id") != 2))
    assert_frame_equal(churn.accuracy(later, H), churn.accuracy(stayed, H))
    assert_frame_equal(churn.gains(later, H), churn.gains(stayed, H))


@pytest.mark.parametrize("seed", range(5))
def test_concordance_is_that_of_lifelines(seed):
    rng = np.random.default_rng(seed)
    duration, event = rng.integers(0, 8, 300), rng.random(300) < 0.4
    score = rng.integers(0, 10, 300) / 10
    found = churn.concordance(duration, event, score)
    assert found == pytest.approx(concordance_index(duration, -score, event), abs=1e-12)


def test_concordance_without_a_pair_is_none():
    assert churn.concordance(np.array([3, 3]), np.array([False, False]), np.array([0.1, 0.2])) is None
    assert churn.concordance(np.array([3, 3]), np.array([True, True]), np.array([0.1, 0.2])) is None
    assert churn.concordance(np.array([], int), np.array([], bool), np.array([])) is None


def pairs(score: np.ndarray, case: np.ndarray) -> np.ndarray:
    """Of each case and other, who stands in front."""
    return (score[case][:, None] > score[~case]) + 0.5 * (score[case][:, None] == score[~case])


@settings(max_examples=60, deadline=None)
@given(books())
def test_auc_and_its_error_by_all_pairs(rows):
    for name, score in ranking.scores(rows, ("model", "fell most in money", "fell most in share")).items():
        case = rows["event"].to_numpy()
        won, found = pairs(score, case), ranking.auc(ranking.dense(score), case)
        assert found.auc == pytest.approx(won.mean()), name
        if min(won.shape) > 1 and found.error:
            variance = won.mean(axis=1).var(ddof=1) / won.shape[0] + won.mean(axis=0).var(ddof=1) / won.shape[1]
            assert found.error**2 == pytest.approx(variance)
            assert 0 <= found.lower <= found.auc <= found.upper <= 1


def test_rows_of_one_customer_are_no_news():
    rows = drawn(4)
    score, case = rows["probability"].to_numpy(), rows["event"].to_numpy()
    once = ranking.auc(ranking.dense(score), case)
    alone = ranking.auc(ranking.dense(score), case, np.arange(len(case)))
    assert alone.error == pytest.approx(once.error, rel=1e-2)  # Obuchowski's correction differs in the last places
    twice = ranking.auc(ranking.dense(np.tile(score, 2)), np.tile(case, 2), np.tile(np.arange(len(case)), 2))
    assert twice.auc == pytest.approx(once.auc)
    assert twice.error == pytest.approx(alone.error)
    again = pl.concat([rows, rows])
    curve, doubled = churn.calibration(rows, H), churn.calibration(again, H)
    assert doubled.slope == pytest.approx(curve.slope)
    assert doubled.slope_lower == pytest.approx(curve.slope_lower)


def test_gains_worked_by_hand():
    found = churn.gains(book(), H, [1 / 6, 1 / 3, 1 / 2, 1])
    shares = {
        name: part.select("n_called", "share_of_leavers", "share_of_money").rows()
        for (name,), part in found.group_by("method", maintain_order=True)
    }
    assert list(shares) == ["worklist", "probability", *METHODS[1:]]
    # Probability × AUM: 2 has 180, 1 80, 3 60.
    assert shares["worklist"][:3] == [(1, pytest.approx(1 / 3), 0.3), (2, pytest.approx(2 / 3), 0.9),
                                      (3, pytest.approx(2 / 3), 0.9)]  # fmt: skip
    # 1 first; then one of 2 and 3, who are told the same: half of 2.
    assert shares["probability"][1] == (2, pytest.approx(1.5 / 3), pytest.approx(0.75))
    assert shares["fell most in money"][1] == (2, pytest.approx(1 / 3), 0.6)
    assert [row[1:] for row in shares["random"]] == [pytest.approx((n / 6, n / 6)) for n in (1, 2, 3, 6)]
    assert found.filter(budget=1)["share_of_money"].to_list() == [1] * 5
    by_contribution = churn.gains(book(), H, [1 / 3], worth="contribution").filter(method="worklist")
    assert by_contribution["share_of_money"].item() == 0.9


def test_money_that_nobody_took_is_no_share():
    found = churn.gains(book().with_columns(lost=pl.lit(None, pl.Int64)), H, [0.5])
    assert found["share_of_money"].null_count() == found["money_lower"].null_count() == 5
    assert found["share_of_leavers"].null_count() == 0
    assert found.filter(pl.col("method") != "random")["upper"].null_count() == 0  # of leavers all can be told
    said = churn.verdict(book().with_columns(lost=pl.lit(0)), H, 0.5)
    assert (said.is_better, said.difference) == (None, None)
    assert "none took money" in said.sentence


@settings(max_examples=30, deadline=None)
@given(books(), st.integers(1, 6))
def test_ties_hold_what_they_hold_on_average_over_all_orders(rows, n):
    rows = rows.head(6)
    n = min(n, len(rows))
    score = rows["probability"].to_numpy()
    left = rows["event"].to_numpy().astype(float)
    lists = [order for order in map(list, permutations(range(len(rows)))) if (np.diff(score[order]) <= 0).all()]
    held = np.mean([left[order[:n]].sum() for order in lists]) / left.sum()
    assert capture.held_by(score, rows, np.array([n]))[0, 0] == pytest.approx(held)


@settings(max_examples=25, deadline=None)
@given(books(), st.randoms(use_true_random=False))
def test_neither_order_nor_scale_change_anything(rows, random):
    order = list(range(len(rows)))
    random.shuffle(order)
    assert_frame_equal(churn.accuracy(rows[order], H), churn.accuracy(rows, H))
    scaled = rows.with_columns(pl.col("probability") ** 2 / 2)
    names = ["method", "month", "auc", "lower", "upper", "concordance"]
    assert_frame_equal(churn.accuracy(scaled, H).select(names), churn.accuracy(rows, H).select(names))
    called = np.array([1, len(rows) // 2])
    for name, score in ranking.scores(rows, capture.LISTS).items():
        held = capture.held_by(score, rows, called)
        assert capture.held_by(score[order], rows[order], called) == pytest.approx(held, nan_ok=True), name
        assert capture.held_by(score * 7 - 3, rows, called) == pytest.approx(held, nan_ok=True), name
        assert ((np.isnan(held)) | ((held >= 0) & (held <= 1 + 1e-12))).all()


def test_perfect_and_worst_rankings_reach_the_ends():
    rows = drawn(8)
    left = rows["event"]
    share = left.mean()
    perfect = rows.with_columns(probability=left.cast(pl.Float64))
    worst = rows.with_columns(probability=1 - left.cast(pl.Float64))
    for said, auc, held in ((perfect, 1, 0.05 / share), (worst, 0, 0)):
        found = churn.accuracy(said, H).filter(method="model", month=H)
        assert found.select("auc", "lower", "upper").row(0) == (auc, None, None)
        assert found["brier"].item() == 1 - auc
        called = churn.gains(said, H, [0.05]).filter(method="probability")
        assert called["share_of_leavers"].item() == pytest.approx(held)
    assert churn.calibration(perfect, H).slope is None


def test_lists_drawn_anew_are_those_of_customers_drawn_one_by_one():
    rows = drawn(5, n=150)
    score, shares = rows["probability"].to_numpy(), np.array([0.1, 0.3])
    found = capture.drawn_anew([score, -score], rows, shares, seed=1)
    assert found.shape == (1000, 2, 2, 2)
    rng, slow = np.random.default_rng(2), []
    left, lost = rows["event"].to_numpy(), rows["lost"].fill_null(0).to_numpy()
    for _ in range(1000):
        weight = rng.poisson(1, len(rows))
        who = np.repeat(np.arange(len(rows)), weight)
        part = pl.DataFrame({"event": left[who], "lost": lost[who]})
        slow.append([capture.held_by(way[who], part, shares * len(who)) for way in (score, -score)])
    slow = np.array(slow)
    # Means and spreads agree within four standard errors of 1,000 draws.
    assert np.abs(found.mean(axis=0) - slow.mean(axis=0)).max() < 4 * slow.std() * np.sqrt(2 / 1000)
    assert found.std(axis=0) == pytest.approx(slow.std(axis=0), rel=4 / np.sqrt(1000), abs=5e-4)
    # What both lists share goes together: their difference varies as that of customers drawn for both.
    both, apart = ((of[:, 0] - of[:, 1]).std(axis=0) for of in (found, slow))
    assert both == pytest.approx(apart, rel=4 / np.sqrt(1000))


def test_fewer_steps_of_long_lists_change_nothing_that_shows():
    rows = drawn(6, n=5000, steps=4000)
    score = rows["probability"].to_numpy()
    fine, coarse = (
        np.percentile(capture.drawn_anew([score], rows, np.array([0.05]), 1, most)[:, 0, 0, 1], capture.ENDS)
        for most in (4000, 200)
    )
    assert fine == pytest.approx(coarse, abs=0.004)


def test_poisson_weights_are_of_mean_and_variance_one():
    assert len(capture.POISSON) == 65_536
    assert capture.POISSON.mean() == pytest.approx(1, abs=1e-4)
    assert capture.POISSON.var() == pytest.approx(1, abs=1e-3)


def test_calibration_by_tenths_keeps_equal_ones_together():
    rows = drawn(3, n=1000)
    found = churn.calibration(rows, H).groups
    assert found["n"].sum() == 1000
    assert found["n_events"].sum() == rows["event"].sum()
    # No probability lies in two groups: the lowest of each is above the highest of the one before.
    tenth = pl.col("probability").rank("min").cast(pl.Int64).sub(1) * 10 // 1000 + 1
    assert found["group"].to_list() == sorted(rows.select(tenth).to_series().unique())
    assert found["predicted"].is_sorted()
    assert (found["lower"] <= found["observed"]).all()
    assert (found["observed"] <= found["upper"]).all()
    one = churn.calibration(rows.with_columns(probability=0.25), H)
    assert one.groups.select("group", "n").rows() == [(1, 1000)]
    assert one.slope is None
    assert one.ici == pytest.approx(abs(rows["event"].mean() - 0.25))


@pytest.mark.parametrize(("seed", "stretch"), [(1, 1.0), (2, 2.0), (3, 0.5)])
def test_slope_and_intercept_are_those_of_logistic_regression(seed, stretch):
    rows = drawn(seed, n=3000)
    logit = (pl.col("probability") / (1 - pl.col("probability"))).log() * stretch
    rows = rows.with_columns(probability=1 / (1 + (-logit).exp()))
    x = rows.select((pl.col("probability") / (1 - pl.col("probability"))).log()).to_numpy()
    found = churn.calibration(rows, H)
    peer = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(x, rows["event"].to_numpy())
    assert found.slope == pytest.approx(peer.coef_[0, 0], rel=1e-4)
    assert found.slope == pytest.approx(1 / stretch, rel=0.15)
    assert found.slope_lower < found.slope < found.slope_upper
    assert (found.ici < 0.03) == (stretch == 1)


def test_told_twice_as_high_is_off_by_as_much():
    rows = drawn(7, n=4000).with_columns(pl.col("probability") * 2)
    found = churn.calibration(rows, H)
    assert found.intercept_upper < 0
    assert found.ici == pytest.approx(rows["probability"].mean() / 2, rel=0.1)


# Three month ends; customer 1 leaves with 70 in April, 2 with 30 in March, 3 and 4 stay; 2 was not watched in January.
WATCHED = [
    (1, 1, 0.1, 3, 70), (3, 1, 0.9, 0, None), (4, 1, 0.2, 0, None),
    (1, 2, 0.8, 2, 70), (2, 2, 0.3, 1, 30), (3, 2, 0.2, 0, None), (4, 2, 0.3, 0, None),
    (1, 3, 0.9, 1, 70), (3, 3, 0.2, 0, None), (4, 3, 0.1, 0, None),
]  # fmt: skip


def months() -> pl.DataFrame:
    frames = []
    for n in (1, 2, 3):
        rows = [(who, p, left, lost, 100, -int(100 * p)) for who, at, p, left, lost in WATCHED if at == n]
        frames.append(book(rows).with_columns(month=pl.date(2025, n, 1).dt.month_end()))
    return pl.concat(frames)


def test_lead_time_worked_by_hand():
    found = churn.lead_time(months(), H, 0.3)
    assert found["method"].unique(maintain_order=True).to_list() == ["worklist", "probability", *METHODS[1:]]
    listed = found.filter(method="worklist").select("months_before", "share", "n", "lost").rows()
    # One customer a month is called. One month before: 1 stood on the list of March, 2 not on that of February. Two
    # months before: 1 in February; of 2 that is January, when there was a list, and 2 was not on it. Three: 1 was not.
    assert listed == [(1, 0.7, 2, 100), (2, 0.7, 2, 100), (3, 0.0, 1, 70)]
    chance = found.filter(method="random")["share"].to_list()
    assert chance == pytest.approx([0.7 / 3 + 0.3 / 4, 0.7 / 4, 1 / 3])
    ends = found.filter(method="worklist", months_before=1).select("lower", "upper").row(0)
    assert ends == (0, 1)  # two customers


def test_lead_time_of_all_customers_called_is_everything_that_was_watched():
    found = churn.lead_time(months(), H, 1).filter(pl.col("months_before") != 2)
    assert found["share"].to_list() == [1.0] * 10
    assert_frame_equal(churn.lead_time(months().reverse(), H, 0.3), churn.lead_time(months(), H, 0.3))


def told(seed: int, n: int, noise: float, rule_noise: float) -> pl.DataFrame:
    """Customers of one hazard behind two noisy scores: the probability, and the fall in money."""
    rng = np.random.default_rng(seed)
    hazard = rng.normal(-2, 1, n)
    left = rng.random(n) < 1 / (1 + np.exp(-hazard))
    model, rule = (hazard + spread * rng.normal(size=n) for spread in (noise, rule_noise))
    aum = np.full(n, 1_000_00)
    lost = np.where(left, np.exp(rng.normal(10, 1, n)), 0).astype(int)
    return pl.DataFrame({
        "customer_id": np.arange(n), "probability": 1 / (1 + np.exp(-model)), "event": left, "duration": H,
        "lost": lost, "aum": aum, "aum_change": (-1000 * rule).astype(int),
    })  # fmt: skip


def test_a_verdict_says_which_list_is_better_and_when_it_cannot_tell():
    better, worse = churn.verdict(told(1, 4000, 0.1, 5), H, 0.1), churn.verdict(told(1, 4000, 5, 0.1), H, 0.1)
    assert (better.is_better, worse.is_better) == (True, False)
    assert better.lower > 0 > worse.upper
    assert better.auc_lower > 0 > worse.auc_upper
    assert "the list is better (" in better.sentence
    assert "the list is worse (" in worse.sentence
    same = told(2, 500, 1, 1)
    same = same.with_columns(aum_change=-(pl.col("probability") * 1e9).cast(pl.Int64))
    said = churn.verdict(same, H, 0.1)
    assert (said.is_better, said.difference, said.lower, said.upper, said.auc_difference) == (None, 0, 0, 0, 0)
    assert "whether the list is better cannot be told" in said.sentence


def test_a_verdict_on_a_handful_says_that_it_is_one():
    rows = told(1, 100, 0.1, 5).with_columns(event=pl.col("event") & (pl.col("customer_id") < 60))
    assert 0 < rows["event"].sum() < backtest.LEAST
    said = churn.verdict(rows, H, 0.3)
    assert said.is_better is None
    assert said.sentence.endswith(f"Only {rows['event'].sum()} left.")


def test_a_difference_that_hangs_on_one_customer_says_so():
    rows = told(1, 4000, 0.1, 5)
    giant = pl.col("customer_id") == rows.filter("event").sort("probability")["customer_id"][-1]
    lost, grown = (pl.when(giant).then(10**12).otherwise(name).alias(name) for name in ("lost", "aum_change"))
    said = churn.verdict(rows.with_columns(lost, grown), H, 0.1)
    assert (said.is_better, said.lower, said.upper) == (None, -1, 1)
    assert said.sentence.endswith("points, all of them the money of one customer).")


def test_a_month_in_which_nobody_had_left_has_no_scaled_brier():
    late = book().with_columns(duration=pl.lit(H, pl.Int32), p1=pl.lit(0.1))
    found = churn.accuracy(late, H).filter(method="model").select("brier", "brier_base", "brier_scaled")
    assert found.row(0) == (pytest.approx(0.01), 0, None)


def test_months_of_one_customer_alone_have_no_interval():
    found = churn.calibration(drawn(3).with_columns(customer_id=7), H)
    assert found.slope is not None
    assert (found.slope_lower, found.slope_upper, found.intercept_lower) == (None, None, None)


def test_left_may_be_one_and_zero():
    rows = book()
    counted = rows.with_columns(pl.col("event").cast(pl.Int8))
    assert_frame_equal(churn.accuracy(counted, H), churn.accuracy(rows, H))
    with pytest.raises(InputError, match=r"event of rows given to churn\.gains is Int64\. Give true"):
        churn.gains(rows.with_columns(event=pl.lit(2, pl.Int64)), H)


BAD = {
    "nobody": (lambda rows: rows.with_columns(event=False), "Nobody of the 6 customers .* Test another month"),
    "everybody": (lambda rows: rows.with_columns(event=True), "Everybody of the 6 customers"),
    "no row": (lambda rows: rows.head(0), "no row"),
    "above one": (lambda rows: rows.with_columns(pl.col("probability") + 0.3), "1 of 6 prob.*customer 1, 1.1"),
    "not a number": (lambda rows: rows.with_columns(probability=float("nan")), "6 of 6 probabilities"),
    "no probability": (lambda rows: rows.with_columns(probability=None), "have no probability"),
    "backwards": (lambda rows: rows.with_columns(duration=-pl.col("duration")), "duration below 0"),
    "no column": (lambda rows: rows.drop("event"), "needs a column event"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
@pytest.mark.parametrize(
    "measure",
    [
        lambda rows: churn.accuracy(rows, H),
        lambda rows: churn.calibration(rows, H),
        lambda rows: churn.gains(rows, H),
        lambda rows: churn.lead_time(rows, H, 0.1),
        lambda rows: churn.verdict(rows, H, 0.1),
    ],
    ids=["accuracy", "calibration", "gains", "lead_time", "verdict"],
)
def test_what_cannot_be_judged_is_a_sentence(case, measure):
    change, sentence = BAD[case]
    with pytest.raises(InputError, match=sentence):
        measure(change(book()))


def test_other_bad_input_is_a_sentence():
    with pytest.raises(InputError, match=r"6 of 12 rows given to churn.gains repeat a customer_id \(first: 1\)"):
        churn.gains(pl.concat([book(), book()]), H)
    with pytest.raises(InputError, match=r"1 of 2 budgets .*first: 1.5"):
        churn.gains(book(), H, [0.1, 1.5])
    with pytest.raises(InputError, match="0 of 0 budgets"):
        churn.gains(book(), H, [])
    with pytest.raises(InputError, match="needs a column contribution"):
        churn.gains(book().drop("contribution"), H, worth="contribution")
    with pytest.raises(InputError, match="luck is no method"):
        churn.verdict(book(), H, 0.1, rule="luck")


SPAN = 40
COVARIATES = ("change", "idle", "complaint")


@pytest.fixture(scope="module")
def landmarks() -> pl.DataFrame:
    return drawn_leavers.landmarks(11, n=3000, months=SPAN)


@pytest.fixture(scope="module")
def tried(landmarks) -> backtest.Trial:
    return churn.trial(landmarks, POLICY, 6, COVARIATES)


def test_a_trial_scores_what_stood_then_and_says_what_came(landmarks, tried):
    ends, k = landmarks["month"].unique().sort(), POLICY.churn.confirm_months
    assert (tried.known_at, tried.at) == (ends[-1], ends[-1 - k - 6])
    assert tried.fit.as_of == tried.at
    then = landmarks.filter(pl.col("month") == tried.at)
    left = then["event"] & (then["duration"] <= 6)
    assert tried.scored["customer_id"].to_list() == then["customer_id"].to_list()
    assert tried.scored["event"].to_list() == left.to_list()
    assert tried.scored["lost"].null_count() == (~left).sum()
    assert (tried.scored["p3"] <= tried.scored["probability"]).all()
    assert "p6" not in tried.scored.columns
    assert tried.later["month"].unique().sort().to_list() == ends[-1 - k - 6 : -1 - k].to_list()
    assert_frame_equal(tried.later.filter(pl.col("month") == tried.at), tried.scored)
    # Covariates that drive leaving tell more than chance half a year on.
    found = churn.accuracy(tried.scored, 6).filter(method="model", month=6)
    assert found["lower"].item() > 0.55
    assert len(churn.lead_time(tried.later, 6, 0.1)) == 5 * 6


def test_a_trial_knows_nothing_that_came_later(landmarks, tried):
    later = landmarks["known_on"] > tried.at
    assert later.sum() > 100
    last = pl.when(later).then
    changed = landmarks.with_columns(
        event=last(True).otherwise("event"),
        cause=last(pl.lit("salary")).otherwise("cause"),
        lost=last(pl.lit(1)).otherwise("lost"),
        duration=last(pl.col("duration") + 1).otherwise("duration").cast(pl.Int32),
    ).with_columns(change=pl.when(pl.col("month") > tried.at).then(9.0).otherwise("change").cast(pl.Float32))
    again = churn.trial(changed, POLICY, 6, COVARIATES)
    assert_frame_equal(churn.coefficients(again.fit), churn.coefficients(tried.fit))
    assert_frame_equal(churn.quality(again.fit), churn.quality(tried.fit))
    assert again.scored["probability"].to_list() == tried.scored["probability"].to_list()
    assert again.scored["lost"].sum() != tried.scored["lost"].sum()


def test_what_history_can_test_is_what_a_trial_tests():
    ends = drawn_leavers.ENDS
    for n in range(1, 50):
        found = churn.testable(pl.DataFrame({"month": ends[:n]}), POLICY)
        assert found["is_testable"].to_list() == [n >= needed for needed in found["needed"]]
    assert found["horizon"].to_list() == list(POLICY.leaving.horizons)
    short = pl.DataFrame({"month": ends[:30]})
    said = churn.testable(short, POLICY).row(2, named=True)
    assert (said["is_testable"], said["at"]) == (False, None)
    assert said["sentence"].startswith("12 months cannot be tested yet: that needs 44 month ends")
    with pytest.raises(InputError, match="12 months cannot be tested yet"):
        churn.trial(short, POLICY, 12)
    with pytest.raises(InputError, match="no row"):
        churn.testable(short.head(0), POLICY)
