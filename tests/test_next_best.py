"""What is taken next: planted affinities found, popularity where nothing is, and nothing learnt from the future."""

from datetime import date

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from crmlab import policy as rules
from crmlab.errors import InputError
from crmlab.measures import crosssell
from crmlab.measures.churn.recalibration import Calibration
from crmlab.measures.churn.training import month_end
from crmlab.measures.crosssell import choosing, models, popularity, ranked
from crmlab.measures.crosssell.popularity import Book, Popular, Ruled, Seen
from tests.drawn_takers import ENDS, PRODUCTS, drawn

POLICY = rules.load()
LAST = ENDS[29]
BARE = {name: (base, share, {}) for name, (base, share, _) in PRODUCTS.items()}  # nothing raises anything
WHOLE = drawn(1)
FIT = crosssell.fit(WHOLE.landmarks, LAST, POLICY, book=WHOLE.book)
NOW = WHOLE.landmarks.filter(month=LAST)


def used(fit: crosssell.Fit) -> dict[str, str]:
    return dict(fit.choices.select("product_id", pl.col("used").cast(pl.String)).iter_rows())


def why(fit: crosssell.Fit, product: str) -> str:
    return fit.choices.filter(product_id=product)["why"][0]


def test_planted_affinities_are_found_and_popularity_stands_where_there_are_none():
    found = used(FIT)
    assert found["fund"] != "popularity"
    assert found["loan"] in ("hazards", "logistic")
    assert "log loss" in why(FIT, "fund")
    assert "below that of popularity" in why(FIT, "fund")
    assert [found[name] for name in ("account", "insurance", "safe")] == ["popularity"] * 3
    assert why(FIT, "account") == "Popularity stands: everyone holds it."
    assert why(FIT, "insurance") == "Popularity stands: no other way is surely better."
    assert "3 took it between 2021-01 and 2022-12, fewer than 50" in why(FIT, "safe")


def test_the_hazard_ratios_are_those_drawn():
    ratio = {row[:2]: row[2:] for row in crosssell.coefficients(FIT).iter_rows()}
    spread = FIT.models.basis.spread[FIT.models.basis.names.index("holds:card")]
    for of, due in ((("fund", "holds:card"), np.exp(1.5 * spread)), (("loan", "size"), np.exp(-0.9))):
        _, lower, upper = ratio[of]
        assert lower < due < upper
    assert ratio["card", "salary"][1] > 1


def test_probabilities_are_those_drawn():
    told = crosssell.probability(FIT, NOW)
    truth = NOW.select("customer_id").hstack(WHOLE.hazards)
    for name in ("fund", "loan"):
        own = told.filter(product_id=name).join(truth, on="customer_id").with_columns(due=1 - (-3 * pl.col(name)).exp())
        assert own.select(pl.corr("probability", "due")).item() > 0.9
        assert own["probability"].mean() == pytest.approx(own["due"].mean(), rel=0.25)


def test_no_pair_that_is_held_is_told_and_all_others_are():
    told = crosssell.probability(FIT, NOW)
    free = [(who, name) for name in PRODUCTS for who in NOW.filter(~pl.col("holds:" + name))["customer_id"]]
    assert told.select("customer_id", pl.col("product_id").cast(pl.String)).sort(pl.all()).rows() == sorted(free)
    assert told["probability"].is_between(0, 1).all()
    assert told["customer_id"].is_sorted()
    by = dict(told.select(pl.col("product_id", "source").cast(pl.String)).unique().iter_rows())
    assert by == {name: way for name, way in used(FIT).items() if name in by}


def test_some_products_and_few_customers_are_told_as_all_are():
    whole = crosssell.probability(FIT, NOW).filter(product_id="fund")
    some = crosssell.probability(FIT, NOW.head(40), ["fund"])
    assert_frame_equal(some, whole.filter(pl.col("customer_id").is_in(some["customer_id"].implode())))
    assert crosssell.probability(FIT, NOW.head(0)).is_empty()


def test_the_same_rows_in_another_order_give_the_same_fit():
    mixed = WHOLE.landmarks.sample(fraction=1, shuffle=True, seed=5).sort("month", "customer_id")
    again = crosssell.fit(mixed, LAST, POLICY, book=WHOLE.book)
    assert_frame_equal(again.choices, FIT.choices, check_exact=True)
    assert_frame_equal(crosssell.coefficients(again), crosssell.coefficients(FIT), check_exact=True)


