"""What each month says of a customer who may be leaving: nothing open, money fallen, salary missing, a maturity gone.

Everything is an array of months × places, as in `measures.history`; a run is told by the month it begins in and by how
many months it has lasted, up to the confirmation, so that nothing later than that is looked at.
"""

from datetime import date
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.measures.given import named
from crmlab.measures.history import Block
from crmlab.policy.departing import CAUSES, Churn
from crmlab.policy.source import MILLION

EXITS = ("death", "merger", "repaid")  # ends that are not leaving
CAUSE = pl.Enum([*CAUSES, *EXITS])
CLOSURE, RUN_OFF, MATURITY, SALARY, DEATH, MERGER, REPAID = range(1, len(CAUSE.categories) + 1)  # 0: still there
NEEDED = ["is_open", "balance_days", "n_without_average", "own_transfer"]
OF_EVENTS = ["customer_id", "on", "kind", "line", "matures_on", "reason"]
OF_MATURITIES = ["customer_id", "matures_on", "amount", "before", "after"]
UNKNOWN = 2**62  # sorts behind every average


class Happened(NamedTuple):
    """What happened in which month, counted from the history's first; each frame in the order of customers."""

    salaries: pl.DataFrame  # customer_id, month
    everyday: pl.DataFrame  # customer_id, month, step: +1 opened, −1 closed
    ends: pl.DataFrame  # customer_id, month, code: DEATH, MERGER or REPAID
    maturities: pl.DataFrame  # customer_id, month, until (the month in which it is known what became of it), before, …


class Signs(NamedTuple):
    """Months × places."""

    average: np.ndarray  # AUM, 0 where there is none, it is overdrawn or not known
    is_known: np.ndarray
    is_open: np.ndarray
    usual: np.ndarray  # the median of the averages of the months before
    n_known: np.ndarray  # how many these are
    closed: np.ndarray  # for how many months from this one on; at most one more than confirm it, as are
    fallen: np.ndarray
    moved: np.ndarray
    went: np.ndarray  # the money had fallen in the month before
    due: np.ndarray  # the usual as it is at confirmation: less what had gone to own loans and cards by then
    kept: np.ndarray  # average AUM at confirmation; UNKNOWN where it is not known
    matured: np.ndarray  # the money of a maturity is found gone
    maturing: np.ndarray  # it went since a maturity of this month or before, and will be found gone by confirmation
    exits: np.ndarray  # DEATH, MERGER or 0: the number of what an account was closed for
    repaid: np.ndarray  # the last ones closed were loans that had run their term


def happened(events: pl.DataFrame, maturities: pl.DataFrame | None, ends: list[date], rule: Churn) -> Happened:
    """Events and maturities by month, those after the history's last month left out."""
    named(events.columns, OF_EVENTS, "churn.episodes")
    rows = events.lazy().with_columns(month=_number("on", ends[0])).filter(pl.col("month") < len(ends))
    closed = rows.filter(pl.col("kind") == "closed")
    everyday = (pl.col("line") == "deposits") & pl.col("matures_on").is_null()
    step = pl.when(pl.col("kind") == "opened").then(1).otherwise(-1).cast(pl.Int16)
    ran_its_term = (pl.col("line") == "loans") & (pl.col("reason") == "matured")
    codes = {"deceased": DEATH, "merged": MERGER}
    # Who died, or was merged, before the history was so in its first month.
    other = closed.filter(pl.col("reason").is_in(list(codes))).select(
        "customer_id", pl.col("month").clip(0), code=pl.col("reason").replace_strict(codes, return_dtype=pl.UInt8)
    )
    repaid = (
        closed.filter(pl.col("on") == pl.col("on").max().over("customer_id", "month"))
        .group_by("customer_id", "month")
        .agg(all=ran_its_term.fill_null(False).all())
        .filter("all")
        .select("customer_id", "month", code=pl.lit(REPAID, pl.UInt8))
    )
    found = [
        rows.filter(pl.col("kind") == "salary", pl.col("month") >= 0).select("customer_id", "month"),
        # What was opened or closed before the history is there, or gone, in its first month.
        rows.filter(pl.col("kind").is_in(["opened", "closed"]), everyday).select(
            "customer_id", pl.col("month").clip(0), step=step
        ),
        # Of two reasons in a month the lower number holds: written last.
        pl.concat([other, repaid]).filter(pl.col("month") >= 0).sort("customer_id", "code", descending=[False, True]),
        _gone(maturities, ends, rule),
    ]
    return Happened(*(frame.sort("customer_id", maintain_order=True) for frame in pl.collect_all(found)))


