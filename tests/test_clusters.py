"""Clusters: by hand on a few customers, on groups that are plain to see, on none, and on the simulated bank."""

import subprocess
import sys
from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_limits

import crmlab as crm
from crmlab import policy, simulate
from crmlab.errors import InputError
from crmlab.measures import clusters, standing

POLICY = policy.load()
QUICK = replace(POLICY, clusters=replace(POLICY.clusters, resamples=5))
MONTHS = pl.date_range(date(2024, 1, 31), date(2025, 1, 31), "1mo", eager=True).dt.month_end()


def held(customer_id: int, **columns) -> pl.DataFrame:
    """Thirteen months of standing of a customer, the last twelve of which count."""
    usual = {
        "kind": "retail", "is_open": True, "days": 30, "balance_days": 3_000, "n_without_average": 0, "n_lines": 1,
        "last_active_on": None,
    }  # fmt: skip
    return pl.DataFrame({"customer_id": customer_id, "month": MONTHS} | usual | columns).cast(
        {"last_active_on": pl.Date}
    )


def moved(customer_id: int, **columns) -> pl.DataFrame:
    """What moved in each of the thirteen months."""
    usual = dict.fromkeys(("inflow", "outflow", *clusters.OWN), 0)
    return pl.DataFrame({"customer_id": customer_id, "month": MONTHS} | usual | columns)


def salaries(*days: tuple[int, date]) -> pl.DataFrame:
    rows = [(customer, on, "salary") for customer, on in days]
    return pl.DataFrame(rows, {"customer_id": pl.Int64, "on": pl.Date, "kind": pl.String}, orient="row")


FAR = 9_999  # in the month before the year: not to be seen


@pytest.mark.parametrize(
    ("feature", "standing_columns", "flow_columns", "paid", "expected"),
    [
        ("income", {}, {"inflow": [FAR, 0, 0, *[70] * 10]}, [], 70.0),
        ("income", {}, {"inflow": [FAR, 0, 0, 0, *[70] * 9]}, [], 0.0),
        ("inflow_rate", {}, {"inflow": [FAR, 0, 0, 0, *[70] * 9]}, [], 0.75),
        ("salary_rate", {}, {}, [date(2024, 1, 9), date(2024, 2, 1), date(2024, 2, 9), date(2025, 1, 31)], 2 / 12),
        ("aum", {"balance_days": [FAR, *[6_000] * 12]}, {}, [], 200.0),
        ("aum", {"n_without_average": [0] * 12 + [1]}, {}, [], None),
        ("outflow_share", {"n_without_average": [0] * 12 + [1]}, {"outflow": 5}, [], None),
        ("activity_rate", {"last_active_on": MONTHS[:7].to_list() + [MONTHS[6]] * 6}, {}, [], 0.5),
        ("n_transactions", {}, {"n_pos": [FAR, *[3] * 12], "n_mobile": 1}, [], 4.0),
        ("digital_share", {}, {"n_pos": 3, "n_mobile": 1, "n_online": 2}, [], 0.5),
        ("digital_share", {}, {}, [], 0.0),
        ("outflow_share", {}, {"outflow": [FAR, 100, *[0] * 11]}, [], 0.5),
        ("outflow_share", {"balance_days": 0}, {}, [], 0.0),
        ("n_lines", {"n_lines": [*[1] * 12, 4]}, {}, [], 4.0),
    ],
)
def test_a_feature_is_what_it_says(feature, standing_columns, flow_columns, paid, expected):
    found = clusters.features(
        held(7, **standing_columns), moved(7, **flow_columns), salaries(*((7, day) for day in paid))
    )
    assert found.columns == ["customer_id", "kind", *clusters.FEATURES]
    assert found[feature].to_list() == [pytest.approx(expected) if expected is not None else None]


def test_only_those_open_at_the_end_and_all_year_have_features():
    rows = pl.concat([held(1), held(2, is_open=[True] * 12 + [False]), held(3).slice(2)])
    flows = pl.concat([moved(n) for n in (1, 2, 3)])
    assert clusters.features(rows.lazy(), flows.lazy(), salaries().lazy())["customer_id"].to_list() == [1]
    early = pl.col("month") < MONTHS[11]
    assert clusters.features(rows.filter(early), flows, salaries()).is_empty()


def test_what_comes_after_the_last_month_of_standing_changes_nothing():
    rows = held(1)[:-1]
    found = clusters.features(rows, moved(1, inflow=5)[:-1], salaries())
    after = clusters.features(rows, moved(1, inflow=[5] * 12 + [900]), salaries((1, MONTHS[-1])))
    assert found.equals(after)


