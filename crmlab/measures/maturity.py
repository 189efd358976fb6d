"""Maturity: what matures when, how much of what matured stayed, and how likely the next ones are to stay."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import in_64_bits, named
from crmlab.measures.uncertainty import wilson

AHEAD = ["account_id", "customer_id", "line", "matures_on", "amount"]
SEEN = ["amount", "retained"]
LIKE = ["line", "term", "kind"]
# A maturity that falls on a holiday moves by some days; no term lies that close above another.
TERMS = {"up to 3 months": 97, "up to 6 months": 189, "up to 1 year": 371}
LONGEST = "over 1 year"
HANDFUL = 5
FEW = f"fewer than {HANDFUL} like it"


def calendar(maturities: pl.DataFrame, as_of: date, days: int = 90) -> pl.DataFrame:
    """What matures in the days to come, day by day and line by line.

    Answers: how much money comes free next week, and of how many customers?

    Parameters
    ----------
    maturities
        As `panel.maturities` gives them.
    as_of
        The day they are known at; what matures later is still ahead.
    days
        How far to look, from the day after `as_of`.

    Returns
    -------
    pl.DataFrame
        matures_on, line, n (maturities), n_customers, amount (minor units of the base currency, as last known),
        n_without_amount (left out of it, their balance is not known); days without any have no row. By day and line.

    Raises
    ------
    InputError
        When a column is missing, `days` is not positive, or a sum does not fit into 64 bits.

    Examples
    --------
    >>> rows = pl.DataFrame({"account_id": [1, 2, 3], "customer_id": [7, 7, 8], "line": "deposits",
    ...     "matures_on": [date(2024, 4, 2), date(2024, 4, 2), date(2024, 9, 1)], "amount": [100, 50, 900]})
    >>> calendar(rows, date(2024, 3, 31)).rows()
    [(datetime.date(2024, 4, 2), 'deposits', 2, 1, 150, 0)]
    """
    named(maturities.columns, AHEAD, "maturity.calendar")
    if days < 1:
        raise InputError(f"maturity.calendar looks {days} days ahead. Write 1 or more.")
    ahead = maturities.filter((pl.col("matures_on") > as_of) & (pl.col("matures_on") <= as_of + pl.duration(days=days)))
    return in_64_bits(
        ahead.group_by("matures_on", "line").agg(
            n=pl.len().cast(pl.Int64),
            n_customers=pl.col("customer_id").n_unique().cast(pl.Int64),
            amount=pl.col("amount").cast(pl.Int128).sum(),
            n_without_amount=pl.col("amount").null_count().cast(pl.Int64),
        )
    ).sort("matures_on", "line")


def retention(maturities: pl.DataFrame, by: str | Sequence[str] | None = None) -> pl.DataFrame:
    """How much of the money that matured stayed, and how many of the maturities were kept.

    Answers: whose customers leave their money with us when it comes free?

    A maturity is kept when at least half of its amount stayed. The rate of money is what happened, not a sample: one
    large deposit decides it. The interval is of the rate of maturities, and takes each for itself; several of one
    customer go together, so that it is somewhat too narrow where few customers have many.

    Parameters
    ----------
    maturities
        amount and retained as `panel.maturities` gives them, and the columns of `by`. Those that are not known yet, or
        whose money is not, and those of nothing, are left out.
    by
        Columns to tell apart; none for all rows together.

    Returns
    -------
    pl.DataFrame
        The columns of `by`; n (maturities), amount and retained (minor units of the base currency), rate (retained of
        amount, 0 to 1), n_kept, kept_rate (0 to 1), lower, upper (of kept_rate, 95 %, Wilson). In order of `by`;
        nothing known: no row.

    Raises
    ------
    InputError
        When a column is missing, or a sum does not fit into 64 bits.

    Examples
    --------
    >>> rows = pl.DataFrame({"manager_id": "M1", "amount": [100, 300, 80], "retained": [100, 30, None]})
    >>> retention(rows, "manager_id").select("n", "rate", "n_kept", "kept_rate", pl.col("upper").round(2)).rows()
    [(2, 0.325, 1, 0.5, 0.91)]
    """
    groups = [by] if isinstance(by, str) else list(by or [])
    named(maturities.columns, [*SEEN, *groups], "maturity.retention")
    sums = {name: pl.col(name).cast(pl.Int128).sum() for name in SEEN}
    seen = _seen(maturities).select(*groups, *SEEN, "is_kept").with_columns(one=pl.lit(1))
    rows = in_64_bits(
        seen.group_by(groups or "one").agg(
            n=pl.len().cast(pl.Int64), **sums, n_kept=pl.col("is_kept").sum().cast(pl.Int64)
        )
    )
    lower, upper = wilson(pl.col("n_kept"), pl.col("n"))
    rate, kept_rate = pl.col("retained") / pl.col("amount"), pl.col("n_kept") / pl.col("n")
    return (
        rows.with_columns(rate=rate, kept_rate=kept_rate, lower=lower, upper=upper)
        .select(*groups, "n", *SEEN, "rate", "n_kept", "kept_rate", "lower", "upper")
        .sort(groups or "n")
    )


def renewal(maturities: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """How likely each maturity still ahead is to be kept, from past ones of the same line, term and kind of customer.

    Answers: whose money is about to come free, and how often does such money stay?

    Of n like it k were kept, of all past ones the share p: ``probability = (k + s·p) / (n + s)``. The weight s of the
    whole says how alike the groups are: s = 1/γ − 1, at most the number of all past ones, where γ is the correlation
    within groups, estimated by moments (Kleinman 1973, Journal of the American Statistical Association 68, 46–54, with
    weights n). So a small group leans on the whole, and a large one speaks for itself.

    The interval is Wilson's of that share, of n + s (all past ones at most) over a design effect (Kish 1965), since the
    maturities of one customer go together, and those of one month: ``1 + (months − 1)·γ of months + (customers − 1)·γ
    of customers``, both γ within groups, `months` and `customers` how many the average maturity finds in its own. It
    says how often such money stays while customers do as they did, not what this customer will do.

    Parameters
    ----------
    maturities
        As `panel.maturities` gives them.
    as_of
        The day they are known at.

    Returns
    -------
    pl.DataFrame
        Those that mature after `as_of`, their columns and term (by the days from opening to maturity), probability
        (that at least half stays, 0 to 1), lower, upper (95 %), n_like (past ones like it), reason (why there is no
        probability: fewer than a handful like it; else null). By day and account.

    Raises
    ------
    InputError
        When a column is missing.

    Examples
    --------
    >>> day = date(2024, 3, 1)
    >>> rows = pl.DataFrame({"account_id": range(11), "customer_id": range(11), "line": "deposits",
    ...     "kind": "retail", "opened_on": date(2024, 1, 1), "matures_on": [day] * 10 + [date(2024, 4, 1)],
    ...     "amount": 100, "retained": [100] * 8 + [0, 20, None]})
    >>> renewal(rows, date(2024, 3, 31)).select("probability", pl.col("lower").round(2), "n_like").rows()
    [(0.8, 0.49, 10)]
    """
    named(maturities.columns, [*AHEAD, "kind", "opened_on", "retained"], "maturity.renewal")
    rows = maturities.with_columns(term=_term())
    ahead = rows.filter(pl.col("matures_on") > as_of)
    like = _probabilities(_seen(rows.filter(pl.col("matures_on") <= as_of)))
    is_few = pl.col("n_like") < HANDFUL
    told = ["probability", "lower", "upper"]
    return (
        ahead.join(like, on=LIKE, how="left")
        .with_columns(pl.col("n_like").fill_null(0))
        .with_columns(pl.when(~is_few).then(pl.col(told)), reason=pl.when(is_few).then(pl.lit(FEW)))
        .select(*maturities.columns, "term", *told, "n_like", "reason")
        .sort("matures_on", "account_id")
    )


def _seen(maturities: pl.DataFrame) -> pl.DataFrame:
    """Those of which it is known what stayed, and whether that is half of it."""
    known = maturities.filter(pl.col("retained").is_not_null(), pl.col("amount") > 0)
    # Half is taken from the amount, since twice a sum of money might not fit.
    return known.with_columns(is_kept=pl.col("retained") >= pl.col("amount") - pl.col("retained"))


def _term() -> pl.Expr:
    days, names = (pl.col("matures_on") - pl.col("opened_on")).dt.total_days(), [*TERMS, LONGEST]
    # The first that fits stands outermost.
    band = pl.lit(LONGEST)
    for name, most in reversed(TERMS.items()):
        band = pl.when(days <= most).then(pl.lit(name)).otherwise(band)
    return band.cast(pl.Enum(names))


def _probabilities(seen: pl.DataFrame) -> pl.DataFrame:
    """For each group of past maturities how many there are, and how likely one like them is to be kept."""
    month = pl.col("matures_on").dt.month_end()
    seen = seen.select(*LIKE, "customer_id", "is_kept", month=month, all=pl.lit(0))
    whole = _correlation(_groups(seen, ["all"], LIKE))
    by_month, by_customer = (_groups(seen, LIKE, [cell]) for cell in ("month", "customer_id"))
    together = by_month.join(by_customer.select(*LIKE, customers="size"), on=LIKE)
    effect = 1 + (pl.col("size") - 1) * _correlation(by_month) + (pl.col("customers") - 1) * _correlation(by_customer)
    weight = float(min(1 / whole - 1, len(seen)) if whole > 0 else len(seen))
    share = seen["is_kept"].mean() or 0.0
    probability = (pl.col("k") + weight * share) / (pl.col("n") + weight)
    n = pl.min_horizontal(pl.col("n") + weight, pl.lit(float(len(seen)))) / effect
    lower, upper = wilson(probability * n, n)
    return together.select(*LIKE, probability.alias("probability"), lower, upper, n_like="n")


def _groups(seen: pl.DataFrame, by: list[str], cell: list[str]) -> pl.DataFrame:
    """Each group's maturities and how many were kept, with what `_correlation` needs of the cells it is made of."""
    n, k = pl.col("n"), pl.col("k")
    cells = seen.group_by(*by, *cell, maintain_order=True).agg(
        n=pl.len().cast(pl.Int64), k=pl.col("is_kept").sum().cast(pl.Int64)
    )
    return cells.group_by(by, maintain_order=True).agg(
        n.sum(), k.sum(), n_cells=pl.len().cast(pl.Int64), kept=(k * k / n).sum(), size=(n * n).sum() / n.sum()
    )


def _correlation(groups: pl.DataFrame) -> float:
    """How alike maturities of one cell are beyond those of their group, 0 to 1: the moment estimate over all groups."""
    n, k, cells = (groups[name] for name in ("n", "k", "n_cells"))
    chance = k / n * (1 - k / n)
    room = (chance * (n - groups["size"] - (cells - 1))).sum()
    found = (groups["kept"] - k * k / n - chance * (cells - 1)).sum()
    return min(max(found / room, 0.0), 1.0) if room > 0 else 0.0
