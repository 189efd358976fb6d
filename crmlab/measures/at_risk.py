"""Who is at risk when: episodes as counts, which curves and incidences are worked out from.

An episode is at risk after `entry` and up to `duration`. Where the risk set runs empty, or all of it leaves at once,
while others enter later, what lies on the two sides cannot be joined, and a curve through it would say 0 for ever:
one stretch is told, the one that holds most of the time at risk.
"""

from collections.abc import Sequence

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import keys, named, required

TIMES = ["entry", "duration"]
EVERYBODY_LEAVES = (pl.col("at_risk") > 0) & (pl.col("at_risk") == pl.col("n_events"))
# What results call their own columns, which no group may be called.
OWN = {
    "at_risk", "cause", "duration", "entry", "event", "group", "hazard", "hazard_lower", "hazard_upper", "incidence",
    "lower", "mean_months", "months_told", "n", "n_events", "n_left_out", "since", "survival", "time", "upper",
    "variance", "weight",
}  # fmt: skip


def free(by: str | Sequence[str] | None, measure: str) -> list[str]:
    """The columns of groups, none of which is called as results call their own.

    Examples
    --------
    >>> free("time", "survival.curves")
    Traceback (most recent call last):
    crmlab.errors.InputError: survival.curves has a column time of its own. Rename yours to have results by it.
    """
    groups = keys(by)
    if clash := [name for name in groups if name in OWN]:
        raise InputError(f"{measure} has a column {clash[0]} of its own. Rename yours to have results by it.")
    return groups


