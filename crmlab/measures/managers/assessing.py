"""The measure × manager table: what each manager is assessed by, period by period, with what it was before."""

import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.measures.given import in_64_bits
from crmlab.measures.managers.aims import AIMS, aims
from crmlab.measures.managers.amounts import GROWTH, PERIODS, Book, amounts, book_of, passed_on
from crmlab.measures.managers.books import answering, kept_on
from crmlab.measures.managers.counted import NEEDS, OF_TODAY, PARTS, Span, counted, moved_on
from crmlab.measures.managers.gathering import DIED, Known
from crmlab.panel.exact import half_even
from crmlab.policy import MEASURES
from crmlab.policy.scoring import RATE, THOUSANDTHS

KEY = ["manager_id", "period", "measure"]
ASSESSED = {
    "manager_id": pl.String, "branch_id": pl.String, "peer_group": pl.String, "grade": pl.String, "period": pl.Date,
    "measure": pl.String, "value": pl.Int64, "n": pl.Int64, "n_events": pl.Int64, "base": pl.Int64,
    "target": pl.Int64, "why": pl.String,
}  # fmt: skip
SCALE = {RATE: 1_000_000, THOUSANDTHS: 1_000}
# The dictionary has no table that would tell of these.
UNTOLD = {
    "collection": "No table tells what was due on loans.",
    "missed_loan_checks": "No table tells of loan checks.",
    "integrity_breaches": "No table tells of breaches.",
}
TABLE = {"channels": "customers of the panel", "identified": "customers with kyc_due_on", "loans": "loan_status"}
COUNTED = [name for names in PARTS.values() for name in names]
GROWN = ("deposits_growth", "loans_growth", "investments_growth", "contribution_growth", "new_cards")


def assessed(known: Known, period: str = "quarter") -> pl.DataFrame:
    """What every manager is assessed by: a row a manager, period and measure.

    Answers: what did this manager bring, in the terms in which they are paid?

    Assessed is who maintained a customer on any day of a period of which every day is in the books. Who maintained
    nobody has rows of those measures alone in which they did something all the same: leads, customers brought, contacts
    made, a loss they answer for. A scorecard asks for every measure of a book, so it is for the former alone. Money is
    credited by day and share, as in the books (`amounts`); what is counted of customers is credited whole to one
    manager (`counted`). What a customer takes along, leaving within ``managing.protection_days`` after a handover,
    counts to who handed over: in retention, in what was kept at maturity, and in net new money.

    `base` is the same measure a period before, moved with handovers: as it would have been, had everybody's customers
    of this period been theirs already. So a handover moves value and base alike. What was won or happened (new
    customers, cards, complaints, answers, leads) stays with whose it was.

    Parameters
    ----------
    known
        As `gathered` gives it, or put together by hand.
    period
        month, quarter or year.

    Returns
    -------
    pl.DataFrame
        manager_id, branch_id, peer_group, grade (of the day the bank is known at; null before a promotion, since what
        it was then is not told), period (its last day), measure, value (minor units, counts, millionths, thousandths,
        as the measure has it; null where nothing can be told), n and n_events (of rates and means: the value is
        n_events over n; else null), base, target (null: none), why (a value is null); every measure of
        `policy.MEASURES` for every manager with a book and period, in their order.

    Raises
    ------
    InputError
        When the period is unknown, no period is whole, nobody maintains a customer, a manager is not in the table of
        managers, or a sum does not fit into 64 bits.

    Notes
    -----
    Measures by name: *_average, balance-days over days; *_growth, the average (or contribution) less its base;
    savings_average and new_loans of retail customers alone; net_new_money, moved in less moved out on deposits and
    investments, own transfers to loans included, without interest, valuation and exchange rates; new_cards, the change
    in the number of open cards with a monthly average balance of at least ``managing.effective_card``; retention, who
    was with us when the period began and still is when it ends, those who died or were merged left out;
    maturity_retention, by amount, of what is known; ebanking_activation, who went online or mobile in the period;
    n_contacts, contacts made (``not reached`` is none) by whoever made them; contacts_on_schedule, of the whole weeks,
    months, quarters and years of the duties of managers that ended in the period, those in which as many contacts were
    made as asked (`on_schedule`); contact_to_sale and cost_per_win, of leads that began ``funnel.settle_days`` before a
    day of the period, won within as many days; deviation, closing less the average of the last month on deposits and
    investments; overdue_1 to _4, loans 1–30, 31–60, 61–90 and more days overdue; kyc_in_time and file_completeness are
    told of the day of the extract alone.
    """
    if period not in PERIODS:
        raise InputError(f"There is no period {period}. {near_miss(period, list(PERIODS))}")
    retail = known.customers.filter(pl.col("kind") == "retail")["customer_id"]
    lost = lost_by_others(known)
    book = book_of(known.books, known.contribution, retail, period, lost["customer_id"])
    if book.periods.is_empty():
        raise InputError(f"No {period} is whole: every day of it must be in the books. Choose a shorter one.")
    of_aum = known.policy.lines_of("deposits", "investments")
    had = book.sums.select("manager_id", "period").drop_nulls().unique()
    book = passed_on(book, _passed(lost, book), of_aum)
    done = pl.concat([amounts(book, known.policy), _counted(known, book, period)], how="diagonal")
    rows = _everybody(known, had, done).join(done, on=KEY, how="left")
    no_targets = pl.DataFrame(schema=AIMS)
    targets = no_targets if known.targets is None else aims(known.targets, book, known.books, of_aum)
    rows = _filled(rows, known, book).join(targets, on=KEY, how="left")
    order = pl.col("measure").replace_strict({name: n for n, name in enumerate(MEASURES)}, return_dtype=pl.Int32)
    return rows.sort("manager_id", "period", order).select(list(ASSESSED)).cast(ASSESSED)


