"""Verdicts on campaigns: wrong no oftener than told, right about planted effects, silent where nothing can be said."""

from datetime import date
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from scipy import stats

import crmlab as crm
from crmlab import simulate
from crmlab.errors import InputError
from crmlab.measures.campaigns import balance, by_segment, past, verdict
from crmlab.measures.campaigns.effect import adjusted, by_lot, detectable, means, rates_p

OFFERED, READ, LATER = date(2024, 3, 4), date(2024, 4, 30), date(2024, 12, 31)
N = 1_000  # replications


def campaign(n: int, n_control: int, seed: int, *, lift: float = 0.0, name: str = "G1") -> pl.DataFrame:
    """A campaign whose groups are drawn by lot, with money that has a long tail and follows what was before."""
    rng = np.random.default_rng(seed)
    is_control = np.zeros(n, bool)
    is_control[rng.permutation(n)[:n_control]] = True
    before = rng.lognormal(0, 0.6, n)
    money = 1_000 * before * rng.lognormal(0, 0.3, n) + 1_000 * lift * ~is_control
    return pl.DataFrame(
        {
            "campaign_id": name, "name": "A year at a fixed rate", "customer_id": np.arange(n),
            "is_control": is_control, "is_taken": rng.random(n) < 0.1 + lift * ~is_control,
            "offered_on": OFFERED, "read_out_on": READ, "before": 1_000 * before,
            "money": np.rint(money).astype(np.int64), "kind": rng.choice(["a", "b", "c", "d"], n),
        }
    )  # fmt: skip


def many(lift: float, n: int = N) -> pl.DataFrame:
    """So many campaigns, each with a control group of a fifth."""
    rows = pl.concat([campaign(500, 100, seed, lift=lift, name=f"G{seed:04d}") for seed in range(n)])
    return verdict(rows, LATER, covariates=["before"])


@pytest.mark.slow
def test_a_campaign_that_does_nothing_is_called_a_success_no_oftener_than_told():
    found = many(0.0)
    allowed = stats.binom.ppf(0.999, N, 0.025)
    for outcome in ("response", "money"):
        of = found.filter(pl.col("outcome") == outcome)
        assert 0 < (of["verdict"] == "better").sum() <= allowed
        holds = ((of["lower"] <= 0) & (of["upper"] >= 0)).sum()
        assert 930 <= holds <= 970
        told = of.drop_nulls("adjusted")
        assert len(told) == N
        assert 930 <= ((told["adjusted_lower"] <= 0) & (told["adjusted_upper"] >= 0)).sum() <= 970


@pytest.mark.slow
@pytest.mark.parametrize("n_control", [30, 100])
def test_few_large_amounts_are_no_success(n_control):
    """Contributions of a bank have such a tail: by Student's t two to six times as many would be called a success."""
    rng = np.random.default_rng([20261122, n_control])
    drawn = [(rng.lognormal(0, 1.5, 500 - n_control), rng.lognormal(0, 1.5, n_control)) for _ in range(N)]
    found = [by_lot(*groups) for groups in drawn]
    assert 0 < sum(one.lower > 0 for one in found) <= stats.binom.ppf(0.999, N, 0.025)
    assert 930 <= sum(one.lower <= 0 <= one.upper for one in found) <= 970
    assert all((one.p <= 0.05) == (not one.lower <= 0 <= one.upper) for one in found)
    assert sum(means(*groups).lower > 0 for groups in drawn) > 50


@pytest.mark.slow
def test_intervals_hold_a_planted_effect():
    found = many(0.08)
    for outcome, truth in (("response", 0.08), ("money", 80.0)):
        of = found.filter(pl.col("outcome") == outcome)
        for lower, upper in (("lower", "upper"), ("adjusted_lower", "adjusted_upper")):
            assert 930 <= ((of[lower] <= truth) & (of[upper] >= truth)).sum() <= 970
    money = found.filter(pl.col("outcome") == "money")
    assert (money["adjusted_upper"] - money["adjusted_lower"]).mean() < 0.7 * (money["upper"] - money["lower"]).mean()


