"""Value over a life: what a customer may still contribute, as far ahead as the curves of staying tell."""

import numpy as np
import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.errors import InputError
from crmlab.measures.given import in_64_bits, required
from crmlab.measures.uncertainty import Z
from crmlab.policy import Policy

PAIR = ["kind", "tenure_months"]
FACTORS = ["factor", "least", "most"]


def life_value(curves: pl.DataFrame, customers: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """What a customer contributes over the coming months, each month as likely as that the customer is still there.

    Answers: what is it worth to keep this customer, beyond this year's contribution?

    The sum over m = 1 .. `policy.life_value.months` of ``S(tenure + m) / S(tenure) × contribution_year / 12 /
    (1 + discount)^(m / 12)``, rounded once, half to even. It takes the contribution to go on as it is. A curve says
    nothing of tenures nobody has been seen at: the sum stops there, after `months_told`, so that a customer of long
    tenure is worth less by what is not known, not by what is.

    Parameters
    ----------
    curves
        As ``survival.curves(episodes, "kind")`` gives them, time in months.
    customers
        customer_id, kind, tenure_months, contribution_year (minor units, may be negative).
    policy
        The bank's rules: months and discount (millionths a year) of life_value.

    Returns
    -------
    pl.DataFrame
        In the order of `customers`: customer_id, value, lower, upper (minor units), months_told. The interval is how
        well the curve is known, for the mean of many such customers; a single one may leave tomorrow. value, lower
        and upper are null where nothing is told: the curve begins after the customer's tenure, or ends by it.

    Raises
    ------
    InputError
        When there is no row, a value or a column is missing, or a kind has no curve or several.

    Examples
    --------
    >>> from crmlab import policy as rules
    >>> from crmlab.measures import survival
    >>> episodes = pl.DataFrame({"kind": ["retail"] * 4, "duration": [1, 2, 3, 3], "event": [True, True, False, False]})
    >>> customers = pl.DataFrame({"customer_id": [7], "kind": "retail", "tenure_months": 1, "contribution_year": 12000})
    >>> life_value(survival.curves(episodes, "kind"), customers, rules.load()).select("value", "months_told").row(0)
    (1325, 2)
    """
    required(customers, ["customer_id", *PAIR, "contribution_year"], "churn.life_value")
    required(curves, ["kind", "time", "survival", "variance", "at_risk", "since"], "churn.life_value")
    if n := curves.select(pl.struct("kind", "time").is_duplicated().sum()).item():
        raise InputError(
            f"{n} of {len(curves)} rows given to churn.life_value are of several curves of one kind. Make them by "
            "kind alone."
        )
    pairs = customers.select(PAIR).unique().sort(PAIR)
    kinds = {key[0]: curve for key, curve in curves.partition_by("kind", as_dict=True, maintain_order=True).items()}
    if unknown := [kind for kind in pairs["kind"].unique().sort() if kind not in kinds]:
        n = customers["kind"].is_in(unknown).sum()
        raise InputError(
            f"{n} of {len(customers)} customers given to churn.life_value are of a kind without a curve "
            f"(first: {unknown[0]}). Make the curves by kind over everybody, or leave them out."
        )
    months = np.arange(1, policy.life_value.months + 1)
    worth = (1 + policy.life_value.discount / MILLION) ** (-months / 12)
    factors = pl.concat(
        part.hstack(_factors(kinds[part["kind"][0]], part["tenure_months"].to_numpy(), worth))
        for part in pairs.partition_by("kind", maintain_order=True)
    )
    found = customers.select("customer_id", *PAIR, "contribution_year").join(
        factors, on=PAIR, how="left", maintain_order="left"
    )
    money = found.with_columns(
        (pl.col(name) * pl.col("contribution_year") / 12).round(mode="half_to_even").cast(pl.Int128) for name in FACTORS
    )
    return in_64_bits(
        money.select(
            "customer_id",
            value="factor",
            lower=pl.min_horizontal("least", "most"),  # what costs money costs most where it is most likely to stay
            upper=pl.max_horizontal("least", "most"),
            months_told="months_told",
        )
    )


def _factors(curve: pl.DataFrame, tenures: np.ndarray, worth: np.ndarray) -> pl.DataFrame:
    """The value of contributing 1 a month, by tenure, its interval, and how many months are told."""
    time, survival, variance, at_risk = (
        curve.sort("time")[name].to_numpy() for name in ("time", "survival", "variance", "at_risk")
    )
    ahead = tenures[:, None] + np.arange(len(worth) + 1)
    row = np.searchsorted(time, ahead, side="right") - 1
    now = survival[row[:, 0]]
    is_told = (tenures >= time[0]) & (now > 0)
    told = np.where(is_told, np.clip(np.floor(time[-1] - tenures), 0, len(worth)), 0).astype(int)
    known = np.arange(1, len(worth) + 1) <= told[:, None]
    paid = np.where(known, survival[row[:, 1:]] / np.where(now > 0, now, 1.0)[:, None] * worth, 0.0)
    factor, most = paid.sum(axis=1), np.where(known, worth, 0.0).sum(axis=1)
    # A month in which many leave moves all that is paid from it on.
    later = np.cumsum(paid[:, ::-1], axis=1)[:, ::-1]
    spread = Z * np.sqrt((later**2 * np.where(known, np.diff(variance[row], axis=1), 0.0)).sum(axis=1))
    lower, upper = np.maximum(factor - spread, 0.0), np.minimum(factor + spread, most)
    # Nobody of few left: Wilson's end for none of the fewest at risk, since no variance says how few they were.
    fewest = np.where(known, at_risk[row[:, 1:]], np.inf).min(axis=1)
    share = np.where(np.isfinite(fewest), fewest, 1.0) / (np.where(np.isfinite(fewest), fewest, 1.0) + Z * Z)
    lower = np.where(spread == 0, factor * share, lower)
    upper = np.where(spread == 0, factor * share + most * (1 - share), upper)
    frame = pl.DataFrame({"factor": factor, "least": lower, "most": upper, "months_told": told})
    return frame.with_columns(pl.when(pl.col("months_told") > 0).then(pl.col(FACTORS)))
