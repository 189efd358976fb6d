"""Back-testing what comes next: all ways as they would have stood earlier, against what was taken since."""

from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.churn.landmarking import number
from crmlab.measures.churn.ranking import auc, clusters, dense
from crmlab.measures.churn.reliability import Curve, calibration
from crmlab.measures.churn.training import month_end
from crmlab.measures.crosssell.choosing import Fit, compared, fit, log_loss, needed
from crmlab.measures.crosssell.models import METHODS, POPULARITY, one_thread, taken
from crmlab.measures.crosssell.popularity import Book
from crmlab.measures.crosssell.ranked import apart, average_precision, on_list, places, precision, recall, shared
from crmlab.measures.crosssell.taking import as_known, offered
from crmlab.measures.given import required
from crmlab.policy import Policy

CHOSEN = "chosen"  # each product by the way that the fit uses
WAYS = (CHOSEN, *METHODS)
FIRST = (1, 3, 5)  # products told to each customer
BUDGETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
FIRST_OF, LIST_OF = 3, 0.05  # what the verdicts are of
LEAST = 20  # takers: of fewer no interval says anything
ENDS = ("lower", "upper")
SHARE = {"share": pl.Float64, "lower": pl.Float64, "upper": pl.Float64}
PRODUCTS = {
    "product_id": pl.String, "method": pl.Enum(WAYS), "is_used": pl.Boolean, "n": pl.Int64, "n_taken": pl.Int64,
    "n_takers": pl.Int64, "rate": pl.Float64, "told": pl.Float64, "log_loss": pl.Float64, "difference": pl.Float64,
    "difference_lower": pl.Float64, "difference_upper": pl.Float64, "auc": pl.Float64, "auc_lower": pl.Float64,
    "auc_upper": pl.Float64, "slope": pl.Float64, "slope_lower": pl.Float64, "slope_upper": pl.Float64,
    "intercept": pl.Float64, "ici": pl.Float64,
}  # fmt: skip
RANKINGS = {"method": pl.Enum(WAYS), "k": pl.Int64, "measure": pl.String, "n": pl.Int64, **SHARE}
GAINS = {"product_id": pl.String, "method": pl.Enum(WAYS), "budget": pl.Float64, "n_called": pl.Int64,
         "n_taken": pl.Int64, **SHARE}  # fmt: skip
VERDICTS = {
    "measure": pl.String, "share": pl.Float64, "popularity": pl.Float64, "difference": pl.Float64, "lower": pl.Float64,
    "upper": pl.Float64, "n_takers": pl.Int64, "is_better": pl.Boolean, "sentence": pl.String,
}  # fmt: skip


class Trial(NamedTuple):
    """All ways as they would have stood, and what was taken since; `crosssell.trial` says what is in the frames."""

    fit: Fit  # from what was known at `at`
    at: date
    until: date  # the last landmark that could be followed
    products: pl.DataFrame
    rankings: pl.DataFrame
    gains: pl.DataFrame
    verdicts: pl.DataFrame


class _Test(NamedTuple):
    """What each way told of the months tested, and what was taken."""

    customer: np.ndarray  # whole numbers from 0
    is_free: np.ndarray  # rows × products
    has_taken: np.ndarray
    told: dict[str, np.ndarray]
    known: dict[str, set[str]]  # the products that a way tells itself; of others it says what popularity does


