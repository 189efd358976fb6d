"""Fairness on books small enough to count, against counting by hand, and what must hold on any."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmlab.errors import InputError
from crmlab.measures import managers
from crmlab.measures.managers import expected, funnel, shrinkage
from crmlab.measures.managers.fairness import assessment
from tests.books_of_managers import drawn

TOLD = ["n_customers", "n_merged", "n_alone", "n", "observed", "expected", "error", "wide_error", "spread"]


def brute_expectation(rows: list[dict], factors: list[str], kept: int, kind: str) -> dict[int, dict]:
    """Customer by customer: who of the others is like this one, and what do they do?"""
    told = {}
    for manager in {row["manager_id"] for row in rows}:
        mine = [row for row in rows if row["manager_id"] == manager]
        own = {row["customer_id"] for row in mine}
        others = [row for row in rows if row["manager_id"] != manager and row["customer_id"] not in own]
        sums, used, residuals = dict.fromkeys(TOLD, 0), {}, []
        for row in mine:
            for depth in range(len(factors), kept - 1, -1):
                key = tuple(row[name] for name in factors[:depth])
                like = [one for one in others if tuple(one[name] for name in factors[:depth]) == key]
                people, those = ({one[name] for one in like} for name in ("customer_id", "manager_id"))
                if len(people) >= expected.LEAST_PEERS and len(those) >= expected.LEAST_OTHERS:
                    break
            else:
                sums["n_alone"] += 1
                continue
            mean = sum(one["value"] for one in like) / sum(one["n"] for one in like)
            squares = sum((one["value"] - one["n"] * mean) ** 2 for one in like)
            of_one = squares / sum(one["n"] ** 2 for one in like) * len(like) / (len(like) - 1)
            sums["n_customers"] += 1
            sums["n_merged"] += depth < len(factors)
            sums["n"] += row["n"]
            sums["observed"] += row["value"]
            sums["expected"] += row["n"] * mean
            sums["spread"] += row["n"] * of_one**0.5
            sums["error"] += of_one * row["n"] ** 2
            residuals.append(row["value"] - row["n"] * mean)
            of_mean = of_one * sum(one["n"] ** 2 for one in like) / sum(one["n"] for one in like) ** 2
            before, _ = used.get(key, (0, 0))
            used[key] = before + row["n"], of_mean
        own = np.var(residuals, ddof=1) * len(residuals) if kind == "amount" and len(residuals) > 1 else 0
        of_others = sum(n**2 * of_mean for n, of_mean in used.values())
        sums["wide_error"] = (max(sums["error"], own) + of_others) ** 0.5
        sums["error"] = (sums["error"] + of_others) ** 0.5
        told[manager] = sums
    return told


@pytest.mark.parametrize("kind", ["rate", "amount"])
@pytest.mark.parametrize("kept", [0, 1, 2])
@pytest.mark.parametrize("shared", [0, 200, 350])
def test_expectation_is_what_counting_gives(kind, kept, shared):
    rng, n = np.random.default_rng(kept), 400
    credit, customer = rng.integers(1, 4, n), np.arange(n)
    customer[n - shared :] -= shared // 2  # who are with two managers, but for the few who are with one twice
    frame = pl.DataFrame({
        "manager_id": rng.integers(0, 6, n), "customer_id": customer, "kind": rng.binomial(1, 0.05, n)[customer],
        "tier": rng.binomial(3, 0.3, n)[customer], "n": credit,
        "value": rng.binomial(credit, 0.3) if kind == "rate" else rng.integers(-900, 10**6, n),
    })  # fmt: skip
    frame = frame.group_by("manager_id", "customer_id", "kind", "tier").agg(pl.col("n", "value").sum())
    told = managers.expectation(frame, ["kind", "tier"], kind=kind, kept=kept)
    by_hand = brute_expectation(frame.to_dicts(), ["kind", "tier"], kept, kind)
    assert told["n_merged"].sum() + told["n_alone"].sum() > 0
    for row in told.iter_rows(named=True):
        assert [row[name] or 0 for name in TOLD] == pytest.approx(list(by_hand[row["manager_id"]].values()), rel=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["rate", "amount"]), scale=st.sampled_from([1, 100]))
def test_order_and_currency_change_nothing(seed, kind, scale):
    rows, _ = drawn(np.random.default_rng(seed), 12, kind=kind, added=0.2)
    scale = scale if kind == "amount" else 1
    told = assessment(rows, ["tier"], kind=kind)
    other = assessment(
        rows.sample(fraction=1, shuffle=True, seed=seed).with_columns(pl.col("value") * scale), ["tier"], kind=kind
    )
    assert scale != 1 or other.equals(told)  # to the last digit
    assert other["verdict"].to_list() == told["verdict"].to_list()
    for name in ("expected", "error"):
        assert other[name].to_list() == pytest.approx((told[name] * scale).to_list(), rel=1e-6, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_a_book_of_any_mix_is_as_expected_where_all_customers_of_a_tier_do_the_same(seed):
    rows, _ = drawn(np.random.default_rng(seed), 12, kind="amount")
    told = assessment(rows.with_columns(value=10 ** (pl.col("tier") + 3)), ["tier"], kind="amount")
    assert told["expected"].to_list() == pytest.approx(told["observed"].to_list())
    assert told["verdict"].unique().to_list() == ["too few to say"]
    assert told["why"].unique().to_list() == ["customers like these all do the same"]


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), kind=st.sampled_from(["rate", "amount"]))
def test_limits_and_scores_say_the_same(seed, kind):
    rows, _ = drawn(np.random.default_rng(seed), 30, kind=kind, added=0.3, heavy=True)
    told = assessment(rows, ["tier"], kind=kind).drop_nulls("score")
    outside = (told["observed"] > told["limit_upper"]) | (told["observed"] < told["limit_lower"])
    assert outside.to_list() == (told["score"].abs() > funnel.Z_LIMIT).to_list()
    outside = (told["observed"] > told["watch_upper"]) | (told["observed"] < told["watch_lower"])
    assert outside.to_list() == (told["score"].abs() > 1.959963984540054).to_list()
    assert (told["limit_lower"] <= told["watch_lower"]).all()
    assert (told["rank_lower"] <= told["rank"]).all()
    assert (told["rank"] <= told["rank_upper"]).all()
    assert (told["lower"] <= told["long_run"]).all()


def test_the_few_who_stand_out_are_told_and_nobody_else():
    rows, _ = drawn(np.random.default_rng(11), 40)
    lucky = pl.col("manager_id").is_in([3, 8]) & (pl.col("customer_id") % 2 == 0)
    lazy = (pl.col("manager_id") == 20) & (pl.col("customer_id") % 4 > 0)
    value = pl.when(lucky).then(1).when(lazy).then(0).otherwise("value")
    told = assessment(rows.with_columns(value=value), ["tier"])
    found = {name: of["manager_id"].to_list() for (name,), of in told.partition_by("verdict", as_dict=True).items()}
    assert (found["clearly above"], found["clearly below"]) == ([3, 8], [20])
    assert told.filter(pl.col("manager_id").is_in([3, 8]))["rank_upper"].max() <= 4


def test_own_customers_do_not_raise_their_own_expectation():
    rows, _ = drawn(np.random.default_rng(12), 12)
    better = rows.with_columns(value=pl.when(pl.col("manager_id") == 5).then(1).otherwise("value"))
    one, other = (managers.expectation(frame, ["tier"]).filter(manager_id=5) for frame in (rows, better))
    assert one["expected"].item() == pytest.approx(other["expected"].item())
    assert one["observed"].item() < other["observed"].item()


def test_customers_shared_with_a_colleague_do_not_raise_the_expectation_either():
    """Two share 100 customers who do twice as much as the 200 of the others: of half a customer 50 is expected."""
    rows = [(who, i, 0.5, 100) for who in (0, 1) for i in range(100)]
    rows += [(2 + i % 4, 100 + i, 1.0, 100) for i in range(200)]
    frame = pl.DataFrame(rows, ["manager_id", "customer_id", "n", "value"], orient="row").with_columns(tier=0)
    told = managers.expectation(frame, ["tier"], kind="amount").filter(pl.col("manager_id") < 2)
    assert told["expected"].to_list() == pytest.approx([5_000, 5_000])
    # Where there is nobody but the two, nobody is like their customers.
    with pytest.raises(InputError, match="No customer can be compared"):
        managers.expectation(frame.filter(pl.col("manager_id") < 2), ["tier"], kind="amount")


def test_a_year_and_another_are_assessed_apart():
    rng = np.random.default_rng(13)
    (first, _), (second, _) = drawn(rng, 15), drawn(rng, 15, added=0.3)
    both = pl.concat([first.with_columns(year=2024), second.with_columns(year=2025)])
    told = assessment(both, ["tier"], by=["year"])
    for year, rows in ((2024, first), (2025, second)):
        alone = assessment(rows, ["tier"])
        assert told.filter(year=year).drop("year").equals(alone, null_equal=True)


def test_shrunk_values_lie_between_the_estimate_and_the_middle():
    rng = np.random.default_rng(14)
    estimate, error = rng.normal(3, 1, 50), rng.uniform(0.1, 3, 50)
    found = shrinkage.shrunk(estimate, error)
    assert (np.abs(found.value - found.middle) <= np.abs(estimate - found.middle)).all()
    assert (np.diff(found.weight[np.argsort(error)]) >= 0).all()
    assert found.weight[np.argmin(error)] < 0.1 < 0.6 < found.weight[np.argmax(error)]


def test_estimates_far_from_a_known_middle_are_not_drawn_to_it():
    """All are 100 away from where they should be, with errors of 1: true values differ from it by 100."""
    found = shrinkage.shrunk(np.zeros(6), np.ones(6), towards=100.0)
    assert found.between == pytest.approx(np.sqrt(9_999))
    assert np.abs(found.value).max() < 0.01


def test_a_shared_customer_counts_for_each_by_share():
    rows, _ = drawn(np.random.default_rng(15), 12)
    moved = rows.filter(pl.col("customer_id") == 0).with_columns(n=pl.lit(0.25), value=pl.col("value") * 0.25)
    rest = moved.with_columns(manager_id=pl.lit(7, pl.Int64), n=pl.lit(0.75), value=pl.col("value") * 3)
    cut = pl.concat([rows.filter(pl.col("customer_id") > 0), moved, rest], how="vertical_relaxed")
    told = managers.expectation(cut, ["tier"])
    assert told["n"].sum() == pytest.approx(len(rows))
    assert told["observed"].sum() == pytest.approx(rows["value"].sum())


SAID = {
    "no customers": "no customers in this period",
    "nobody like them": "none of 25 customers has enough like it at other managers",
    "few": "only 10 customers to compare, fewer than 20",
    "whale": "it hangs on few: as good as",
}


def test_what_cannot_be_said_is_said():
    rows, _ = drawn(np.random.default_rng(16), 20, kind="amount")
    rows = rows.with_columns(pl.col("manager_id").cast(pl.String))
    whale = (pl.col("manager_id") == "4") & (pl.col("customer_id") == pl.col("customer_id").min().over("manager_id"))
    rows = rows.with_columns(value=pl.when(whale).then(10**10).otherwise("value"))
    alone = rows.head(25).with_columns(
        manager_id=pl.lit("nobody like them"), tier=pl.lit(9), customer_id=-pl.col("customer_id") - 1
    )
    few = rows.head(10).with_columns(manager_id=pl.lit("few"), customer_id=-pl.col("customer_id") - 100)
    told = assessment(
        pl.concat([rows, alone.cast(rows.schema), few.cast(rows.schema)]), ["tier"], kind="amount",
        managers=["no customers", *rows["manager_id"].unique()],
    )  # fmt: skip
    why = dict(told.select("manager_id", "why").iter_rows()) | {"whale": told.filter(manager_id="4")["why"].item()}
    assert {name: why[name][: len(said)] for name, said in SAID.items()} == SAID
    assert told.filter(pl.col("why") != "")["verdict"].unique().to_list() == ["too few to say"]


def test_cases_of_money_are_counted_as_customers():
    """Of 60 customers one has ten times what each other has, and most keep all: as good as 30 alike, of whom 3 lose."""
    rows = [(who, 100 * who + i, 1_000 if i == 0 else 100, i) for who in range(12) for i in range(60)]
    frame = pl.DataFrame(rows, ["manager_id", "customer_id", "n", "i"], orient="row")
    told = assessment(frame.with_columns(tier=0, value=pl.when(pl.col("i") % 10 == 5).then(0).otherwise("n")), ["tier"])
    assert told.select("observed", "expected").unique().rows() == [(6_300, 6_300.0)]
    assert told["why"].unique().to_list() == ["only 2.6 cases are expected without one, fewer than 5"]


def test_of_few_managers_nothing_is_said():
    told = assessment(drawn(np.random.default_rng(17), 9)[0], ["tier"])
    assert told["why"].unique().to_list() == ["only 9 managers can be compared, fewer than 10"]
    assert told["long_run"].null_count() == told["score"].null_count() == 9
    assert told["observed_to_expected"].null_count() == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"n": pl.lit(0)}, "have less credit than came of it"),
        ({"n": pl.lit(-1)}, "have less credit than came of it"),
        ({"value": pl.lit(2)}, "have less credit than came of it"),
        ({"value": pl.lit(None, pl.Int64)}, "have no value. Fill it"),
        ({"value": pl.lit(float("nan"))}, "is no number"),
        ({"customer_id": pl.col("customer_id") // 100}, "change tier within the period (first: 0)"),
        (
            {"manager_id": pl.lit(1)},
            "No customer can be compared: within tier, none has 30 like it at 3 other managers",
        ),
        ({"tier": pl.col("manager_id")}, "No customer can be compared"),
    ],
)
def test_bad_input_is_a_sentence(change, said):
    rows, _ = drawn(np.random.default_rng(18), 12)
    with pytest.raises(InputError, match=said.replace("(", r"\(").replace(")", r"\)")):
        assessment(rows.with_columns(**change), ["tier"])


def test_unknown_kinds_and_columns_are_named():
    rows, _ = drawn(np.random.default_rng(19), 12)
    with pytest.raises(InputError, match=r"knows rates and amounts, not share"):
        assessment(rows, ["tier"], kind="share")
    with pytest.raises(InputError, match=r"needs a column teir"):
        assessment(rows, ["teir"])
    with pytest.raises(InputError, match=r"3 estimates say too little"):
        shrinkage.shrunk(np.ones(3), np.ones(3))
    with pytest.raises(InputError, match=r"1 of 5 estimates have no error above 0"):
        shrinkage.shrunk(np.ones(5), np.array([1.0, 0, 1, 1, 1]))


def audited(n: int = 40, follows: float = 0.0, seed: int = 20) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    start = np.exp(rng.normal(16, 1, n))
    achieved = 1 + follows * np.log2(start / np.exp(16)) + rng.normal(0, 0.1, n)
    target = rng.integers(10**6, 10**7, n)
    return pl.DataFrame({
        "manager_id": range(n), "start": start.astype(int), "value": (achieved * target).astype(int), "target": target,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("follows", "finding"), [(0.1, "follows the book"), (-0.1, "runs against the book"), (0.0, "does not show")]
)
def test_targets_that_pay_for_the_book_are_found(follows, finding):
    row = managers.target_audit(audited(follows=follows)).row(0, named=True)
    assert row["finding"] == finding
    assert row["slope_lower"] < follows < row["slope_upper"]
    assert f"{abs(100 * row['slope']):.1f} points {'less' if row['slope'] < 0 else 'more'}" in row["told"]


def test_targets_missing_are_counted_and_too_few_say_nothing():
    rows = audited().with_columns(target=pl.when(pl.col("manager_id") < 32).then(None).otherwise("target"))
    row = managers.target_audit(rows).row(0, named=True)
    assert (row["n_managers"], row["n_without"], row["finding"], row["slope"]) == (8, 32, "too few to say", None)
    assert row["told"].endswith("8 managers have a target and a book, fewer than 10.")
    with pytest.raises(InputError, match="None of 40 managers"):
        managers.target_audit(rows.with_columns(target=pl.lit(0)))
    same = managers.target_audit(audited().with_columns(value="target")).row(0, named=True)
    assert same["told"] == "Nothing can be said of the targets: all achieved the same."


@pytest.mark.slow
def test_audit_intervals_cover_and_fair_targets_are_seldom_told_unfair():
    held, told = np.zeros(2), 0
    for seed in range(1000):
        row = managers.target_audit(audited(seed=seed)).row(0, named=True)
        held += row["slope_lower"] <= 0 <= row["slope_upper"], row["correlation_lower"] <= 0 <= row["correlation_upper"]
        told += row["finding"] != "does not show"
    assert ((held >= 930) & (held <= 970)).all(), held
    assert told <= 73  # the 99.9 % quantile of 1,000 fair bills at 5 %