def lost_by_others(known: Known) -> pl.DataFrame:
    """Who left us while another answered for them: customer_id, on, from_id (who kept them), manager_id (who answers).

    Those who died or were merged did not leave.
    """
    ends = known.accounts.group_by("customer_id").agg(
        still=(pl.col("closed_on").is_null() | (pl.col("closed_on") > known.as_of)).any(),
        on=pl.col("closed_on").max(),
        died=pl.col("close_reason").sort_by("closed_on").last().is_in(DIED).fill_null(False),
    )
    gone = ends.filter(~pl.col("still"), ~pl.col("died")).select("customer_id", "on")
    kept = kept_on(known.keeping, gone, "on").rename({"manager_id": "from_id"})
    whose = answering(known.keeping, kept, "on", known.policy.managing)
    return whose.filter(pl.col("from_id").ne_missing(pl.col("manager_id")))


def _everybody(known: Known, had: pl.DataFrame, done: pl.DataFrame) -> pl.DataFrame:
    """A row a manager who had a book, period and measure; of who had none, a row of each measure they did something in.

    `had` tells who had a book when, `done` what everybody did.
    """
    if had.is_empty():
        raise InputError("Nobody maintains a customer in these periods. Look at the table assignments.")
    # What a book that is gone had before is no growth of who had it.
    is_something = (pl.col("n").is_not_null() | (pl.col("value") != 0)) & ~pl.col("measure").is_in(GROWTH.values())
    beside = done.filter(pl.col("value").is_not_null(), is_something).join(had, on=["manager_id", "period"], how="anti")
    rows = pl.concat([had.join(pl.DataFrame({"measure": list(MEASURES)}), how="cross"), beside.select(KEY)])
    unknown = rows.join(known.managers, on="manager_id", how="anti")["manager_id"].unique().sort()
    if len(unknown):
        raise InputError(
            f"{len(unknown)} of {rows['manager_id'].n_unique()} managers keep or bring customers or are named, but are "
            f"not in the table managers (first: {unknown[0]}). Add them."
        )
    of = rows.join(known.managers, on="manager_id", how="left").with_columns(
        grade=pl.when(pl.col("graded_on").is_null() | (pl.col("graded_on") <= pl.col("period"))).then("grade")
    )
    return of.drop("graded_on")


