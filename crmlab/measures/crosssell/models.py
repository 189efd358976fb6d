"""All ways to tell who takes each product, as they would have been made on one day, each brought to what happened."""

from collections.abc import Callable
from functools import wraps
from typing import NamedTuple

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from crmlab.errors import InputError
from crmlab.measures.churn.landmarking import number
from crmlab.measures.churn.recalibration import Calibration, calibrate, calibrated
from crmlab.measures.churn.training import month_end, months_of
from crmlab.measures.crosssell.popularity import Book, Popular, Ruled, Seen, confirmed, popular
from crmlab.measures.crosssell.propensity import COEFFICIENTS, Basis, Curve, Hazards, basis, curve, hazards
from crmlab.measures.crosssell.taking import HOLDS, TAKES, known_of
from crmlab.policy import Policy

POPULARITY, RULES, HAZARDS, LOGISTIC = METHODS = ("popularity", "rules", "hazards", "logistic")
# Of those who do not take a product as many as this, or so many a taker; each then counts for several.
LEAST_ROWS, MOST_ROWS, A_TAKER = 10_000, 50_000, 10
TABLE = {"product_id": pl.String, **COEFFICIENTS}


class Span(NamedTuple):
    """Numbers of the months that models stand on."""

    first: int  # the first landmark
    until: int  # what was taken up to it is learnt from; the first landmark that is calibrated on
    at: int  # the last month known
    horizon: int


class Way(NamedTuple):
    """A way to tell who takes a product, and what brings it to what happened."""

    model: Popular | Ruled | Hazards | Curve
    calibration: Calibration

    def told(self, seen: Seen) -> np.ndarray:
        """How likely each is to take it."""
        return calibrated(self.model.told(seen), self.calibration)


class Models(NamedTuple):
    """What is known of who takes each product.

    `ways` by product and method; `n_takers` of each product up to `span.until`; `why` there is no model of it;
    `ratios` what raises its hazard.
    """

    span: Span
    products: tuple[str, ...]
    kinds: tuple[str, ...]
    basis: Basis
    ways: dict[str, dict[str, Way]]
    n_takers: dict[str, int]
    why: dict[str, str]
    ratios: pl.DataFrame

    def seen(self, rows: pl.DataFrame, is_bent: bool = True) -> Seen:
        """Landmarks as models see them."""
        kind = _strata(rows, self.kinds)
        return self.basis.seen(rows, kind, held(rows, self.products), is_bent)


class _Rows(NamedTuple):
    """Landmarks of a time, with what all products share."""

    frame: pl.DataFrame
    who: pl.DataFrame  # customer_id, stratum, month_number, place


def span(first: int, at: int, horizon: int, policy: Policy) -> Span:
    """The months to learn from and to calibrate on.

    Raises
    ------
    InputError
        When there are too few of them.

    Examples
    --------
    >>> from crmlab import policy
    >>> span(24_000, 24_015, 3, policy.load())
    Span(first=24000, until=24009, at=24015, horizon=3)
    """
    until = at - policy.crosssell.calibration_months - horizon
    if until - first >= learning(horizon, policy):
        return Span(first, until, at, horizon)
    due = learning(horizon, policy) + policy.crosssell.calibration_months + horizon + 1
    raise InputError(
        f"The history is too short for {horizon} months: that needs {due} month ends up to {months_of(at)}, and there "
        f"are {max(at - first + 1, 0)}. Wait, or ask for a shorter horizon under [crosssell] in policy.toml."
    )


def learning(horizon: int, policy: Policy) -> int:
    """Months that are learnt from, at least: as many as the horizon, or nobody is followed through it."""
    return max(policy.crosssell.train_months, horizon)