@one_thread
def trial(
    landmarks: pl.DataFrame,
    policy: Policy,
    horizon_months: int | None = None,
    book: Book | None = None,
    now: Fit | None = None,
) -> Trial:
    """Fit and choose on what was known so long ago that all the horizon has passed since, and say what was taken.

    Answers: was last quarter's list of offers any good, and better than offering everyone what everyone takes?

    The months tested are those from `at` on that can be followed through the horizon: as many as the history bears,
    one more than ``policy.crosssell.calibration_months`` at most. No way was made, calibrated or chosen with anything
    that came after `at`.

    Parameters
    ----------
    landmarks
        As `crosssell.landmarks` gives them, up to the last month end.
    policy, horizon_months, book
        As for `crosssell.fit`.
    now
        The fit on the same landmarks, policy, horizon and book up to their last month, where it has been made already:
        what it would have learnt earlier needs not be learnt again.

    Returns
    -------
    Trial
        fit, at, until. products: a row a product and method (`WAYS`: chosen, and those that the product has), of those
        who did not hold it: is_used (the method that was chosen), n (customer and month), n_taken, n_takers, rate
        (taken), told (mean probability), log_loss, difference (from popularity's; below 0 is better) with its ends,
        auc, slope, intercept and ici of `churn.calibration` with their ends; null where it cannot be told.
        rankings: by method, k and measure (precision: of the first k products told to each customer, those taken;
        recall: of those taken, those among the first k; map: mean average precision of those who took any): n
        (customers and months), share, lower, upper. gains: by product (null: all pairs together), method and budget
        (share of the pairs): n_called, n_taken, share (of the takings, that the list held), lower, upper.
        verdicts: whether the ways chosen held more of what was taken than popularity, among the first three products
        told to each customer (measure: products a customer) and on one list of the likeliest pairs (list of pairs):
        share, popularity, difference, lower, upper, n_takers, is_better (null: cannot tell), sentence. A method that a
        product lacks tells of it what popularity does. All intervals are 95 % and take a customer's months together.

    Raises
    ------
    InputError
        As `crosssell.fit`; when the history is too short to test, or nobody took anything in the months tested.

    Examples
    --------
    >>> from crmlab import policy
    >>> names = ["holds:card", "takes:card", "holds:fund", "takes:fund"]
    >>> trial(pl.DataFrame({"month": [date(2024, 6, 30)], **dict.fromkeys(names)}), policy.load())
    Traceback (most recent call last):
    crmlab.errors.InputError: 3 months cannot be tested yet: that needs 22 month ends, and there are 1. Wait, or test \
a shorter horizon.
    """
    horizon = horizon_months or policy.crosssell.horizons[0]
    offered(landmarks, "crosssell.trial")
    required(landmarks, ["month"], "crosssell.trial")
    first, last = number(landmarks["month"].min()), number(landmarks["month"].max())
    at = last - horizon - min(policy.crosssell.calibration_months, last - first + 1 - horizon - needed(horizon, policy))
    if at - first + 1 < needed(horizon, policy) or at > last - horizon:
        raise InputError(
            f"{horizon} months cannot be tested yet: that needs {needed(horizon, policy) + horizon} month ends, and "
            f"there are {last - first + 1}. Wait, or test a shorter horizon."
        )
    models = now.earlier if now and now.earlier.span.at == at and now.horizon == horizon else None
    found = fit(as_known(landmarks, month_end(at)), month_end(at), policy, horizon, book, models)
    rows = landmarks.filter(pl.col("month").is_between(month_end(at), month_end(last - horizon)))
    test = _test(found, rows)
    if not test.has_taken.any():
        raise InputError(
            f"Nobody took anything within {horizon} months of {month_end(at)}, so nothing can be compared. Test "
            "another time or more customers."
        )
    products = pl.concat(_of_product(found, test, n, horizon) for n in range(len(found.models.products)))
    return Trial(found, month_end(at), month_end(last - horizon), products, _rankings(test),
                 _gains(found, test), _verdicts(test, horizon))  # fmt: skip


def _test(found: Fit, rows: pl.DataFrame) -> _Test:
    models = found.models
    seen = models.seen(rows)
    told = {name: np.zeros(seen.held.shape) for name in WAYS}
    known: dict[str, set[str]] = {name: set() for name in WAYS}
    for n, product in enumerate(models.products):
        own = {name: way.told(seen) for name, way in models.ways[product].items()}
        own[CHOSEN] = own[found.used[product]]
        for name in WAYS:
            told[name][:, n] = own.get(name, own[POPULARITY])
            if name in own:
                known[name].add(product)
    has_taken = taken(rows, models.products, found.horizon)
    customer = np.unique(rows["customer_id"].to_numpy(), return_inverse=True)[1]
    return _Test(customer, ~seen.held, has_taken & ~seen.held, told, known)


def _of_product(found: Fit, test: _Test, n: int, horizon: int) -> pl.DataFrame:
    product, is_free = found.models.products[n], test.is_free[:, n]
    left, who = test.has_taken[is_free, n], test.customer[is_free]
    counts = {"n": len(left), "n_taken": int(left.sum()), "n_takers": len(np.unique(who[left]))}
    rows, used = {}, found.used[product]
    for method in METHODS:
        if product not in test.known[method]:
            continue
        row = {"product_id": product, "method": method, "is_used": method == used} | counts
        if len(left):
            told, plain = (test.told[name][is_free, n] for name in (method, POPULARITY))
            row |= {"rate": float(left.mean()), "told": float(told.mean())}
            loss = log_loss(told, left)
            row["log_loss"] = float(loss.mean())
            if counts["n_takers"] >= LEAST:
                gap = compared(loss - log_loss(plain, left), who)
                row |= dict(zip(("difference", "difference_lower", "difference_upper"), gap, strict=True))
                row |= _reliability(told, left, who, horizon)
        rows[method] = dict.fromkeys(PRODUCTS) | row
    return pl.DataFrame([rows[used] | {"method": CHOSEN}, *rows.values()], schema=PRODUCTS, orient="row")


