"""The bridge between any two months: where the book came from and where it went, to the minor unit.

``opening + new + grown − shrunk − lost + handed + interest + valuation + fx = closing``, for the bank and for every
branch, manager, segment, tier: each level is a sum over the same rows, so the levels agree.
"""

from collections.abc import Sequence
from datetime import date

import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.measures.given import keys, named
from crmlab.measures.months import complete

KEYS = ["customer_id", "manager_id"]
FLOWS = ["flow", "interest", "valuation", "fx"]
# Whose flow it is, decided by customer: came, gave more than was taken out, took more out than was given, left.
KINDS = ["new", "grown", "shrunk", "lost"]
SIGNS = {"new": 1, "grown": 1, "shrunk": -1, "lost": -1}
BUCKETS = [*KINDS, "handed", "interest", "valuation", "fx"]
COLUMNS = [*KEYS, "opening", *FLOWS, "handed", "closing", "was_open", "is_open", "bucket"]
NO_COMPONENT = [*KEYS, "month", "line", "points"]


def spans(
    books: pl.LazyFrame | pl.DataFrame, start: date, end: date, lines: Sequence[str], sign: int = 1
) -> pl.DataFrame:
    """What moved the balances of each customer with each manager between two month ends.

    Answers: what happened to the book since then?

    `handed` is what no flow explains of a manager's part; it adds to 0 over the managers of a customer. What no flow
    explains of a customer, such as money on an account closed with a balance, is told as flow of the manager who has
    most of the customer at `end` (else had at `start`).

    Parameters
    ----------
    books
        As `panel.books` gives them: customer × month × line × manager; with a column branch_id, months are looked for
        in each branch.
    start, end
        Two month ends, `start` first.
    lines
        The product lines to tell of: those of deposits and investments for AUM.
    sign
        −1 tells loans as what is owed to the bank.

    Returns
    -------
    pl.DataFrame
        In order of customers: customer_id, manager_id (null: nobody's); opening, flow, interest, valuation, fx, handed,
        closing in minor units of the base currency, the first six adding to the last; was_open, is_open (whether the
        customer had an open account, of whatever line, at `start`, at `end`); bucket (new, grown, shrunk, lost: where
        `bridge` counts the customer's flow, decided over all rows of the customer).

    Raises
    ------
    InputError
        When `start` is not before `end`, a month is missing, or no row is of these lines.

    Examples
    --------
    >>> months, zero = [date(2024, 1, 31), date(2024, 2, 29)], [0, 0]
    >>> books = pl.DataFrame({"customer_id": [1, 1], "month": months, "line": ["deposits"] * 2,
    ...     "manager_id": ["M1", "M2"], "flow": [0, 30], "interest": zero, "valuation": zero, "fx": zero,
    ...     "closing": [100, 130], "n_open": [1, 1]})
    >>> spans(books, *months, ["deposits"]).select("manager_id", "opening", "flow", "handed", "closing").rows()
    [('M2', 0, 30, 100, 130), ('M1', 100, 0, -100, 0)]
    """
    _ordered(start, end)
    rows = books.lazy()
    names = rows.collect_schema().names()
    named(names, [*KEYS, "month", "line", *FLOWS, "closing", "n_open"], "movement.spans")
    _have(complete(rows, "branch_id" if "branch_id" in names else None), start, end)
    told = pl.col("line").is_in(list(lines))
    at_start, at_end = (pl.col("month") == day for day in (start, end))
    is_open = pl.col("n_open") > 0
    # The many months between are only filtered and summed; what else is asked, two months answer.
    flows = rows.filter(pl.col("month").is_between(start, end, closed="right"), told).group_by(KEYS)
    ends = rows.filter(at_start | at_end).group_by(KEYS)
    balances = ends.agg(
        opening=pl.col("closing").filter(told & at_start).sum(),
        closing=pl.col("closing").filter(told & at_end).sum(),
        was_open=(is_open & at_start).any(),
        is_open=(is_open & at_end).any(),
        is_told=told.any(),
    )
    frame = (
        flows.agg(pl.col(FLOWS).sum())
        .join(balances, on=KEYS, how="full", coalesce=True, nulls_equal=True)
        .with_columns(pl.col("is_told").fill_null(True), pl.col("opening", *FLOWS, "closing").fill_null(0))
        .collect(engine="streaming")
    )
    if not frame["is_told"].any():
        raise InputError(
            f"Between {start} and {end} the books hold no row of the lines {', '.join(lines) or '(none given)'}. "
            "Choose other lines."
        )
    return _settled(frame.with_columns(pl.col("opening", *FLOWS, "closing") * sign))