def learnt(rows: pl.DataFrame, at: int, horizon: int, products: tuple[str, ...], policy: Policy, book: Book | None):
    """All models of each product, from landmarks as known at a month.

    Parameters
    ----------
    rows
        As `taking.as_known` gives them.
    at
        The number of that month.
    horizon
        Months within which a product is taken.
    products
        Those to tell of.
    policy
        ``policy.crosssell``.
    book
        What rules are found in; None: without rules.

    Returns
    -------
    Models
        See there.

    Raises
    ------
    InputError
        When the history is too short, or nobody took anything.
    """
    months = span(number(rows["month"].min()), at, horizon, policy)
    index = pl.col("month").dt.year().cast(pl.Int32) * 12 + pl.col("month").dt.month()
    kinds = tuple(rows["kind"].unique().sort())
    parts = (rows.filter(index < months.until), rows.filter(index.is_between(months.until, at - horizon)))
    train, later = (_rows(part, kinds, index) for part in parts)
    every = max(len(train.frame) // MOST_ROWS, 1)
    of = basis(train.frame.gather_every(every), known_of(rows), len(kinds))
    bare = Models(months, products, kinds, of, {}, {}, {}, pl.DataFrame(schema=TABLE))
    # Rules stand on the months that models are learnt from, too: those they are calibrated on are of their own.
    ruled = confirmed(book, month_end(months.until), horizon, policy) if book else {}
    found = {name: _product(bare, name, train, policy, ruled.get(name, [])) for name in products}
    raw = {name: one[0] for name, one in found.items()}
    ways = _calibrated(bare, raw, later, policy.crosssell.least_events)
    if not any(one[1] for one in found.values()):
        raise InputError(
            f"Nobody took any of {len(products)} products between {months_of(months.first)} and "
            f"{months_of(months.until)}, so nothing says what comes next. Give a longer history."
        )
    return bare._replace(
        ways=ways,
        n_takers={name: one[1] for name, one in found.items()},
        why={name: one[2] for name, one in found.items() if one[2]},
        ratios=pl.concat([bare.ratios, *(one[3] for one in found.values())]),
    )


def one_thread(measure: Callable) -> Callable:
    """The same measure with one thread for products of matrices.

    Those of a product are small: threads would wait for each other longer than they compute. And they add up in an
    order of their own: so any machine tells the same.
    """

    @wraps(measure)
    def limited(*args: object, **kwargs: object) -> object:
        with threadpool_limits(1, user_api="blas"):
            return measure(*args, **kwargs)

    return limited


def held(rows: pl.DataFrame, products: tuple[str, ...]) -> np.ndarray:
    """Which products are held, rows × products."""
    return np.column_stack([rows[HOLDS + name].to_numpy() for name in products])


def taken(rows: pl.DataFrame, products: tuple[str, ...], horizon: int) -> np.ndarray:
    """Which products are taken within the horizon, rows × products."""
    within = ((pl.col(TAKES + name) <= horizon).fill_null(False) for name in products)
    return np.column_stack([one.to_numpy() for one in rows.select(within)])


def _rows(frame: pl.DataFrame, kinds: tuple[str, ...], index: pl.Expr) -> _Rows:
    who = frame.select("customer_id", month_number=index).with_row_index("place")
    return _Rows(frame, who.with_columns(stratum=pl.Series(_strata(frame, kinds))))


def _strata(rows: pl.DataFrame, kinds: tuple[str, ...]) -> np.ndarray:
    return rows["kind"].replace_strict(list(kinds), range(1, len(kinds) + 1), default=0,
                                       return_dtype=pl.Int64).to_numpy()  # fmt: skip


def _product(bare: Models, name: str, train: _Rows, policy: Policy, ruled: list) -> tuple:
    """The models of a product, how many took it, why there are no others, and what raises its hazard."""
    months, none = bare.span, bare.ratios
    takes = train.frame[TAKES + name]
    rows = train.who.with_columns(takes=takes).filter(~train.frame[HOLDS + name])
    whole = rows.filter(pl.col("month_number") <= months.until - months.horizon)
    whole = whole.with_columns(taken=(pl.col("takes") <= months.horizon).fill_null(False))
    raw: dict = {POPULARITY: popular(whole, len(bare.kinds))}
    if ruled:
        at = {product: n for n, product in enumerate(bare.products)}
        usable = [(tuple(at[item] for item in items), rate) for items, rate in ruled if set(items) <= at.keys()]
        raw[RULES] = Ruled(raw[POPULARITY], tuple(usable))
    most = pl.min_horizontal(months.until - pl.col("month_number"), pl.lit(months.horizon))
    event = (pl.col("takes") <= most).fill_null(False)
    rows = rows.with_columns(event=event, duration=pl.when(event).then("takes").otherwise(most).cast(pl.Int32))
    rows = rows.with_columns(ends=pl.col("month_number") + pl.col("duration"))
    n = rows.filter("event").select("customer_id", "ends").n_unique()
    if n < policy.crosssell.least_events:
        return raw, n, _too_few(n, len(rows), months, policy.crosssell.least_events), none
    rows = _thinned(rows)
    given = train.frame[rows["place"]]
    seen = bare.seen(given)
    try:
        raw[HAZARDS], table = hazards(rows, seen, bare.basis, n)
        table = table.select(pl.lit(name).alias("product_id"), *COEFFICIENTS)
    except InputError as error:
        return raw, n, f"no model of it can be fitted: {error}", none
    is_whole = (rows["month_number"] <= months.until - months.horizon).to_numpy()
    followed = rows.filter(is_whole).with_columns(taken="event")
    if followed["taken"].any() and not followed["taken"].all():
        part = Seen(seen.kind[is_whole], seen.held[is_whole], seen.x[is_whole], seen.bent[is_whole])
        raw[LOGISTIC] = curve(followed, part)
    return raw, n, "", table


def _too_few(n: int, n_free: int, months: Span, least: int) -> str:
    if not n_free:
        return "everyone holds it"
    when = f"between {months_of(months.first)} and {months_of(months.until)}"
    return f"{n or 'nobody'} took it {when}, fewer than {least}" if n else f"nobody took it {when}"


def _thinned(rows: pl.DataFrame) -> pl.DataFrame:
    """Of those who did not take it, every so many; who is kept stands for the others."""
    n = int(rows["event"].sum())
    step = max(-(-(len(rows) - n) // min(max(A_TAKER * n, LEAST_ROWS), MOST_ROWS)), 1)
    # The number is stirred, since neighbours may have come on one day.
    mixed = pl.col("customer_id").cast(pl.UInt64) * 2_654_435_761 + pl.col("month_number").cast(pl.UInt64) * 40_503
    kept = rows.filter(pl.col("event") | (mixed // 2**16 % step == 0)) if step > 1 else rows
    return kept.with_columns(weight=pl.when("event").then(1).otherwise(step).cast(pl.Int32))


def _calibrated(bare: Models, raw: dict[str, dict], later: _Rows, least: int) -> dict[str, dict[str, Way]]:
    """Each model brought to what happened in months of their own."""
    seen, customer = bare.seen(later.frame), later.who["customer_id"].to_numpy()
    has_taken = taken(later.frame, bare.products, bare.span.horizon)
    ways: dict[str, dict[str, Way]] = {}
    for n, name in enumerate(bare.products):
        is_free = ~seen.held[:, n]
        left, who = has_taken[is_free, n], customer[is_free]
        ways[name] = {}
        for method, model in raw[name].items():
            told = np.clip(model.told(seen)[is_free], 0, 1)
            ways[name][method] = Way(model, _brought(told, left, who, least))
    return ways


def _brought(told: np.ndarray, left: np.ndarray, who: np.ndarray, least: int) -> Calibration:
    if not len(left):
        return Calibration(0.0, 1.0, np.nan, np.nan, np.nan, np.nan, "nothing")
    return calibrate(told, left, who, least)
