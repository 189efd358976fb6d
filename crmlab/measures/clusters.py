"""Behaviour clusters: customers of a kind who bank alike, and how far such groups are to be relied on."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import in_order, named
from crmlab.measures.months import complete
from crmlab.policy import Policy
from crmlab.policy.rules import Clusters as Rule

MONTHS = 12  # behaviour has a season: a year of it
POOREST = 2  # months of a year without wages, such as on changing jobs, end no income
FEATURES = (
    "income", "inflow_rate", "salary_rate", "aum", "activity_rate", "n_transactions", "digital_share", "outflow_share",
    "n_lines",
)  # fmt: skip
OWN = ["n_counter", "n_atm", "n_online", "n_mobile", "n_pos"]  # where people act; "system" is the bank's own
STANDING = [
    "customer_id", "month", "kind", "is_open", "balance_days", "days", "n_without_average", "n_lines", "last_active_on",
]  # fmt: skip
PER_MONTH = ("_rate", "_share")  # are between 0 and 1; whatever else there is has a long tail
EXTREME = 5.0  # standard deviations, where one in 26 can stand out by a yes: who is further out counts as that far
STRENGTH = 0.8  # what Tibshirani & Walther call well separated
SAMPLE = 5_000  # customers of a kind that clusters are sought among; all others go to the nearest one
STARTS = 10  # k-means is begun so often, the best end is kept

MEMBERS = {"customer_id": pl.Int32, "kind": pl.String, "cluster": pl.Int8}
QUALITY = {
    "kind": pl.String, "k": pl.Int8, "criterion": pl.Float64, "n": pl.Int64, "stability": pl.Float64,
    "lower": pl.Float64, "upper": pl.Float64, "is_reliable": pl.Boolean,
}  # fmt: skip
PORTRAITS = {"kind": pl.String, "cluster": pl.Int8, "feature": pl.String, "value": pl.Float64, "z": pl.Float64}


@dataclass(frozen=True)
class Clusters:
    """Who is in which cluster, how far that is to be relied on, and what sets each cluster apart.

    `members`: customer_id, kind, cluster (1 is the largest of its kind), ordered by customer. `quality`: a row a kind,
    see `fit`. `portraits`: kind, cluster, feature, value (the median of its members), z (its members' mean, in standard
    deviations of the kind), what differs most first.
    """

    members: pl.DataFrame
    quality: pl.DataFrame
    portraits: pl.DataFrame


def features(
    standing: pl.LazyFrame | pl.DataFrame, customers: pl.LazyFrame | pl.DataFrame, events: pl.LazyFrame | pl.DataFrame
) -> pl.DataFrame:
    """How each customer lived with us over the last twelve months.

    Answers: what do they live on, what do they keep here, how do they bank?

    Only of those with an account open at the end and in each of the twelve months: a shorter life is not comparable.
    Nobody, where the history is shorter.

    Parameters
    ----------
    standing
        As `standing.table` gives it; its last month is the end.
    customers
        As `panel.customers` gives them.
    events
        As `panel.events` gives them.

    Returns
    -------
    pl.DataFrame
        A row a customer, in their order: customer_id, kind; income (what came in from outside in the third poorest
        month: at least that in ten months of twelve), inflow_rate (of months, those in which anything came in),
        salary_rate (with a salary), aum (average; null where an account's is not known), activity_rate (with something
        they did themselves), n_transactions (a month, other than by the system, whoever made them), digital_share (of
        these, online and mobile; 0 without any), outflow_share (the year's outflow, of itself and average AUM
        together), n_lines (open at the end). Money in minor units of the base currency.

    Raises
    ------
    InputError
        When a column or a month is missing, or standing has two rows of a customer and month.

    Examples
    --------
    >>> months = pl.date_range(date(2024, 1, 31), date(2024, 12, 31), "1mo", eager=True).dt.month_end()
    >>> standing = pl.DataFrame({"customer_id": 1, "month": months, "kind": "retail", "is_open": True, "days": 30,
    ...     "balance_days": 30_000, "n_without_average": 0, "n_lines": 2, "last_active_on": date(2024, 1, 9)})
    >>> customers = standing.select("customer_id", "month", inflow=500, outflow=250, n_counter=0, n_atm=1, n_online=0,
    ...     n_mobile=3, n_pos=0)
    >>> paid = pl.DataFrame({"customer_id": [1] * 3, "kind": "salary", "on": months[:3]})
    >>> features(standing, customers, paid).select("income", "salary_rate", "aum", "digital_share", "outflow_share")
    shape: (1, 5)
    ┌────────┬─────────────┬────────┬───────────────┬───────────────┐
    │ income ┆ salary_rate ┆ aum    ┆ digital_share ┆ outflow_share │
    │ ---    ┆ ---         ┆ ---    ┆ ---           ┆ ---           │
    │ f64    ┆ f64         ┆ f64    ┆ f64           ┆ f64           │
    ╞════════╪═════════════╪════════╪═══════════════╪═══════════════╡
    │ 500.0  ┆ 0.25        ┆ 1000.0 ┆ 0.75          ┆ 0.75          │
    └────────┴─────────────┴────────┴───────────────┴───────────────┘
    """
    held, flows, dated = standing.lazy(), customers.lazy(), events.lazy()
    named(held.collect_schema().names(), STANDING, "clusters.features")
    named(flows.collect_schema().names(), ["customer_id", "month", "inflow", "outflow", *OWN], "clusters.features")
    named(dated.collect_schema().names(), ["customer_id", "kind", "on"], "clusters.features")
    window = complete(held)[-MONTHS:]
    rows = (
        _held(held, window)
        .join(_flows(flows, window), on="customer_id", how="left")
        .join(_paid(dated, window), on="customer_id", how="left")
        .with_columns(pl.col("salary_rate").fill_null(0.0))
        .sort("customer_id")
        .collect(engine="streaming")
    )
    if again := int((rows["n"] > rows["n_months"]).sum()):
        first = rows.filter(pl.col("n") > pl.col("n_months"))["customer_id"][0]
        raise InputError(
            f"{again} customers given to clusters.features have a month twice in standing "
            f"(first: customer_id {first}). Give one row each."
        )
    share = pl.col("outflow") / (pl.col("outflow") + pl.col("aum").clip(0))
    return rows.filter("is_open", pl.col("n_months") == MONTHS).select(
        "customer_id",
        pl.col("kind").cast(pl.String),
        *(pl.col(name).cast(pl.Float64) for name in FEATURES[:-2]),
        pl.when(pl.col("aum").is_not_null()).then(share.fill_nan(0.0)).alias("outflow_share"),
        pl.col("n_lines").cast(pl.Float64),
    )


def fit(features: pl.DataFrame, policy: Policy) -> Clusters:
    """Clusters of customers of the same kind, found by k-means among scaled features.

    Answers: who are alike, without being told what to look for, and would we find the same groups again?

    Money and numbers are told in medians of the kind and put on a logarithmic scale, so that currency and price level
    change nothing; then everything in standard deviations, five at most. The number of clusters is the largest whose
    prediction strength (Tibshirani & Walther 2005) is at least 0.8: two random halves of the customers are clustered
    each on its own; of the pairs which one half puts into a cluster, so many are one by the other half's centres, too,
    in the worst cluster. Where none reaches that, it is the strongest. Stability is the adjusted Rand index between
    the clusters and those of customers drawn anew with replacement. Neither row order nor threads change anything.

    Parameters
    ----------
    features
        As `features` gives them, or any: customer_id, kind; every other column is a feature, one that ends in _rate or
        _share is taken as it is. A customer without one of them (an average not known) is in no cluster.
    policy
        How many clusters, customers and resamples; the floor of stability.

    Returns
    -------
    Clusters
        Its quality has kind, k, criterion (mean prediction strength), n (customers), stability (mean adjusted Rand
        index, at most 1), lower and upper (the middle 95 % of the resamples), is_reliable (criterion at least 0.8 and
        stability at least the policy's floor). A kind with fewer customers than the policy asks for is not there.

    Raises
    ------
    InputError
        When a column is missing, there is no feature or one that is no number, or a customer is there twice.

    Examples
    --------
    >>> from crmlab import policy
    >>> rows = pl.DataFrame({"customer_id": range(300), "kind": "retail", "salary_rate": [0.0] * 200 + [1.0] * 100,
    ...     "aum": [10.0] * 200 + [900.0] * 100})
    >>> found = fit(rows, policy.load())
    >>> found.quality.select("k", "n", "stability", "is_reliable").row(0)
    (2, 300, 1.0, True)
    >>> found.portraits.filter(feature="salary_rate").select("cluster", "value").rows()
    [(1, 0.0), (2, 1.0)]
    """
    named(features.columns, ["customer_id", "kind"], "clusters.fit")
    names = [name for name in features.columns if name not in ("customer_id", "kind")]
    if not names:
        raise InputError("clusters.fit has been given no feature. Add columns that tell customers apart.")
    if words := [name for name in names if not features.schema[name].is_numeric()]:
        raise InputError(f"clusters.fit cannot measure with {', '.join(words)}: not numbers. Leave them out.")
    rule = policy.clusters
    numbers = features.with_columns(pl.col(names).cast(pl.Float64).fill_nan(None))
    known = in_order(numbers, ["customer_id"], "clusters.fit").drop_nulls(names)
    found = [
        _of_kind(rows, names, rule)
        for _, rows in sorted(known.group_by("kind", maintain_order=True), key=lambda group: group[0])
        if rows.height >= rule.least
    ]
    tables = [
        pl.concat([pl.DataFrame(schema=schema), *(parts[i].cast(schema) for parts in found)])
        for i, schema in enumerate((MEMBERS, QUALITY, PORTRAITS))
    ]
    return Clusters(tables[0].sort("customer_id"), *tables[1:])


def _held(rows: pl.LazyFrame, window: list[date]) -> pl.LazyFrame:
    at_end = pl.col("month") == window[-1]
    acted = (pl.col("last_active_on") >= pl.col("month").dt.month_start()).fill_null(False)
    average = pl.col("balance_days").sum() / pl.col("days").sum()
    return (
        rows.filter(pl.col("month") >= window[0])
        .group_by("customer_id")
        .agg(
            pl.col("kind").max(),
            n=pl.len(),
            n_months=pl.col("month").n_unique(),
            is_open=(pl.col("is_open") & at_end).any(),
            n_lines=pl.col("n_lines").filter(at_end).max(),
            aum=pl.when(pl.col("n_without_average").sum() == 0).then(average),
            activity_rate=acted.mean(),
        )
    )


def _flows(rows: pl.LazyFrame, window: list[date]) -> pl.LazyFrame:
    own, digital = pl.sum_horizontal(OWN).sum(), (pl.col("n_online") + pl.col("n_mobile")).sum()
    return (
        rows.filter(pl.col("month").is_between(window[0], window[-1]))
        .group_by("customer_id", "month")
        .agg(pl.col("inflow", "outflow").sum(), own=own, digital=digital)
        .group_by("customer_id")
        .agg(
            income=pl.col("inflow").quantile(POOREST / (MONTHS - 1), "nearest").clip(0),
            inflow_rate=(pl.col("inflow") > 0).mean(),
            outflow=pl.col("outflow").sum().clip(0),
            n_transactions=pl.col("own").sum() / MONTHS,
            digital_share=(pl.col("digital").sum() / pl.col("own").sum()).fill_nan(0.0),
        )
    )


def _paid(rows: pl.LazyFrame, window: list[date]) -> pl.LazyFrame:
    """The share of months with a salary, of those who had one."""
    month = pl.col("on").dt.month_end()
    return (
        rows.filter(pl.col("kind").cast(pl.String) == "salary", month.is_between(window[0], window[-1]))
        .group_by("customer_id")
        .agg(salary_rate=month.n_unique() / MONTHS)
    )


def _of_kind(rows: pl.DataFrame, names: list[str], rule: Rule) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Members, quality and portraits of one kind."""
    from sklearn.cluster import KMeans  # noqa: F401, only what is loaded can be held to one thread
    from sklearn.exceptions import ConvergenceWarning
    from threadpoolctl import threadpool_limits

    points = _scaled(rows.select(names))
    sought = points
    if len(points) > SAMPLE:
        sought = points[np.sort(np.random.default_rng(rule.seed).choice(len(points), SAMPLE, replace=False))]
    # Threads add up in an order of their own; customers all alike make fewer clusters than were asked for.
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        k, strength = _number(sought, rule)
        model = _means(sought, k, rule.seed)
        agreed = list(_agreement(sought, model.labels_, k, rule))
        labels = _by_size(model.predict(points), model.cluster_centers_)
    kind, stability = rows["kind"][0], float(np.mean(agreed))
    lower, upper = np.quantile(agreed, (0.025, 0.975))
    is_reliable = strength >= STRENGTH and stability >= rule.floor / 1_000_000
    quality = [[kind, k, strength, len(points), stability, float(lower), float(upper), is_reliable]]
    members = rows.select("customer_id", "kind", cluster=pl.Series(labels))
    return members, pl.DataFrame(quality, QUALITY, orient="row"), _portraits(rows, names, points, labels)


def _scaled(columns: pl.DataFrame) -> np.ndarray:
    """A row of comparable numbers a customer; a feature that is the same for all is 0."""
    points = np.zeros(columns.shape)
    for i, name in enumerate(columns.columns):
        values = columns[name].to_numpy()
        if not name.endswith(PER_MONTH):
            values = np.maximum(values, 0.0)
            values = np.log1p(values / np.median(values[values > 0])) if values.any() else values
        spread = values.std()
        if spread > 1e-9:
            points[:, i] = np.clip((values - values.mean()) / spread, -EXTREME, EXTREME)
    return points


def _means(points: np.ndarray, k: int, seed: int):
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=STARTS, random_state=seed % 2**32).fit(points)


