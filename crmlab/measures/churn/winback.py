"""Win-back: how much of the money that left comes back, and whom of those who left to ask again."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import in_64_bits, in_order, named
from crmlab.measures.uncertainty import wilson

CAUSES = ["closure", "run-off", "maturity", "salary"]
ALL = "all"
NEEDED = ["customer_id", "event", "cause", "ends_on", "known_on", "lost"]
HELD = ["customer_id", "month", "balance_days", "days", "n_without_average"]
PRIOR = 20  # customers: as many of all causes stand behind the rate of each one


def returns(
    departures: pl.DataFrame, standing: pl.LazyFrame | pl.DataFrame, as_of: date, months: Sequence[int] = (6, 12)
) -> pl.DataFrame:
    """How much of the money that left was back so many months later, and how many of those who took it.

    Answers: does it pay to ask them again?

    What is back is what the average AUM of the month so long after leaving is above the lowest one from the month of
    leaving to that in which it was known (at least the next), at most what was lost. Nobody has returned who brought
    less than half. Who left too recently is counted in neither number until their months have passed.

    Parameters
    ----------
    departures
        customer_id, event (True: left; others are not looked at), cause, ends_on (the month end of leaving), known_on,
        lost (minor units); a row a departure.
    standing
        customer_id, month, balance_days, days, n_without_average, as `standing.table` gives them; a month without a row
        is one without money.
    as_of
        Months up to the last that had ended by this day are looked at.
    months
        How many months after leaving to look.

    Returns
    -------
    pl.DataFrame
        cause (Enum: `CAUSES`, and "all"), months; n (who took money, their months have passed, both averages known),
        n_returned, rate (0 to 1) with lower and upper (95 %, Wilson; null where n is 0), lost and back (minor units, of
        these n; counted, not sampled: no interval), money_rate (back of lost, 0 to 1; null where nothing was lost),
        n_waiting (their months have not passed), n_unknown (an average is not known). All causes are there; by cause
        and months.

    Raises
    ------
    InputError
        When a column is missing, a cause is unknown, or no month is given or one is below 1.

    Examples
    --------
    >>> left = pl.DataFrame({"customer_id": [1], "event": True, "cause": "closure", "ends_on": date(2024, 1, 31),
    ...     "known_on": date(2024, 1, 31), "lost": 100_000})
    >>> held = pl.DataFrame({"customer_id": [1], "month": [date(2024, 7, 31)], "balance_days": [60_000 * 31],
    ...     "days": 31, "n_without_average": 0})
    >>> found = returns(left, held, date(2024, 8, 31))
    >>> found.filter(pl.col("cause") == "closure").select("months", "n", "n_returned", "back", "n_waiting").rows()
    [(6, 1, 1, 60000, 0), (12, 0, 0, 0, 1)]
    """
    _usable(departures, standing, "winback.returns")
    if not months or min(months) < 1:
        raise InputError(
            f"Money is looked for at least 1 month after it left, not {list(months)}. Say how many months."
        )
    left = departures.filter(pl.col("event"), pl.col("lost") > 0, pl.col("known_on") <= as_of)
    due = left.select("customer_id", "cause", "ends_on", "known_on", "lost").join(
        pl.DataFrame({"months": sorted(set(months))}, {"months": pl.Int64}), how="cross"
    )
    due = due.with_columns(at=pl.col("ends_on").dt.offset_by(pl.format("{}mo", "months")).dt.month_end())
    is_due = pl.col("at") <= _last_month(as_of)
    found = _back(due.filter(is_due), standing)
    young = due.filter(~is_due).with_columns(is_waiting=pl.lit(True))
    rows = pl.concat([found, young], how="diagonal_relaxed")
    both = pl.concat([rows.with_columns(pl.col("cause").cast(pl.String)), rows.with_columns(cause=pl.lit(ALL))])
    is_told = pl.col("back").is_not_null()
    sums = both.group_by("cause", "months").agg(
        n=is_told.sum().cast(pl.Int64),
        n_returned=(is_told & _is_back()).sum().cast(pl.Int64),
        lost=pl.col("lost").filter(is_told).cast(pl.Int128).sum(),
        back=pl.col("back").cast(pl.Int128).sum(),
        n_waiting=pl.col("is_waiting").sum().cast(pl.Int64),
        n_unknown=(pl.col("is_waiting").is_null() & ~is_told).sum().cast(pl.Int64),
    )
    every = pl.DataFrame({"cause": [*CAUSES, ALL]}).join(
        pl.DataFrame({"months": sorted(set(months))}, {"months": pl.Int64}), how="cross", maintain_order="left_right"
    )
    table = every.join(in_64_bits(sums), on=["cause", "months"], how="left", maintain_order="left")
    k, n, lost = pl.col("n_returned"), pl.col("n"), pl.col("lost")
    lower, upper = wilson(k, n)
    return table.with_columns(pl.exclude("cause", "months").fill_null(0)).select(
        pl.col("cause").cast(pl.Enum([*CAUSES, ALL])), "months", "n", "n_returned",
        pl.when(n > 0).then(k / n).alias("rate"), lower, upper, "lost", "back",
        pl.when(lost > 0).then(pl.col("back") / lost).alias("money_rate"), "n_waiting", "n_unknown",
    )  # fmt: skip


def win_back_list(
    departures: pl.DataFrame,
    standing: pl.LazyFrame | pl.DataFrame,
    as_of: date,
    within_months: int = 12,
    apart: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Who left and may be asked again, those first of whom most is expected.

    Answers: whom of those who left do we ask to come back?

    Expected = what they earned us in the year before × the rate at which customers who left for their cause have
    returned a year later (half a year later where nobody's year has passed), drawn towards the rate of all causes as if
    by `PRIOR` customers, rounded once, half to even.

    Left out are who died or was merged, ever; who left longer ago than `within_months`; who has brought back half of
    what they took; who earned us nothing; and those `apart`.

    Parameters
    ----------
    departures, standing, as_of
        As for `returns`; besides customer_no and contribution_year (the year before, minor units). Other columns stay.
    within_months
        How long ago a customer may have left.
    apart
        customer_id of others to leave alone: who has an open complaint, or died since they left; nobody where left out.

    Returns
    -------
    pl.DataFrame
        rank (1, 2, ...), the columns of `departures` of the last departure, back (what has come back so far, minor
        units; null where it is not known), returned_rate (0 to 1), expected (minor units, at least 0), both null where
        no rate can be told; equal ones by what they earned us and customer_no. No row where nobody is left.

    Raises
    ------
    InputError
        When a column is missing, a cause is unknown, or within_months is below 1.

    Examples
    --------
    >>> left = pl.DataFrame({"customer_id": [1, 2], "customer_no": ["C1", "C2"], "event": [True, False], "cause":
    ...     ["closure", "death"], "ends_on": date(2024, 1, 31), "known_on": date(2024, 1, 31), "lost": [100_000, None],
    ...     "contribution_year": [90_000, 80_000]})
    >>> held = pl.DataFrame({"customer_id": [1], "month": date(2024, 7, 31), "balance_days": 310_000, "days": 31,
    ...     "n_without_average": 0})
    >>> found = win_back_list(left, held, date(2024, 8, 31))
    >>> found.select("rank", "customer_no", "back", pl.col("returned_rate").round(3), "expected").rows()
    [(1, 'C1', 0, 0.238, 21429)]
    """
    measure = "winback.win_back_list"
    _usable(departures, standing, measure)
    named(departures.columns, ["customer_no", "contribution_year"], measure)
    if within_months < 1:
        raise InputError(f"Nobody has left within {within_months} months. Look back at least 1 month.")
    is_known = pl.col("known_on").fill_null(pl.col("ends_on")) <= as_of
    is_lost_for_good = pl.col("cause").cast(pl.String).is_in(["death", "merger"]).any().over("customer_id")
    known = departures.filter(is_known).filter(~is_lost_for_good.fill_null(False))
    last = known.sort("ends_on").group_by("customer_id", maintain_order=True).last()
    month = _last_month(as_of)
    # A month end some months before another one: by the first of the month, since months differ in length.
    earliest = pl.lit(month).dt.month_start().dt.offset_by(f"-{within_months}mo").dt.month_end()
    asked = last.select(departures.columns).filter(
        pl.col("event"), pl.col("ends_on") > earliest, pl.col("contribution_year") > 0
    )
    if apart is not None:
        named(apart.columns, ["customer_id"], measure)
        asked = asked.join(apart.select("customer_id"), on="customer_id", how="anti", maintain_order="left")
    back = _back(asked.select("customer_id", "cause", "ends_on", "known_on", "lost", at=pl.lit(month)), standing)
    rates = _rates(returns(departures, standing, as_of))
    rows = (
        asked.join(back.select("customer_id", "back"), on="customer_id", how="left")
        .filter(~_is_back().fill_null(False))
        .with_columns(
            pl.col("cause").cast(pl.String).replace_strict(rates, return_dtype=pl.Float64).alias("returned_rate")
        )
        .with_columns(expected=(pl.col("contribution_year") * pl.col("returned_rate")).round().cast(pl.Int64))
        .pipe(in_order, ["customer_no"], measure)
        .sort("expected", "contribution_year", "customer_no", descending=[True, True, False])
        .with_row_index("rank", offset=1)
    )
    return rows.with_columns(pl.col("rank").cast(pl.Int64))


