"""The worklist: whom to call before their money is gone, how far that rests on assumptions, and whether it helped.

A page calls `call_list` and `sensitivity` on every move of a slider. What a call saves is assumed (``save_rate``) until
`effects` has measured it on lists that were issued with a control group.
"""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.churn.followup import effects, followed_up
from crmlab.measures.given import in_64_bits, in_order, named, required
from crmlab.policy.rules import Worklist

__all__ = ["CallList", "call_list", "effects", "followed_up", "held_out", "sensitivity"]

MILLION = 1_000_000
NEEDED = ["customer_no", "manager_id", "branch_id", "state_of_watch", "aum", "contribution_year"]
LARGEST = 2.0**62  # minor units that a product of money and rates may reach
REASONS = [
    "money already going", "not at risk", "held out earlier", "cannot tell", "earns nothing", "not worth the call",
    "no call left",
]  # fmt: skip
MADE = ["probability", "at_risk", "expected"]
SENSITIVITY = {
    "case": pl.Enum(["tried", "in force", "half as long"]),
    "save_rate": pl.Float64,
    "basis": pl.String,
    "n": pl.Int64,
    "expected": pl.Int64,
}


class CallList(NamedTuple):
    """What `call_list` gives."""

    calls: pl.DataFrame
    left_out: pl.DataFrame
    unconfirmed: pl.DataFrame


def call_list(
    scores: pl.DataFrame,
    rule: Worklist,
    horizon_months: int,
    capacity: int | pl.DataFrame | None = None,
    held_out: pl.Series | None = None,
) -> CallList:
    """Whom to call this week, those first of whom a call is expected to bring most.

    Answers: whom do we call before their money is gone?

    Expected gain = probability of leaving within the horizon × what the customer earned us in the last 12 months (a
    loss counts as 0) × save rate − cost of a call, rounded once, half to even. Equal gains go by customer_no.

    Parameters
    ----------
    scores
        customer_no, manager_id (null: nobody's), branch_id, state_of_watch, aum, contribution_year (minor units), and
        ``p3`` for a horizon of 3 months (0 to 1, null where it cannot be told); a row a customer. Other columns stay.
    rule
        ``policy.worklist``. Its save rate is assumed until it has been measured.
    horizon_months
        Which probability to take.
    capacity
        Calls a manager, at most; or a frame of manager_id and calls, in which who is absent has ``rule.calls``, as all
        have where it is left out. Customers without a manager share the calls of one manager in their branch.
    held_out
        customer_no of those whom an earlier list keeps uncalled, as `held_out` gives them.

    Returns
    -------
    CallList
        calls: rank (1, 2, ... of all), turn (1, 2, ... of the manager), the columns of `scores`, probability, at_risk
        (what the customer earned, at least 0), expected (above 0); by rank. left_out: a row a reason (Enum `REASONS`):
        n, aum, expected (of those for whom no call was left; else null); with the calls it counts everybody.
        unconfirmed: customers whose money may already be going, which is not known yet: not scored, not counted against
        any capacity, largest AUM first. Money in minor units of the base currency.

    Raises
    ------
    InputError
        When nobody is given, a column is missing, a probability is none, a capacity is below 0 or told twice, or nobody
        at risk has a probability over this horizon.

    Examples
    --------
    >>> from crmlab import policy
    >>> rule = policy.load().worklist
    >>> scores = pl.DataFrame({"customer_no": ["C1", "C2", "C3"], "manager_id": "M1", "branch_id": "B1",
    ...     "state_of_watch": ["at risk", "at risk", "unconfirmed"], "aum": 9_000_000, "p3": [0.1, 0.5, None],
    ...     "contribution_year": [900_000, 600_000, 50_000]})
    >>> found = call_list(scores, rule, 3, capacity=1)
    >>> found.calls.select("rank", "customer_no", "expected").rows()
    [(1, 'C2', 57000)]
    >>> found.left_out.filter(pl.col("n") > 0).select("reason", "n").rows()
    [('money already going', 1), ('no call left', 1)]
    """
    lean = _judged(scores, rule, horizon_months, held_out)
    called = _in_turn(lean, capacity, rule).with_row_index("rank", offset=1)
    calls = pl.concat(
        [
            called.select(pl.col("rank", "turn").cast(pl.Int64)),
            scores[called["row"]].drop("rank", "turn", *MADE, strict=False),
            called.select(MADE),
        ],
        how="horizontal",
    )
    return CallList(calls, _left_out(lean, called), _unconfirmed(scores))


