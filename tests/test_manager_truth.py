"""The assessment of managers on simulated banks, where it is known what each adds, beside what it says.

The year that is judged is lived many times: what it comes to on average is what was to be expected of the managers,
their effects and their books, and each life is held against the others. Seeds were fixed before looking.

Contribution is not held against that: what a customer brings lasts, so that an interval, which takes all that customers
alike differ by for chance, holds too little of the same customers' long run. Neither is it asked that whoever grows
money is found: of a manager's 250 customers, too few decide what comes in all.
"""

from dataclasses import replace

import polars as pl
import pytest
from polars.testing import assert_frame_equal
from scipy.stats import binom

from crmlab import simulate
from crmlab.mart.build import build
from crmlab.measures.uncertainty import Z
from crmlab.simulate import Future, Managing
from tests.simulated_managers import AS_OF, BEFORE, all_lived, judged

CUSTOMERS, LIVES = 6000, 6  # 250 customers a manager
NOTHING = Managing(managers=24, branches=4, growth=0, everybody=True, times=3)
DIFFER = replace(NOTHING, growth=0.02, leaving=0.5, contacts=0.3)
FEW_DIFFER = replace(NOTHING, growth=0.05, leaving=1.5, contacts=1.0, differ=0.12)
PLANTED = {"retention": "leaving", "net_new_money": "growth", "contacts_on_schedule": "contacts"}
CLEAR = ["clearly above", "clearly below"]
OF_ONE = ["seed", "manager_id", "measure"]

pytestmark = pytest.mark.slow


def once(seeds: range, managing: Managing) -> pl.DataFrame:
    return all_lived([(seed, Future(BEFORE, seed), CUSTOMERS, managing) for seed in seeds])


@pytest.fixture(scope="module")
def same_book() -> pl.DataFrame:
    futures = [(seed, Future(BEFORE, 100 * seed + life)) for seed in range(1861, 1873) for life in range(LIVES)]
    return all_lived([(*of, CUSTOMERS, DIFFER) for of in futures])


@pytest.fixture(scope="module")
def nothing_added() -> pl.DataFrame:
    return once(range(1881, 1893), NOTHING)


@pytest.fixture(scope="module")
def rich_handed() -> pl.DataFrame:
    return once(range(1901, 1909), replace(NOTHING, favours=True))


@pytest.fixture(scope="module")
def few_differ() -> pl.DataFrame:
    return once(range(1911, 1923), FEW_DIFFER)


def in_all_lives(found: pl.DataFrame) -> pl.DataFrame:
    told = found.filter(pl.col("long_run").is_not_null())
    return told.filter(pl.len().over(OF_ONE) == pl.col("life").n_unique().over("seed"))


def held(told: pl.DataFrame) -> pl.DataFrame:
    """How often intervals (`middle`, `half`) hold what was to be expected, by measure.

    That is what `came` of the other lives on average; intervals are widened by what so few leave open of it. How
    much lives vary beside their `error` is told from all managers: from one manager's it would widen just the intervals
    of lives far out, or be too unsure (of a perfect interval that would find 96 or 94 %).
    """
    came, error, n = pl.col("came"), pl.col("error"), pl.len().over(OF_ONE) - 1
    others = (came.sum().over(OF_ONE) - came) / n
    open_yet = (came.var().over(OF_ONE) / error**2).mean().over("measure") * error**2 / n
    is_held = (others - pl.col("middle")).abs() <= (pl.col("half") ** 2 + Z**2 * open_yet).sqrt()
    return told.group_by("measure").agg(n=pl.len(), share=is_held.mean()).sort("measure")


def of_their_book(found: pl.DataFrame) -> pl.DataFrame:
    """What came of each case, or of what was asked of the book, and the interval of that."""
    n = pl.col("n")
    # Towards the end at which a rate is cut off, an interval is as long as towards the other.
    half = pl.max_horizontal(pl.col("upper") - pl.col("long_run"), pl.col("long_run") - pl.col("lower"))
    columns = {"came": pl.col("observed"), "middle": pl.col("long_run"), "half": half, "error": pl.col("error")}
    return in_all_lives(found).select(*OF_ONE, "life", **{name: column / n for name, column in columns.items()})


