"""The funnel: how leads go from contacted to opened, and what a win costs. Newcomers, or customers new to a product."""

from collections.abc import Sequence
from datetime import date

import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import in_64_bits, in_order, keys, named, required
from crmlab.measures.uncertainty import wilson

STEPS = ["contacted", "responded", "offered", "opened"]
DAYS = [f"{step}_on" for step in STEPS]
ROWS = ["lead_id", "step", "on", "customer_id", "manager_id", "product_id", "cost"]
COUNTS = ["n", "n_young", "n_judged", "n_next", "n_timed", "n_waiting", "n_lost", "n_implied", "n_out_of_order"]
WON = ["n_settled", "n_wins", "n_paid_for"]
EPOCH = date(1970, 1, 1)


def leads(rows: pl.DataFrame, products: pl.DataFrame, managers: pl.DataFrame, customers: pl.DataFrame) -> pl.DataFrame:
    """A row a lead: who has it, what it is about, and the day of each step.

    Answers: whom have we been talking to, and how far did it come?

    Customer, manager and product are those named last. A lead that names no customer is a prospect's; so is one whose
    customer joined after its first step.

    Parameters
    ----------
    rows
        The table leads: a row a lead and step, as known on the day in question. May be empty.
    products
        product_id, line.
    managers
        manager_id, branch_id.
    customers
        customer_id, since, branch_id.

    Returns
    -------
    pl.DataFrame
        lead_id, customer_id (null: none yet), manager_id, branch_id (the manager's, else the customer's), product_id,
        line, is_prospect, contacted_on, responded_on, offered_on, opened_on, lost_on (null: not, or not recorded), cost
        (minor units of the base currency, null where no step tells one); by lead_id.

    Raises
    ------
    InputError
        When a column is missing.

    Examples
    --------
    >>> rows = pl.DataFrame({"lead_id": ["L1", "L1"], "step": ["contacted", "opened"],
    ...     "on": [date(2024, 1, 5), date(2024, 2, 1)], "customer_id": [None, 7], "manager_id": "M1",
    ...     "product_id": "D1", "cost": [3_000, None]})
    >>> products = pl.DataFrame({"product_id": ["D1"], "line": ["deposits"]})
    >>> managers = pl.DataFrame({"manager_id": ["M1"], "branch_id": ["B1"]})
    >>> people = pl.DataFrame({"customer_id": [7], "since": [date(2024, 2, 1)], "branch_id": ["B2"]})
    >>> leads(rows, products, managers, people).select("branch_id", "line", "is_prospect", "responded_on").row(0)
    ('B1', 'deposits', True, None)
    """
    named(rows.columns, ROWS, "funnel.leads")
    named(products.columns, ["product_id", "line"], "funnel.leads")
    named(managers.columns, ["manager_id", "branch_id"], "funnel.leads")
    named(customers.columns, ["customer_id", "since", "branch_id"], "funnel.leads")
    step = pl.col("step").cast(pl.String)
    told = pl.col("customer_id", "manager_id", "product_id")
    wide = (
        rows.sort("lead_id", "on", "step")
        .group_by("lead_id", maintain_order=True)
        .agg(
            told.drop_nulls().last(),
            *(pl.col("on").filter(step == name).min().alias(f"{name}_on") for name in (*STEPS, "lost")),
            cost=pl.when(pl.col("cost").count() > 0).then(pl.col("cost").sum()),
            first_on=pl.col("on").min(),
        )
    )
    found = (
        wide.join(products.select("product_id", pl.col("line").cast(pl.String)), on="product_id", how="left")
        .join(managers.select("manager_id", "branch_id"), on="manager_id", how="left")
        .join(customers.select("customer_id", "since", own="branch_id"), on="customer_id", how="left")
        .with_columns(
            branch_id=pl.coalesce("branch_id", "own"),
            is_prospect=pl.col("customer_id").is_null() | (pl.col("since") > pl.col("first_on")).fill_null(False),
        )
    )
    return found.select(
        "lead_id", "customer_id", "manager_id", "branch_id", "product_id", "line", "is_prospect", *DAYS, "lost_on",
        "cost",
    ).sort("lead_id")  # fmt: skip


