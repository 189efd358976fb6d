"""Managers given their books: the rows of each customer by whom they are compared, and what comes of it."""

from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from crmlab.errors import InputError
from crmlab.measures import bands, managers
from crmlab.measures.managers.counted import Span, counted

if TYPE_CHECKING:
    from crmlab.mart.managing import Known

RATES = ("retention", "maturity_retention", "ebanking_activation", "contacts_on_schedule")
AMOUNTS = ("net_new_money", "contribution")
# What a customer was when the year began, the most important first; nothing of it can a manager change.
FACTORS = ["kind", "band", "tier", "state", "peer_group"]
BANDS = 5
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
    kinds = {"amount": _amounts(known, since, until), "rate": rates}
    for kind, rows in kinds.items():
        for measure in AMOUNTS if kind == "amount" else RATES:
            part = rows.filter(pl.col("measure") == measure).join(mix, on="customer_id", how="left")
            if kind == "amount":
                part = part.filter(pl.col("state").is_not_null())
            part = part.with_columns(pl.col("band").fill_null(0), pl.col(FACTORS[2:]).fill_null("none"))
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
    """What every customer was on the day: kind, and, where they were with us, band of AUM within kind, tier, state."""
    peers = known.bank.table("branches").select("branch_id", pl.col("peer_group").cast(pl.String)).collect()
    people = known.people.select("customer_id", "kind", "branch_id").join(peers, on="branch_id", how="left")
    then = {name: _last(getattr(known.paths, name), name, since) for name in ("tier", "state", "aum")}
    for frame in then.values():
        people = people.join(frame, on="customer_id", how="left")
    there = people.filter(pl.col("aum").is_not_null())
    banded = there.select("customer_id", band=bands.band(pl.col("aum"), BANDS, by="kind").cast(pl.Int64))
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


def _amounts(known: "Known", since: date, until: date) -> pl.DataFrame:
    """Net new money and contribution of each customer and manager in the year, and the days the manager had them."""
    in_year = (pl.col("month") > since) & (pl.col("month") <= until) & pl.col("manager_id").is_not_null()
    aum = pl.col("line").is_in(known.bank.policy.lines_of("deposits", "investments"))
    books = known.books.filter(in_year)
    # A customer has as many days as the line that was longest with the manager; in millionths, as shares are.
    days = books.group_by(*WHO, "month", "line").agg(pl.col("kept_days").sum())
    days = days.group_by(*WHO, "month").agg(pl.col("kept_days").max()).group_by(WHO).agg(n=pl.col("kept_days").sum())
    money = (
        books.filter(aum).group_by(WHO).agg(value=pl.col("net_inflow").sum()).with_columns(measure=pl.lit(AMOUNTS[0]))
    )
    lines = known.contribution.filter(in_year)
    parts = [one for one in known.bank.policy.contribution.components if one in lines.collect_schema().names()]
    earned = lines.group_by(WHO).agg(value=pl.sum_horizontal(pl.col(parts).sum()))
    of = pl.concat([money, earned.with_columns(measure=pl.lit(AMOUNTS[1]))], how="diagonal").join(days, on=WHO)
    rows = of.filter(pl.col("n") > 0).select(list(ROWS)).collect(engine="streaming").cast(ROWS)
    return rows.sort(*WHO, "measure")