@pytest.mark.slow
def test_segments_of_campaigns_that_do_nothing_are_not_told():
    rows = pl.concat([campaign(800, 300, seed, name=f"G{seed:04d}") for seed in range(300)])
    found = by_segment(rows, LATER, "kind")
    told = found.filter(pl.col("verdict").is_in(["better", "worse"]))
    # Where nothing is to be found, a campaign tells of any segment no oftener than 5 times in 100.
    for outcome in ("response", "money"):
        n = told.filter(pl.col("outcome") == outcome)["campaign_id"].n_unique()
        assert n <= stats.binom.ppf(0.999, 300, 0.05)


def test_newcombe_calls_nothing_a_success_at_every_rate():
    grid = pl.DataFrame({"k1": np.repeat(np.arange(201), 51), "k0": np.tile(np.arange(51), 201)})
    lower, _ = crm.uncertainty.difference(pl.col("k1"), pl.lit(200), pl.col("k0"), pl.lit(50))
    better = (grid.select(lower).to_series() > 0).to_numpy()
    for rate in (0.01, 0.05, 0.2, 0.5):
        chance = np.repeat(stats.binom.pmf(np.arange(201), 200, rate), 51)
        chance *= np.tile(stats.binom.pmf(np.arange(51), 50, rate), 201)
        assert chance[better].sum() <= 0.027  # a hair above one half of 5 % is the nature of whole numbers


def test_means_against_scipy():
    rng = np.random.default_rng(5)
    first, second = rng.lognormal(0, 1, 60), rng.lognormal(0.2, 0.5, 35)
    peer = stats.ttest_ind(first, second, equal_var=False)
    found = means(first, second)
    assert found.p == pytest.approx(peer.pvalue, abs=2e-4)
    assert [found.lower, found.upper] == pytest.approx(list(peer.confidence_interval()), abs=1e-3)
    assert rates_p(30, 200, 5, 90) == pytest.approx(
        stats.chi2_contingency([[30, 170], [5, 85]], correction=False).pvalue
    )


def test_a_lot_tells_what_every_lot_would():
    """Of 4 and 3 customers all 35 ways to draw them can be told; the ends do not depend on the unit."""
    first, second = np.array([9.0, 3, 14, 8]), np.array([1.0, 2, 40])
    both = np.concatenate([first, second])
    t = []
    for few in combinations(range(7), 3):
        rest = np.delete(both, few)
        t.append(stats.ttest_ind(rest, both[list(few)], equal_var=False).statistic)
    seen = stats.ttest_ind(first, second, equal_var=False).statistic
    one_way = min(np.mean(np.array(t) >= seen - 1e-9), np.mean(np.array(t) <= seen + 1e-9))
    found = by_lot(first, second)
    assert found.p == pytest.approx(2 * one_way, abs=0.05)
    assert by_lot(1e6 * first, 1e6 * second)[:3] == pytest.approx([1e6 * end for end in found[:3]])
    mirrored = by_lot(second, first)
    assert [mirrored.lower, mirrored.upper] == pytest.approx([-found.upper, -found.lower])
    assert by_lot(first[:1], second).p is None


def test_adjusted_takes_no_covariate_that_says_nothing_new():
    rng = np.random.default_rng(6)
    before, is_first = rng.normal(size=300), np.arange(300) % 3 > 0
    outcome = 4 * before + is_first + rng.normal(size=300)
    one = adjusted(outcome, is_first, before[:, None])
    more = adjusted(outcome, is_first, np.column_stack([before, 7 - 2 * before, np.ones(300)]))
    assert more[:4] == pytest.approx(one[:4])
    assert adjusted(outcome, is_first, np.ones((300, 1))).difference is None
    assert adjusted(outcome[:12], is_first[:12], before[:12, None]).difference is None