def test_of_a_kind_that_the_model_does_not_know_everyones_is_told():
    told = crosssell.probability(FIT, NOW.with_columns(kind=pl.lit("trust")), ["insurance"])
    popular = FIT.models.ways["insurance"]["popularity"]
    assert popular.model.rate[0] == pytest.approx(0.0178, rel=0.2)
    assert told["probability"].n_unique() == 1


def knows_no_future(more: pl.Expr) -> bool:
    """Whether a fit of an earlier month is the same from all there is and from what there was then."""
    early = ENDS[24]
    whole, known = WHOLE.landmarks, crosssell.as_known(WHOLE.landmarks, early)
    spells = WHOLE.book.holdings.filter(pl.col("opened_on") <= early)
    cut = WHOLE.book._replace(holdings=spells)
    told = []
    for rows, book in ((whole, WHOLE.book), (known, cut)):
        rows = rows.with_columns(more.fill_null(False).cast(pl.Float32).alias("more"))
        fit = crosssell.fit(rows, early, POLICY, book=book)
        told.append((fit.choices, crosssell.probability(fit, rows.filter(month=early))))
    return all(one.equals(other) for one, other in zip(*told, strict=True))


def test_nothing_is_learnt_from_what_came_later():
    assert knows_no_future(pl.col("size") > 1)


def test_a_covariate_that_knows_the_future_is_found():
    assert not knows_no_future(pl.col("takes:insurance") <= 3)


TRIAL = crosssell.trial(WHOLE.landmarks, POLICY, book=WHOLE.book)


def test_the_trial_tells_what_was_better():
    assert (TRIAL.at, TRIAL.until) == (ENDS[23], ENDS[26])
    lists = TRIAL.verdicts.filter(measure="list of pairs").row(0, named=True)
    assert lists["is_better"]
    assert lists["lower"] > 0
    assert "better (" in lists["sentence"]
    own = TRIAL.products.filter(product_id="fund", method="chosen").row(0, named=True)
    assert own["difference_upper"] < 0
    assert own["slope_lower"] < 1 < own["slope_upper"]
    assert own["ici"] < 0.01
    assert own["n"] > own["n_taken"] > own["n_takers"] > 100
    assert own["told"] == pytest.approx(own["rate"], rel=0.25)
    plain = TRIAL.products.filter(product_id="fund", method="popularity").row(0, named=True)
    assert plain["difference"] == 0
    assert plain["auc"] < 0.6 < own["auc"]


def test_a_trial_learns_nothing_twice_and_tells_the_same():
    again = crosssell.trial(WHOLE.landmarks, POLICY, book=WHOLE.book, now=FIT)
    assert again.fit.models is FIT.earlier
    for name in ("products", "rankings", "gains", "verdicts"):
        assert_frame_equal(getattr(again, name), getattr(TRIAL, name))


def test_the_trial_draws_up_lists():
    gains = TRIAL.gains.filter(pl.col("product_id").is_null())
    for (_,), rows in gains.group_by("method"):
        assert rows["share"].is_sorted()
        assert rows["n_called"].is_sorted()
        assert rows.select((pl.col("lower") <= pl.col("share")) & (pl.col("share") <= pl.col("upper")))["lower"].all()
    assert "account" not in TRIAL.gains["product_id"]  # nobody could take it
    recall = TRIAL.rankings.filter(measure="recall", method="chosen")
    assert recall["share"].is_sorted()
    assert recall["n"].n_unique() == 1


def test_where_nothing_goes_together_the_trial_cannot_tell():
    bare = drawn(4, products=BARE)
    found = crosssell.trial(bare.landmarks, POLICY, book=bare.book)
    assert set(found.fit.used.values()) == {"popularity"}
    assert found.verdicts["is_better"].to_list() == [None, None]
    assert "cannot be told" in found.verdicts["sentence"][0]


@st.composite
def rankings(draw) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n, m = draw(st.integers(1, 6)), draw(st.integers(2, 5))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    free = rng.random((n, m)) < 0.8
    return rng.integers(0, 4, (n, m)) / 4, free, free & (rng.random((n, m)) < 0.4)