def _number(points: np.ndarray, rule: Rule) -> tuple[int, float]:
    """How many clusters, and their prediction strength."""
    low, high = rule.k
    strengths: dict[int, float] = {}
    for k in range(high, low - 1, -1):
        strengths[k] = _strength(points, k, rule)
        if strengths[k] >= STRENGTH:
            return k, strengths[k]
    k = max(sorted(strengths), key=strengths.get)
    return k, strengths[k]


def _strength(points: np.ndarray, k: int, rule: Rule) -> float:
    """Mean prediction strength of k clusters over random halves, each told by the other."""
    rng, half, found = np.random.default_rng(rule.seed), len(points) // 2, []
    for turn in range(rule.resamples):
        order = rng.permutation(len(points))
        halves = points[order[:half]], points[order[half:]]
        models = [_means(part, k, rule.seed + turn) for part in halves]
        for part, own, other in zip(halves, models, reversed(models), strict=True):
            together = np.zeros((k, k))
            np.add.at(together, (own.labels_, other.predict(part)), 1)
            size = together.sum(axis=1)
            pairs = np.maximum(size * (size - 1), 1)  # a cluster of one or none has no pair: its strength is 0
            found.append(((together * (together - 1)).sum(axis=1) / pairs).min())
    return float(np.mean(found))