def _counted(known: Known, book: Book, period: str) -> pl.DataFrame:
    """Counts, rates and means of each manager and period with their base."""
    found, before, last = [], None, None
    for end, starts_on in book.periods.select("period", "starts_on").rows():
        span = Span(starts_on, end, last, period)
        rows = counted(known, span)
        now = _told(rows, end)
        was = _told(moved_on(before, known, span), end) if before is not None else None
        if was is not None:
            base = was.select(*KEY, base="value")
            now = now.join(base, on=KEY, how="full", coalesce=True)
        found.append(now)
        before, last = rows, end
    return pl.concat(found, how="diagonal")


def _told(rows: pl.DataFrame, end) -> pl.DataFrame:
    """Rows of `counted` by manager, with the value they make."""
    sums = rows.filter(pl.col("manager_id").is_not_null()).group_by("manager_id", "measure")
    wide = in_64_bits(sums.agg(n=pl.col("n").cast(pl.Int128).sum(), n_events=pl.col("n_events").cast(pl.Int128).sum()))
    is_rate = pl.col("measure").is_in([name for name, unit in MEASURES.items() if unit in SCALE])
    is_mean = is_rate | (pl.col("measure") == "cost_per_win")
    units = {name: SCALE.get(unit, 1) for name, unit in MEASURES.items()}
    scale = pl.col("measure").replace_strict(units, return_dtype=pl.Int64).cast(pl.Int128)
    some = pl.when(pl.col("n") > 0).then(pl.col("n")).cast(pl.Int128)
    mean = half_even(pl.col("n_events").cast(pl.Int128) * scale, some)
    return wide.with_columns(
        period=pl.lit(end),
        value=pl.when(is_mean).then(mean).otherwise("n_events"),
        n=pl.when(is_mean).then("n"),
        n_events=pl.when(is_mean).then("n_events"),
    )


def _filled(rows: pl.DataFrame, known: Known, book: Book) -> pl.DataFrame:
    """What nothing was counted of is 0 where it is a count or an amount; the rest says why it is null."""
    missing = {
        name: f"There is no table {TABLE.get(needed, needed)}."
        for name, needed in NEEDS.items()
        if getattr(known, needed) is None
    }
    why = UNTOLD | missing
    first = pl.col("period") == book.periods["period"][0]
    adds_up = [name for name in COUNTED if MEASURES[name] not in SCALE and name != "cost_per_win"]
    is_zero = pl.col("measure").is_in([name for name in adds_up if name not in why])
    told = pl.col("value").is_not_null()
    no_before = pl.col("measure").is_in(list(GROWN)) & first
    rows = rows.with_columns(
        value=pl.when(no_before)
        .then(None)
        .otherwise(pl.when(is_zero).then(pl.col("value").fill_null(0)).otherwise("value")),
        base=pl.when(is_zero & ~first).then(pl.col("base").fill_null(0)).otherwise("base"),
    )
    named = pl.col("measure").replace_strict(why, default=None, return_dtype=pl.String)
    of_today = pl.col("measure").is_in(list(OF_TODAY)) & (pl.col("period") != known.as_of)
    reason = (
        pl.when(told)
        .then(None)
        .when((pl.col("measure") == "cost_per_win") & (pl.col("n_events") > 0))
        .then(pl.lit("Nothing was won for what was spent."))
        .when(named.is_not_null())
        .then(named)
        .when(no_before)
        .then(pl.lit("There is no period before."))
        .when(of_today)
        .then(pl.lit(f"It is known of {known.as_of} alone."))
        .otherwise(pl.lit("There is nothing to judge."))
    )
    return rows.with_columns(why=reason)


def _passed(lost: pl.DataFrame, book: Book) -> pl.DataFrame:
    """Those who left in a period while someone else answered for them."""
    found = lost.sort("on").join_asof(
        book.periods.select("period", "starts_on").sort("starts_on"), left_on="on", right_on="starts_on"
    )
    return found.filter(pl.col("on") <= pl.col("period")).select("customer_id", "period", "from_id", "manager_id")