def _usable(departures: pl.DataFrame, standing: pl.LazyFrame | pl.DataFrame, measure: str) -> None:
    named(departures.columns, NEEDED, measure)
    named(standing.lazy().collect_schema().names(), HELD, measure)
    cause = pl.col("cause").cast(pl.String)
    odd = departures.filter(pl.col("event"), ~cause.is_in(CAUSES).fill_null(False))
    if n := odd.height:
        raise InputError(
            f"{n} of {len(departures)} departures have the cause {odd['cause'][0]}. Known: {', '.join(CAUSES)}."
        )


def _back(due: pl.DataFrame, standing: pl.LazyFrame | pl.DataFrame) -> pl.DataFrame:
    """With what is back in the month `at` of what left: money above the lowest after leaving, at most what was lost."""
    due = due.with_row_index("row")
    after = pl.col("ends_on").dt.month_start().dt.offset_by("1mo").dt.month_end()
    known = pl.max_horizontal(after, pl.col("known_on").dt.month_end())
    from_on, to_on = due["ends_on"].min(), due["at"].max()
    held = (
        standing.lazy()
        .select(HELD)
        .filter(pl.col("month").is_between(from_on, to_on))
        .join(
            due.lazy().select("row", "customer_id", "ends_on", "at", known=pl.min_horizontal(known, "at")),
            on="customer_id",
        )
        .with_columns(
            # An overdraft is a loan: paying it back brings no money.
            average=(pl.col("balance_days") // pl.col("days")).clip(0),
            is_low=pl.col("month").is_between("ends_on", "known"),
        )
        .filter(pl.col("is_low") | (pl.col("month") == pl.col("at")))
    )
    n_low = (
        (pl.col("known").dt.year() - pl.col("ends_on").dt.year()) * 12
        + (pl.col("known").dt.month() - pl.col("ends_on").dt.month()).cast(pl.Int32)
        + 1
    )  # months, of which one without a row is one without money
    is_at, low = pl.col("month") == pl.col("at"), pl.col("average").filter("is_low")
    sums = held.group_by("row").agg(
        now=pl.col("average").filter(is_at).sum(),
        low=pl.when(low.len() < n_low.first()).then(0).otherwise(low.min()),
        is_known=(pl.col("n_without_average") == 0).all(),
    )
    risen = (pl.col("now") - pl.col("low")).clip(0, pl.col("lost"))
    return (
        due.join(sums.collect(), on="row", how="left", maintain_order="left")
        .with_columns(pl.col("now", "low").fill_null(0))
        .with_columns(back=pl.when(pl.col("is_known").fill_null(True)).then(risen))
        .drop("row", "now", "low", "is_known", "at")
    )


def _is_back() -> pl.Expr:
    """Whether half of what a customer took is back; who took nothing cannot bring it."""
    return (pl.col("lost") > 0) & (2 * pl.col("back") >= pl.col("lost"))


def _rates(returned: pl.DataFrame) -> dict[str, float | None]:
    """The rate of each cause at the longest time at which anybody is counted, drawn towards that of all."""
    told = returned.filter(pl.col("n") > 0)
    longest = told.filter(pl.col("months") == pl.col("months").max())
    counted = {cause: (k, n) for cause, k, n in longest.select("cause", "n_returned", "n").rows()}
    if ALL not in counted:
        return dict.fromkeys(CAUSES)
    k, n = counted[ALL]
    of_all = (k + 0.5) / (n + 1)  # above 0 also where nobody has returned so far
    own = {cause: counted.get(cause, (0, 0)) for cause in CAUSES}
    return {cause: (k + PRIOR * of_all) / (n + PRIOR) for cause, (k, n) in own.items()}


def _last_month(as_of: date) -> date:
    """The last month end up to a day."""
    return pl.select(pl.lit(as_of).dt.offset_by("1d").dt.month_start().dt.offset_by("-1d")).item()
