"""What a customer takes next: each product by the way that told it best, in months it had not been learnt from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.measures.churn.landmarking import number
from crmlab.measures.churn.training import month_end, months_of
from crmlab.measures.crosssell.models import (
    METHODS,
    POPULARITY,
    TABLE,
    Models,
    held,
    learning,
    learnt,
    one_thread,
    taken,
)
from crmlab.measures.crosssell.popularity import Book
from crmlab.measures.crosssell.taking import as_known, known_of, offered
from crmlab.measures.given import finite, named, required
from crmlab.measures.uncertainty import Z
from crmlab.policy import Policy

CHUNK = 2**17  # rows that are scored at a time
LEAST = 20  # takers in the months compared: of fewer no interval says anything
FAINT = 1e-6  # a probability nearer to 0 or 1 counts as so near
NAMED = {"hazards": "hazards of taking it", "logistic": "a logistic curve", "rules": "rules"}
CHOICES = {
    "product_id": pl.String, "n_takers": pl.Int64, "n": pl.Int64, "n_taken": pl.Int64,
    **{f"{name}_{end}": pl.Float64 for name in METHODS[1:] for end in ("difference", "lower", "upper")},
    "used": pl.Enum(METHODS), "why": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Fit:
    """Who takes which product within `horizon` months, as known at `as_of`.

    `models` all ways to tell it, `earlier` the same as they would have stood when they were compared; `used` by
    product, the one that is; `choices` as `crosssell.choices` tells them.
    """

    as_of: date
    horizon: int
    models: Models
    earlier: Models
    used: dict[str, str]
    choices: pl.DataFrame


@one_thread
def fit(
    landmarks: pl.DataFrame,
    as_of: date,
    policy: Policy,
    horizon_months: int | None = None,
    book: Book | None = None,
    models: Models | None = None,
) -> Fit:
    """Fit who takes each product, by all ways, and choose for each product the one that told best.

    Answers: what does this customer take next?

    Four ways: popularity (how often customers of the kind take it), rules (the confirmed ones of
    `crosssell.discovered`), hazards (Cox's, of the months to the taking), logistic (scikit-learn's logistic regression
    on covariates that may bend at their quartiles); each is brought to what happened in months of its own. All are
    first made as they would have stood `horizon_months` and ``policy.crosssell.calibration_months`` earlier, and
    compared on what was taken since. Of those whose mean log loss lies surely below that of popularity (95 %, a
    customer's months taken together) the lowest is used; where there is none, popularity stands. What is used is then
    fitted anew on all that is known.

    Parameters
    ----------
    landmarks
        As `crosssell.landmarks` gives them; only what was known at `as_of` is used.
    as_of
        The day that it stands on: its month end, or the last one before.
    policy
        ``policy.crosssell``.
    horizon_months
        The first of ``policy.crosssell.horizons``, where left out.
    book
        What rules are found in, as `crosssell.Book`: holdings, customers (customer_id, since), products; without it
        there are no rules.
    models
        What would be learnt from all that is known, where that has been done already: `earlier` of a later fit.

    Returns
    -------
    Fit
        See there.

    Raises
    ------
    InputError
        When a column or value is missing, there is one product only, the history is too short, or nobody took anything.

    Examples
    --------
    >>> from crmlab import policy
    >>> rng = np.random.default_rng(1)
    >>> ends = pl.date_range(date(2023, 1, 1), date(2024, 8, 1), "1mo", eager=True).dt.month_end()
    >>> paid = rng.integers(0, 2, 900)
    >>> taken_in = rng.geometric(np.where(paid, 0.06, 0.01))
    >>> who, at = np.divmod(np.arange(900 * 20), 20)
    >>> ahead = np.where((taken_in[who] > at) & (taken_in[who] < 20), taken_in[who] - at, 0)
    >>> rows = pl.DataFrame({"customer_id": who, "month": ends[at], "kind": "retail", "salary": paid[who],
    ...     "holds:account": True, "takes:account": None, "holds:card": taken_in[who] <= at,
    ...     "takes:card": pl.Series(ahead).replace(0, None)}).sort("month", "customer_id")
    >>> found = fit(rows, date(2024, 8, 31), policy.load())
    >>> found.used["card"] != "popularity", choices(found)["why"][0]
    (True, 'Popularity stands: everyone holds it.')
    >>> now = rows.filter(~pl.col("holds:card"), month=date(2024, 8, 31)).unique("salary").sort("salary")
    >>> probability(found, now)["probability"].round(2).to_list()  # drawn with 0.03 and 0.17
    [0.03, 0.15]
    """
    horizon = horizon_months or policy.crosssell.horizons[0]
    if horizon < 1 or horizon % 1:
        raise InputError(f"A horizon of {horizon:g} months cannot be told. Give whole months, 1 or more.")
    products = _checked(landmarks, "crosssell.fit")
    last = as_of if (as_of + timedelta(1)).day == 1 else as_of.replace(day=1) - timedelta(1)
    last = min(last, landmarks["month"].max())
    known = as_known(landmarks, last)
    at, first = number(last), number(known["month"].min())
    test = at - horizon - policy.crosssell.calibration_months
    if at - first + 1 < (due := needed(horizon, policy)):
        raise InputError(
            f"The history is too short for {horizon} months: that needs {due} month ends up to {months_of(at)}, and "
            f"there are {at - first + 1}. Wait, or ask for a shorter horizon under [crosssell] in policy.toml."
        )
    earlier = learnt(as_known(known, month_end(test)), test, horizon, products, policy, book)
    later = known.filter(pl.col("month").is_between(month_end(test), month_end(at - horizon)))
    models = models or learnt(known, at, horizon, products, policy, book)
    table = _compared(earlier, models, later)
    return Fit(last, horizon, models, earlier, dict(table.select("product_id", "used").iter_rows()), table)


def needed(horizon: int, policy: Policy) -> int:
    """Month ends that `crosssell.fit` needs.

    Examples
    --------
    >>> from crmlab import policy
    >>> needed(3, policy.load())
    19
    """
    return learning(horizon, policy) + 2 * (horizon + policy.crosssell.calibration_months) + 1


@one_thread
def probability(fit: Fit, customers: pl.DataFrame, products: Sequence[str] | None = None) -> pl.DataFrame:
    """How likely each customer is to take each product they do not hold, within the horizon.

    Answers: what to offer whom?

    Parameters
    ----------
    fit
        As `crosssell.fit` gives it.
    customers
        Rows of `crosssell.landmarks`, of one month.
    products
        product_id of those to tell of; all that the fit knows, where left out.

    Returns
    -------
    pl.DataFrame
        customer_id, product_id, probability (0..1, calibrated), source (the way it is told by: `METHODS`); by customer
        as given, then by product. A pair that is held is not there.

    Raises
    ------
    InputError
        When a product is not known to the fit, or a column or value is missing.
    """
    all_of = fit.models.products
    wanted = all_of if products is None else tuple(dict.fromkeys(products))
    if unknown := [name for name in wanted if name not in all_of]:
        raise InputError(
            f"{len(unknown)} of {len(wanted)} products asked for are not known to crosssell.probability (first: "
            f"{unknown[0]}). {near_miss(unknown[0], list(all_of))}"
        )
    names = list(known_of_fit(fit))
    named(customers.columns, names, "crosssell.probability")
    if len(customers):
        required(customers, names, "crosssell.probability")
        finite(customers, list(fit.models.basis.names), "crosssell.probability")
    source = pl.Series([fit.used[name] for name in wanted], dtype=pl.Enum(METHODS))
    ids = pl.Series(wanted, dtype=pl.Enum(all_of))
    parts = [_scored(fit, rows, wanted, ids, source) for rows in customers.iter_slices(CHUNK)]
    schema = {"customer_id": customers.schema["customer_id"], "product_id": ids.dtype, "probability": pl.Float64,
              "source": source.dtype}  # fmt: skip
    return pl.concat([pl.DataFrame(schema=schema), *parts])


def choices(fit: Fit) -> pl.DataFrame:
    """By which way each product is told, and how sure it is that it tells better than popularity.

    Answers: which products can a model tell, and which not?

    Returns
    -------
    pl.DataFrame
        A row a product: product_id, n_takers (who took it in the months learnt from, each once); in the months they
        were compared in n (customer and month) and n_taken; for rules, hazards and logistic the mean log loss less that
        of popularity (``_difference``; below 0 is better) with ``_lower`` and ``_upper`` (95 %; null where it cannot
        be told), used, why (a sentence).
    """
    return fit.choices


def coefficients(fit: Fit) -> pl.DataFrame:
    """What raises and lowers the hazard of taking each product that has a model.

    Returns
    -------
    pl.DataFrame
        product_id, covariate, hazard_ratio (for one standard deviation more of it), lower, upper (95 %).
    """
    return fit.models.ratios.select(list(TABLE))


def known_of_fit(fit: Fit) -> tuple[str, ...]:
    """The columns that rows have to have to be told of."""
    return ("customer_id", "kind", *fit.models.basis.names)


def compared(loss: np.ndarray, customer: np.ndarray) -> tuple[float, float | None, float | None]:
    """The mean of differences with its 95 % interval, a customer's rows taken together; no ends of fewer than two.

    Examples
    --------
    >>> compared(np.array([1.0, 1.0, 3.0]), np.array([7, 7, 9]))[0]
    1.6666666666666667
    """
    mean, (_, which) = float(loss.mean()), np.unique(customer, return_inverse=True)
    sums = np.bincount(which, loss - mean)
    n = len(sums)
    if n < 2:
        return mean, None, None
    reach = Z * float(np.sqrt((sums @ sums) * n / (n - 1))) / len(loss)
    return mean, mean - reach, mean + reach


def log_loss(told: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """Of each row; a probability of 0 or 1 counts as nearly so.

    Examples
    --------
    >>> log_loss(np.array([0.5, 0.5]), np.array([True, False])).round(3).tolist()
    [0.693, 0.693]
    """
    told = np.clip(told, FAINT, 1 - FAINT)
    return -np.log(np.where(taken, told, 1 - told))


def _checked(landmarks: pl.DataFrame, measure: str) -> tuple[str, ...]:
    products = offered(landmarks, measure)
    names = known_of(landmarks)
    required(landmarks, ["customer_id", "month", "kind", *names], measure)
    finite(landmarks, list(names), measure)
    return products


def _compared(earlier: Models, models: Models, later: pl.DataFrame) -> pl.DataFrame:
    """A row a product: how each way told what was taken, and which is used."""
    seen, customer = earlier.seen(later), later["customer_id"].to_numpy()
    has_taken = taken(later, earlier.products, earlier.span.horizon)
    rows = []
    for n, name in enumerate(earlier.products):
        is_free = ~seen.held[:, n]
        left, who = has_taken[is_free, n], customer[is_free]
        losses = {
            method: log_loss(way.told(seen)[is_free], left) for method, way in earlier.ways[name].items() if len(left)
        }
        row = {"product_id": name, "n_takers": models.n_takers[name], "n": len(left), "n_taken": int(left.sum())}
        n_takers = len(np.unique(who[left]))
        against: dict[str, tuple] = {}
        for method, loss in losses.items():
            if method != POPULARITY:
                against[method] = compared(loss - losses[POPULARITY], who)
                ends = ("difference", "lower", "upper")
                row |= {f"{method}_{end}": value for end, value in zip(ends, against[method], strict=True)}
        used, why = _chosen(name, against, n_takers, earlier, models)
        rows.append(dict.fromkeys(CHOICES) | row | {"used": used, "why": why})
    return pl.DataFrame(rows, schema=CHOICES, orient="row")


def _chosen(name: str, against: dict[str, tuple], n_takers: int, earlier: Models, models: Models) -> tuple[str, str]:
    if n_takers < LEAST:
        why = models.why.get(name) or earlier.why.get(name)
        few = f"{n_takers} took it in the months the ways were compared in, fewer than {LEAST}"
        return POPULARITY, f"Popularity stands: {why or few}."
    better = {
        method: ends
        for method, ends in against.items()
        if ends[2] is not None and ends[2] < 0 and method in models.ways[name]
    }
    if not better:
        why = models.why.get(name) or earlier.why.get(name) or "no other way is surely better"
        return POPULARITY, f"Popularity stands: {why}."
    used = min(better, key=lambda method: better[method][0])
    difference, lower, upper = better[used]
    return used, (
        f"Told by {NAMED[used]}: log loss {-difference:.4f} below that of popularity (95 % interval {-upper:.4f} to "
        f"{-lower:.4f})."
    )


def _scored(fit: Fit, rows: pl.DataFrame, wanted: tuple[str, ...], ids: pl.Series, source: pl.Series) -> pl.DataFrame:
    used = {fit.used[name] for name in wanted}
    seen = fit.models.seen(rows, is_bent="logistic" in used)
    free = ~held(rows, wanted)
    told = np.empty(free.shape)
    for n, name in enumerate(wanted):
        told[:, n] = fit.models.ways[name][fit.used[name]].told(seen)
    who, what = np.nonzero(free)
    return pl.DataFrame({"customer_id": rows["customer_id"].gather(who), "product_id": ids.gather(what),
                         "probability": told[free], "source": source.gather(what)})  # fmt: skip