def _agreement(points: np.ndarray, labels: np.ndarray, k: int, rule: Rule) -> Iterator[float]:
    """The adjusted Rand index between the clusters and those of each resample."""
    from sklearn.metrics import adjusted_rand_score

    rng = np.random.default_rng(rule.seed)
    for turn in range(rule.resamples):
        drawn = points[rng.integers(0, len(points), len(points))]
        yield adjusted_rand_score(labels, _means(drawn, k, rule.seed + turn).predict(points))


def _by_size(labels: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Clusters numbered from 1, the largest first; where two are as large, by their centres."""
    size = np.bincount(labels, minlength=len(centres))
    order = sorted(range(len(centres)), key=lambda cluster: (-size[cluster], *centres[cluster]))
    number = np.empty(len(centres), np.int8)
    number[order] = np.arange(1, len(centres) + 1)
    return number[labels]


def _portraits(rows: pl.DataFrame, names: list[str], points: np.ndarray, labels: np.ndarray) -> pl.DataFrame:
    told = []
    for cluster in range(1, int(labels.max()) + 1):
        mine = labels == cluster
        medians = rows.select(names).filter(mine).median().row(0)
        z = points[mine].mean(axis=0)
        told += [
            (rows["kind"][0], cluster, names[i], float(medians[i]), float(z[i]))
            for i in sorted(range(len(names)), key=lambda i: (-abs(z[i]), i))
        ]
    return pl.DataFrame(told, PORTRAITS, orient="row")
