"""Who does more than their book would do anyway, how much of that will last, and of whom nothing can be said."""

from collections.abc import Sequence

import polars as pl

from crmlab.measures.given import named
from crmlab.measures.managers.expected import expectation
from crmlab.measures.managers.funnel import scored, verdicts
from crmlab.measures.managers.ranks import rank_intervals
from crmlab.measures.managers.shrinkage import LEAST, shrunk

SHOWN = [
    "manager_id", "n_customers", "n_merged", "n_alone", "n", "observed", "expected", "observed_to_expected", "error",
    "watch_lower", "watch_upper", "limit_lower", "limit_upper", "effect", "effect_error", "between", "long_run",
    "lower", "upper", "rank", "rank_lower", "rank_upper", "score", "p", "false_discovery_rate", "verdict", "is_watch",
    "why",
]  # fmt: skip


def assessment(
    rows: pl.DataFrame,
    factors: Sequence[str],
    *,
    kind: str = "rate",
    kept: int = 1,
    by: Sequence[str] = (),
    managers: Sequence | None = None,
) -> pl.DataFrame:
    """What each manager's book did, what it would have done anyway, and what is to be said of the difference.

    Answers: who is above or below, given whom they look after, and is it more than chance?

    Parameters
    ----------
    rows, factors, kind, kept
        As for `managers.expectation`: a row a manager, customer and period, with credit n and value.
    by
        Columns within which managers are compared, such as measure and period.
    managers
        All who are assessed: those without customers are shown, too.

    Returns
    -------
    pl.DataFrame
        `by` and manager_id; counts, observed, expected, observed_to_expected and error as of `managers.expectation`;
        watch_lower, watch_upper (95 %), limit_lower, limit_upper (99.8 %: between which `observed` is nothing unusual
        among these managers); effect and effect_error (standard deviations of a customer), between (what managers
        ordinarily differ); long_run with lower and upper (what such a period would bring in the long run with customers
        like these, which is not what these very customers will bring again; shrunk to expected, 95 % over managers:
        Morris 1983; same unit as observed); rank with rank_lower and rank_upper (by what is added a customer; 1 is the
        most, which is not the best of complaints); score, p, false_discovery_rate;
        verdict (Enum), is_watch and why nothing can be said ("" else). Null where it cannot be told.

    Notes
    -----
    What managers ordinarily differ, whether it is their doing or something their books have in common that no factor
    tells, widens the limits: "clearly" means more than that. Where all differ a lot, nobody is clearly above; the
    long-run values and their intervals show by how much they differ.

    Raises
    ------
    InputError
        As `managers.expectation` does.

    Examples
    --------
    >>> rows = pl.DataFrame({"manager_id": [i % 12 for i in range(1200)], "customer_id": range(1200), "tier": "gold",
    ...     "n": 1, "value": [int(i % 5 == 0 or i % 12 == 7 and i % 3 > 0 and i < 900) for i in range(1200)]})
    >>> told = assessment(rows, ["tier"])
    >>> told.filter(pl.col("verdict") != "as expected").select("manager_id", "observed", "verdict").rows()
    [(7, 80, 'clearly above')]
    """
    named(rows.columns, list(by), "managers.assessment")
    groups = rows.partition_by(by, as_dict=True, maintain_order=True) if by else {(): rows}
    found = []
    for key, part in groups.items():
        told = expectation(part, factors, kind=kind, kept=kept)
        if managers is not None:
            told = _with_all(told, managers)
        told = verdicts(_in_the_long_run(scored(told, kind), kind))
        names = [pl.lit(value).cast(rows.schema[name]).alias(name) for name, value in zip(by, key, strict=True)]
        found.append(told.select(*names, *SHOWN))
    return pl.concat(found, how="vertical_relaxed").sort(*by, "manager_id")


def _with_all(told: pl.DataFrame, managers: Sequence) -> pl.DataFrame:
    everyone = pl.DataFrame({"manager_id": pl.Series(managers, dtype=told.schema["manager_id"])}).unique()
    counts = pl.col("n_customers", "n_merged", "n_alone", "n", "observed").fill_null(0)
    return told.join(everyone, on="manager_id", how="full", coalesce=True).with_columns(counts)


def _in_the_long_run(scores: pl.DataFrame, kind: str) -> pl.DataFrame:
    """What remains of each manager's effect, in the unit of what was observed, and the ranks."""
    sure = scores.filter(pl.col("score").is_not_null())
    if len(sure) < LEAST:
        nothing = [pl.lit(None, pl.Float64).alias(name) for name in ("long_run", "lower", "upper")]
        return scores.with_columns(nothing).with_columns(
            pl.lit(None, pl.Int64).alias(name) for name in ("rank", "rank_lower", "rank_upper")
        )
    found = shrunk(sure["effect"].to_numpy(), sure["effect_error"].to_numpy(), towards=0.0)
    ranks = zip(("rank", "rank_lower", "rank_upper"), rank_intervals(found.value, found.error), strict=True)
    expected, spread = (sure[name].to_numpy() for name in ("expected", "spread"))
    of_each = {
        name: expected + spread * effect
        for name, effect in (("long_run", found.value), ("lower", found.lower), ("upper", found.upper))
    }
    told = pl.DataFrame({"manager_id": sure["manager_id"], **of_each}).with_columns(
        pl.Series(name, rank, pl.Int64) for name, rank in ranks
    )
    if kind == "rate":
        told = told.with_columns(pl.col("long_run", "lower", "upper").clip(0, pl.Series(sure["n"].cast(pl.Float64))))
    return scores.join(told, on="manager_id", how="left", maintain_order="left")