@settings(max_examples=60, deadline=None)
@given(rankings(), st.integers(1, 5))
def test_at_k_against_a_look_at_every_customer(drawn_, k: int):
    told, free, taken = drawn_
    place = ranked.places(told, free)
    for n in range(len(told)):
        order = sorted((j for j in range(told.shape[1]) if free[n, j]), key=lambda j: (-told[n, j], j))
        assert [place[n, j] for j in order] == list(range(1, len(order) + 1))
        hits = [bool(taken[n, j]) for j in order[:k]]
        of = taken[n].sum()
        precise = [sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit]
        due = sum(precise) / min(of, k) if of else 0
        assert ranked.precision(place, taken, k)[0][n] == sum(hits)
        assert ranked.precision(place, taken, k)[1][n] == len(hits)
        assert ranked.recall(place, taken, k)[1][n] == of
        assert ranked.average_precision(place, taken, k)[0][n] == pytest.approx(due)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([0.1, 0.2, 0.5, 0.9]), min_size=1, max_size=30), st.floats(0.01, 1))
def test_a_list_holds_as_many_as_it_may(told: list[float], budget: float):
    called, parts = ranked.on_list(np.array(told), np.array([budget]))
    assert parts[0].sum() == pytest.approx(called[0])
    assert (np.diff(parts[0][np.argsort(-np.array(told), kind="stable")]) <= 0).all()


def test_shares_and_their_differences():
    part, whole, who = np.array([1.0, 0, 1, 1]), np.array([1.0, 1, 1, 1]), np.array([1, 1, 2, 3])
    rate, lower, upper = ranked.shared(part, whole, who)
    assert rate == 0.75
    assert lower < rate < upper <= 1
    assert ranked.apart((part, part), whole, who) == (0.0, 0.0, 0.0)
    assert ranked.shared(part * 0, whole * 0, who) == (None, None, None)
    assert ranked.shared(part[:2], whole[:2], who[:2]) == (0.5, None, None)


def test_popularity_by_kind_by_hand():
    """Of a kind with 10 rows 2 takings, of the other with 30 rows none: 0.05 for all, 3 to 1.5 and 1 to 2.5 times."""
    rows = pl.DataFrame({"customer_id": range(40), "stratum": [1] * 10 + [2] * 30, "month_number": 5,
                         "taken": [True] * 2 + [False] * 38, "takes": 1})  # fmt: skip
    assert popularity.popular(rows, 2).rate == pytest.approx([0.05, 0.05 * 3 / 1.5, 0.05 * 1 / 2.5])


def test_a_rule_tells_where_it_applies():
    ruled = Ruled(Popular(np.array([0.1, 0.2])), (((0,), 0.4), ((0, 1), 0.3), ((1,), 0.25)))
    held = np.array([[True, True], [False, True], [False, False]])
    assert ruled.told(Seen(np.array([1, 1, 1]), held, np.zeros((3, 0)), None)).tolist() == [0.4, 0.25, 0.2]


def test_confirmed_rules_are_of_the_horizon():
    found = popularity.confirmed(WHOLE.book, LAST, 3, POLICY)
    items, likely = found["fund"][0]
    assert items == ["card"]
    assert likely == pytest.approx(1 - np.exp(-3 * 0.004 * np.exp(1.5)), rel=0.25)
    assert popularity.confirmed(WHOLE.book, ENDS[3], 3, POLICY).keys() <= {"fund"}
    nobody = Book(WHOLE.book.holdings.clear(), WHOLE.book.customers)
    assert popularity.confirmed(nobody, LAST, 3, POLICY) == {}


def test_what_lies_further_than_anything_seen_counts_as_that_far():
    far = NOW.head(5).with_columns(size=pl.lit(99.0))
    at = NOW.head(5).with_columns(size=pl.lit(WHOLE.landmarks["size"].max()))
    assert_frame_equal(crosssell.probability(FIT, far), crosssell.probability(FIT, at))


def rows_of(n: int) -> pl.DataFrame:
    return WHOLE.landmarks.filter(pl.col("month") <= ENDS[n - 1])