def steps(leads: pl.DataFrame, as_of: date, settle_days: int, by: str | Sequence[str] | None = None) -> pl.DataFrame:
    """How many leads took each step, how many of them the next one, how long it took, and what a win cost.

    Answers: where do we lose those we talk to?

    A later step implies the earlier ones, whether recorded or not; who opened has won, also if the lead is marked as
    lost. Whether a lead went on is asked of those alone who took the step at least `settle_days` ago, however fast the
    younger ones were. Time is that of those who went on; who still waits may take longer, so read it with `n_waiting`.

    Parameters
    ----------
    leads
        As `leads` gives them, or a selection; none dated after `as_of`.
    as_of
        The day up to which leads are known.
    settle_days
        Leads younger than this are counted, not judged (``policy.funnel.settle_days``).
    by
        Columns to tell apart, such as is_prospect and line; null is a group of its own.

    Returns
    -------
    pl.DataFrame
        The columns of `by`; step (Enum `STEPS`; each group has all four); n (leads that took it), of them n_young (too
        young to be judged), n_judged (the others), n_next (judged and went on); conversion (n_next of n_judged, 0 to 1)
        with lower and upper (95 %, Wilson), null where none is judged or no step follows; median_days to the next step
        of the n_timed leads with both days in order, n_waiting (neither went on nor lost), n_lost, n_implied (the day
        of the step is not recorded), n_out_of_order (its day is after that of a later step, or of the loss: counted,
        not timed). With the last step alone: n_settled (leads begun `settle_days` ago or earlier), of them n_wins; cost
        (minor units: of the settled leads whose cost is known, won or not), n_paid_for (the wins among these) and
        cost_per_win (cost over n_paid_for, null without one).

    Raises
    ------
    InputError
        When there is no lead, a column is missing, a lead is there twice, or one is dated after `as_of`.

    Examples
    --------
    >>> day = date(2024, 1, 1)
    >>> rows = pl.DataFrame({"lead_id": ["L1", "L2", "L3"], "contacted_on": [day, day, date(2024, 6, 1)],
    ...     "responded_on": [date(2024, 1, 5), None, None], "offered_on": [None] * 3,
    ...     "opened_on": [date(2024, 2, 1), None, None], "lost_on": [None, date(2024, 3, 1), None],
    ...     "cost": [3_000] * 3}, schema_overrides={"offered_on": pl.Date})
    >>> told = steps(rows, date(2024, 6, 30), settle_days=90)
    >>> told.select("n", "n_young", "n_judged", "conversion", "median_days", "n_implied").row(0)
    (3, 1, 2, 0.5, 4.0, 0)
    >>> told.select("step", "n", "n_implied", "cost_per_win").rows()[2:]
    [('offered', 1, 1, None), ('opened', 1, 0, 6000.0)]
    """
    groups = keys(by)
    required(leads, ["lead_id"], "funnel.steps")
    named(leads.columns, [*DAYS, "lost_on", "cost", *groups], "funnel.steps")
    rows = in_order(leads, ["lead_id"], "funnel.steps")
    _known_by(rows, as_of)
    # Day numbers: every difference of them is a plain subtraction.
    rows = rows.select(*groups, "cost", pl.col(*DAYS, "lost_on").to_physical())
    rows = rows.with_columns(begun=pl.min_horizontal(*DAYS, "lost_on"))
    settled = (as_of - EPOCH).days - settle_days
    told = in_64_bits(pl.concat([_told(rows, number, settled, groups) for number in range(len(STEPS))]))
    lower, upper = wilson(pl.col("n_next"), pl.col("n_judged"))
    return (
        told.with_columns(
            conversion=pl.when(pl.col("n_judged") > 0).then(pl.col("n_next") / pl.col("n_judged")),
            lower=lower,
            upper=upper,
            cost_per_win=pl.when(pl.col("n_paid_for") > 0).then(pl.col("cost") / pl.col("n_paid_for")),
        )
        .select(
            *groups, "step", "n", "n_young", "n_judged", "n_next", "conversion", "lower", "upper", "median_days",
            "n_timed", "n_waiting", "n_lost", "n_implied", "n_out_of_order", "n_settled", "n_wins", "n_paid_for",
            "cost", "cost_per_win",
        )
        .sort(*groups, "step", nulls_last=True)
    )  # fmt: skip


def _known_by(rows: pl.DataFrame, as_of: date) -> None:
    late = rows.filter(pl.any_horizontal(pl.col(*DAYS, "lost_on") > as_of))
    if late.height:
        raise InputError(
            f"{late.height} of {rows.height} leads have a step after {as_of} (first: {late['lead_id'][0]}). "
            "Give the leads as they were known on that day, or a later day."
        )


def _told(rows: pl.DataFrame, number: int, settled: int, groups: list[str]) -> pl.DataFrame:
    """One step of `steps`, but for rates."""
    is_last = number == len(STEPS) - 1
    rows = rows.with_columns(after=pl.min_horizontal(*DAYS[number + 1 :], "lost_on"))
    counted = rows.select(*groups, **_step(number, settled))
    sums = [
        pl.col([*COUNTS, *WON]).sum().cast(pl.Int64),
        pl.col("cost").cast(pl.Int128).sum(),
        pl.col("days").median().alias("median_days"),
    ]
    told = counted.group_by(groups).agg(sums) if groups else counted.select(sums)
    of_others = ["n_next", "n_timed", "n_waiting", "n_lost"] if is_last else [*WON, "cost"]
    none = [pl.lit(None, told.schema[name]).alias(name) for name in of_others]
    return told.with_columns(pl.lit(STEPS[number], pl.Enum(STEPS)).alias("step"), *none)


def _step(number: int, settled: int) -> dict[str, pl.Expr]:
    """What one step of a lead counts for, as yes and no; `settled` is the last day of leads that are judged."""
    own, after, later, lost = pl.col(DAYS[number]), pl.col("after"), DAYS[number + 1 :], pl.col("lost_on")
    # Whoever is a lead has been contacted, even if all that is recorded is the loss.
    took = pl.any_horizontal(pl.col(DAYS[number:]).is_not_null()) if number else pl.lit(True)
    went_on = pl.any_horizontal(pl.col(later).is_not_null()) if later else pl.lit(False)
    # A step that was not recorded was taken by the next day that was.
    is_judged = took & (pl.coalesce(own, after) <= settled)
    days = pl.when(own <= after).then(pl.col(later[0]) - own) if later else pl.lit(None, pl.Int32)
    is_settled = pl.col("begun") <= settled
    is_won = is_settled & pl.col(DAYS[-1]).is_not_null()
    return {
        "n": took,
        "n_young": took & ~is_judged,
        "n_judged": is_judged,
        "n_next": is_judged & went_on,
        "n_timed": days.is_not_null(),
        "n_waiting": took & ~went_on & lost.is_null(),
        "n_lost": took & ~went_on & lost.is_not_null(),
        "n_implied": took & own.is_null(),
        "n_out_of_order": (own > after).fill_null(False),
        "days": days,
        "n_settled": is_settled,
        "n_wins": is_won,
        "n_paid_for": is_won & pl.col("cost").is_not_null(),
        "cost": pl.when(is_settled).then("cost"),
    }