@pytest.mark.parametrize(
    ("rows", "flows", "events", "words"),
    [
        (held(1).drop("days"), moved(1), salaries(), "features needs a column days"),
        (held(1), moved(1).drop("n_atm"), salaries(), "features needs a column n_atm"),
        (held(1), moved(1), salaries().drop("on"), "features needs a column on"),
        (held(1).clear(), moved(1), salaries(), "no row is left"),
        (held(1).filter(pl.col("month") != MONTHS[4]), moved(1), salaries(), "no rows of 2024-05"),
        (pl.concat([held(1), held(1)[-1:]]), moved(1), salaries(), "month twice in standing .first: customer_id 1"),
    ],
)
def test_frames_that_do_not_fit_are_told(rows, flows, events, words):
    with pytest.raises(InputError, match=words):
        clusters.features(rows, flows, events)


def groups(n: int = 120, seed: int = 3) -> pl.DataFrame:
    """Three ways of life, the third twice as common: paid and spending, rich and quiet, asleep."""
    rng = np.random.default_rng(seed)
    way = np.repeat([0, 1, 2, 2], n)
    noise = rng.normal(size=(len(way), 3))
    return pl.DataFrame({
        "customer_id": np.arange(len(way)),
        "kind": "retail",
        "aum": np.exp(np.array([9.0, 13.0, 7.0])[way] + 0.3 * noise[:, 0]).round(),
        "income": np.exp(np.array([8.0, 4.0, 2.0])[way] + 0.3 * noise[:, 1]).round(),
        "activity_rate": np.clip(np.array([0.9, 0.3, 0.0])[way] + 0.08 * noise[:, 2], 0, 1),
        "way": way,
    })  # fmt: skip


GROUPS = groups()


def fitted(rows: pl.DataFrame) -> clusters.Clusters:
    return clusters.fit(rows.drop("way", strict=False), QUICK)


@pytest.fixture(scope="module")
def found() -> clusters.Clusters:
    return fitted(GROUPS)


def test_ways_of_life_that_are_plain_to_see_are_found(found):
    row = found.quality.row(0, named=True)
    assert (row["kind"], row["k"], row["n"], row["is_reliable"]) == ("retail", 3, 480, True)
    assert row["criterion"] > 0.95
    assert 0.95 < row["lower"] <= row["stability"] <= row["upper"] <= 1
    pairs = found.members.join(GROUPS, on="customer_id").select("way", "cluster").unique()
    assert pairs.height == 3
    assert pairs.filter(way=2)["cluster"].item() == 1  # the largest


def test_a_portrait_tells_what_sets_a_cluster_apart_most_first(found):
    size = found.portraits.group_by("cluster").len()
    assert size["len"].to_list() == [3, 3, 3]
    for rows in found.portraits.partition_by("cluster"):
        assert rows["z"].abs().is_sorted(descending=True)
    asleep = found.portraits.filter(cluster=1, feature="aum").row(0, named=True)
    assert asleep["value"] == GROUPS.filter(way=2)["aum"].median()
    assert asleep["z"] < -0.5
    weighted = found.portraits.join(found.members.group_by("cluster").len(), on="cluster")
    means = weighted.group_by("feature").agg((pl.col("z") * pl.col("len")).sum())
    assert means["z"].abs().max() < 1e-6 * 480


def same(one: clusters.Clusters, other: clusters.Clusters) -> bool:
    return one.members.equals(other.members) and one.quality.equals(other.quality)


def test_order_of_rows_currency_and_threads_change_nothing(found):
    assert same(found, fitted(GROUPS.sample(fraction=1, shuffle=True, seed=1)))
    assert same(found, fitted(GROUPS.with_columns(pl.col("aum", "income") * 128)))
    with threadpool_limits(2):
        assert same(found, fitted(GROUPS))


def test_one_who_is_far_out_makes_no_cluster(found):
    giant = GROUPS[:1].with_columns(customer_id=pl.lit(999, pl.Int64), aum=1e15, income=1e15)
    members = fitted(pl.concat([GROUPS, giant])).members
    assert members["cluster"].n_unique() == 3
    assert members.filter(pl.col("customer_id") != 999).equals(found.members)


def test_kinds_are_apart_and_small_ones_are_not_there(found):
    firms = GROUPS.with_columns(kind=pl.lit("corporate"), customer_id=pl.col("customer_id") + 1000)
    few = GROUPS[: POLICY.clusters.least - 1].with_columns(
        kind=pl.lit("institution"), customer_id=pl.col("customer_id") + 5000
    )
    both = fitted(pl.concat([firms, few, GROUPS]))
    assert both.quality["kind"].to_list() == ["corporate", "retail"]
    assert both.members.filter(kind="retail").equals(found.members)
    assert both.members["customer_id"].is_sorted()


