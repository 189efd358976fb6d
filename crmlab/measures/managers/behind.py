"""The rows behind what a manager is assessed by: which customers, with how much, counted or not, handed over or not."""

from datetime import timedelta

import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.measures.given import in_64_bits, named
from crmlab.measures.managers.amounts import GROWTH, NO_COMPONENT, PERIODS, measured, parted, periods
from crmlab.measures.managers.assessing import lost_by_others
from crmlab.measures.managers.books import kept_on
from crmlab.measures.managers.counted import ANSWERED, PARTS, Span, counted
from crmlab.measures.managers.gathering import Known
from crmlab.panel.exact import half_even

KEY = ["manager_id", "period", "measure"]
WHY = ("kept", "handed in", "handed out", "answered for")
BEHIND = {
    "manager_id": pl.String, "period": pl.Date, "measure": pl.String, "customer_id": pl.Int32, "on": pl.Date,
    "why": pl.String, "share": pl.Int64, "n": pl.Int64, "n_events": pl.Int64, "value": pl.Int64, "base": pl.Int64,
}  # fmt: skip
SUMS = ["balance_days", "flow", "contribution", "kept_days"]
CELL = ["customer_id", "line"]
WHOSE = [*CELL, "manager_id"]
ROW = ["customer_id", "manager_id", "why", "on"]
COUNTED = [name for names in PARTS.values() for name in names]
MILLION = 1_000_000
NOTHING = pl.DataFrame(schema=BEHIND).drop("period")


def rows_behind(known: Known, assessed: pl.DataFrame, period: str = "quarter") -> pl.DataFrame:
    """The rows that each value is the sum of: customers, or their contacts, loans, complaints, leads.

    Answers: which three customers were lost, and whose money is this?

    Summed over a manager, period and measure, `n` and `n_events` are those of `assessed`, else `value` is, to the minor
    unit; of measures of money but growth `base` is, too. An average is split by balance-days, largest remainder, so
    that its parts add to it. A customer without money in both periods has no row.

    Parameters
    ----------
    known
        What `assessed` was made of.
    assessed
        The rows asked for: manager_id, period, measure and value, as `managers.assessed` gives them.
    period
        month, quarter or year: what `assessed` was made for.

    Returns
    -------
    pl.DataFrame
        manager_id, period, measure, customer_id (null: a lead who is no customer yet), on (the day of what was counted;
        of money the first day with the manager where handed in, the first without where handed out, and the day the
        customer left where it is answered for), why (kept; handed in, handed out: within the period; answered for: lost
        so soon after a handover that it counts to who handed over, which takes it from one and lays it to the other),
        share (of the customer's account-days in the period that were the manager's, in millionths; of money alone), n
        and n_events (of rates and means), value (of all else; minor units or counts), base. By manager, period,
        measure and customer.

    Raises
    ------
    InputError
        When the period is unknown, or a column is missing.
    """
    if period not in PERIODS:
        raise InputError(f"There is no period {period}. {near_miss(period, list(PERIODS))}")
    named(assessed.columns, [*KEY, "value"], "managers.rows_behind")
    asked = assessed.drop_nulls("value").select(KEY).unique()
    parts = [pl.DataFrame(schema=BEHIND)]
    lost, then = lost_by_others(known), None
    for end, starts_on in periods(known.books, period).select("period", "starts_on").rows():
        span = Span(starts_on, end, then and then.ends_on, period)
        wanted = asked.filter(pl.col("period") == end)
        if not wanted.is_empty():
            measures = wanted["measure"].unique().to_list()
            made = [_money(known, span, then, measures, lost), _counts(known, span, measures)]
            rows = pl.concat(made, how="diagonal").with_columns(period=pl.lit(end))
            parts.append(rows.join(wanted, on=KEY, how="semi"))
        then = span
    rows = pl.concat(parts, how="diagonal").select(pl.col(name).cast(dtype) for name, dtype in BEHIND.items())
    return rows.sort(*KEY, "customer_id", "on", "why", "n", "n_events", "value", nulls_last=True)


