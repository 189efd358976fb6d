"""Managers given their books: the rows of each customer by whom they are compared, and what comes of it."""

from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from crmlab.errors import InputError
from crmlab.measures import bands, managers
from crmlab.measures.managers.counted import Span, counted
from crmlab.measures.managers.gathering import DIED

if TYPE_CHECKING:
    from crmlab.mart.managing import Known

RATES = ("retention", "maturity_retention", "ebanking_activation", "contacts_on_schedule")
AMOUNTS = ("net_new_money", "contribution")
# What a customer was when the year began, the most important first; nothing of it can a manager change.
FACTORS = ["kind", "fifth", "tenth", "tier", "state", "peer_group"]
BANDS = {"fifth": 5, "tenth": 10}  # of AUM, within kind; where a tenth is too few, its fifth
COMMON = 0.3  # of the median balance: asked of everybody beside what they have
MILLION = 1_000_000
WHO = ["customer_id", "manager_id"]
ROWS = {"customer_id": pl.Int32, "manager_id": pl.String, "measure": pl.String, "n": pl.Int64, "value": pl.Int64}


def told(known: "Known", gathered: managers.Known, since: date, until: date) -> dict[str, pl.DataFrame]:
    """The page table `fairness`: of each manager and measure what the book did, and would have done with others.

    Of rates and amounts of the year that ends with the last month. Amounts are those of customers who were with us when
    it began: whom a manager won has no past to be compared by.

    Raises
    ------
    InputError
        When no measure can be told of anybody: why the last could not.
    """
    mix, found, why = _mix(known, since), [], ""
    rates = _rates(known, gathered, since, until)
    had = sizes(known.books, gathered, mix.drop_nulls("fifth"), since)
    kinds = {"amount": amounts(known.books, known.contribution, gathered, had, since, until), "rate": rates}
    for kind, rows in kinds.items():
        for measure in AMOUNTS if kind == "amount" else RATES:
            part = rows.filter(pl.col("measure") == measure).join(mix, on="customer_id", how="left")
            part = part.with_columns(pl.col(*BANDS).fill_null(0), pl.col(FACTORS[3:]).fill_null("none"))
            try:
                judged = managers.assessment(part, FACTORS, kind=kind, managers=gathered.managers["manager_id"])
            except InputError as error:
                why = str(error)
                continue
            of = pl.lit(measure).alias("measure"), pl.lit(kind).alias("kind")
            found.append(judged.filter(pl.col("n_customers") + pl.col("n_alone") > 0).select(*of, pl.all()))
    if not found:
        raise InputError(why or "There is no rate or amount that managers could be compared by.")
    staff = gathered.managers.select("manager_id", "branch_id", "peer_group")
    rows = pl.concat([one.cast({"n": pl.Int64, "observed": pl.Int64}) for one in found])
    return {"fairness": rows.with_columns(pl.col(pl.Enum).cast(pl.String)).join(staff, on="manager_id", how="left")}


def _mix(known: "Known", since: date) -> pl.DataFrame:
    """What every customer was on the day: kind, and, where they were with us, bands of AUM within kind, tier, state."""
    peers = known.bank.table("branches").select("branch_id", pl.col("peer_group").cast(pl.String)).collect()
    people = known.people.select("customer_id", "kind", "branch_id").join(peers, on="branch_id", how="left")
    then = {name: _last(getattr(known.paths, name), name, since) for name in ("tier", "state", "aum")}
    for frame in then.values():
        people = people.join(frame, on="customer_id", how="left")
    there = people.filter(pl.col("aum").is_not_null())
    of = {name: bands.band(pl.col("aum"), n, by="kind").cast(pl.Int64) for name, n in BANDS.items()}
    banded = there.select("customer_id", **of)
    return people.join(banded, on="customer_id", how="left").select("customer_id", *FACTORS)


def _last(path: pl.DataFrame, name: str, on: date) -> pl.DataFrame:
    """What was known last on a day; of the tier that of the last assessment, else that of the day itself."""
    rows = path.filter(pl.col("month") <= on) if name == "tier" else path.filter(pl.col("month") == on)
    last = rows.sort("month").group_by("customer_id").agg(pl.col(name).last())
    return last.with_columns(pl.col(name).cast(pl.String)) if name != "aum" else last