def signs(block: Block, what: Happened, rule: Churn) -> Signs:
    """What each month says of the customers of a block."""
    size = (len(block.months), len(block.ids))
    average, to_own = np.zeros(size, np.int64), np.zeros(size, np.int64)
    is_here, is_known, is_open = (np.zeros(size, bool) for _ in range(3))
    for n, month in enumerate(block.months):
        values, at = month.values, month.at
        is_here[n, at] = True
        is_known[n, at] = values["n_without_average"] == 0
        # An overdraft is a loan: nobody leaves by owing more.
        average[n, at] = np.maximum(values["balance_days"] // month.days, 0)
        to_own[n, at] = np.maximum(-values["own_transfer"], 0)
        is_open[n, at] = values["is_open"]
    average[~is_known] = 0
    # Who has had no account in a month has nothing, which is known.
    told = is_known | (np.maximum.accumulate(is_here) & ~is_here)
    usual, n_known = _medians(average, is_known, rule)
    to_own = _beyond(to_own, is_known, rule)
    fallen, went, due, kept = _fallen(average, is_known, told, usual, n_known, to_own, rule)
    exits, repaid = _exits(block, what.ends, size)
    matured, maturing = _matured(block, what.maturities, usual, to_own, rule)
    return Signs(
        average, is_known, is_open, usual, n_known,
        lengths(~is_open, rule.confirm_months + 1), fallen, _moved(block, what, is_open, rule), went, due, kept,
        matured, maturing, exits, repaid,
    )  # fmt: skip


def least_kept(usual: np.ndarray, rule: Churn) -> np.ndarray:
    """The least whole amount that is not below the share of what was usual.

    Examples
    --------
    >>> from crmlab import policy
    >>> least_kept(np.array([100, 101, 7]), policy.load().churn).tolist()
    [20, 21, 2]
    """
    whole, rest = np.divmod(usual, MILLION)  # the share of the whole would not fit into 64 bits where it is large
    return whole * rule.share + -(-rest * rule.share // MILLION)


def lengths(holds: np.ndarray, most: int) -> np.ndarray:
    """For how many months in a row something holds from each one on, `most` at most.

    Examples
    --------
    >>> lengths(np.array([[True], [True], [True], [False]]), 2).ravel().tolist()
    [2, 2, 1, 0]
    """
    found = np.zeros(holds.shape, np.int16)
    after = found[0] * 0
    for n in range(len(holds) - 1, -1, -1):
        after = np.minimum(after + 1, most) * holds[n]
        found[n] = after
    return found


def _number(column: str, first: date) -> pl.Expr:
    """The month of a day, the first of the history being 0."""
    day = pl.col(column)
    return day.dt.year().cast(pl.Int32) * 12 + day.dt.month().cast(pl.Int32) - (first.year * 12 + first.month)


def _gone(maturities: pl.DataFrame | None, ends: list[date], rule: Churn) -> pl.LazyFrame:
    """The maturities after which little was left in the customer's name, as far as loans do not tell where it went."""
    if maturities is None:
        schema = {"customer_id": pl.Int32, "month": pl.Int32, "until": pl.Int32, "before": pl.Int64, "after": pl.Int64}
        return pl.LazyFrame(schema=schema)
    named(maturities.columns, OF_MATURITIES, "churn.episodes")
    return (
        maturities.lazy()
        .filter(pl.col("amount") > 0)
        .with_columns(found_on=pl.col("matures_on").dt.offset_by(f"{rule.maturity_days}d"))
        .select(
            "customer_id", "before", "after", month=_number("matures_on", ends[0]), until=_number("found_on", ends[0])
        )
        .filter(
            pl.col("month") >= 0,
            pl.col("until") < len(ends),
            pl.col("before") >= rule.floor,
            pl.col("after") < pl.col("before"),
        )
    )


def _medians(values: np.ndarray, is_known: np.ndarray, rule: Churn) -> tuple[np.ndarray, np.ndarray]:
    """What is usual before each month, and of how many months that is known."""
    found, n_known = np.zeros_like(values), np.zeros(values.shape, np.int16)
    for n in range(1, len(values)):
        window = _window(n, rule)
        n_known[n] = is_known[window].sum(axis=0)
        found[n] = _median(values[window], is_known[window], n_known[n])
    return found, n_known


def _window(n: int, rule: Churn) -> slice:
    return slice(max(0, n - rule.median_months), n)


def _median(values: np.ndarray, is_known: np.ndarray, n_known: np.ndarray) -> np.ndarray:
    """The median of what is known, half a unit rounded down; 0 where nothing is."""
    found = np.zeros(len(n_known), np.int64)
    rows = _sorted(list(np.where(is_known, values, UNKNOWN)))
    for count in range(1, len(rows) + 1):
        here = np.flatnonzero(n_known == count)
        found[here] = (rows[(count - 1) // 2][here] + rows[count // 2][here]) // 2
    return found


def _sorted(rows: list[np.ndarray]) -> list[np.ndarray]:
    """A few long rows put in order place by place: by whole rows, many times faster than sorting each place."""
    for last in range(len(rows) - 1, 0, -1):
        for n in range(last):
            rows[n], rows[n + 1] = np.minimum(rows[n], rows[n + 1]), np.maximum(rows[n], rows[n + 1])
    return rows


def _beyond(to_own: np.ndarray, is_known: np.ndarray, rule: Churn) -> np.ndarray:
    """What went to own loans and cards in each month beyond what was usual before it."""
    borrows = np.flatnonzero(to_own.any(axis=0))
    usual, _ = _medians(to_own[:, borrows], is_known[:, borrows], rule)
    found = np.zeros_like(to_own)
    found[:, borrows] = np.maximum(to_own[:, borrows] - usual, 0)
    return found


def _fallen(average, is_known, told, usual, n_known, to_own, rule: Churn) -> tuple[np.ndarray, ...]:
    """Runs below the usual from each month on, whether one was under way before it, and the usual and what was kept.

    What went to own loans and cards beyond the usual has not left: it is taken off the months before it, too, so that
    what was usual is as it would have been without.
    """
    size, last = average.shape, len(average) - 1
    found, went, due, kept = np.zeros(size, np.int16), np.zeros(size, bool), usual.copy(), np.full(size, UNKNOWN)
    pays = np.flatnonzero(to_own.any(axis=0))
    paid = np.zeros((len(average) + 1, len(pays)), np.int64)  # before each month
    np.cumsum(to_own[:, pays], axis=0, out=paid[1:])
    for n in range(1, len(average)):
        window = _window(n, rule)
        runs = n_known[n] >= rule.least_months
        for later in range(n - 1, min(n + rule.confirm_months, last) + 1):
            left = np.maximum(average[window, pays] - (paid[later + 1] - paid[window]), 0)
            due[n, pays] = _median(left, is_known[window, pays], n_known[n, pays])
            below = told[later] & (average[later] < least_kept(due[n], rule)) & (due[n] - average[later] >= rule.floor)
            if later < n:
                went[n] = below
                continue
            runs &= below
            found[n] += runs
        if n + rule.confirm_months <= last:
            kept[n] = np.where(told[later], average[later], UNKNOWN)
    return found, went, due, kept


def _moved(block: Block, what: Happened, is_open: np.ndarray, rule: Churn) -> np.ndarray:
    """Months in a row without a salary after regular ones, or without an everyday account after there was one."""
    size, most = is_open.shape, rule.confirm_months + 1
    paid, count = np.zeros(size, bool), np.zeros(size, np.int16)
    at, rows = _places(block, what.salaries)
    paid[rows["month"], at] = True
    at, rows = _places(block, what.everyday)
    np.add.at(count, (rows["month"], at), rows["step"])
    has = np.cumsum(count, axis=0) > 0
    unpaid, without = lengths(~paid, most), lengths(~has, most)
    n = rule.salary_months
    regular = np.zeros(size, bool)
    for month in range(n, len(paid)):
        regular[month] = paid[month - n : month].all(axis=0)
    had = np.zeros(size, bool)
    had[1:] = has[:-1] & is_open[1:]
    return np.maximum(unpaid * regular, without * had)


def _exits(block: Block, ends: pl.DataFrame, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    exits, repaid = np.zeros(size, np.uint8), np.zeros(size, bool)
    at, rows = _places(block, ends)
    is_loan = rows["code"] == REPAID
    repaid[rows["month"][is_loan], at[is_loan]] = True
    exits[rows["month"][~is_loan], at[~is_loan]] = rows["code"][~is_loan]
    return exits, repaid


def _matured(block: Block, maturities: pl.DataFrame, usual, to_own, rule: Churn) -> tuple[np.ndarray, np.ndarray]:
    """Months in which the money of a maturity is found gone, and those since it, as far as confirmation sees.

    Who had fallen below what was usual the day before had left already, whatever matured then.
    """
    found, since = np.zeros(to_own.shape, bool), np.zeros(to_own.shape, bool)
    at, rows = _places(block, maturities)
    month, until, before = rows["month"], rows["until"], rows["before"].copy()
    was_there = before >= least_kept(usual[month, at], rule)
    longest = int((until - month).max(initial=0))
    for later in range(longest + 1):
        before -= to_own[np.minimum(month + later, until), at] * (month + later <= until)
    gone = was_there & (before >= rule.floor) & (rows["after"] < least_kept(before, rule))
    at, month, until = at[gone], month[gone], until[gone]
    found[until, at] = True
    for later in range(min(longest, rule.confirm_months) + 1):
        here = until - later >= month
        since[until[here] - later, at[here]] = True
    return found, since


def _places(block: Block, rows: pl.DataFrame) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """The rows of a block's customers: the place of each, and its columns."""
    first, last = int(block.ids[0]), int(block.ids[-1])
    number = rows["customer_id"]
    start, end = (int(number.search_sorted(one, side=side)) for one, side in ((first, "left"), (last, "right")))
    part = rows[start:end]
    return part["customer_id"].to_numpy() - first, {name: part[name].to_numpy() for name in part.columns}