def _counts(known: Known, span: Span, measures: list[str]) -> pl.DataFrame:
    """What is counted, of those who have a manager, and where it counts to another than who kept the customer."""
    if not set(measures) & set(COUNTED):
        return NOTHING
    asked, is_something = pl.col("measure").is_in(measures), pl.col("n").is_not_null() | (pl.col("n_events") != 0)
    rows = counted(known, span).filter(asked, is_something, pl.col("manager_id").is_not_null())
    moves = pl.col("measure").is_in(list(ANSWERED))
    theirs = kept_on(known.keeping, rows.filter(moves).rename({"manager_id": "who"}), "on")
    is_passed = pl.col("who").ne_missing(pl.col("manager_id"))
    answered = theirs.with_columns(why=pl.when(is_passed).then(pl.lit(WHY[3])).otherwise(pl.lit(WHY[0])))
    rest = rows.filter(~moves).with_columns(why=pl.lit(WHY[0]))
    rows = pl.concat([rest, answered.drop("manager_id").rename({"who": "manager_id"})], how="diagonal")
    sums = pl.col("n").is_null()
    return rows.with_columns(value=pl.when(sums).then("n_events"), n_events=pl.when(~sums).then("n_events"))


def _money(known: Known, span: Span, then: Span | None, measures: list[str], lost: pl.DataFrame) -> pl.DataFrame:
    """The measures of money, of each customer who has a manager, in this period and as their base."""
    names = [name for name in measured(known.policy) if name in measures or GROWTH.get(name) in measures]
    if not names:
        return NOTHING
    now = _cells(known, span, lost)
    value = _long(_told(now, known, span, names), span, names, "value")
    if then is None:
        both = value.with_columns(base=pl.lit(None, pl.Int64))
    else:
        was = _told(_before(_cells(known, then, lost), now), known, span, names)
        base, key = _long(was, then, names, "base"), [*ROW, "measure"]
        both = value.join(base, on=key, how="full", coalesce=True, nulls_equal=True)
        both = both.with_columns(pl.col("value", "base").fill_null(0))
    growth = both.filter(pl.col("measure").is_in(list(GROWTH))).with_columns(
        pl.col("measure").replace(GROWTH), value=pl.col("value") - pl.col("base"), base=pl.lit(None, pl.Int64)
    )
    asked, is_something = pl.col("measure").is_in(measures), pl.any_horizontal(pl.col("value", "base") != 0)
    rows = pl.concat([both, growth]).filter(asked, is_something)
    return rows.join(_shares(now), on=["customer_id", "manager_id"], how="left")


def _shares(cells: pl.DataFrame) -> pl.DataFrame:
    """Of each customer's account-days the share that was each manager's, in millionths."""
    kept = cells.filter(pl.col("kept_days") > 0).group_by("customer_id", "manager_id").agg(pl.col("kept_days").sum())
    whole = pl.col("kept_days").sum().over("customer_id")
    share = pl.col("kept_days").cast(pl.Int128) * MILLION // whole
    return kept.select("customer_id", "manager_id", share=share.cast(pl.Int64))


def _cells(known: Known, span: Span, lost: pl.DataFrame) -> pl.DataFrame:
    """What each customer had on each line with each manager, and apart from it what another answers for."""
    within = pl.col("month").is_between(span.starts_on, span.ends_on)
    sources = [known.books.filter(within).select(*WHOSE, "balance_days", "flow", "kept_days")]
    if known.contribution is not None:
        parts = [name for name in known.contribution.collect_schema().names() if name not in NO_COMPONENT]
        amount = pl.sum_horizontal(parts).cast(pl.Int64).alias("contribution")
        sources.append(known.contribution.filter(within).select(*WHOSE, amount))
    like = pl.LazyFrame(schema=dict.fromkeys(SUMS, pl.Int64))
    rows = pl.concat([like, *sources], how="diagonal").group_by(WHOSE).agg(pl.col(SUMS).cast(pl.Int128).sum())
    cells = in_64_bits(rows.collect(engine="streaming")).with_columns(passed_on=pl.lit(None, pl.Date))
    gone = lost.filter(pl.col("on").is_between(span.starts_on, span.ends_on)).rename({"manager_id": "to_id"})
    keys = ["customer_id", "manager_id"]
    of_aum = pl.col("line").is_in(known.policy.lines_of("deposits", "investments"))
    theirs = cells.filter(of_aum).join(gone.rename({"from_id": "manager_id"}), on=keys, nulls_equal=True)
    moved = theirs.with_columns(pl.lit(0, pl.Int64).alias(name) for name in SUMS if name != "flow")
    moved = moved.with_columns(passed_on="on").filter(pl.col("flow") != 0)
    given, got = moved.with_columns(-pl.col("flow")), moved.with_columns(manager_id="to_id")
    return pl.concat([cells, *(part.select(cells.columns) for part in (given, got))])