def _rates(known: "Known", gathered: managers.Known, since: date, until: date) -> pl.DataFrame:
    """Cases and events of each customer and manager in the year."""
    span = Span(since + timedelta(1), until, since, "year")
    rows = counted(gathered, span).filter(pl.col("manager_id").is_not_null(), pl.col("measure").is_in(list(RATES)))
    sums = rows.group_by(*WHO, "measure").agg(pl.col("n", "n_events").sum())
    return sums.rename({"n_events": "value"}).select(list(ROWS)).cast(ROWS)


def sizes(books: pl.LazyFrame, gathered: managers.Known, there: pl.DataFrame, since: date) -> pl.DataFrame:
    """How much of a year's amounts is asked of each customer: their balances of the year before, and a common sum.

    What a customer brings grows with what they have, and the highest band has no upper end: by days alone, whoever was
    handed the richest of the rich would be far above what is expected. The common sum is a part of the median of the
    customer's kind (`COMMON`), so that something is asked of those with nothing, too.

    Parameters
    ----------
    books
        As `panel.books` gives them.
    gathered
        The policy.
    there
        customer_id and kind of those who were with us on the day `since`.

    Returns
    -------
    pl.DataFrame
        customer_id, size (above 0): the average of deposits, investments and loans over the days of the year before on
        which the customer was with us, in minor units, and the common sum.
    """
    began = pl.lit(since).dt.offset_by("-12mo").dt.month_end()
    lines = pl.col("line").is_in(gathered.policy.lines_of("deposits", "investments", "loans"))
    months = books.filter(pl.col("month") > began, pl.col("month") <= since).group_by("customer_id", "month")
    each = months.agg(pl.col("balance_days").abs().filter(lines).sum(), pl.col("days").first()).group_by("customer_id")
    average = pl.col("balance_days").cast(pl.Float64).sum() / pl.col("days").sum()
    held = there.select("customer_id", "kind").join(
        each.agg(average=average).collect(engine="streaming"), on="customer_id", how="left", maintain_order="left"
    )
    own = pl.col("average").fill_null(0)
    return held.select("customer_id", size=own + (COMMON * own.median().over("kind")).clip(lower_bound=1))


def amounts(
    books: pl.LazyFrame,
    contribution: pl.LazyFrame,
    gathered: managers.Known,
    sizes: pl.DataFrame,
    since: date,
    until: date,
) -> pl.DataFrame:
    """Net new money and contribution of each customer and manager in a year, and how much of the customer is theirs.

    Whoever was there when the year began counts for every day of it, also after leaving: days that ended with the
    customer would forgive the loss. Days go by what is kept of the customer's accounts, so that a customer's add to the
    year; those after the leaving are theirs who answer for it, as is the money taken away (`managers.answering`).

    Parameters
    ----------
    books, contribution
        As `panel.books` and `contribution.lines` give them.
    gathered
        Accounts, who kept whom, and the policy.
    sizes
        customer_id and size of those who were with us when the year began (`sizes`).
    since, until
        Two month ends, the year's last day and that of the one before.

    Returns
    -------
    pl.DataFrame
        customer_id, manager_id, measure, n (the manager's part of the size), value; by customer and manager.
    """
    policy, of_year = gathered.policy, (pl.col("month") > since) & (pl.col("month") <= until)
    some = pl.col("customer_id").is_in(sizes["customer_id"].implode())
    ours, parted = books.filter(of_year, some), _parted(gathered, since, until)
    of_aum = pl.col("line").is_in(policy.lines_of("deposits", "investments"))
    came = ours.filter(of_aum).group_by(WHO).agg(value=pl.col("flow").sum()).collect(engine="streaming")
    aum_days = _laid(_days(ours, of_aum, parted, since, until), parted)
    lines = contribution.filter(of_year, some)
    parts = [one for one in policy.contribution.components if one in lines.collect_schema().names()]
    earned = lines.group_by(WHO).agg(value=pl.sum_horizontal(pl.col(parts).sum())).collect(engine="streaming")
    made = zip(
        AMOUNTS, (aum_days, _days(ours, pl.lit(True), parted, since, until)), (_laid(came, parted), earned), strict=True
    )
    rows = pl.concat(
        days.join(value, on=WHO, how="left", nulls_equal=True).select(
            *WHO, "n", pl.lit(measure).alias("measure"), pl.col("value").fill_null(0)
        )
        for measure, days, value in made
    )
    part = pl.col("n") / ((until - since).days * MILLION)
    rows = rows.filter(pl.col("n") > 0, pl.col("manager_id").is_not_null()).join(sizes, on="customer_id")
    rows = rows.with_columns(n=(part * pl.col("size")).ceil()).select(list(ROWS)).cast(ROWS)
    return rows.sort(*WHO, "measure")


