"""Whether a campaign worked: all it was meant for against those held out, at a day fixed beforehand."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.campaigns.effect import POWER, UNKNOWN, Effect, adjusted, by_lot, detectable, rank_p, rates_p
from crmlab.measures.given import finite, in_order, named, required
from crmlab.measures.uncertainty import Z, difference, discovery_rates

OUTCOMES = ["response", "money"]
VERDICTS = ["not yet", "cannot tell", "better", "worse"]
LEAST = 30  # customers in each group; of fewer nothing is said
SPOILT = 0.01  # of a group: more that were treated in control, or responded before the offer, and nothing is said
BROKEN = 0.001  # so unlikely a lot is not believed to have been drawn fairly
SURE = 0.05
NEEDED = ["campaign_id", "name", "customer_id", "is_control", "offered_on", "read_out_on", "is_taken"]
NUMBERS = ["of_offered", "of_control", "difference", "lower", "upper"]


def verdict(
    rows: pl.DataFrame, as_of: date, *, covariates: Sequence[str] = (), control_share: float | None = None
) -> pl.DataFrame:
    """What each campaign did, by intention to treat: everybody it was meant for, reached or not, against its control.

    Answers: did it work, by how much, and how sure is that?

    Parameters
    ----------
    rows
        campaign_id, name, customer_id (once a campaign), is_control, offered_on, read_out_on (one a campaign, fixed
        beforehand; null: none was), is_taken (by then, and after the offer). Where known: money (minor units, of each
        customer, by then), is_treated (got the offer although held out), is_early (responded before the offer),
        base_rate (how many were expected to take it anyway).
    as_of
        What is known; a campaign is not judged before it is read out.
    covariates
        Columns known before the offer, for the adjusted difference and for balance.
    control_share
        What share was to be held out, if it is known: groups of other sizes are not believed to be drawn by lot.

    Returns
    -------
    pl.DataFrame
        campaign_id, name, read_out_on, outcome (Enum `OUTCOMES`; money where it is given), n_offered, n_control,
        of_offered and of_control (rate 0 to 1, or mean in minor units), difference with lower and upper (95 %:
        Newcombe, or `effect.by_lot`), adjusted with adjusted_lower and adjusted_upper (95 %, for the covariates; null
        where groups are too small for them), detectable_before and detectable (the least rise seen 4 times in 5, from
        base_rate, or as it turned out), verdict (Enum `VERDICTS`) and why it cannot be told; by read-out and campaign.
        Numbers are null before the read-out, and where groups cannot be compared.

    Notes
    -----
    Each outcome has its own verdict, wrong 5 times in 100 where a campaign does nothing: 2 to 3 times "better". Say
    beforehand which of them counts. The verdict is of the plain difference; the adjusted one is shown beside it.

    Raises
    ------
    InputError
        When a column is missing, a customer stands twice in a campaign, or a campaign has two read-out dates.

    Examples
    --------
    >>> rows = pl.DataFrame({"campaign_id": "G1", "name": "A year at a fixed rate", "customer_id": range(1000),
    ...     "is_control": [i % 5 == 0 for i in range(1000)], "is_taken": [i % 8 == 1 for i in range(1000)],
    ...     "offered_on": date(2024, 3, 4), "read_out_on": date(2024, 4, 30)})
    >>> rows = rows.with_columns(is_taken=pl.col("is_taken") & ~pl.col("is_control"))
    >>> verdict(rows, date(2024, 12, 31)).select("verdict", pl.col("difference", "lower", "upper").round(3)).row(0)
    ('better', 0.125, 0.097, 0.15)
    """
    rows = _checked(rows, covariates)
    found = []
    for of in rows.partition_by("campaign_id", maintain_order=True):
        unsaid = _unsaid(of, as_of, covariates, control_share)
        found += [_row(of, outcome, unsaid, covariates) for outcome in _outcomes(rows)]
    told = pl.DataFrame(found, _schema(rows))
    can_be_seen = pl.when(pl.col("outcome") == "response")
    before = detectable(pl.col("n_offered"), pl.col("n_control"), pl.col("base_rate"))
    after = detectable(pl.col("n_offered"), pl.col("n_control"), pl.col("of_control"))
    lower, upper = difference(pl.col("k1"), pl.col("n_offered"), pl.col("k0"), pl.col("n_control"))
    told = told.with_columns(
        detectable_before=can_be_seen.then(before), detectable=can_be_seen.then(after).otherwise("detectable"),
        lower=can_be_seen.then(lower).otherwise("lower"), upper=can_be_seen.then(upper).otherwise("upper"),
    )  # fmt: skip
    return _judged(told, as_of).select(
        "campaign_id", "name", "read_out_on", "outcome", "n_offered", "n_control", *NUMBERS, "adjusted",
        "adjusted_lower", "adjusted_upper", "detectable_before", "detectable", "verdict", "why",
    ).sort("read_out_on", "campaign_id", "outcome", nulls_last=True)  # fmt: skip


def by_segment(
    rows: pl.DataFrame, as_of: date, by: str, *, covariates: Sequence[str] = (), control_share: float | None = None
) -> pl.DataFrame:
    """What each campaign did in each segment, corrected for having looked at many of them.

    Answers: for whom did it work?

    Parameters
    ----------
    rows, as_of, covariates, control_share
        As for `verdict`.
    by
        A column that says which segment a customer was in before the offer.

    Returns
    -------
    pl.DataFrame
        campaign_id, outcome, `by`, n_offered, n_control, of_offered, of_control, difference, lower, upper (95 %, each
        of itself), p, p_adjusted (Benjamini and Hochberg over the segments of a campaign's outcome: of those told at
        0.05 so many may be chance), verdict and why; by campaign, outcome and segment.

    Examples
    --------
    >>> rows = pl.DataFrame({"campaign_id": "G1", "name": "Plan", "customer_id": range(1000),
    ...     "is_control": [i % 5 == 0 for i in range(1000)], "is_taken": [i % 8 == 1 for i in range(1000)],
    ...     "kind": ["a" if i < 500 else "b" for i in range(1000)],
    ...     "offered_on": date(2024, 3, 4), "read_out_on": date(2024, 4, 30)})
    >>> by_segment(rows, date(2024, 12, 31), "kind").select("kind", "n_offered", "verdict").rows()
    [('a', 400, 'cannot tell'), ('b', 400, 'cannot tell')]
    """
    rows = _checked(rows, covariates)
    named(rows.columns, [by], "campaigns.by_segment")
    found = []
    for of in rows.partition_by("campaign_id", maintain_order=True):
        unsaid = _unsaid(of, as_of, covariates, control_share)
        for (segment,), part in sorted(of.partition_by(by, as_dict=True).items(), key=lambda one: str(one[0][0])):
            few = unsaid or _too_few(*_sizes(part))
            found += [{by: segment, **_row(part, outcome, few, ())} for outcome in _outcomes(rows)]
    told = pl.DataFrame(found, {by: rows.schema[by], **_schema(rows), "p": pl.Float64})
    lower, upper = difference(pl.col("k1"), pl.col("n_offered"), pl.col("k0"), pl.col("n_control"))
    is_rate = pl.when(pl.col("outcome") == "response")
    told = told.with_columns(lower=is_rate.then(lower).otherwise("lower"), upper=is_rate.then(upper).otherwise("upper"))
    key = ["campaign_id", "outcome"]
    told = told.with_columns(p_adjusted=discovery_rates(pl.col("p")).over(key))
    return _judged(told, as_of, "p_adjusted").select(
        "campaign_id", "outcome", by, "n_offered", "n_control", *NUMBERS, "p", "p_adjusted", "verdict", "why"
    ).sort(*key, by, nulls_last=True)  # fmt: skip


def balance(rows: pl.DataFrame, covariates: Sequence[str]) -> pl.DataFrame:
    """Whether the groups were alike before: a row a campaign and covariate.

    Answers: was the control group drawn fairly?

    Returns
    -------
    pl.DataFrame
        campaign_id, covariate, mean_offered, mean_control, apart (difference of the means in standard deviations of a
        customer; small is below 0.1; null where the groups differ and nobody within them), p (of the order of values,
        so no tail decides; 0 to 1), is_out (p times the covariates of the campaign is below 0.001: more than a fair
        lot does).

    Examples
    --------
    >>> rows = pl.DataFrame({"campaign_id": "G1", "name": "Plan", "customer_id": range(8), "is_taken": True,
    ...     "is_control": [True, False] * 4, "offered_on": date(2024, 3, 4), "read_out_on": date(2024, 4, 30),
    ...     "tenure": [1, 1, 2, 2, 3, 3, 4, 4]})
    >>> balance(rows, ["tenure"]).select("mean_offered", "mean_control", "apart", "is_out").row(0)
    (2.5, 2.5, 0.0, False)
    """
    rows = _checked(rows, covariates)
    found = []
    for of in rows.partition_by("campaign_id", maintain_order=True):
        is_control = of["is_control"].to_numpy()
        for name in covariates:
            values = of[name].cast(pl.Float64).to_numpy()
            first, second = values[~is_control], values[is_control]
            if not (len(first) and len(second)):
                continue
            spread = np.sqrt((first.var() + second.var()) / 2)
            gap = first.mean() - second.mean()
            apart = gap / spread if spread else None if gap else 0.0
            p = rank_p(first, second)
            found.append((
                of["campaign_id"][0], name, first.mean(), second.mean(), apart, p,
                p * len(covariates) < BROKEN,
            ))  # fmt: skip
    schema = {"campaign_id": rows.schema["campaign_id"], "covariate": pl.String}
    schema |= dict.fromkeys(["mean_offered", "mean_control", "apart", "p"], pl.Float64) | {"is_out": pl.Boolean}
    return pl.DataFrame(found, schema, orient="row")


def _checked(rows: pl.DataFrame, covariates: Sequence[str]) -> pl.DataFrame:
    measure = "campaigns.verdict"
    named(rows.columns, [*NEEDED, *covariates], measure)
    required(rows, [name for name in NEEDED if name not in ("name", "read_out_on")], measure)
    for name in [*covariates, *(["money"] if "money" in rows.columns else [])]:
        required(rows, [name], measure)
        finite(rows, [name], measure)
    days = rows.group_by("campaign_id").agg(n=pl.col("read_out_on").n_unique()).filter(pl.col("n") > 1)
    if len(days):
        raise InputError(
            f"{len(days)} campaigns have several read-out dates (first: {days['campaign_id'].min()}). Give each one."
        )
    return in_order(rows, ["campaign_id", "customer_id"], measure)


def _outcomes(rows: pl.DataFrame) -> list[str]:
    return OUTCOMES if "money" in rows.columns else OUTCOMES[:1]


def _schema(rows: pl.DataFrame) -> dict:
    floats = [*NUMBERS, "adjusted", "adjusted_lower", "adjusted_upper", "detectable", "base_rate"]
    return {
        "campaign_id": rows.schema["campaign_id"], "name": rows.schema["name"], "read_out_on": pl.Date,
        "outcome": pl.Enum(OUTCOMES), "n_offered": pl.Int64, "n_control": pl.Int64, "k1": pl.Int64, "k0": pl.Int64,
        **dict.fromkeys(floats, pl.Float64), "unsaid": pl.String,
    }  # fmt: skip


def _sizes(rows: pl.DataFrame) -> tuple[int, int]:
    n_control = int(rows["is_control"].sum())
    return len(rows) - n_control, n_control


def _count(rows: pl.DataFrame, column: str, *, only_control: bool = False) -> int:
    if column not in rows.columns:
        return 0
    return int((rows[column].fill_null(False) & (rows["is_control"] if only_control else True)).sum())


def _too_few(n_offered: int, n_control: int) -> str | None:
    if not n_control:
        return "nobody was held out as control"
    if not n_offered:
        return "everybody was held out as control"
    if n_control < LEAST:
        return f"the control group has {n_control} customers, fewer than {LEAST}"
    return f"it was meant for {n_offered} customers, fewer than {LEAST}" if n_offered < LEAST else None


def _unsaid(of: pl.DataFrame, as_of: date, covariates: Sequence[str], control_share: float | None) -> str | None:
    """Why nothing can be said of a campaign; None where something can."""
    read_out_on, (n_offered, n_control) = of["read_out_on"][0], _sizes(of)
    if read_out_on is None:
        return "no day was fixed beforehand on which it is read out"
    if read_out_on > as_of:
        return f"it is read out on {read_out_on}"
    if few := _too_few(n_offered, n_control):
        return few
    if (n := _count(of, "is_treated", only_control=True)) > SPOILT * n_control:
        return f"{n} of {n_control} customers in control got the offer all the same"
    if (n := _count(of, "is_early")) > SPOILT * len(of):
        return f"{n} of {len(of)} customers responded before they had the offer"
    if control_share is not None:
        error = np.sqrt(control_share * (1 - control_share) * len(of))
        if abs(n_control - control_share * len(of)) > 3.29 * error + 0.5:  # 3.29: a fair lot goes beyond in 1 of 1,000
            share = f"{100 * control_share:.0f} %"
            return f"{n_control} of {len(of)} were held out where {share} were to be: no fair lot does that"
    out = balance(of, covariates).filter("is_out") if covariates else ()
    return f"the groups differed before the offer, in {out['covariate'][0]} above all" if len(out) else None


def _row(of: pl.DataFrame, outcome: str, unsaid: str | None, covariates: Sequence[str]) -> dict:
    n_offered, n_control = _sizes(of)
    base = of["base_rate"][0] if "base_rate" in of.columns else None
    row = {
        **of.select("campaign_id", "name", "read_out_on").row(0, named=True), "outcome": outcome, "unsaid": unsaid,
        "n_offered": n_offered, "n_control": n_control, "base_rate": base,
    }  # fmt: skip
    if unsaid:
        return row
    values = of["is_taken" if outcome == "response" else "money"].cast(pl.Float64).to_numpy()
    is_offered = ~of["is_control"].to_numpy()
    first, second = values[is_offered], values[~is_offered]
    known = [of[name].cast(pl.Float64).to_numpy() for name in covariates]
    beside = adjusted(values, is_offered, np.column_stack(known)) if known else UNKNOWN
    row |= {"of_offered": first.mean(), "of_control": second.mean(), "difference": first.mean() - second.mean()}
    row |= {"adjusted": beside.difference, "adjusted_lower": beside.lower, "adjusted_upper": beside.upper}
    return row | (_of_rates(first, second) if outcome == "response" else _of_money(by_lot(first, second)))


def _of_rates(first: np.ndarray, second: np.ndarray) -> dict:
    k1, k0 = int(first.sum()), int(second.sum())
    return {"k1": k1, "k0": k0, "p": rates_p(k1, len(first), k0, len(second))}


def _of_money(found: Effect) -> dict:
    seen = None if found.error is None else (Z + POWER) * found.error
    return {"lower": found.lower, "upper": found.upper, "p": found.p, "detectable": seen}


def _judged(told: pl.DataFrame, as_of: date, p: str | None = None) -> pl.DataFrame:
    """The verdict from the interval, and from a p-value beside it where several are looked at."""
    # Nobody in either group did it, or all have the same: an interval that is not known holds 0, too.
    may_be_0 = ((pl.col("lower") <= 0) & (pl.col("upper") >= 0)).fill_null(True)
    tried = pl.lit(False) if p is None else (pl.col(p) >= SURE).fill_null(True)
    found = (
        pl.when(pl.col("read_out_on") > as_of).then(pl.lit("not yet"))
        .when(pl.col("unsaid").is_not_null() | may_be_0 | tried).then(pl.lit("cannot tell"))
        .when(pl.col("lower") > 0).then(pl.lit("better")).otherwise(pl.lit("worse"))
    )  # fmt: skip
    why = (
        pl.when(pl.col("unsaid").is_not_null()).then("unsaid")
        .when(may_be_0).then(pl.lit("the difference may as well be 0"))
        .when(tried).then(pl.lit("among so many segments it may be chance"))
    )  # fmt: skip
    return told.with_columns(verdict=found.cast(pl.Enum(VERDICTS)), why=why)