def test_what_could_be_seen_is_seen_four_times_in_five():
    rise = pl.select(detectable(pl.lit(900), pl.lit(300), pl.lit(0.1))).item()
    rng = np.random.default_rng(7)
    k1, k0 = rng.binomial(900, 0.1 + rise, 4_000), rng.binomial(300, 0.1, 4_000)
    seen = np.mean([rates_p(a, 900, b, 300) < 0.05 for a, b in zip(k1, k0, strict=True)])
    assert 0.77 < seen < 0.83
    assert pl.select(detectable(pl.lit(5), pl.lit(0), pl.lit(0.1))).item() is None


@pytest.mark.parametrize(
    ("n", "rate", "rise"),
    [
        (74, 0.9, 0.1), (73, 0.9, None),  # of 0.9 to 1 power.prop.test of R says that it takes 74 at least
        (686, 0.1, 0.05), (20, 0.0, 0.312), (10_000, 0.0, 0.0008), (9, 1.0, None),
    ],
)  # fmt: skip
def test_the_least_rise_is_the_one_that_groups_of_this_size_show(n, rate, rise):
    """Of none that would do it anyway, too, and where nearly all would."""
    found = pl.select(detectable(pl.lit(n), pl.lit(n), pl.lit(rate))).item()
    assert found == (rise and pytest.approx(rise, rel=0.03))


BASE = campaign(400, 80, 11, lift=0.3)


@pytest.mark.parametrize(
    ("change", "says", "why"),
    [
        ({}, "better", None),
        ({"is_control": pl.lit(False)}, "cannot tell", "nobody was held out as control"),
        ({"is_control": pl.lit(True)}, "cannot tell", "everybody was held out as"),
        ({"is_control": pl.col("customer_id") < 9}, "cannot tell", "the control group has 9 customers, fewer than"),
        ({"is_treated": pl.col("is_control") & (pl.col("customer_id") < 99)}, "cannot tell", "got the offer all"),
        ({"is_early": pl.col("customer_id") < 5}, "cannot tell", "5 of 400 customers responded"),
        ({"read_out_on": pl.lit(date(2025, 1, 31))}, "not yet", "it is read out on 2025-01"),
        ({"read_out_on": pl.lit(None, pl.Date)}, "cannot tell", "no day was fixed beforehand on which it is read out"),
        ({"is_control": pl.col("before") > pl.col("before").quantile(0.8)}, "cannot tell", "groups differed before"),
        ({"is_taken": pl.lit(False)}, "cannot tell", "the difference may as well be 0"),
    ],
)  # fmt: skip
def test_a_verdict_says_why_it_cannot_tell(change, says, why):
    rows = BASE.with_columns(**change)
    found = verdict(rows, LATER, covariates=["before"]).row(0, named=True)
    assert found["verdict"] == says
    assert found["why"] is None if why is None else why in found["why"]
    if why and "may as well" not in why:
        assert (found["difference"], found["lower"]) == (None, None)


def test_a_lot_that_was_not_drawn_as_meant_is_not_believed():
    assert verdict(BASE, LATER, control_share=0.2)["verdict"][0] == "better"
    assert "80 of 400 were held out where 50 % were to be" in verdict(BASE, LATER, control_share=0.5)["why"][0]


def test_balance_finds_what_differs():
    found = balance(BASE.with_columns(skewed=pl.col("is_control") * 3.0 + pl.col("before") / 1e4), ["before", "skewed"])
    assert found["is_out"].to_list() == [False, True]


def test_groups_with_nothing_in_common_are_out_of_balance():
    """All of control are of one branch and nobody else is: no rank varies within a group."""
    rows = BASE.with_columns(branch=pl.col("is_control").cast(pl.Int8), alike=1)
    assert balance(rows, ["branch", "alike"]).select("apart", "p", "is_out").rows() == [(None, 0, True), (0, 1, False)]
    assert "differed before the offer, in branch" in verdict(rows, LATER, covariates=["branch"])["why"][0]