def _parted(gathered: managers.Known, since: date, until: date) -> pl.DataFrame:
    """Who left in the year: customer_id, from_id (who kept them), to_id (who answers for it)."""
    ends = gathered.accounts.group_by("customer_id").agg(
        is_here=(pl.col("closed_on").is_null() | (pl.col("closed_on") > until)).any(),
        on=pl.col("closed_on").max(),
        why=pl.col("close_reason").sort_by("closed_on").last(),
    )
    gone = ends.filter(~pl.col("is_here"), pl.col("on") > since, ~pl.col("why").is_in(DIED).fill_null(False))
    kept = managers.kept_on(gathered.keeping, gone.select("customer_id", "on"), "on").rename({"manager_id": "from_id"})
    whose = managers.answering(gathered.keeping, kept, "on", gathered.policy.managing)
    return whose.select("customer_id", "from_id", to_id="manager_id")


def _laid(rows: pl.DataFrame, parted: pl.DataFrame) -> pl.DataFrame:
    """The rows by customer and manager, of those who left what their last manager has laid to who answers for it."""
    whose = parted.select("customer_id", "to_id", manager_id="from_id", is_laid=pl.lit(True))
    found = rows.join(whose, on=WHO, how="left", nulls_equal=True)
    laid = found.with_columns(manager_id=pl.when("is_laid").then("to_id").otherwise("manager_id"))
    return laid.group_by(WHO).agg(pl.exclude("to_id", "is_laid").sum())


def _days(ours: pl.LazyFrame, told: pl.Expr, parted: pl.DataFrame, since: date, until: date) -> pl.DataFrame:
    """Millionths of days by customer and manager; by what is kept on lines that are `told`, else on any."""
    kept = pl.col("kept_days")
    cells = ours.group_by(*WHO, "month").agg(
        told=kept.filter(told).sum(), kept=kept.sum(), days=pl.col("days").first().cast(pl.Int64)
    )
    whole = cells.group_by("customer_id", "month").agg(of_told=pl.col("told").sum(), of_kept=pl.col("kept").sum())
    part = pl.when(pl.col("of_told") > 0).then(pl.col("told") / pl.col("of_told"))
    n = (pl.col("days") * MILLION * part.otherwise(pl.col("kept") / pl.col("of_kept"))).round().cast(pl.Int64)
    rows = (
        cells.join(whole.filter(pl.col("of_kept") > 0), on=["customer_id", "month"])
        .with_columns(n=n)
        .group_by(WHO)
        .agg(pl.col("n").sum(), last_on=pl.col("month").max(), n_last=pl.col("n").get(pl.col("month").arg_max()))
        .collect(engine="streaming")
    )
    # The rest of the year goes as the last month did.
    rest = rows.join(parted.select("customer_id"), on="customer_id", how="semi").with_columns(
        rest=(until - since).days * MILLION - pl.col("n").sum().over("customer_id")
    )
    rest = rest.filter(pl.col("last_on") == pl.col("last_on").max().over("customer_id"), pl.col("n_last") > 0)
    part = pl.col("n_last") / pl.col("n_last").sum().over("customer_id")
    after = rest.select(*WHO, n=(pl.col("rest") * part).round().cast(pl.Int64))
    return pl.concat([rows.select(*WHO, "n"), _laid(after, parted)]).group_by(WHO).agg(pl.col("n").sum())
