"""What speaks for and against a customer's leaving, in numbers and in words."""

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.churn.hazards import FURTHEST, Hazard, incidence, shares
from crmlab.measures.churn.model import Fit, centred, chunks, usable_rows
from crmlab.measures.churn.phrases import signed, texts


def reasons(fit: Fit, customers: pl.DataFrame, top: int | None = None) -> pl.DataFrame:
    """What speaks for and against leaving: how far each covariate moves the log hazard from the portfolio's mean.

    Answers: why this customer?

    The mean is that of the customer's kind, of everyone where the kind is small. Causes count by their share of the
    customer's probability, at the longest horizon, and so do early and late months where a cause has coefficients for
    each. Contributions of a customer add to the difference of the log hazard, so weighted, from that of a customer who
    is the mean. A yes or no on one side of which nobody leaves for a cause has on top what that does to the probability
    of all causes, against the portfolio's mix of both sides.

    Parameters
    ----------
    fit
        As `fit` gives it.
    customers
        Rows of `churn.landmarks`; with aum and aum_change the phrase on the balance is exact.
    top
        The furthest so many, up or down; all where left out.

    Returns
    -------
    pl.DataFrame
        In the order of `customers`, the furthest first: customer_id, covariate, value, contribution (log hazard; 0.69
        doubles it), text.

    Raises
    ------
    InputError
        When a column or value is missing, or `top` is below 1.
    """
    usable_rows(fit, customers, "churn.reasons")
    if top is not None and top < 1:
        raise InputError(f"churn.reasons cannot give {top} reasons. Ask for 1 or more, or leave top out for all.")
    top = min(top or len(fit.covariates), len(fit.covariates))
    parts = [_contributions(fit, part) for part in chunks(customers)]
    moved = np.concatenate([np.zeros((0, len(fit.covariates))), *parts])
    order = np.argsort(-np.abs(moved), axis=1, kind="stable")[:, :top]
    who, which = np.repeat(np.arange(len(moved)), top), order.ravel()
    shown = [name for name in ("aum", "aum_change") if name in customers.columns]
    values = customers.select(fit.covariates).to_numpy().reshape(moved.shape)
    rows = customers.select("customer_id", *shown)[who].with_columns(
        covariate=pl.Series(fit.covariates, dtype=pl.String)[which],
        value=pl.Series(values[who, which].astype(np.float64)),
        contribution=pl.Series(moved[who, which]),
    )
    return rows.with_columns(texts(rows)).select("customer_id", "covariate", "value", "contribution", "text")


def told(fit: Fit, customers: pl.DataFrame, top: int = 3, least: float = 0.05) -> pl.DataFrame:
    """The reasons of each customer on one line.

    Answers: what do I say to the manager who is to call?

    Parameters
    ----------
    fit, customers, top
        As for `reasons`.
    least
        Smaller contributions are not told.

    Returns
    -------
    pl.DataFrame
        In the order of `customers`: customer_id, text, such as "balance down 42 % in three months (+0.81) · salary
        still comes in (−0.22)"; "like most others" where nothing is to be told.
    """
    rows = reasons(fit, customers.with_row_index("place").with_columns(customer_id="place"), top)
    lines = (
        rows.filter(pl.col("contribution").abs() >= least)
        .with_columns(text=signed(pl.col("text"), pl.col("contribution")))
        .group_by(place="customer_id")
        .agg(pl.col("text").str.join(" · "))
    )
    own = customers.select("customer_id").with_row_index("place")
    return own.join(lines, on="place", how="left", maintain_order="left").select(
        "customer_id", pl.col("text").fill_null("like most others")
    )


def _contributions(fit: Fit, rows: pl.DataFrame) -> np.ndarray:
    """Rows × covariates."""
    x, values, stratum = centred(fit, rows)
    early, late = shares(fit.hazards, x, values, stratum, fit.horizons[-1])
    beta = np.array([of.effects.beta for of in fit.hazards[:-1]])
    found = (early @ beta[:, 0] + late @ beta[:, 1]) * (values - fit.means[stratum])
    for place in {place for of in fit.hazards for place, _ in of.effects.only}:
        found[:, place] += _ruled_out(fit, place, x, values, stratum)
    return found


def _ruled_out(fit: Fit, place: int, x: np.ndarray, values: np.ndarray, stratum: np.ndarray) -> np.ndarray:
    """How far one side of a yes or no moves the log of the probability by the causes that only one side leaves for."""

    def free(of: Hazard) -> Hazard:
        only = tuple(one for one in of.effects.only if one[0] != place)
        return of._replace(effects=of.effects._replace(only=only))

    months = fit.horizons[-1]
    parts = incidence(tuple(map(free, fit.hazards)), x, values, stratum, (months,))[months]
    low, high = fit.lowest[place], fit.highest[place]
    is_high = (fit.means[stratum, place] - low) / (high - low)
    own, usual = np.zeros(len(x)), np.zeros(len(x))
    for part, of in zip(parts.T, fit.hazards[:-1], strict=False):
        side = dict(of.effects.only).get(place)
        own += part if side is None else part * (values[:, place] == np.float32(side))
        usual += part if side is None else part * np.where(np.float32(side) == high, is_high, 1 - is_high)
    ratio = np.divide(own, usual, out=np.ones(len(x)), where=usual > 0)
    return np.log(np.maximum(ratio, np.exp(-FURTHEST)))