@pytest.mark.parametrize(
    "is_taken", [True, False, ~pl.col("is_control"), ~pl.col("is_control") & (pl.col("before") > 900)]
)
def test_an_outcome_without_spread_is_not_adjusted(is_taken):
    """Everybody, nobody, or nobody of control responded: a regression would be sure of what it has not seen."""
    found = verdict(BASE.with_columns(is_taken=is_taken), LATER, covariates=["before"]).row(0, named=True)
    assert found["adjusted"] is found["adjusted_lower"] is None
    assert found["lower"] <= found["difference"] <= found["upper"]


def test_bad_rows_are_named():
    with pytest.raises(InputError, match="repeat a campaign_id, customer_id"):
        verdict(BASE.vstack(BASE[:1]), LATER)
    with pytest.raises(InputError, match="several read-out dates"):
        verdict(BASE.with_columns(read_out_on=pl.when(pl.col("customer_id") > 9).then(READ).otherwise(LATER)), LATER)
    with pytest.raises(InputError, match="needs a column money_before"):
        verdict(BASE, LATER, covariates=["money_before"])


def test_past_campaigns_count_openings_alike_in_both_groups():
    campaigns = pl.DataFrame(
        {"campaign_id": ["G1"], "name": "Plan", "product_id": "W02", "from_on": date(2024, 3, 1), "read_out_on": READ}
    )
    offers = pl.DataFrame(
        {
            "campaign_id": "G1", "customer_id": [1, 2, 3, 4], "on": OFFERED,
            "is_control": [False, True, True, False], "responded_on": [None, None, OFFERED, date(2024, 3, 1)],
            "opened_on": [date(2024, 5, 2), None, None, None],
        }
    )  # fmt: skip
    holdings = pl.DataFrame(
        {"customer_id": [2, 4, 9], "product_id": ["W02", "D13", "D13"], "opened_on": [date(2024, 3, 9)] * 3}
    )
    amounts = pl.DataFrame(
        {"customer_id": [1, 1, 1], "month": [date(2024, 1, 31), date(2024, 3, 31), READ], "amount": [60, 10, 30]}
    )
    found = past(offers, campaigns, LATER, holdings=holdings, amounts=amounts)
    assert found.select("customer_id", "is_taken", "is_treated", "is_early").rows() == [
        (1, False, False, False), (2, True, False, False), (3, False, True, False), (4, False, False, True),
    ]  # fmt: skip
    assert found.select("money", "before").row(0) == (20.0, 60.0)
    assert past(offers, campaigns, date(2024, 3, 1)).is_empty()
    with pytest.raises(InputError, match="1 of 1 offers are of a campaign that is not known"):
        past(offers[:1].with_columns(campaign_id=pl.lit("G9")), campaigns, LATER)


@pytest.mark.slow
def test_planted_effects_are_recovered(tmp_path):
    simulate.bank(tmp_path, customers=12_000, months=36, seed=3)
    bank = crm.read(tmp_path, as_of="2025-12-31")
    offers, campaigns = (bank.table(name).collect() for name in ("offers", "campaigns"))
    found = verdict(past(offers, campaigns, date(2025, 12, 31)), date(2025, 12, 31), control_share=0.2)
    known = found.join(simulate.truth(tmp_path, "campaigns"), on="campaign_id")
    assert len(known) >= 5
    assert (known["verdict"] != "worse").all()
    assert known.filter(pl.col("uplift") >= 0.06)["verdict"].to_list() == ["better", "better"]
    # Of two that do nothing both are called better less than once in 1,000 banks, one of them once in 20.
    assert known.filter(pl.col("uplift") == 0, pl.col("verdict") == "better").height <= 1
    held_out = known.filter(pl.col("control_share") > 0)
    assert held_out.filter(pl.col("uplift").is_between("lower", "upper")).height >= len(held_out) - 1
