"""Capture: of those who left, and of the money they took, what a list of so many calls would have held."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.churn.ranking import RANDOM, SIMPLE, dense, outcome, scores
from crmlab.measures.given import in_order, required

LISTS = ("worklist", "probability", *SIMPLE)
BUDGETS = tuple(percent / 100 for percent in range(1, 21))
REPLICATES, LEAST_REPLICATES = 1000, 400  # fewer where there are many leavers, whose shares vary as a bell does
DRAWS = 20_000_000  # of leavers, after which fewer replicates do
CELLS = 2000  # that many steps of a list are told apart when it is drawn anew; a bank of fewer customers loses nothing
CHUNK = 1_000_000  # weights drawn at a time
# How often a customer is drawn, of 65,536 equally likely cases: looking it up takes a tenth of the time of drawing it.
UP_TO = np.cumsum(np.exp(-1) / np.cumprod([1, *range(1, 9)]))
POISSON = np.repeat(np.arange(10, dtype=np.uint8), np.diff(np.rint(65_536 * np.array([0, *UP_TO, 1])).astype(int)))
ENDS = (2.5, 97.5)
MONEY = ["lost", "aum", "aum_change"]


def gains(
    scored: pl.DataFrame, horizon: int, budgets: Iterable[float] = BUDGETS, worth: str = "aum", seed: int = 1
) -> pl.DataFrame:
    """What lists of so many customers would have held of those who left, and of the money that left with them.

    Answers: had we called these, whom would we have reached in time?

    A list takes customers from the top; of equal ones at its end it takes as many as fit, and holds what that many hold
    on average. Intervals draw the customers anew (Poisson weights, 1,000 times, the list made anew each time).

    Parameters
    ----------
    scored
        A row a customer, all of one month: customer_id, probability, event, duration, lost (minor units; null is
        none), aum, aum_change, and `worth`.
    horizon
        Months within which leaving counts.
    budgets
        Shares of all customers that can be called, 0 to 1.
    worth
        The column of money that the worklist multiplies the probability by: aum, or contribution. Below 0 is none.
    seed
        Of the drawing.

    Returns
    -------
    pl.DataFrame
        Ordered by method (worklist: probability × `worth`; probability; fell most in money; fell most in share; random)
        and budget: n_called, share_of_leavers with lower, upper, share_of_money with money_lower, money_upper (0 to 1;
        null where no money left). Random is what chance gives on average, without interval.

    Raises
    ------
    InputError
        When a column or a value is missing, a customer comes twice, a budget lies outside 0 to 1, or nobody or
        everybody left.

    Examples
    --------
    >>> rows = pl.DataFrame({"customer_id": [1, 2, 3, 4], "probability": [0.9, 0.4, 0.4, 0.1], "duration": 3,
    ...     "event": [True, True, False, False], "lost": [30, 10, None, None], "aum": 50, "aum_change": 0})
    >>> gains(rows, 3, [0.5]).filter(method="probability").select("share_of_leavers", "share_of_money").rows()
    [(0.75, 0.875)]
    """
    rows = in_order(outcome(scored, horizon, "churn.gains", [*MONEY, worth]), ["customer_id"], "churn.gains")
    budgets = checked(budgets)
    called = n_called(len(rows), budgets)
    frames = []
    for name, score in scores(rows, LISTS, worth).items():
        held = held_by(score, rows, called)
        drawn = drawn_anew([score], rows, called / len(rows), seed)[:, 0]
        frames.append(_frame(name, budgets, called, held, ends(drawn)))
    chance = np.repeat(called[:, None] / len(rows), 2, axis=1)
    if not rows["lost"].sum():
        chance[:, 1] = np.nan
    frames.append(_frame(RANDOM, budgets, called, chance, np.full((2, *chance.shape), np.nan)))
    return pl.concat(frames)


def lead_time(scored: pl.DataFrame, horizon: int, budget: float, worth: str = "aum", seed: int = 1) -> pl.DataFrame:
    """Of the money that left, how much stood on the list so many months before it went.

    Answers: does the list warn in time, or when the money is packed?

    Each month has its list of so many customers. Money lost counts at each number of months before for which there was
    a list; its customer may not have been at risk then, and so stood on none.

    Parameters
    ----------
    scored
        A row a customer and month, several months in a row: customer_id, month (month end), probability, event,
        duration (months to it), lost, aum, aum_change, and `worth`.
    horizon
        Months before, at most.
    budget
        The share of a month's customers that its list holds.
    worth
        As for `gains`.
    seed
        Of the drawing of those who left, for the intervals; lists stay as they were.

    Returns
    -------
    pl.DataFrame
        Ordered by method (as `gains` has them) and months_before (1 to `horizon`): share (of lost money, 0 to 1),
        lower, upper, n (who left), lost (minor units); share is null where nothing was lost.

    Raises
    ------
    InputError
        When a column or a value is missing, a customer comes twice in a month, or nobody left.

    Examples
    --------
    >>> from datetime import date
    >>> rows = pl.DataFrame({"customer_id": [1, 2, 1, 2], "month": [date(2025, 1, 31)] * 2 + [date(2025, 2, 28)] * 2,
    ...     "probability": [0.1, 0.3, 0.6, 0.2], "event": [True, False] * 2, "duration": [2, 2, 1, 1],
    ...     "lost": [70, None] * 2, "aum": 100, "aum_change": 0})
    >>> lead_time(rows, 2, 0.5).filter(method="worklist").select("months_before", "share", "n", "lost").rows()
    [(1, 1.0, 1, 70), (2, 0.0, 1, 70)]
    """
    required(scored, ["customer_id", "month"], "churn.lead_time")
    rows = outcome(scored, horizon, "churn.lead_time", [*MONEY, worth])
    rows = in_order(rows, ["month", "customer_id"], "churn.lead_time")
    fraction = checked([budget])
    months = rows.partition_by("month", maintain_order=True)
    listed = pl.concat(_listed(part, fraction, worth) for part in months)
    spells = _before(listed, horizon)
    rng, ahead = np.random.default_rng(seed), range(1, horizon + 1)
    frames = [_flagged(spells.filter(months_before=k), name, k, rng) for name in (*LISTS, RANDOM) for k in ahead]
    return pl.concat(frames)


def checked(budgets: Iterable[float]) -> np.ndarray:
    """Shares of customers that can be called, in order; stops where one is none."""
    found = np.array(sorted(budgets), float)
    wrong = found[~((found > 0) & (found <= 1))]
    if len(wrong) or not len(found):
        first = f" (first: {wrong[0]:g})" if len(wrong) else ""
        raise InputError(
            f"{len(wrong)} of {len(found)} budgets do not lie above 0 and up to 1{first}. Give shares of customers, "
            "such as 0.05."
        )
    return found


def n_called(n: int, budgets: np.ndarray) -> np.ndarray:
    """How many of so many customers each budget can call: the nearest whole number, at least one.

    Examples
    --------
    >>> n_called(250, np.array([0.001, 0.05, 1])).tolist()
    [1, 12, 250]
    """
    return np.maximum(np.rint(n * budgets), 1).astype(np.int64)


def on_list(score: np.ndarray, called: np.ndarray) -> np.ndarray:
    """How much of each stands on a list of so many of the highest score: all or nothing, but of ties a part.

    Examples
    --------
    >>> on_list(np.array([3, 1, 2, 2]), np.array([2])).tolist()
    [1.0, 0.0, 0.5, 0.5]
    """
    code = _from_top(score)
    count = np.bincount(code)
    return np.clip((called - (np.cumsum(count) - count)) / count, 0, 1)[code]


def held_by(score: np.ndarray, rows: pl.DataFrame, called: np.ndarray) -> np.ndarray:
    """Shares of leavers and of lost money among so many with the highest score: a row a number called."""
    code = _from_top(score)
    left, lost = _weights(rows)
    steps = np.cumsum(np.bincount(code))
    held = [np.cumsum(np.bincount(code, of)) for of in (left, lost)]
    return np.stack([_share(called, steps, of) for of in held], axis=1)


def drawn_anew(ways: Sequence[np.ndarray], rows: pl.DataFrame, shares: np.ndarray, seed: int, most: int = CELLS):
    """What `held_by` gives of customers drawn anew: an array of replicates, ways, shares called, leavers and money.

    Each customer is drawn a Poisson number of times, the same for every way of ranking them. How often those of one
    step of all lists who stayed are drawn, together, is Poisson too, so that nobody needs to be drawn one by one but
    those who left.
    """
    rng = np.random.default_rng(seed)
    left, lost = _weights(rows)
    is_leaver = left > 0
    steps = [_steps(score, most) for score in ways]
    joint = np.zeros(len(rows), np.int64)
    for step in steps:
        joint = joint * most + step
    stayed, n_stayed = np.unique(joint[~is_leaver], return_counts=True)
    places = [stayed // most**at % most for at in range(len(ways))][::-1]
    sums = [
        (_Sums(place, step.max() + 1), _Sums(step[is_leaver], step.max() + 1))
        for place, step in zip(places, steps, strict=True)
    ]
    lost, found = lost[is_leaver], []
    n_replicates = int(np.clip(DRAWS // len(lost), LEAST_REPLICATES, REPLICATES))
    each = max(1, CHUNK // (len(stayed) + len(lost)))
    for done in range(0, n_replicates, each):
        n = min(each, n_replicates - done)
        others, leavers = rng.poisson(n_stayed, (n, len(stayed))), _drawn(rng, (n, len(lost)))
        found.append([_held(of, others, leavers, lost, shares) for of in sums])
    return np.concatenate([np.stack(part, axis=1) for part in found])


def ends(drawn: np.ndarray) -> np.ndarray:
    """Between which the middle 95 % of replicates lie; not a number where they are none."""
    told = ~np.isnan(drawn)
    found = np.percentile(np.where(told, drawn, 0.0), ENDS, axis=0)
    # A draw of leavers who took nothing tells of leavers, not of money: each column leaves out its own.
    for at in np.argwhere(~told.all(axis=0)):
        column = (slice(None), *at)
        own = drawn[column][told[column]]
        found[column] = np.percentile(own, ENDS) if len(own) else np.nan
    return found


class _Sums:
    """Sums of columns that belong to one step of a list."""

    def __init__(self, step: np.ndarray, n_steps: int):
        self.order = np.argsort(step, kind="stable")
        self.steps, self.starts = np.unique(step[self.order], return_index=True)
        self.n_steps = n_steps

    def of(self, values: np.ndarray) -> np.ndarray:
        sums = np.zeros((len(values), self.n_steps))
        if len(self.steps):
            sums[:, self.steps] = np.add.reduceat(values[:, self.order], self.starts, axis=1, dtype=float)
        return sums


def _drawn(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """How often each of the leavers is drawn, a row a replicate: Poisson with mean 1."""
    return POISSON[rng.integers(0, len(POISSON), shape, np.uint16)]


def _held(sums: tuple[_Sums, _Sums], others, leavers, lost, shares) -> np.ndarray:
    """By replicate and share called: shares of leavers and of money."""
    of_others, of_leavers = sums
    left, money = of_leavers.of(leavers), of_leavers.of(leavers * lost)
    drawn, left, money = (np.cumsum(part, axis=1) for part in (of_others.of(others) + left, left, money))
    found = np.empty((len(drawn), len(shares), 2))
    for at, steps in enumerate(drawn):
        called = shares * steps[-1]
        found[at, :, 0], found[at, :, 1] = _share(called, steps, left[at]), _share(called, steps, money[at])
    return found


def _share(called: np.ndarray, steps: np.ndarray, held: np.ndarray) -> np.ndarray:
    """Of all there is, what the first so many hold; within a step each one holds as much as the others of it."""
    if not held[-1]:
        return np.full(len(called), np.nan)
    return np.interp(called, np.append(0, steps), np.append(0, held)) / held[-1]


def _from_top(score: np.ndarray) -> np.ndarray:
    rank = dense(score)
    return rank.max() - rank


def _steps(score: np.ndarray, most: int) -> np.ndarray:
    """The step of each customer on a list of at most so many steps, equal scores in one step."""
    code = _from_top(score)
    count = np.bincount(code)
    if len(count) <= most:
        return code
    before = np.cumsum(count) - count
    return (before * most // len(code))[code]


def _weights(rows: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """1 and the money lost of those who left, 0 of all others."""
    lost = rows.select(pl.when("event").then(pl.col("lost").fill_null(0)).otherwise(0).cast(pl.Float64))
    return rows["event"].cast(pl.Float64).to_numpy(), lost.to_series().to_numpy()


def _frame(name: str, budgets, called, held: np.ndarray, reach: np.ndarray) -> pl.DataFrame:
    (low, low_money), (high, high_money) = reach[0].T, reach[1].T
    columns = {"share_of_leavers": held[:, 0], "lower": low, "upper": high}
    columns |= {"share_of_money": held[:, 1], "money_lower": low_money, "money_upper": high_money}
    shares = {column: pl.Series(of, nan_to_null=True) for column, of in columns.items()}
    return pl.DataFrame({"method": [name] * len(budgets), "budget": budgets, "n_called": called, **shares})


def _listed(part: pl.DataFrame, budget: np.ndarray, worth: str) -> pl.DataFrame:
    """The customers of a month, and how much of each stands on its list by each method: of ties, a part."""
    called = n_called(len(part), budget)
    on = {RANDOM: np.full(len(part), called[0] / len(part))}
    for name, score in scores(part, LISTS, worth).items():
        on[name] = on_list(score, called)
    number = pl.col("month").dt.year().cast(pl.Int32) * 12 + pl.col("month").dt.month()
    return part.select("customer_id", "event", "duration", "lost", number=number).with_columns(
        pl.Series(name, of) for name, of in on.items()
    )


def _before(listed: pl.DataFrame, horizon: int) -> pl.DataFrame:
    """Who left, months before it for which there was a list, and whether they stood on it."""
    left = (
        listed.filter("event")
        .select("customer_id", gone=pl.col("number") + pl.col("duration"), lost=pl.col("lost").fill_null(0))
        .unique(["customer_id", "gone"], keep="first", maintain_order=True)
    )
    ahead = pl.DataFrame({"months_before": range(1, horizon + 1)}, schema={"months_before": pl.Int32})
    asked = left.join(ahead, how="cross").with_columns(number=(pl.col("gone") - pl.col("months_before")).cast(pl.Int32))
    known = asked.join(listed.select(pl.col("number").unique()), on="number", how="semi", maintain_order="left")
    on = known.join(
        listed.select("customer_id", "number", *LISTS, RANDOM),
        on=["customer_id", "number"],
        how="left",
        maintain_order="left",
    )
    return on.with_columns(pl.col(*LISTS, RANDOM).fill_null(0))


def _flagged(spells: pl.DataFrame, name: str, months_before: int, rng: np.random.Generator) -> pl.DataFrame:
    lost, on = spells["lost"].cast(pl.Float64).to_numpy(), spells[name].to_numpy()
    total = lost.sum()
    share = lower = upper = None
    if total:
        share = float(lost @ on / total)
        found = [_drawn_share(_drawn(rng, (100, len(lost))), lost, on) for _ in range(REPLICATES // 100)]
        lower, upper = (float(end) for end in ends(np.concatenate(found)))
    row = {"method": name, "months_before": months_before, "share": share, "lower": lower, "upper": upper}
    types = {"method": pl.String, "months_before": pl.Int32, **dict.fromkeys(["share", "lower", "upper"], pl.Float64)}
    return pl.DataFrame([row | {"n": len(lost), "lost": int(spells["lost"].sum())}], schema_overrides=types)


def _drawn_share(drawn: np.ndarray, lost: np.ndarray, on: np.ndarray) -> np.ndarray:
    total = drawn @ lost
    return np.where(total > 0, drawn @ (lost * on) / np.where(total > 0, total, 1), np.nan)