def contribution_spans(lines: pl.LazyFrame | pl.DataFrame, start: date, end: date) -> pl.DataFrame:
    """What each customer contributed with each manager in one month and in a later one, in the shape of `spans`.

    Answers: whose contribution grew, and whose did we take over?

    Where a customer has the same managers in both months, each one's change is flow. Else the customer's change is flow
    of one manager: the one with the largest contribution, up or down, in the month of `end`, else in that of `start`;
    ties go to the lower manager_id. The rest of a manager's change was handed.

    Parameters
    ----------
    lines
        As `contribution.lines` gives them: customer × month × line × manager, a column a component.
    start, end
        Two month ends, `start` first.

    Returns
    -------
    pl.DataFrame
        The columns of `spans`; opening and closing are the contribution of the months of `start` and of `end`;
        interest, valuation and fx are 0; was_open, is_open: whether the customer has a row in that month.

    Raises
    ------
    InputError
        When `start` is not before `end`, or a month is missing.

    Examples
    --------
    >>> months = [date(2024, 1, 31), date(2024, 2, 29)]
    >>> lines = pl.DataFrame({"customer_id": [1, 1], "month": months, "line": ["deposits"] * 2,
    ...     "manager_id": ["M1", "M2"], "margin": [50, 70], "service_cost": [-10, -10], "points": [0, 0]})
    >>> found = contribution_spans(lines, *months)
    >>> found.select("manager_id", "opening", "flow", "handed", "closing").rows()
    [('M2', 0, 20, 40, 60), ('M1', 40, 0, -40, 0)]
    """
    _ordered(start, end)
    rows = lines.lazy()
    names = rows.collect_schema().names()
    named(names, [*KEYS, "month"], "movement.contribution_spans")
    _have(complete(rows, "branch_id" if "branch_id" in names else None), start, end)
    amount = pl.sum_horizontal(pl.col([name for name in names if name not in [*NO_COMPONENT, "branch_id"]]))
    at_start, at_end = (pl.col("month") == day for day in (start, end))
    frame = (
        rows.filter(at_start | at_end)
        .group_by(KEYS)
        .agg(
            opening=amount.filter(at_start).sum(),
            closing=amount.filter(at_end).sum(),
            was_open=at_start.any(),
            is_open=at_end.any(),
        )
        .collect(engine="streaming")
    )
    return _settled(_own_changes(frame))