def sensitivity(
    scores: pl.DataFrame,
    rule: Worklist,
    horizon_months: int,
    capacity: int | pl.DataFrame | None = None,
    save_rates: Sequence[float] = (0.05, 0.1, 0.2, 0.3, 0.4),
    held_out: pl.Series | None = None,
) -> pl.DataFrame:
    """How the list and what it is expected to bring hang on the save rate, which is assumed.

    Answers: what if a call keeps fewer of them than we think?

    The save rate changes how long the list is, not the order of those on it.

    Parameters
    ----------
    scores, rule, horizon_months, capacity, held_out
        As for `call_list`.
    save_rates
        Which to try, 0 to 1.

    Returns
    -------
    pl.DataFrame
        case (tried; in force: that of `rule`; half as long: the highest at which at most half as many are called),
        save_rate (0 to 1), basis (always "assumed"), n (customers to call), expected (minor units, summed); by save
        rate. No row "half as long" where nobody is called at the rate in force.

    Raises
    ------
    InputError
        As for `call_list`, or when a save rate is not within 0 and 1.

    Examples
    --------
    >>> from crmlab import policy
    >>> scores = pl.DataFrame({"customer_no": ["C1", "C2"], "manager_id": "M1", "branch_id": "B1", "aum": 9_000_000,
    ...     "state_of_watch": "at risk", "p3": [0.1, 0.5], "contribution_year": [90_000, 600_000]})
    >>> sensitivity(scores, policy.load().worklist, 3, save_rates=[0.4]).select("case", "save_rate", "n").rows()
    [('half as long', 0.010001, 0), ('in force', 0.2, 1), ('tried', 0.4, 2)]
    """
    if wrong := [rate for rate in save_rates if not 0 <= rate <= 1]:
        raise InputError(f"A save rate is a share from 0 to 1; {wrong[0]:g} is none. Choose another one.")
    lean = _judged(scores, rule, horizon_months, held_out)
    # At a save rate of 1 everybody is in whom a lower one lets in; unrounded, their order is the same at all of them.
    weight = _in_turn(_gained(lean, MILLION, rule.cost), capacity, rule, by="weight")["weight"]
    n = int((_gain(weight, rule.save_rate, rule.cost) > 0).sum())
    tried = [("tried", round(rate * MILLION)) for rate in save_rates]
    cases = [*tried, ("in force", rule.save_rate), *_half(weight, n, rule)]
    rows = [_at(weight, case, rate, rule.cost) for case, rate in cases]
    return pl.DataFrame(rows, SENSITIVITY, orient="row").sort("save_rate", "case")


def held_out(issued: pl.DataFrame, on: date) -> pl.Series:
    """The numbers of those whom a list keeps uncalled on a day: control groups whose time is not over.

    Calling them by a later list would spoil what the earlier one is to tell.

    Parameters
    ----------
    issued
        As `ledger.issued` gives them; may be empty.
    on
        The day of the call.

    Examples
    --------
    >>> issued = pl.DataFrame({"customer_no": ["C1", "C2"], "is_control": [True, False],
    ...     "issued_on": date(2024, 3, 31), "ends_on": date(2024, 6, 30)})
    >>> held_out(issued, date(2024, 4, 15)).to_list()
    ['C1']
    """
    named(issued.columns, ["customer_no", "is_control", "issued_on", "ends_on"], "worklist.held_out")
    is_running = pl.lit(on).is_between("issued_on", "ends_on")
    return issued.filter("is_control", is_running)["customer_no"].unique().sort()


def _judged(scores: pl.DataFrame, rule: Worklist, horizon: int, held_out: pl.Series | None) -> pl.DataFrame:
    """A row a customer, with what a call would bring, and why not where there is none."""
    name = f"p{horizon}"
    if name not in scores.columns and (known := [p[1:] for p in scores.columns if p[:1] == "p" and p[1:].isdigit()]):
        raise InputError(f"No probability over {horizon} months is known. Choose {' or '.join(known)} months.")
    named(scores.columns, [*NEEDED, name], "worklist.call_list")
    required(scores, ["customer_no"], "worklist.call_list")
    if scores["customer_no"].n_unique() < len(scores):
        in_order(scores, ["customer_no"], "worklist.call_list")
    p, state = pl.col(name).cast(pl.Float64), pl.col("state_of_watch").cast(pl.String)
    at_risk = pl.col("contribution_year").clip(0).fill_null(0)
    is_held = pl.lit(False) if held_out is None else pl.col("customer_no").is_in(held_out.implode())
    lean = scores.select(
        "customer_no", "manager_id", "aum", p.alias("probability"), at_risk.alias("at_risk"),
        pl.when(pl.col("manager_id").is_null()).then("branch_id").alias("branch_id"),
        weight=p * at_risk,
        reason=pl.when(state == "unconfirmed").then(0).when(state.ne_missing("at risk")).then(1).when(is_held).then(2)
        .when(p.is_null()).then(3).when(at_risk == 0).then(4).otherwise(None).cast(pl.UInt8),
    ).with_row_index("row")  # fmt: skip
    _usable(lean, horizon)
    return _gained(lean, rule.save_rate, rule.cost)


