"""Hazards by cause, a month at a time, and what they come to over a horizon."""

from math import erfc, sqrt
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures import cox
from crmlab.measures.churn.training import OTHER, of_cause
from crmlab.measures.cox.ascent import Untold
from crmlab.measures.uncertainty import Z
from crmlab.policy.departing import CAUSES

OF = [*CAUSES, OTHER]
FURTHEST = 20.0  # log of a hazard against the average: beyond, a number says no more
TABLE = {
    "cause": pl.String, "covariate": pl.String, "hazard_ratio": pl.Float64, "lower": pl.Float64, "upper": pl.Float64,
    "p": pl.Float64, "n_events": pl.Int64, "is_shared": pl.Boolean, "early": pl.Float64, "late": pl.Float64,
    "is_proportional": pl.Boolean, "advice": pl.String,
}  # fmt: skip


class Hazard(NamedTuple):
    """The hazard of one cause: by stratum and month for an average customer, and how covariates raise it."""

    cause: str
    beta: np.ndarray  # of the model's covariates; 0 where one is left out
    only: tuple[tuple[int, float], ...]  # place of a covariate and its value: nobody else leaves for this cause
    baseline: np.ndarray  # strata × months

    def relative(self, x: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Hazard against the average customer's; `values` as they are, `x` less the average."""
        found = np.exp(np.clip(x @ self.beta, -FURTHEST, FURTHEST))
        for place, value in self.only:
            found[values[:, place] != np.float32(value)] = 0
        return found


class Training(NamedTuple):
    """What hazards are fitted on."""

    rows: pl.DataFrame  # as `training` gives them, with `stratum`
    kept: tuple[str, ...]
    center: np.ndarray
    n_strata: int
    months: int

    def values(self) -> np.ndarray:
        """The covariates, rows × covariates."""
        return self.rows.select(self.kept).to_numpy()


def fitted(data: Training, n_each: dict[str, int], least: int) -> tuple[tuple[Hazard, ...], pl.DataFrame]:
    """The hazard of each cause, and the table of coefficients.

    A cause with fewer leavers than `least`, or whose own coefficients cannot be told, has those of all causes together.
    Other exits have no coefficients.
    """
    found, tables = {}, []
    shared = None
    for cause, n in n_each.items():
        own, why = None, f"only {n} left so"
        if n >= least:
            try:
                own = _of_cause(data, cause, n)
            except InputError as error:
                why = str(error)
        if own is None and n:
            shared = shared or _of_cause(data, None, sum(n_each.values()))
            beta, only, table = shared
            own = (
                beta,
                only,
                table.with_columns(
                    n_events=pl.lit(n, pl.Int64),
                    is_shared=pl.lit(True),
                    advice=pl.format("as for all causes together: {}", pl.lit(why)),
                ),
            )
        if own:
            found[cause] = own[:2]
            tables.append(own[2].with_columns(cause=pl.lit(cause)))
    values = data.values()
    x = values - data.center.astype(np.float32)
    none = np.zeros(len(data.kept)), ()
    hazards = []
    for cause in OF:
        bare = Hazard(cause, *found.get(cause, none), np.zeros((data.n_strata, data.months)))
        hazards.append(bare._replace(baseline=_baseline(data, cause, bare.relative(x, values))))
    return tuple(hazards), pl.concat(tables).select(*TABLE)


def incidence(
    hazards: tuple[Hazard, ...], x: np.ndarray, values: np.ndarray, stratum: np.ndarray, horizons: tuple[int, ...]
) -> dict[int, np.ndarray]:
    """By horizon, the probability of each of `OF` (rows × causes) within so many months.

    Within a month, whoever goes is divided among the causes as their hazards stand to each other; so the causes and
    staying add to one.
    """
    relative = [hazard.relative(x, values) for hazard in hazards]
    staying, found = np.ones(len(x)), np.zeros((len(x), len(hazards)))
    by_horizon = {}
    for month in range(max(horizons)):
        rates = [of.baseline[stratum, month] * ratio for of, ratio in zip(hazards, relative, strict=True)]
        total = sum(rates)
        going = -np.expm1(-total) * staying
        share = np.divide(going, total, out=np.zeros_like(total), where=total > 0)
        for n, rate in enumerate(rates):
            found[:, n] += rate * share
        staying -= going
        if month + 1 in horizons:
            by_horizon[month + 1] = found.copy()
    return by_horizon


def left_out(why: dict[str, str], causes: list[str]) -> pl.DataFrame:
    """Rows of the table for covariates that no cause has."""
    return pl.DataFrame(
        [
            {"cause": cause, "covariate": name, "advice": f"left out: {of}"}
            for cause in causes
            for name, of in why.items()
        ],
        schema=TABLE,
    )


def _of_cause(data: Training, cause: str | None, n: int) -> tuple[np.ndarray, tuple, pl.DataFrame]:
    """Coefficients of one cause, or of all together."""
    is_event = (pl.col("cause") == cause if cause else pl.col("cause") != OTHER).fill_null(False)
    names, why, only = of_cause(data.rows, data.kept, is_event) if cause else (*_of_all(data, is_event), {})
    rows = data.rows.with_columns(event=is_event)
    for name, value in only.items():
        rows = rows.filter(pl.col(name) == value)
    weight = "weight" if rows["weight"].max() > 1 else None
    model, why = _told(rows, list(names), why, weight)
    beta = np.zeros(len(data.kept))
    beta[[data.kept.index(name) for name in model.covariates]] = model.beta
    table = pl.concat([_table(model, rows, n), _untold(why, only, n)])
    return beta, tuple((data.kept.index(name), value) for name, value in only.items()), table


def _of_all(data: Training, is_event: pl.Expr) -> tuple[tuple[str, ...], dict[str, str]]:
    """As `of_cause`, where no side of a yes or no is ruled out."""
    names, why, only = of_cause(data.rows, data.kept, is_event)
    return names, why | {name: "nobody of one side left" for name in only}


def _told(rows: pl.DataFrame, names: list[str], why: dict[str, str], weight: str | None) -> tuple:
    """The fit, without what keeps it from being made, each for the reason told."""
    while True:
        try:
            model = cox.fit(rows, names, strata="stratum", weight=weight, cluster="customer_id")
        except Untold as error:
            why = why | dict.fromkeys(error.covariates, str(error))
            names = [name for name in names if name not in error.covariates]
        else:
            return model, why


def _table(model: cox.Cox, rows: pl.DataFrame, n: int) -> pl.DataFrame:
    se = np.sqrt(np.diag(model.robust))
    told = pl.DataFrame(
        {
            "covariate": list(model.covariates),
            "hazard_ratio": np.exp(model.beta),
            "lower": np.exp(model.beta - Z * se),
            "upper": np.exp(model.beta + Z * se),
            "p": [erfc(abs(b) / s / sqrt(2)) for b, s in zip(model.beta, se, strict=True)],
        },
        schema_overrides={"covariate": pl.String, "p": pl.Float64},
    )
    try:
        shape = cox.proportionality(model, rows).select(
            "covariate", pl.col("early", "late").exp(), "is_proportional", "advice"
        )
    except InputError as error:
        shape = told.select("covariate", advice=pl.lit(f"cannot tell: {error}"))
    joined = told.join(shape, on="covariate", how="left", maintain_order="left")
    return _shaped(joined.with_columns(n_events=pl.lit(n), is_shared=pl.lit(False)))


def _untold(why: dict[str, str], only: dict[str, float], n: int) -> pl.DataFrame:
    said = {name: f"left out: {of}" for name, of in why.items()}
    for name, value in only.items():
        said[name] = f"only where this is {value:g} did anyone leave so: nobody else is expected to"
    rows = pl.DataFrame(list(said.items()), schema={"covariate": pl.String, "advice": pl.String}, orient="row")
    return _shaped(rows.with_columns(n_events=pl.lit(n), is_shared=pl.lit(False)))


def _shaped(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in TABLE.items()
    )


def _baseline(data: Training, cause: str, relative: np.ndarray) -> np.ndarray:
    """Who left each month over the sum of relative hazards of those there; stratum 0 is everyone together."""
    months, size = data.months + 1, (data.n_strata, data.months + 1)
    duration, weight = data.rows["duration"].to_numpy(), data.rows["weight"].to_numpy()
    cell = data.rows["stratum"].to_numpy().astype(np.int64) * months + duration
    is_event = (data.rows["cause"] == cause).fill_null(False).to_numpy()
    left = np.bincount(cell[is_event], weight[is_event], size[0] * months).reshape(size)
    there = np.bincount(cell, relative * weight, size[0] * months).reshape(size)[:, ::-1].cumsum(axis=1)[:, ::-1]
    left[0], there[0] = left.sum(axis=0), there.sum(axis=0)
    return np.divide(left, there, out=np.zeros(size), where=(left > 0) & (there > 0))[:, 1:]