def between(moves: pl.DataFrame, start: date, end: date) -> pl.DataFrame:
    """The spans of a frame with its month ends side by side, as pages keep it.

    Parameters
    ----------
    moves
        customer_id, manager_id, what else is known of them (branch_id, segment, ...), and for each month end
        ``closing 2024-01-31`` (null: the customer is not with us) and, since history began, ``flow 2024-01-31``,
        ``interest …``, ``valuation …``, ``fx …``; without flows, changes are told as in `contribution_spans`.
    start, end
        Two month ends, `start` first.

    Returns
    -------
    pl.DataFrame
        The columns of `spans` and what else is known of customer and manager.

    Raises
    ------
    InputError
        When `start` is not before `end`, or `moves` does not have a month.

    Examples
    --------
    >>> moves = pl.DataFrame({"customer_id": [1], "manager_id": ["M1"], "tier": ["gold"], "closing 2024-01-31": [None],
    ...     "flow 2024-01-31": [0], "closing 2024-02-29": [90], "flow 2024-02-29": [90]})
    >>> found = between(moves, date(2024, 1, 31), date(2024, 2, 29))
    >>> found.select("tier", "opening", "flow", "closing", "was_open", "bucket").row(0)
    ('gold', 0, 90, 90, False, 'new')
    """
    _ordered(start, end)
    held = [name.removeprefix("closing ") for name in moves.columns if name.startswith("closing ")]
    _have(sorted(date.fromisoformat(name) for name in held), start, end)
    moved = {
        name: pl.col(f"{name} {end}") - pl.col(f"{name} {start}") if f"{name} {end}" in moves.columns else pl.lit(0)
        for name in FLOWS
    }
    about = [name for name in moves.columns if name.rpartition(" ")[2] not in held]
    frame = moves.select(
        *about,
        opening=pl.col(f"closing {start}").fill_null(0).cast(pl.Int64),
        **{name: flow.cast(pl.Int64) for name, flow in moved.items()},
        closing=pl.col(f"closing {end}").fill_null(0).cast(pl.Int64),
        was_open=pl.col(f"closing {start}").is_not_null(),
        is_open=pl.col(f"closing {end}").is_not_null(),
    )
    if f"flow {end}" not in moves.columns:
        frame = _own_changes(frame)
    return _settled(frame)


def bridge(spans: pl.DataFrame, by: str | Sequence[str] | None = None) -> pl.DataFrame:
    """The bridge from opening to closing, for all rows or for each value of one or more columns.

    Answers: did the book grow from new customers, from old ones, or from what the market did?

    Parameters
    ----------
    spans
        As `spans`, `contribution_spans` or `between` give them, with whatever else is to be told apart: branch,
        segment, tier, kind.
    by
        Columns to tell apart; null is a group of its own, the last.

    Returns
    -------
    pl.DataFrame
        The columns of `by`; n_customers (with us at the start or the end); opening, new (flow of customers not with us
        at the start), grown, shrunk (flow of customers whose flow is not negative, negative), lost (flow of customers
        not with us at the end), handed (taken over from other managers less given to them), interest, valuation, fx,
        closing, in minor units, adding up as said above. `shrunk` and `lost` are positive where money went; a
        customer's flow is told as one, so one manager's part of it can have the other sign.

    Raises
    ------
    InputError
        When there is no row, a column is missing, or a sum does not fit into 64 bits.

    Examples
    --------
    >>> spans = pl.DataFrame({"customer_id": [1, 2, 3], "manager_id": ["M1", "M1", "M2"], "opening": [100, 80, 0],
    ...     "flow": [-30, -80, 45], "interest": [1, 0, 0], "valuation": [0] * 3, "fx": [0] * 3, "handed": [0] * 3,
    ...     "closing": [71, 0, 45], "was_open": [True, True, False], "is_open": [True, False, True],
    ...     "bucket": ["shrunk", "lost", "new"]})
    >>> bridge(spans, by="manager_id").select("manager_id", "opening", "new", "shrunk", "lost", "closing").rows()
    [('M1', 180, 0, 30, 80, 71), ('M2', 0, 45, 0, 0, 45)]
    """
    groups = keys(by)
    named(spans.columns, [*COLUMNS, *groups], "movement.bridge")
    if spans.is_empty():
        raise InputError("There is no customer to bridge: the selection is empty. Choose a wider one.")
    _fits(spans)
    is_with_us = pl.col("was_open") | pl.col("is_open")
    flows = {kind: sign * pl.col("flow").filter(pl.col("bucket") == kind).sum() for kind, sign in SIGNS.items()}
    sums = [
        pl.col("customer_id").filter(is_with_us).n_unique().cast(pl.Int32).alias("n_customers"),
        pl.col("opening").sum(),
        *(flow.alias(kind) for kind, flow in flows.items()),
        pl.col("handed", "interest", "valuation", "fx", "closing").sum(),
    ]
    return spans.group_by(groups).agg(sums).sort(groups, nulls_last=True) if groups else spans.select(sums)