BAD = [
    (lambda: crosssell.fit(rows_of(18), LAST, POLICY), "needs 19 month ends up to 2022-06, and there are 18"),
    (lambda: crosssell.trial(rows_of(21), POLICY), "that needs 22 month ends, and there are 21"),
    (lambda: crosssell.fit(WHOLE.landmarks, date(2020, 1, 31), POLICY), "No landmark lies at or before 2020-01-31"),
    (lambda: crosssell.fit(WHOLE.landmarks, LAST, POLICY, book=WHOLE.book._replace(holdings=NOW)), "column product_id"),
    (lambda: crosssell.fit(WHOLE.landmarks, LAST, POLICY, 0.5), "A horizon of 0.5 months cannot be told"),
    (lambda: crosssell.probability(FIT, NOW, ["fond"]), "1 of 1 products .* [(]first: fond[)]. Did you mean fund"),
    (lambda: crosssell.probability(FIT, NOW.drop("size")), "crosssell.probability needs a column size"),
    (lambda: crosssell.probability(FIT, NOW.with_columns(size=pl.lit(None, pl.Float32))), "have no size"),
    (lambda: crosssell.fit(WHOLE.landmarks.with_columns(size=float("nan")), LAST, POLICY), "that is no number"),
    (lambda: crosssell.fit(WHOLE.landmarks.drop("^.*:(card|fund|loan|insurance|safe)$"), LAST, POLICY), "two at least"),
    (lambda: crosssell.fit(WHOLE.landmarks.drop("takes:fund"), LAST, POLICY), "needs a column takes:fund"),
    (lambda: crosssell.fit(WHOLE.landmarks.with_columns(pl.col("^takes:.*$") * None), LAST, POLICY), "Nobody took any"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "said"), BAD)
def test_bad_input_is_said(call, said: str):
    with pytest.raises(InputError, match=said):
        call()


def test_twenty_two_months_can_be_tested():
    found = crosssell.trial(rows_of(22), POLICY)
    assert found.at == found.until == ENDS[18]


def test_a_product_that_everybody_or_nobody_holds_is_told_as_such():
    rows = WHOLE.landmarks.with_columns(**{"holds:new": False, "takes:new": pl.lit(None, pl.Int16)})
    fit = crosssell.fit(rows, LAST, POLICY)
    assert why(fit, "new") == "Popularity stands: nobody took it between 2021-01 and 2022-12."
    told = crosssell.probability(fit, rows.filter(month=LAST), ["new", "account"])
    assert told["product_id"].cast(pl.String).unique().to_list() == ["new"]
    assert told["probability"].max() == 0


def test_a_log_loss_is_compared_with_a_customers_rows_together():
    """Each customer's rows twice: the same interval as of each once, but for what one in n makes."""
    rng = np.random.default_rng(3)
    loss, who = rng.normal(0.1, 1, 400), np.arange(400)
    once, twice = choosing.compared(loss, who), choosing.compared(np.repeat(loss, 2), np.repeat(who, 2))
    assert once == pytest.approx(twice)


def test_the_months_to_learn_from_lie_before_those_calibrated_on():
    found = models.span(1, 30, 3, POLICY)
    assert found.until == 30 - 3 - POLICY.crosssell.calibration_months
    assert isinstance(FIT.models.ways["fund"]["hazards"].calibration, Calibration)


def test_rules_stand_on_the_months_before_those_calibrated_on():
    found = FIT.models.ways["fund"]["rules"].model.rules
    known = popularity.confirmed(WHOLE.book, month_end(FIT.models.span.until), 3, POLICY)["fund"]
    assert [rate for _, rate in found] == [rate for _, rate in known]


@pytest.mark.slow
def test_where_nothing_tells_popularity_stands():
    """Forty banks of four products that depend on nothing: 5 % of products at most are told by something else."""
    four = {name: (0.006, 0.15, {}) for name in "abcd"}
    chosen = []
    for seed in range(40):
        bank = drawn(100 + seed, n=1_500, products=four)
        chosen += crosssell.fit(bank.landmarks, LAST, POLICY, book=bank.book).used.values()
    # The 99.9 % quantile of a binomial of 160 at 5 %.
    assert sum(name != "popularity" for name in chosen) <= 17


@pytest.mark.slow
def test_what_is_told_is_what_comes_over_many_banks():
    """Over forty banks the mean told of the product with a planted affinity is what the hazards say, within 5 %."""
    told, due = [], []
    for seed in range(40):
        bank = drawn(200 + seed, n=1_500)
        now = bank.landmarks.filter(month=LAST)
        own = crosssell.probability(crosssell.fit(bank.landmarks, LAST, POLICY), now, ["fund"])
        truth = own.join(now.select("customer_id").hstack(bank.hazards), on="customer_id")
        told.append(own["probability"].mean())
        due.append(1 - np.exp(-3 * truth["fund"]).mean())
    assert np.mean(told) == pytest.approx(np.mean(due), rel=0.05)