def _usable(lean: pl.DataFrame, horizon: int) -> None:
    p = pl.col("probability")
    if not (broken := lean.filter(p.is_nan() | ~p.is_between(0, 1))).is_empty():
        raise InputError(
            f"{len(broken)} of {len(lean)} customers have no probability within 0 and 1 (first: "
            f"{broken['customer_no'][0]}, {broken['probability'][0]:g}). Build the mart again."
        )
    if (lean["weight"].max() or 0) > LARGEST:
        raise InputError(f"A contribution of {lean['at_risk'].max():.3g} is too much for 64 bits. Check its unit.")
    reason = lean["reason"]
    if (reason == 3).any() and not (reason.is_null() | (reason == 4)).any():
        raise InputError(
            f"Nobody has a probability over {horizon} months: the history is too short to test one. Choose a shorter "
            "horizon, or wait for more months."
        )


def _gained(lean: pl.DataFrame, save_rate: int, cost: int) -> pl.DataFrame:
    """With what a call is expected to bring at a save rate, and those left out who are not worth it."""
    return lean.with_columns(expected=_gain(pl.col("weight"), save_rate, cost)).with_columns(
        pl.when(pl.col("reason").is_null() | (pl.col("reason") == 5))
        .then(pl.when(pl.col("expected") <= 0).then(5))
        .otherwise("reason")
        .cast(pl.UInt8)
        .alias("reason")
    )


def _gain(weight, save_rate: int, cost: int):
    """Of an expression or a series; one product, one rounding, half to even."""
    return (weight * (save_rate / MILLION)).round().cast(pl.Int64) - cost


def _in_turn(
    lean: pl.DataFrame, capacity: int | pl.DataFrame | None, rule: Worklist, by: str = "expected"
) -> pl.DataFrame:
    """Those to call, best first, with their turn on the manager's list."""
    owner = ["manager_id", "branch_id"]
    worth = lean.filter(pl.col("reason").is_null()).pipe(_with_most, capacity, rule)
    # Few reach a manager's list, and only these need sorting by their number, too.
    reaches = pl.col(by).rank("min", descending=True).over(owner) <= pl.col("most")
    near = worth.filter(reaches).sort(by, "customer_no", descending=[True, False])
    return near.with_columns(turn=pl.int_range(1, pl.len() + 1).over(owner)).filter(pl.col("turn") <= pl.col("most"))


def _with_most(worth: pl.DataFrame, capacity: int | pl.DataFrame | None, rule: Worklist) -> pl.DataFrame:
    """With the number of calls that the customer's manager can make."""
    if not isinstance(capacity, pl.DataFrame):
        most = rule.calls if capacity is None else capacity
        _whole(most)
        return worth.with_columns(most=pl.lit(most, pl.Int64))
    required(capacity, ["manager_id", "calls"], "worklist.call_list")
    if (again := capacity["manager_id"].is_duplicated()).any():
        raise InputError(f"The capacity of manager {capacity['manager_id'].filter(again)[0]} is told twice. Say which.")
    _whole(capacity["calls"].min())
    calls = capacity.select("manager_id", most=pl.col("calls").cast(pl.Int64))
    joined = worth.join(calls, on="manager_id", how="left", maintain_order="left")
    return joined.with_columns(pl.col("most").fill_null(rule.calls))


def _whole(calls: int) -> None:
    if calls < 0:
        raise InputError(f"A manager can make no {calls} calls. Give 0 or more.")


def _left_out(lean: pl.DataFrame, called: pl.DataFrame) -> pl.DataFrame:
    no_call = REASONS.index("no call left")
    rows = (
        lean.filter(~pl.col("row").is_in(called["row"].implode()))
        .group_by(pl.col("reason").fill_null(no_call))
        .agg(pl.len().cast(pl.Int64).alias("n"), pl.col("aum", "expected").cast(pl.Int128).sum())
    )
    every = pl.DataFrame({"reason": range(len(REASONS))}, {"reason": pl.UInt8})
    return in_64_bits(
        every.join(rows, on="reason", how="left", maintain_order="left").select(
            pl.Series("reason", REASONS, pl.Enum(REASONS)),
            pl.col("n", "aum").fill_null(0),
            pl.when(pl.col("reason") == no_call).then(pl.col("expected").fill_null(0)),
        )
    )


def _unconfirmed(scores: pl.DataFrame) -> pl.DataFrame:
    going = scores.filter(pl.col("state_of_watch").cast(pl.String) == "unconfirmed")
    return going.sort("aum", "customer_no", descending=[True, False], nulls_last=True)


def _half(weight: pl.Series, n: int, rule: Worklist) -> list[tuple[str, int]]:
    """The highest save rate, in millionths, at which at most half of `n` are worth a call."""
    low, high = 0, rule.save_rate
    while low < high:
        middle = (low + high + 1) // 2
        if 2 * int((_gain(weight, middle, rule.cost) > 0).sum()) <= n:
            low = middle
        else:
            high = middle - 1
    return [("half as long", low)] if n else []


def _at(weight: pl.Series, case: str, save_rate: int, cost: int) -> tuple:
    gain = _gain(weight, save_rate, cost)
    worth = gain.filter(gain > 0)
    return case, save_rate / MILLION, "assumed", len(worth), int(worth.cast(pl.Int128).sum())