def parts(spans: pl.DataFrame, bucket: str) -> pl.DataFrame:
    """The customers behind one bar of the bridge, largest amount first, up or down.

    Parameters
    ----------
    spans
        As `bridge` reads them, or the rows of one manager, branch, ...
    bucket
        new, grown, shrunk, lost, handed, interest, valuation or fx.

    Returns
    -------
    pl.DataFrame
        customer_id, amount (minor units, not 0, signed as in `bridge`, to whose bar they add); ties by customer_id.

    Raises
    ------
    InputError
        When the bucket or a column is unknown.

    Examples
    --------
    >>> spans = pl.DataFrame({"customer_id": [1, 2], "flow": [-30, -80], "bucket": ["shrunk", "shrunk"]})
    >>> parts(spans, "shrunk").rows()
    [(2, 80), (1, 30)]
    """
    if bucket not in BUCKETS:
        raise InputError(f"The bridge has no bar {bucket}. {near_miss(bucket, BUCKETS)}")
    named(spans.columns, ["customer_id", *(["flow", "bucket"] if bucket in SIGNS else [bucket])], "movement.parts")
    rows = spans.filter(pl.col("bucket") == bucket) if bucket in SIGNS else spans
    amount = SIGNS[bucket] * pl.col("flow") if bucket in SIGNS else pl.col(bucket)
    found = rows.group_by("customer_id").agg(amount=amount.sum()).filter(pl.col("amount") != 0)
    return found.sort(-pl.col("amount").abs(), "customer_id")


def _have(months: list[date], *days: date) -> None:
    for day in days:
        if day not in months:
            held = f"theirs go from {months[0]} to {months[-1]}"
            raise InputError(f"The books hold no month that ends on {day}; {held}. Choose two of these.")


def _ordered(start: date, end: date) -> None:
    if start >= end:
        raise InputError(f"A bridge from {start} to {end} leads nowhere. Choose a start before the end.")


def _own_changes(rows: pl.DataFrame) -> pl.DataFrame:
    """Changes as flow where nothing can have been handed: the managers are the same, or the customer came or left."""
    had, has = pl.col("opening") != 0, pl.col("closing") != 0
    own = [(had == has).all(), ~had.any(), ~has.any()]
    change = pl.col("closing") - pl.col("opening")
    flow = pl.when(pl.any_horizontal(expr.over("customer_id") for expr in own)).then(change).otherwise(0)
    return rows.with_columns(flow=flow, **{name: pl.lit(0, pl.Int64) for name in FLOWS[1:]})


def _settled(rows: pl.DataFrame) -> pl.DataFrame:
    """Spans from opening, flows and closing: what they leave open of a customer is flow, and of a manager handed."""
    size = [pl.col("closing").abs(), pl.col("opening").abs()]
    rows = rows.sort("customer_id", *size, "manager_id", descending=[False, True, True, False], nulls_last=True)
    left = pl.col("closing") - pl.col("opening") - pl.sum_horizontal(FLOWS)
    was, now = pl.col("was_open"), pl.col("is_open")
    bucket = (
        pl.when(was & ~now)
        .then(pl.lit("lost"))
        .when(now & ~was)
        .then(pl.lit("new"))
        .when(pl.col("flow").sum().over("customer_id") < 0)
        .then(pl.lit("shrunk"))
        .otherwise(pl.lit("grown"))
    )
    return (
        rows.with_columns(pl.col("was_open", "is_open").any().over("customer_id"), left=left.sum().over("customer_id"))
        .with_columns(
            flow=pl.col("flow") + pl.when(pl.col("customer_id").is_first_distinct()).then("left").otherwise(0)
        )
        .with_columns(handed=left, bucket=bucket.cast(pl.Enum(KINDS)))
        .select(*COLUMNS, pl.exclude(*COLUMNS, "left", "is_told"))
    )


def _fits(spans: pl.DataFrame) -> None:
    """Stop before a sum could wrap; Polars would do so silently."""
    money = ["opening", *FLOWS, "handed", "closing"]
    largest = max(spans.select(pl.col(money).cast(pl.Float64).abs().sum()).row(0))
    if largest >= 2.0**63:
        raise InputError(f"The bridge adds up to {largest:.3g} minor units, too much for 64 bits. Check the amounts.")