def _reliability(told: np.ndarray, left: np.ndarray, who: np.ndarray, horizon: int) -> dict:
    if left.all():
        return {}
    scored = pl.DataFrame({"customer_id": who, "probability": told, "event": left}).with_columns(duration=horizon)
    curve: Curve = calibration(scored, horizon)
    area = auc(dense(told), left, clusters(scored))
    names = ("slope", "slope_lower", "slope_upper", "intercept", "ici")
    return {name: getattr(curve, name) for name in names} | {
        "auc": area.auc, "auc_lower": area.lower, "auc_upper": area.upper,
    }  # fmt: skip


def _rankings(test: _Test) -> pl.DataFrame:
    rows = []
    for method in WAYS:
        place = places(test.told[method], test.is_free)
        for k in FIRST:
            for name, of in (("precision", precision), ("recall", recall), ("map", average_precision)):
                part, whole = of(place, test.has_taken, k)
                told = shared(part, whole, test.customer)
                rows.append((method, k, name, int((whole > 0).sum()), *told))
    return pl.DataFrame(rows, schema=RANKINGS, orient="row")


def _gains(found: Fit, test: _Test) -> pl.DataFrame:
    budgets, rows = np.array(BUDGETS), []
    who, what = np.nonzero(test.is_free)
    for n, product in [(None, None), *enumerate(found.models.products)]:
        chosen = np.full(len(what), True) if n is None else what == n
        at = (who[chosen], what[chosen])
        left = test.has_taken[at].astype(float)
        if not left.any():
            continue
        for method in WAYS:
            if product is not None and product not in test.known[method]:
                continue
            called, parts = on_list(test.told[method][at], budgets)
            for budget, n_called, part in zip(BUDGETS, called, parts, strict=True):
                told = shared(part * left, left, test.customer[at[0]])
                rows.append((product, method, budget, int(n_called), int(left.sum()), *told))
    return pl.DataFrame(rows, schema=GAINS, orient="row")


def _verdicts(test: _Test, horizon: int) -> pl.DataFrame:
    whole = test.has_taken.sum(axis=1).astype(float)
    plain = test.told[POPULARITY], test.told[CHOSEN]
    parts = [recall(places(told, test.is_free), test.has_taken, FIRST_OF)[0] for told in reversed(plain)]
    what = f"the first {FIRST_OF} products told to each customer"
    first = _verdict(parts, whole, test, f"Of what was taken within {horizon} months, {what} held")
    at = np.nonzero(test.is_free)
    lists = [on_list(told[at], np.array([LIST_OF]))[1][0] for told in reversed(plain)]
    parts = [np.bincount(at[0], part * test.has_taken[at], len(whole)) for part in lists]
    what = f"a list of the likeliest {100 * LIST_OF:g} % of pairs of customer and product"
    second = _verdict(parts, whole, test, f"Of what was taken within {horizon} months, {what} held")
    rows = [{"measure": "products a customer", **first}, {"measure": "list of pairs", **second}]
    return pl.DataFrame(rows, schema=VERDICTS)


def _verdict(parts: list[np.ndarray], whole: np.ndarray, test: _Test, begins: str) -> dict:
    """Whether the ways chosen (first) held more than popularity (second)."""
    gap, lower, upper = apart(parts, whole, test.customer)
    n_takers = len(np.unique(test.customer[whole > 0]))
    shares = [float(part.sum() / whole.sum()) for part in parts]
    is_told = lower is not None and n_takers >= LEAST and not lower <= 0 <= upper
    points = ""
    if lower is not None:
        gap_told, *ends = (f"{100 * one:.1f}".replace("-", "−") for one in (gap, lower, upper))
        points = f" ({gap_told} points, 95 % interval {ends[0]} to {ends[1]})"
    held = f"{begins} {100 * shares[0]:.0f} %, and {100 * shares[1]:.0f} % by popularity alone"
    few = f" Only {n_takers} took anything." if n_takers < LEAST else ""
    said = ("better" if gap > 0 else "worse") if is_told else "whether that is better cannot be told"
    row = dict(zip(("share", "popularity", "difference", *ENDS), (*shares, gap, lower, upper), strict=True))
    sentence = f"{held}: {said}{points}.{few}"
    return row | {"n_takers": n_takers, "is_better": gap > 0 if is_told else None, "sentence": sentence}
