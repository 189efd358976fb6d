"""Landmarks of offers: each customer at each month end: what was known then, and which products were taken after it."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures import churn
from crmlab.measures.churn.covariates import COVARIATES, DATES, STANDING, Covariate
from crmlab.measures.churn.landmarking import EPISODES, OUTCOME, number
from crmlab.measures.given import in_order, named, required
from crmlab.policy import Policy

HOLDS, TAKES = "holds:", "takes:"  # before the product_id: whether it is held, and in how many months it is taken
SPELL = ["customer_id", "product_id", "opened_on", "closed_on"]
OWN = {
    "age": "age in years; 0 where it is not known",
    "has_age": "the age is known",
    "settled": "months since the last product was taken, as log(1 + months)",
}
YEAR_DAYS, MONTH_DAYS = 365.25, 30.4375
NEVER = -(10**6)


def landmarks(
    standing: pl.DataFrame,
    events: pl.DataFrame,
    holdings: pl.DataFrame,
    policy: Policy,
    people: pl.DataFrame | None = None,
    products: Sequence[str] | None = None,
    months: Iterable[date] | None = None,
    covariates: Mapping[str, Covariate] = COVARIATES,
) -> pl.DataFrame:
    """What was known of each customer at each month end, what they held, and in how many months they took the rest.

    Answers: what did we know of each customer before they took it?

    A row a customer and month end at which an account was open. What is known uses rows of months up to that one, and
    events and spells up to that day.

    Parameters
    ----------
    standing
        As `standing.table` gives it, every month of a history.
    events
        As `panel.events` gives them; life events of the policy's triggers are covariates.
    holdings
        As `panel.holdings` gives them.
    policy
        ``policy.triggers``, and what `churn.landmarks` uses.
    people
        customer_id, birth_on. Without it no age is known.
    products
        product_id of those that can be taken; all that were ever held, where left out.
    months
        The month ends wanted; all where left out.
    covariates
        What is to be known of money and dealings, by name.

    Returns
    -------
    pl.DataFrame
        Ordered by month and customer: customer_id, month, kind; the covariates (Float32: those of
        `churn.covariates.COVARIATES`, `OWN`, and a yes or no for each trigger that is fresh); ``holds:`` and a
        product_id (whether it is held that day); ``takes:`` and a product_id (months until it is taken, 1 is the
        month after; null where it is held, or has not been taken yet).

    Raises
    ------
    InputError
        When nobody is given, a column or a value is missing, a month is missing, or there is one product only.

    Notes
    -----
    An account that opens again within ``crosssell.gap_days`` is one spell of `panel.holdings`: at a month end within
    such a gap the product counts as held, though it was not known yet that it would be again.

    Examples
    --------
    >>> from crmlab import policy
    >>> ends = [date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)]
    >>> standing = pl.DataFrame({"customer_id": 7, "month": ends, "kind": "retail", "first_on": date(2020, 5, 1),
    ...     "days": [31, 29, 31], "balance_days": [310_000, 290_000, 310_000], "last_active_on": ends[0],
    ...     "is_open": True, **dict.fromkeys(["n_lines", "n_without_average", "maturing", "contribution", "n_acts",
    ...     "n_card", "aum", "loans"], 0)})
    >>> events = pl.DataFrame(schema={"customer_id": pl.Int32, "on": pl.Date, "kind": pl.String, "amount": pl.Int64})
    >>> held = pl.DataFrame({"customer_id": 7, "product_id": ["account", "card"], "closed_on": None,
    ...     "opened_on": [date(2020, 5, 1), date(2024, 3, 4)]})
    >>> found = landmarks(standing, events, held, policy.load())
    >>> found.select("month", "holds:account", "holds:card", "takes:card").row(0)
    (datetime.date(2024, 1, 31), True, False, 2)
    """
    named(standing.columns, ["kind", "is_open", *DATES, *STANDING], "crosssell.landmarks")
    named(events.columns, ["customer_id", "on", "kind", "amount"], "crosssell.landmarks")
    named(holdings.columns, SPELL, "crosssell.landmarks")
    required(holdings, SPELL[:3], "crosssell.landmarks")
    required(standing, ["customer_id", "month"], "crosssell.landmarks")
    offered = list(dict.fromkeys(products)) if products is not None else sorted(set(holdings["product_id"]))
    if len(offered) < 2:
        raise InputError(
            f"All that is held is {offered[0] if offered else 'nothing'}: what comes next needs two products at least."
        )
    rows = _known(standing, events, policy, months, covariates)
    rows = rows.with_columns(*_ages(rows, people), *_fresh(rows, events, policy))
    return rows.with_columns(_holdings(rows, holdings, offered))


def as_known(landmarks: pl.DataFrame, at: date) -> pl.DataFrame:
    """Landmarks as they would have been made at an earlier month end: what was taken later is not known yet.

    Answers: what could we have learnt from, that day?

    Raises
    ------
    InputError
        When no landmark lies so early.

    Examples
    --------
    >>> rows = pl.DataFrame({"month": [date(2024, 1, 31)] * 2, "takes:card": [1, 3]})
    >>> as_known(rows, date(2024, 3, 31))["takes:card"].to_list()
    [1, None]
    """
    rows = landmarks.filter(pl.col("month") <= at)
    if rows.is_empty():
        first = f" The first landmark is {landmarks['month'].min()}." if len(landmarks) else ""
        raise InputError(f"No landmark lies at or before {at}.{first} Choose a later month.")
    ahead = number(at) - (pl.col("month").dt.year().cast(pl.Int32) * 12 + pl.col("month").dt.month())
    takes = [name for name in rows.columns if name.startswith(TAKES)]
    return rows.with_columns(pl.when(pl.col(name) <= ahead).then(name).cast(pl.Int16).alias(name) for name in takes)


def offered(landmarks: pl.DataFrame, measure: str) -> tuple[str, ...]:
    """The products that landmarks tell of.

    Examples
    --------
    >>> offered(pl.DataFrame(schema=["month", "holds:card", "holds:fund", "takes:card", "takes:fund"]), "crosssell.fit")
    ('card', 'fund')
    """
    found = tuple(name.removeprefix(HOLDS) for name in landmarks.columns if name.startswith(HOLDS))
    named(landmarks.columns, [TAKES + name for name in found], measure)
    if len(found) < 2:
        raise InputError(f"{measure} has been given {len(found)} products: what comes next needs two at least.")
    return found


def known_of(landmarks: pl.DataFrame) -> tuple[str, ...]:
    """The covariates that landmarks have, which products are held among them.

    Examples
    --------
    >>> known_of(pl.DataFrame(schema=["customer_id", "month", "kind", "size", "holds:card", "takes:card"]))
    ('size', 'holds:card')
    """
    others = {"customer_id", "month", "kind"}
    return tuple(name for name in landmarks.columns if name not in others and not name.startswith(TAKES))


def _known(standing, events, policy: Policy, months, covariates) -> pl.DataFrame:
    """Covariates of all that are open, as for leaving; what came of them is asked of nobody."""
    is_open = standing.filter("is_open")
    here = is_open.select("customer_id", "month", state=pl.lit("at risk"))
    if (months is not None and not here["month"].is_in(list(months)).any()) or here.is_empty():
        raise InputError("Nobody has an account at the month ends asked for. Give a longer history, or others.")
    nobody = pl.DataFrame(
        schema=dict.fromkeys(EPISODES, pl.Date) | {"customer_id": pl.Int32, "event": pl.Boolean, "cause": pl.String,
                                                   "lost": pl.Int64}
    )  # fmt: skip
    found = churn.landmarks(standing, events, nobody, here, policy, months, covariates)
    return found.drop(*OUTCOME, "aum", "aum_change", "contribution")


def _ages(rows: pl.DataFrame, people: pl.DataFrame | None) -> list[pl.Series]:
    age = pl.Series([None], dtype=pl.Float32).new_from_index(0, len(rows))
    if people is not None:
        named(people.columns, ["customer_id", "birth_on"], "crosssell.landmarks")
        born = in_order(people.select(pl.col("customer_id").cast(rows.schema["customer_id"]), "birth_on"),
                        ["customer_id"], "crosssell.landmarks")  # fmt: skip
        joined = rows.select("customer_id", "month").join(born, on="customer_id", how="left", maintain_order="left")
        years = (pl.col("month") - pl.col("birth_on")).dt.total_days() / YEAR_DAYS
        age = joined.select(pl.when(years >= 0).then(years).cast(pl.Float32)).to_series()
    return [age.fill_null(0).alias("age"), age.is_not_null().cast(pl.Float32).alias("has_age")]


def _fresh(rows: pl.DataFrame, events: pl.DataFrame, policy: Policy) -> list[pl.Series]:
    """For each trigger, whether one happened so lately that it is worth a call."""
    found, of = [], pl.col("kind").cast(pl.String)
    key = rows.select("customer_id", "month")
    for trigger in policy.triggers:
        happened = events.filter(of == trigger.kind).select(pl.col("customer_id").cast(key.schema["customer_id"]), "on")
        last = key.join_asof(
            happened.sort("on"), left_on="month", right_on="on", by="customer_id", check_sortedness=False
        )
        is_fresh = ((pl.col("month") - pl.col("on")).dt.total_days() <= trigger.fresh_days).fill_null(False)
        found.append(last.select(is_fresh.cast(pl.Float32).alias(trigger.kind)).to_series())
    return found


def _holdings(rows: pl.DataFrame, holdings: pl.DataFrame, products: list[str]) -> list[pl.Series]:
    """What is held at each landmark, how long ago the last was taken, and in how many months the others are."""
    held = np.zeros((len(products), len(rows)), bool)
    takes = np.zeros((len(products), len(rows)), np.int16)
    settled = np.full(len(rows), NEVER, np.int32)
    # The first to come is written last: of several spells ahead it is the one that stays.
    spells = holdings.filter(pl.col("product_id").is_in(products)).sort("opened_on", descending=True)
    who, opened = spells["customer_id"].to_numpy(), spells["opened_on"].to_physical().to_numpy()
    closed = spells["closed_on"].cast(pl.Date).to_physical().fill_null(2**31 - 1).to_numpy()
    opened_in = (spells["opened_on"].dt.year() * 12 + spells["opened_on"].dt.month().cast(pl.Int32)).to_numpy()
    product = spells["product_id"].replace_strict(products, range(len(products)), return_dtype=pl.Int32).to_numpy()
    start = 0
    for part in rows.select("month", "customer_id").partition_by("month", maintain_order=True):
        end, ids = part["month"][0], part["customer_id"].to_numpy()
        day, at = (end - date(1970, 1, 1)).days, np.searchsorted(ids, who)
        is_here = ids[np.minimum(at, len(ids) - 1)] == who
        at = at + start
        now = is_here & (opened <= day) & (closed > day)
        held[product[now], at[now]] = True
        before = is_here & (opened <= day)
        np.maximum.at(settled, at[before], opened[before])
        ahead = is_here & (opened > day)
        takes[product[ahead], at[ahead]] = np.minimum(opened_in[ahead] - number(end), 2**15 - 1)
        start += len(ids)
    takes[held] = 0
    day = rows["month"].to_physical().to_numpy()
    months = np.log1p(np.clip((day - settled) / MONTH_DAYS, 0, 120))
    return [
        pl.Series("settled", months.astype(np.float32)),
        *(pl.Series(HOLDS + name, of) for name, of in zip(products, held, strict=True)),
        *(pl.Series(TAKES + name, of).replace(0, None) for name, of in zip(products, takes, strict=True)),
    ]