def test_whose_feature_is_not_known_is_in_no_cluster(found):
    gap = GROUPS[:2].with_columns(customer_id=pl.Series([900, 901]), aum=pl.Series([None, float("nan")]))
    assert same(found, fitted(pl.concat([GROUPS, gap])))


@pytest.mark.parametrize("spread", [0.0, 1.0], ids=["all alike", "no groups"])
def test_where_there_are_no_groups_none_are_to_be_relied_on(spread):
    rng = np.random.default_rng(5)
    columns = {f"f{i}_rate": spread * rng.normal(size=400) for i in range(6)}
    found = clusters.fit(pl.DataFrame({"customer_id": range(400), "kind": "retail"} | columns), QUICK)
    assert found.quality["is_reliable"].to_list() == [False]
    assert found.members.height == 400


def test_below_the_floor_of_the_policy_clusters_are_not_to_be_relied_on():
    strict = replace(QUICK, clusters=replace(QUICK.clusters, floor=1_000_001))
    quality = clusters.fit(GROUPS.drop("way"), strict).quality
    assert (quality["k"].item(), quality["is_reliable"].item()) == (3, False)


def test_more_customers_than_are_needed_go_to_the_nearest_cluster(monkeypatch):
    monkeypatch.setattr(clusters, "SAMPLE", 300)
    found = fitted(GROUPS)
    assert found.quality["n"].item() == 480
    assert found.members.join(GROUPS, on="customer_id").select("way", "cluster").n_unique() == 3


def test_nobody_to_cluster_is_no_error_and_needs_no_library():
    lines = (
        "import sys, polars as pl; from crmlab import policy; from crmlab.measures import clusters",
        "rows = pl.DataFrame({'customer_id': [1], 'kind': ['retail'], 'aum': [1.0]})",
        "found = clusters.fit(rows, policy.load())",
        "print(found.members.height, found.quality.columns[0], found.portraits.height, 'sklearn' in sys.modules)",
    )
    run = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["0", "kind", "0", "False"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (GROUPS.drop("kind"), "clusters.fit needs a column kind"),
        (GROUPS.select("customer_id", "kind"), "no feature"),
        (GROUPS.with_columns(name=pl.lit("Li")), "cannot measure with name"),
        (pl.concat([GROUPS, GROUPS[5:6]]), "repeat a customer_id .first: 5"),
    ],
)
def test_features_that_do_not_fit_are_told(rows, words):
    with pytest.raises(InputError, match=words):
        clusters.fit(rows, QUICK)


@pytest.mark.parametrize("seed", [11, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (23, 47))])
def test_planted_ways_of_life_are_recovered(seed, tmp_path):
    """Of those who lived by one profile all year: leavers and those who fell asleep lived by two.

    Five clusters for six profiles: students and pensioners both live on a small sum a month that is no salary.
    """
    from sklearn.metrics import adjusted_rand_score

    folder = simulate.bank(tmp_path / "bank", customers=2_000, months=24, seed=seed)
    bank = crm.read(folder, as_of=None, landed=tmp_path / "landed")
    customers, events = (
        frame.collect() for frame in (crm.panel.customers(crm.panel.facts(bank), bank), crm.panel.events(bank))
    )
    who = bank.table("customers").select("customer_id", "customer_no", pl.col("kind").cast(pl.String)).collect()
    nothing = dict.fromkeys((*POLICY.contribution.components, "points"), 0)
    earned = customers.select("customer_id", "month").unique().with_columns(**{name: pl.lit(0) for name in nothing})
    rows = standing.table(customers, earned, who.with_columns(first_on=bank.history_from), POLICY)
    found = clusters.fit(clusters.features(rows, customers, events), POLICY)

    planted = simulate.truth(folder, "segments").rename({"customer_id": "customer_no"})
    left = simulate.truth(folder, "leavers")["customer_id"]
    changed = planted.filter(pl.col("to_on").is_not_null())["customer_no"]
    retail = found.members.filter(kind="retail").join(who, on="customer_id").join(planted, on="customer_no")
    steady = retail.filter(~pl.col("customer_no").is_in(pl.concat([left, changed]).implode()))
    assert len(steady) > 0.85 * found.quality.filter(kind="retail")["n"].item()
    assert adjusted_rand_score(steady["segment"], steady["cluster"]) >= 0.8
    assert found.quality.filter(kind="retail")["is_reliable"].item()