def given(
    episodes: pl.DataFrame, by: str | Sequence[str] | None, outcome: str, measure: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Equal episodes as one row with their weight, and the groups by number; sentences about what cannot be.

    Returns
    -------
    tuple[pl.DataFrame, pl.DataFrame]
        group, entry, duration, `outcome` (event or cause), weight, in order; and group with the columns of `by`.

    Examples
    --------
    >>> rows, _ = given(pl.DataFrame({"duration": [2, 2], "event": [1, 1]}), None, "event", "survival.curves")
    >>> rows.rows()
    [(0, 0, 2, True, 2)]
    """
    groups = free(by, measure)
    optional = [name for name in ("entry", "weight") if name in episodes.columns]
    required(episodes, ["duration", *optional], measure)
    named(episodes.columns, [outcome, *groups], measure)
    _sound(episodes, outcome, measure)
    alike = episodes.group_by([*groups, *(name for name in TIMES if name in episodes.columns), outcome]).agg(
        pl.col("weight").cast(pl.Int64).sum() if "weight" in optional else pl.len().cast(pl.Int64).alias("weight")
    )
    rows, of_groups = numbered(alike, groups)
    rows = rows.with_columns(
        *([] if "entry" in optional else [pl.lit(0).alias("entry")]),
        *([pl.col("event").cast(pl.Boolean)] if outcome == "event" else []),
    )
    kind = pl.Int64 if all(rows[name].dtype.is_integer() for name in TIMES) else pl.Float64
    rows = rows.select("group", pl.col(TIMES).cast(kind), outcome, "weight")
    _forward(rows, measure)
    return rows.sort("group", *TIMES, outcome), of_groups


def numbered(frame: pl.DataFrame, groups: list[str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows with the number of their group instead of its columns, and the groups in order with their number.

    Examples
    --------
    >>> numbered(pl.DataFrame({"kind": ["retail", None], "n": [1, 2]}), ["kind"])[0].rows()
    [(1, 1), (0, 2)]
    """
    if not groups:
        return frame.select(pl.lit(0, pl.UInt32).alias("group"), pl.all()), pl.DataFrame({"group": [0]}).cast(pl.UInt32)
    of_groups = frame.select(groups).unique().sort(groups).with_row_index("group")
    rows = frame.join(of_groups, on=groups, how="left", nulls_equal=True, maintain_order="left")
    return rows.select("group", pl.exclude("group", *groups)), of_groups


def stretches(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The episodes of the stretch that is told in each group, and how many are at risk and leave when.

    Parameters
    ----------
    rows
        group, entry, duration, event, weight, as `given` gives them.

    Returns
    -------
    tuple[pl.DataFrame, pl.DataFrame]
        The rows of the stretch, in order. And a row a group and time, the first being `since`, then each at which an
        episode ends: group, time, at_risk (just before; in the first row just after), n_events, since, n (episodes in
        the stretch), n_left_out (outside). A last time at which all who were left leave is left out where others
        enter later.

    Examples
    --------
    >>> rows = pl.DataFrame({"group": [0] * 4, "entry": [0, 1, 1, 2], "duration": [1, 4, 3, 4],
    ...                      "event": [True, True, False, False], "weight": [1] * 4})
    >>> stretches(rows)[1].select("time", "at_risk", "n_events", "since", "n", "n_left_out").rows()
    [(1, 2, 0, 1, 3, 1), (3, 3, 0, 1, 3, 1), (4, 2, 1, 1, 3, 1)]
    """
    is_empty_after = pl.col("at_risk") - pl.col("left") + pl.col("entered") == 0
    ends = (
        _times(rows)
        .filter(is_empty_after | EVERYBODY_LEAVES)
        .select("group", "time", stretch=pl.int_range(1, pl.len() + 1).over("group"))
    )
    # Who enters when a stretch ends belongs to the next one.
    parts = rows.sort("entry", maintain_order=True).join_asof(
        ends.sort("time"), left_on="entry", right_on="time", by="group", check_sortedness=False
    )
    parts = parts.with_columns(pl.col("stretch").fill_null(0)).drop("time", strict=False)
    held = (pl.col("weight") * (pl.col("duration") - pl.col("entry"))).sum()
    best = (
        parts.group_by("group", "stretch")
        .agg(held=held, n=pl.col("weight").sum(), since=pl.col("entry").min())
        .with_columns(last=pl.col("stretch").max().over("group"), all=pl.col("n").sum().over("group"))
        .sort("group", "held", "stretch", descending=[False, True, False])
        .unique("group", keep="first", maintain_order=True)
    )
    told = parts.join(best.select("group", "stretch"), on=["group", "stretch"], how="semi").drop("stretch")
    told = told.sort("group", *TIMES, maintain_order=True)
    is_first = pl.col("time") == pl.col("since")
    table = (
        _times(told)
        .join(best, on="group", how="left", maintain_order="left")
        .filter(is_first | (pl.col("left") > 0))
        .filter(~(EVERYBODY_LEAVES & (pl.col("stretch") < pl.col("last"))))
        .select(
            "group",
            "time",
            pl.when(is_first).then("entered").otherwise("at_risk").alias("at_risk"),
            "n_events",
            "since",
            "n",
            n_left_out=pl.col("all") - pl.col("n"),
        )
    )
    return told, table


def _times(rows: pl.DataFrame) -> pl.DataFrame:
    """What happens at each time at which somebody enters or an episode ends, and how many were at risk until then."""
    entered = rows.group_by("group", time="entry").agg(entered=pl.col("weight").sum())
    left = rows.group_by("group", time="duration").agg(
        left=pl.col("weight").sum(), n_events=pl.col("weight").filter("event").sum()
    )
    stays = (pl.col("entered") - pl.col("left")).cum_sum().shift(1, fill_value=0).over("group")
    return (
        entered.join(left, on=["group", "time"], how="full", coalesce=True)
        .with_columns(pl.col("entered", "left", "n_events").fill_null(0))
        .sort("group", "time")
        .with_columns(at_risk=stays)
    )


def _sound(episodes: pl.DataFrame, outcome: str, measure: str) -> None:
    """Stop where a time is no number, a weight no whole number above 0, or an outcome neither true nor false."""
    for name in (name for name in TIMES if name in episodes.columns):
        kind = episodes[name].dtype
        if not kind.is_numeric():
            raise InputError(
                f"The {name} of rows given to {measure} is {kind}. Give months, or another unit, as numbers."
            )
        if kind.is_float():
            _none(~episodes[name].is_finite(), f"given to {measure} have a {name} that is no number. Fill it")
    if "weight" in episodes.columns:
        weight = episodes["weight"]
        _none(
            (weight < 1) | (weight % 1 != 0),
            f"given to {measure} have a weight that is no whole number above 0. Weights are counts; mend it",
        )
    if outcome == "event":
        required(episodes, ["event"], measure)
        event = episodes["event"]
        if event.dtype != pl.Boolean and not (event.dtype.is_integer() and event.is_between(0, 1).all()):
            raise InputError(f"The event of rows given to {measure} is {event.dtype}. Give true (left) or false.")
    elif "event" in episodes.columns:
        told = (episodes["event"].cast(pl.Boolean) & episodes[outcome].is_null()).fill_null(False)
        _none(told, f"given to {measure} are events without a {outcome}. Name it")


def _none(wrong: pl.Series, sentence: str) -> None:
    if n := wrong.sum():
        raise InputError(f"{n} of {len(wrong)} rows {sentence}, or leave them out (first: row {wrong.arg_max() + 1}).")


def _forward(rows: pl.DataFrame, measure: str) -> None:
    """Stop where time goes backwards: who ends no later than they begin is never at risk."""
    if (back := rows.filter(pl.col("duration") <= pl.col("entry"))).height:
        first = back.sort(TIMES).row(0, named=True)
        raise InputError(
            f"{back['weight'].sum()} of {rows['weight'].sum()} episodes given to {measure} end no later than they "
            f"begin (first: entry {first['entry']}, duration {first['duration']}). Time runs from entry to duration, "
            "both since the same start: mend them, or leave out who was never at risk."
        )