def at_most(n: int, share: float) -> float:
    """So many of `n` are seldom exceeded, if each is flagged with this chance."""
    return binom.ppf(0.999, n, share)


def of_planted(shares: pl.DataFrame) -> dict[str, float]:
    return {measure: share for measure, _, share in shares.rows() if measure in PLANTED}


def test_what_the_book_they_have_would_bring_is_covered(same_book):
    shares = of_planted(held(of_their_book(same_book)))
    assert set(shares) == set(PLANTED)
    assert all(0.93 <= share <= 0.97 for share in shares.values()), shares


@pytest.mark.parametrize(
    ("measure", "least"), [("retention", 0.6), ("net_new_money", 0.3), ("contacts_on_schedule", 0.8)]
)
def test_who_adds_more_stands_higher(same_book, measure, least):
    sign = -1 if measure == "retention" else 1
    told = same_book.filter(pl.col("measure") == measure, pl.col("effect").is_not_null())
    by_bank = told.group_by("seed", "life").agg(pl.corr("effect", sign * pl.col(PLANTED[measure]), method="spearman"))
    assert by_bank["effect"].mean() >= least


def test_who_adds_nothing_is_seldom_called_out(nothing_added):
    told = nothing_added.filter(pl.col("verdict") != "too few to say")
    for (measure,), rows in told.partition_by("measure", as_dict=True).items():
        assert rows["verdict"].is_in(CLEAR).sum() <= at_most(len(rows), 0.002), measure
        assert (rows["score"].abs() > Z).sum() <= at_most(len(rows), 0.05), measure


def test_who_was_handed_the_rich_is_not_called_out_though_the_mean_would(rich_handed):
    told = rich_handed.filter("is_favoured", pl.col("n") > 0)
    for measure in ("retention", "net_new_money", "contribution"):
        rows = told.filter(pl.col("measure") == measure)
        assert rows["verdict"].is_in(CLEAR).sum() <= at_most(len(rows), 0.002), measure
    # By what a customer earns us on average, the book alone would look like merit.
    earned = rich_handed.filter(pl.col("measure") == "contribution", pl.col("n_customers") > 0)
    sums = [pl.col(name) for name in ("observed", "n_customers")]
    bank = sums[0].sum().over("seed") / sums[1].sum().over("seed")
    theirs = earned.with_columns(times=sums[0] / sums[1] / bank).filter("is_favoured")
    assert theirs.select((pl.col("times") > 2).mean()).item() > 0.95
    assert theirs.select((pl.col("verdict") == "too few to say").mean()).item() < 0.2


@pytest.mark.parametrize("measure", ["retention", "contacts_on_schedule"])
def test_the_few_who_differ_a_lot_are_found_and_hardly_anybody_else(few_differ, measure):
    # Whose customers leave e times as often is found (8 of 11), and as seldom is not (0 of 16): where a manager is
    # expected to lose 15 of 250, to lose nobody at all is not three deviations of what managers ordinarily differ.
    effect, is_clear = pl.col(PLANTED[measure]), pl.col("verdict").is_in(CLEAR)
    told = few_differ.filter(pl.col("measure") == measure, pl.col("verdict") != "too few to say")
    strong = effect > 1 if measure == "retention" else effect.abs() > 0.7
    there = told.filter(strong)
    assert there.height >= 10
    assert there.select(is_clear.mean()).item() >= 0.5
    called = told.filter(is_clear)
    better = effect < 0 if measure == "retention" else effect > 0
    assert called.select(((effect != 0) & (better == (pl.col("verdict") == CLEAR[0]))).mean()).item() >= 0.95


def test_judged_as_a_build_judges(tmp_path):
    simulate.bank(tmp_path / "bank", customers=1500, months=15, seed=1931, managing=replace(NOTHING, managers=12))
    built = build(tmp_path / "bank", AS_OF, tmp_path / "mart").page("fairness")
    columns = ["manager_id", "measure", "n", "n_customers", "observed", "expected", "verdict"]
    ours, theirs = (rows.select(columns).sort(columns[:2]) for rows in (judged(tmp_path), built))
    measures = ours["measure"].unique().implode()
    assert set(PLANTED) < set(ours["measure"])
    assert_frame_equal(ours, theirs.filter(pl.col("measure").is_in(measures)))
