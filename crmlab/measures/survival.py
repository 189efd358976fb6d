"""How long customers stay: curves with intervals and numbers at risk, by cause, and the mean of the months to come.

An episode is at risk after `entry` and up to `duration`. Who is seen only from a later tenure on (late entry) is at
risk from then on and stands for nobody who left before. Where the risk set runs empty, a curve is told over the one
stretch that holds most of the time at risk, begins at `since`, and says how many episodes lie outside it. All is
done on counts of equal episodes, which gives what their rows would.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl
from lifelines import KaplanMeierFitter, NelsonAalenFitter

from crmlab.errors import InputError
from crmlab.measures.at_risk import free, given, numbered, stretches
from crmlab.measures.given import named, required
from crmlab.measures.uncertainty import Z

FITTED = ["survival", "lower", "upper", "hazard", "hazard_lower", "hazard_upper"]
CURVE = ["time", *FITTED, "at_risk", "n_events", "variance", "n", "since", "n_left_out"]
INCIDENCE = [
    "cause", "time", "incidence", "lower", "upper", "survival", "at_risk", "n_events", "variance", "n", "since",
    "n_left_out",
]  # fmt: skip
ROUNDED = 1e-12  # a sum of shares so near to 1 is 1
MEAN = ["mean_months", "lower", "upper", "months_told", "since", "n"]


def curves(episodes: pl.DataFrame, by: str | Sequence[str] | None = None) -> pl.DataFrame:
    """The share still there at each tenure (Kaplan–Meier) and the hazard so far (Nelson–Aalen), by lifelines.

    Answers: how long do our customers stay, and where do the curves of two segments part?

    Survival has Greenwood's interval on the scale of log(−log S), the hazard one on the scale of its logarithm. While
    nobody has left, these would be nothing but a point: told instead is Wilson's lower end for none out of the fewest
    at risk so far. Where everybody has left, the upper end of survival is that of the time before, and so is the lower
    one of the hazard; its upper one is 1 above.

    Parameters
    ----------
    episodes
        duration (months or another unit), event (True = left; False = still there, or gone another way); optionally
        entry (0 where there is none) and weight (how many equal episodes a row stands for, a whole number).
    by
        One column or several to have curves by; a missing value is a group of its own.

    Returns
    -------
    pl.DataFrame
        In order of groups and time: the columns of `by`; time (the first is `since`, then each at which an episode
        ends), survival (0 to 1, of those who lasted to `since`), lower, upper; hazard (0 upwards), hazard_lower,
        hazard_upper; at_risk (just before time; in the first row: just after), n_events (at that time), variance
        (Greenwood's sum, the variance of log survival), n (episodes behind the curve), since, n_left_out.

    Raises
    ------
    InputError
        When there is no row, a value or a column is missing, or an episode ends no later than it begins.

    Examples
    --------
    >>> episodes = pl.DataFrame({"entry": [0, 0, 1, 2], "duration": [1, 3, 3, 4], "event": [True, True, False, False]})
    >>> curves(episodes).select("time", pl.col("survival").round(3), "at_risk", "n_events").rows()
    [(0, 1.0, 2, 0), (1, 0.5, 2, 1), (3, 0.333, 3, 1), (4, 0.333, 1, 0)]
    """
    rows, groups = given(episodes, by, "event", "survival.curves")
    told, table = stretches(rows)
    parts = zip(*(frame.partition_by("group", maintain_order=True) for frame in (told, table)), strict=True)
    fitted = np.concatenate([_fitted(part, times["time"].to_numpy()) for part, times in parts])
    lost = pl.col("n_events") / (pl.col("at_risk").cast(pl.Float64) * (pl.col("at_risk") - pl.col("n_events")))
    # Where all leave at once the sum is held, as lifelines does: nothing comes after that it could be needed for.
    lost = pl.when(pl.col("n_events") < pl.col("at_risk")).then(lost).otherwise(0.0)
    found = table.hstack(pl.DataFrame(fitted, schema=FITTED, orient="row")).with_columns(
        variance=lost.cum_sum().over("group")
    )
    found = found.with_columns(_edges_of_curve()).with_columns(_hazard_edge()).with_columns(_last_hazard_edges())
    return _labelled(found, groups, CURVE)


def incidence(episodes: pl.DataFrame, by: str | Sequence[str] | None = None) -> pl.DataFrame:
    """How many have left for each cause by each tenure, the other causes being at work (Aalen–Johansen).

    Answers: of a hundred new customers, how many close their accounts within two years, and whose money runs off?

    Every cause ends an episode, death and a merger too: the incidences of all causes and `survival`, the share to whom
    nothing has happened, add to 1. That is less than the survival of `curves`, which takes those who died for people
    who might still leave. The variance is Greenwood's for several causes (multinomial, since many leave in one month;
    the same as Marubini and Valsecchi's), the interval is on the scale of log(−log F); where nobody has left for a
    cause yet, Wilson's as in `curves`.

    Parameters
    ----------
    episodes
        duration, cause (null: still there); optionally entry, weight, and event, never True without a cause.
    by
        As for `curves`.

    Returns
    -------
    pl.DataFrame
        In order of groups, causes and time, every cause of the frame in every group: the columns of `by`; cause, time,
        incidence (0 to 1, of those who lasted to `since`), lower, upper, survival, at_risk, n_events (for the cause, at
        that time), variance (of the incidence), n, since, n_left_out.

    Raises
    ------
    InputError
        As `curves`, and when nobody has left for any cause.

    Examples
    --------
    >>> episodes = pl.DataFrame({"duration": [1, 2, 2, 3], "cause": ["closure", "run-off", None, None]})
    >>> incidence(episodes).filter(pl.col("time") == 2).select("cause", "incidence", "survival").rows()
    [('closure', 0.25, 0.5), ('run-off', 0.25, 0.5)]
    """
    rows, groups = given(episodes, by, "cause", "survival.incidence")
    causes = rows.select(pl.col("cause").drop_nulls().unique().sort())
    if causes.is_empty():
        raise InputError("No episode given to survival.incidence has a cause: nobody left. Take a longer history.")
    told, table = stretches(rows.with_columns(event=pl.col("cause").is_not_null()))
    ended = told.filter("event").group_by("group", "cause", time="duration").agg(n_cause=pl.col("weight").sum())
    stays = (1 - pl.col("n_events") / pl.col("at_risk")).cum_prod().over("group")
    of_cause = ["group", "cause"]
    found = (
        table.with_columns(survival=stays)
        .with_columns(before=pl.col("survival").shift(1, fill_value=1.0).over("group"))
        .join(causes, how="cross")
        .join(ended, on=[*of_cause, "time"], how="left")
        .with_columns(pl.col("n_cause").fill_null(0))
        .sort(*of_cause, "time")
        .with_columns(incidence=(pl.col("before") * pl.col("n_cause") / pl.col("at_risk")).cum_sum().over(of_cause))
        .with_columns(pl.col("incidence").clip(upper_bound=1))
        .with_columns(variance=_multinomial(of_cause))
        .with_columns(_edges_of_incidence(of_cause))
    )
    return _labelled(found.with_columns(n_events=pl.col("n_cause")), groups, INCIDENCE)


def mean_life(curve: pl.DataFrame, horizon_months: float, by: str | Sequence[str] | None = None) -> pl.DataFrame:
    """How many of the coming months a customer stays on average: the area under the curve (restricted mean).

    Answers: how much longer does one segment stay than another within five years?

    Parameters
    ----------
    curve
        As `curves` gives it, with the same `by`.
    horizon_months
        How many months from `since` on, above 0.
    by
        The columns that the curves are by.

    Returns
    -------
    pl.DataFrame
        A row a group, in order: the columns of `by`; mean_months (0 to months_told), lower, upper (from Greenwood's
        variance; where nobody left, or all at once, from the area under the lower end of the curve up), months_told
        (the horizon, or less where the curve ends before it: nothing is guessed beyond), since, n.

    Raises
    ------
    InputError
        When a column is missing, the horizon is not above 0, or a group has several curves.

    Examples
    --------
    >>> episodes = pl.DataFrame({"duration": [1, 3, 3, 4], "event": [True, True, False, False]})
    >>> mean_life(curves(episodes), 4).select("mean_months", "months_told").row(0)
    (3.0, 4.0)
    """
    needed = ["time", "survival", "lower", "variance", "since", "n"]
    required(curve, needed, "survival.mean_life")
    groups = free(by, "survival.mean_life")
    named(curve.columns, groups, "survival.mean_life")
    if not 0 < horizon_months < float("inf"):
        raise InputError(f"survival.mean_life has been given a horizon of {horizon_months} months. Give one above 0.")
    rows, of_groups = numbered(curve.select(*groups, *needed), groups)
    if rows.select(pl.struct("group", "time").is_duplicated().any()).item():
        raise InputError("survival.mean_life has been given several curves of one group. Name the columns they are by.")
    end = pl.col("since") + horizon_months
    # A curve that has come down to 0 tells all that follows.
    told_to = pl.when(pl.col("survival").last() <= 0).then(end).otherwise(pl.min_horizontal(end, pl.col("time").last()))
    rows = rows.sort("group", "time").with_columns(end=told_to.over("group").cast(pl.Float64))
    till = pl.min_horizontal(pl.col("time").shift(-1).over("group").fill_null(float("inf")), "end")
    width = (till - pl.col("time")).clip(lower_bound=0)
    step = pl.col("variance").diff().over("group").fill_null(0.0)
    # Of a stretch in which nobody left, the lower end at its close is taken: at its start it knows of nobody.
    low = pl.col("lower").shift(-1).over("group").fill_null(pl.col("lower"))
    areas = rows.with_columns(area=pl.col("survival") * width, low=low * width, step=step).with_columns(
        rest=pl.col("area").cum_sum(reverse=True).over("group")
    )
    found = areas.group_by("group", maintain_order=True).agg(
        pl.col("since", "n").first(),
        mean_months=pl.col("area").sum(),
        months_told=pl.col("end").first() - pl.col("since").first(),
        low=pl.col("low").sum(),
        spread=Z * (pl.col("rest").pow(2) * pl.col("step")).sum().sqrt(),
    )
    middle, is_point = pl.col("mean_months"), pl.col("spread") == 0
    ends = found.with_columns(
        lower=pl.when(is_point).then("low").otherwise((middle - pl.col("spread")).clip(lower_bound=0)),
        upper=pl.when(is_point)
        .then("months_told")
        .otherwise(pl.min_horizontal(middle + pl.col("spread"), "months_told")),
    )
    return _labelled(ends, of_groups, MEAN)


def _fitted(part: pl.DataFrame, times: np.ndarray) -> np.ndarray:
    """Survival and hazard of one group with their intervals, a row a time."""
    asked = {
        "durations": part["duration"].to_numpy(),
        "event_observed": part["event"].to_numpy(),
        "entry": part["entry"].to_numpy(),
        "weights": part["weight"].to_numpy(),
        "timeline": times,
    }
    with np.errstate():  # lifelines silences divisions by zero for good
        survival = KaplanMeierFitter().fit(**asked)
        # Months are not a rounded finer time: what leaves in one month leaves together.
        hazard = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(**asked)
    return np.column_stack([
        survival.survival_function_, survival.confidence_interval_, hazard.cumulative_hazard_,
        hazard.confidence_interval_,
    ])  # fmt: skip


def _labelled(found: pl.DataFrame, groups: pl.DataFrame, columns: list[str]) -> pl.DataFrame:
    """The result with the columns of its groups instead of their number."""
    names = [name for name in groups.columns if name != "group"]
    return found.join(groups, on="group", how="left", maintain_order="left").select(*names, *columns)


def _none_of(over: list[str]) -> pl.Expr:
    """How far up a share of which nothing has been seen may lie: Wilson's end for none of the fewest at risk so far."""
    fewest = pl.col("at_risk").cum_min().over(over)
    is_start = pl.col("time") == pl.col("since")
    return pl.when(is_start).then(0.0).otherwise(Z * Z / (fewest + Z * Z))


def _edges_of_curve() -> list[pl.Expr]:
    none_yet = pl.col("n_events").cum_sum().over("group") == 0
    before = pl.col("upper").shift(1, fill_value=1.0).over("group")
    return [
        pl.when(none_yet).then(1 - _none_of(["group"])).otherwise("lower").alias("lower"),
        pl.when(pl.col("survival") == 0).then(before).otherwise("upper").alias("upper"),
    ]


def _hazard_edge() -> pl.Expr:
    """The hazard's upper end that belongs to the lower end of survival, while nobody has left."""
    return pl.when(pl.col("hazard") == 0).then(-pl.col("lower").log()).otherwise("hazard_upper").alias("hazard_upper")


def _last_hazard_edges() -> list[pl.Expr]:
    """Where all who were left leave at once there is no variance, and the hazard of that time is anything up to 1."""
    is_last = pl.col("survival") == 0
    ends = {"hazard_lower": 0.0, "hazard_upper": 1.0}
    return [
        pl.when(is_last).then(pl.col(name).shift(1).over("group") + more).otherwise(name).alias(name)
        for name, more in ends.items()
    ]


def _multinomial(over: list[str]) -> pl.Expr:
    """Greenwood's variance of an incidence, in running sums instead of a sum for each time over all before it.

    ``Σ (F(t) − F(s))² d/(n(n − d)) + Σ S(s−)² d_k(n − d_k)/n³ − 2 Σ (F(t) − F(s)) S(s−) d_k/n²`` over the times s up to
    t, with d leaving of n, d_k of them for the cause.
    """
    share, before = pl.col("incidence"), pl.col("before")
    n, left, of_cause = (pl.col(name).cast(pl.Float64) for name in ("at_risk", "n_events", "n_cause"))
    # After a time at which all leave nothing is added, so that its infinite term meets a difference of 0.
    all_causes = pl.when(left < n).then(left / (n * (n - left))).otherwise(0.0)
    both = before * of_cause / n.pow(2)
    own = before.pow(2) * of_cause * (n - of_cause) / n.pow(3)
    sums = [term.cum_sum().over(over) for term in (all_causes, all_causes * share, all_causes * share.pow(2), own)]
    mixed = [term.cum_sum().over(over) for term in (both, both * share)]
    squares = share.pow(2) * sums[0] - 2 * share * sums[1] + sums[2]
    return (squares + sums[3] - 2 * (share * mixed[0] - mixed[1])).clip(lower_bound=0)


def _edges_of_incidence(over: list[str]) -> list[pl.Expr]:
    share = pl.col("incidence")
    scale = (Z * pl.col("variance").sqrt() / (share * share.log())).abs()
    is_all = share > 1 - ROUNDED
    inside = (share > 0) & ~is_all
    lower = pl.when(inside).then(share.pow(scale.exp())).otherwise(0.0)
    # All have left for one cause: no less may than the time before said.
    lower = pl.when(is_all).then(lower.shift(1, fill_value=0.0).over(over)).otherwise(lower)
    upper = pl.when(inside).then(share.pow((-scale).exp())).otherwise(1.0)
    return [lower.alias("lower"), pl.when(share == 0).then(_none_of(over)).otherwise(upper).alias("upper")]
