"""How covariates raise the hazard of one cause: Cox's coefficients, and the table that tells them."""

from math import erfc, sqrt
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures import cox
from crmlab.measures.churn.training import OTHER, Usual, of_cause
from crmlab.measures.cox.ascent import Untold

TABLE = {
    "cause": pl.String, "covariate": pl.String, "hazard_ratio": pl.Float64, "lower": pl.Float64, "upper": pl.Float64,
    "p": pl.Float64, "n_events": pl.Int64, "is_shared": pl.Boolean, "early": pl.Float64, "late": pl.Float64,
    "is_proportional": pl.Boolean, "split_at": pl.Int64, "advice": pl.String,
}  # fmt: skip


class Training(NamedTuple):
    """What hazards are fitted on."""

    rows: pl.DataFrame  # as `training` gives them, with `stratum`
    kept: tuple[str, ...]
    usual: dict[str, Usual]
    center: np.ndarray
    n_left: np.ndarray  # leavers by stratum, everyone's first
    least: int  # leavers: of fewer, a cause has no coefficients of its own and a stratum no baseline
    months: int

    def values(self) -> np.ndarray:
        """The covariates, rows × covariates."""
        return self.rows.select(self.kept).to_numpy()


class Effects(NamedTuple):
    """What covariates do to the hazard of a cause."""

    beta: np.ndarray  # up to `split` and after it × the model's covariates; 0 where one is left out
    split: int  # months
    only: tuple[tuple[int, float], ...]  # place of a covariate and its value: nobody else leaves for this cause


def effects(data: Training, n_each: dict[str, int]) -> tuple[dict[str, Effects], pl.DataFrame]:
    """The effects of each cause for which anyone left, and the table of coefficients.

    A cause with fewer leavers than `data.least`, or whose own coefficients cannot be told, has those of all causes.
    """
    found, tables, shared = {}, [], None
    for cause, n in n_each.items():
        own, why = None, f"only {n} left so"
        if n >= data.least:
            try:
                own = _fitted(data, cause, n)
            except InputError as error:
                why = str(error)
        if own is None and n:
            shared = shared or _fitted(data, None, sum(n_each.values()))
            of_all = pl.format("as for all causes together: {}", pl.lit(why))
            told = shared[1].with_columns(n_events=pl.lit(n, pl.Int64), is_shared=pl.lit(True), advice=of_all)
            own = shared[0], told
        if own:
            found[cause] = own[0]
            tables.append(own[1].with_columns(cause=pl.lit(cause)))
    return found, pl.concat(tables).select(*TABLE)


def left_out(why: dict[str, str], n_each: dict[str, int]) -> pl.DataFrame:
    """Rows of the table for covariates that no cause has."""
    rows = [
        {"cause": cause, "covariate": name, "n_events": n, "is_shared": False, "advice": f"left out: {of}"}
        for cause, n in n_each.items()
        for name, of in why.items()
        if n
    ]
    return pl.DataFrame(rows, schema=TABLE)


def _fitted(data: Training, cause: str | None, n: int) -> tuple[Effects, pl.DataFrame]:
    """One cause, or all together, where no side of a yes or no is ruled out."""
    is_event = (pl.col("cause") == cause if cause else pl.col("cause") != OTHER).fill_null(False)
    names, why, only = of_cause(data.rows, data.kept, is_event, data.usual)
    if not cause:
        why, only = why | dict.fromkeys(only, "nobody of one side left"), {}
    rows = data.rows.with_columns(event=is_event)
    for name, value in only.items():
        rows = rows.filter(pl.col(name) == value)
    model, why = _told(rows, list(names), why)
    table = _table(model, rows)
    split = table["split_at"].max() or data.months
    beta = np.zeros((2, len(data.kept)))
    at = [data.kept.index(name) for name in table["covariate"]]
    # One coefficient that changes early to late moves the others, too: all of a half belong together.
    halves = ("early", "late") if split < data.months else ("coefficient",) * 2
    for half, name in enumerate(halves):
        beta[half, at] = table.select(pl.coalesce(name, "coefficient")).to_series()
    table = pl.concat([_shaped(table.with_columns(pl.col("early", "late").exp())), _untold(why, only)])
    places = tuple((data.kept.index(name), value) for name, value in only.items())
    return Effects(beta, split, places), table.with_columns(n_events=pl.lit(n, pl.Int64), is_shared=pl.lit(False))


def _told(rows: pl.DataFrame, names: list[str], why: dict[str, str]) -> tuple[cox.Cox, dict[str, str]]:
    """The fit, without what keeps it from being made, each for the reason told."""
    weight = "weight" if rows["weight"].max() > 1 else None
    while True:
        try:
            return cox.fit(rows, names, strata="stratum", weight=weight, cluster="customer_id"), why
        except Untold as error:
            why = why | dict.fromkeys(error.covariates, str(error))
            names = [name for name in names if name not in error.covariates]


def _table(model: cox.Cox, rows: pl.DataFrame) -> pl.DataFrame:
    """Coefficients, and whether they hold throughout; where one surely does not, `split_at` says until when.

    `early` and `late` are coefficients here, too: a hazard ratio may be too large for a number, or nothing but 0.
    """
    told = cox.coefficients(model).with_columns(
        p=(pl.col("coefficient") / pl.col("se")).abs().map_elements(lambda z: erfc(z / sqrt(2)), pl.Float64)
    )
    try:
        shape = cox.proportionality(model, rows)
    except InputError as error:
        unknown = {name: pl.lit(None, TABLE[name]) for name in ("early", "late", "is_proportional", "split_at")}
        return told.with_columns(advice=pl.lit(f"cannot tell: {error}"), **unknown)
    changes = pl.col("is_proportional").eq(False).fill_null(False)
    shape = shape.select(
        "covariate",
        "early",
        "late",
        "is_proportional",
        split_at=pl.when(changes.any()).then(pl.col("split_at").cast(pl.Int64)),
        advice=pl.when(changes)
        .then(pl.format("early holds up to {} months, late from then on", pl.col("split_at").cast(pl.Int64)))
        .otherwise("advice"),
    )
    return told.join(shape, on="covariate", how="left", maintain_order="left")


def _untold(why: dict[str, str], only: dict[str, float]) -> pl.DataFrame:
    said = {name: f"left out: {of}" for name, of in why.items()}
    for name, value in only.items():
        said[name] = f"only where this is {value:g} did anyone leave so: nobody else is expected to"
    schema = {"covariate": pl.String, "advice": pl.String}
    return _shaped(pl.DataFrame(list(said.items()), schema=schema, orient="row"))


def _shaped(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.select(
        (pl.col(name) if name in rows.columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in TABLE.items()
    )