def _before(then: pl.DataFrame, now: pl.DataFrame) -> pl.DataFrame:
    """What customers had in the period before, by who has them in this one; what nobody has stays where it was."""
    has = now.filter(pl.col("kept_days") > 0).select(*WHOSE, "kept_days")
    sums = [name for name in SUMS if name != "kept_days"]
    whole = then.group_by(CELL).agg(pl.col(sums).sum())
    split = whole.join(has, on=CELL).sort(*CELL, "kept_days", "manager_id", descending=[False, False, True, False])
    is_whole = pl.len().over(CELL) == 1
    parts = parted(split.filter(~is_whole), sums, "kept_days", CELL)
    stays = then.join(has, on=CELL, how="anti")
    return pl.concat([split.filter(is_whole), parts, stays], how="diagonal")


def _told(cells: pl.DataFrame, known: Known, span: Span, names: list[str]) -> pl.DataFrame:
    """A row a customer, manager, and way they came or went, with the sum of each measure; the branch's are left out."""
    of, retail = measured(known.policy), known.customers.filter(kind="retail")["customer_id"].implode()
    own = (
        cells.filter(pl.col("manager_id").is_not_null())
        .with_columns(is_retail=pl.col("customer_id").is_in(retail))
        .with_columns(
            pl.when(some).then(sign * pl.col(column)).otherwise(0).alias(name)
            for name, (column, some, sign) in of.items()
            if name in names
        )
    )
    own = own.join(_handed(known, span), on=["customer_id", "manager_id"], how="left")
    is_passed = pl.col("passed_on").is_not_null()
    own = own.with_columns(
        why=pl.when(is_passed).then(pl.lit(WHY[3])).otherwise(pl.col("why").fill_null(WHY[0])),
        on=pl.when(is_passed).then("passed_on").otherwise("on"),
    )
    return in_64_bits(own.group_by(ROW).agg(pl.col(names).cast(pl.Int128).sum()))


def _handed(known: Known, span: Span) -> pl.DataFrame:
    """Who came to a manager or went from one within the period, and on which day; a newcomer was not handed in."""
    joined = known.customers.select("customer_id", "since")
    spells = known.keeping.filter(pl.col("manager_id").is_not_null()).join(joined, on="customer_id", how="left")
    came = pl.col("from_on").is_between(span.starts_on, span.ends_on)
    handed_in = spells.filter(came, pl.col("from_on") > pl.col("since")).select(
        "customer_id", "manager_id", on="from_on", why=pl.lit(WHY[1])
    )
    went = pl.col("to_on").is_between(span.starts_on, span.ends_on - timedelta(days=1))
    handed_out = spells.filter(went).select(
        "customer_id", "manager_id", on=pl.col("to_on") + pl.duration(days=1), why=pl.lit(WHY[2])
    )
    last = pl.concat([handed_in, handed_out]).sort("on", "why")
    return last.unique(["customer_id", "manager_id"], keep="last", maintain_order=True)


def _long(sums: pl.DataFrame, span: Span, names: list[str], into: str) -> pl.DataFrame:
    """A row a customer and measure; averages over the days of the period, split so that they add to the manager's."""
    days = (span.ends_on - span.starts_on).days + 1
    averages = [name for name in names if name.endswith("average")]
    wide = sums.sort(ROW, nulls_last=True).with_columns(_averaged(name, days).alias(name) for name in averages)
    return wide.unpivot(index=ROW, on=names, variable_name="measure", value_name=into)


def _averaged(name: str, days: int) -> pl.Expr:
    """Balance-days over days: rounded down, and what is then missing of the manager's to the largest remainders."""
    part, rest = pl.col(name) // days, pl.col(name) % days
    missing = half_even(pl.col(name).sum().over("manager_id"), days) - part.sum().over("manager_id")
    return part + (rest.rank("ordinal", descending=True).over("manager_id") <= missing).cast(pl.Int64)
