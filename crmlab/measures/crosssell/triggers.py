"""Life events as occasions: what was taken after them, against customers like them without one, and whose are fresh."""

from datetime import date, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from crmlab.errors import InputError, near_miss
from crmlab.measures.given import named
from crmlab.measures.uncertainty import difference, wilson
from crmlab.policy import Policy, Trigger

NEVER = 2**31 - 1  # a day after all others
EVENT = ["customer_id", "on", "kind", "account_id", "amount", "detail"]
SPELL = ["customer_id", "kind", "product_id", "opened_on", "closed_on"]
COUNTED = {
    "trigger": pl.String, "kind": pl.String, "target": pl.String, "days": pl.Int32, "n": pl.Int64,
    "n_customers": pl.Int64, "n_unlike": pl.Int64, "n_taken": pl.Int64, "rate": pl.Float64, "n_base": pl.Int64,
    "base_rate": pl.Float64, "size": pl.Float64, "base_size": pl.Float64,
}  # fmt: skip


def followed(
    events: pl.DataFrame, holdings: pl.DataFrame, products: pl.DataFrame, policy: Policy, as_of: date, months: int = 24
) -> pl.DataFrame:
    """How often a life event was followed by what, beside customers alike who had none.

    Answers: is this a good moment to call, and with what?

    A product is taken where a holding of it begins within ``follow_days`` after the day of the event, that day not
    counted; a deposit renewed is no new holding. Only events whose days were over by `as_of` count, of customers who
    held something on the day. Of events of one customer whose days overlap the first counts.

    Customers alike had no such event in the ``follow_days`` before or in its month; are of the same kind; and held, or
    did not, something of the target. They are looked at from the middle day of the month's events on, and weigh as many
    as the events they stand beside.

    Parameters
    ----------
    events
        As `panel.events` gives them.
    holdings
        As `panel.holdings` gives them.
    products
        product_id, line, term.
    policy
        Its `triggers`.
    as_of
        The day up to which `events` and `holdings` tell.
    months
        How far back events are looked at.

    Returns
    -------
    pl.DataFrame
        trigger (its name), kind (of event), target (a line, what of it has a term, or a product), days, n (events),
        n_customers (who had them), n_unlike (events left out: nobody alike), n_taken, rate, lower, upper, n_base
        (customer-months without), base_rate, base_lower, base_upper, difference (rate less base_rate), least, most
        (its interval, Newcombe). Rates are 0 to 1, and null where there is no event. Intervals hold 95 %; several
        windows of one customer tell less than as many customers, and are counted for what they tell. A row a trigger
        and target that the bank sells, in the order of the policy.

    Raises
    ------
    InputError
        When a column is missing, or a trigger leads to a product that there is not.

    Examples
    --------
    >>> from crmlab import policy
    >>> from crmlab.panel.timeline import COLUMNS
    >>> held = pl.DataFrame({"customer_id": [1, 1, 2, 3], "kind": "retail", "product_id": ["D", "T", "D", "D"],
    ...     "opened_on": [date(2020, 1, 1), date(2024, 3, 9), date(2020, 1, 1), date(2020, 1, 1)], "closed_on": None})
    >>> day = {"customer_id": 1, "on": date(2024, 2, 15), "kind": "inflow_stayed"}
    >>> products = pl.DataFrame({"product_id": ["D", "T"], "line": "deposits", "term": ["demand", "term"]})
    >>> told = followed(pl.DataFrame([day], schema=COLUMNS), held, products, policy.load(), date(2024, 12, 31))
    >>> told.filter(pl.col("n") > 0).select("target", "n", "n_taken", "rate", "n_base", "base_rate").rows()
    [('term deposits', 1, 1, 1.0, 2, 0.0)]
    """
    measure = "crosssell.followed"
    named(events.columns, EVENT, measure)
    named(holdings.columns, SPELL, measure)
    named(products.columns, ["product_id", "line", "term"], measure)
    spells = _spells(holdings)
    since = pl.select(pl.lit(as_of).dt.offset_by(f"-{months}mo")).item()
    rows = []
    for rule in policy.triggers:
        had = _had(events.filter(pl.col("on") <= as_of), rule, spells)
        ended = had.filter(pl.col("on") > since, pl.col("on") <= _days_before(as_of, rule))
        windows = _apart(_of_holders(ended, spells), rule.follow_days)
        for target, members in _targets(rule, products):
            rows.append(_beside(rule, target, members, windows, had, spells))
    return _with_intervals(pl.DataFrame(rows, schema=COUNTED, orient="row"))


def fresh(events: pl.DataFrame, policy: Policy, as_of: date) -> pl.DataFrame:
    """The customers of whom a life event is no older than ``fresh_days``, each with the latest of a kind.

    Answers: whom should we speak with now, and about what?

    Parameters
    ----------
    events
        As `panel.events` gives them.
    policy
        Its `triggers`.
    as_of
        The day up to which `events` tell.

    Returns
    -------
    pl.DataFrame
        customer_id, trigger, kind, on, until (the last day on which it is fresh), account_id, matures_on, amount
        (minor units of the base currency), detail. A deposit that is closed since is left out. In the order of the
        policy, then of the days left, customer.

    Raises
    ------
    InputError
        When a column is missing.

    Examples
    --------
    >>> from crmlab import policy
    >>> from crmlab.panel.timeline import COLUMNS
    >>> days = [{"customer_id": 7, "on": date(2024, month, 15), "kind": "inflow_stayed"} for month in (2, 3)]
    >>> told = fresh(pl.DataFrame(days, schema=COLUMNS), policy.load(), date(2024, 4, 1))
    >>> told.select("customer_id", "trigger", "on", "until").rows()
    [(7, 'Large inflow that stays', datetime.date(2024, 3, 15), datetime.date(2024, 5, 14))]
    """
    named(events.columns, [*EVENT, "matures_on"], "crosssell.fresh")
    kind = pl.col("kind").cast(pl.String)
    events = events.filter(pl.col("on") <= as_of)
    closed = events.filter(kind == "closed").select("customer_id", "account_id").unique()
    rules = pl.DataFrame(
        [(rule.kind, rule.name, rule.fresh_days, place) for place, rule in enumerate(policy.triggers)],
        schema={"kind": pl.String, "trigger": pl.String, "fresh_days": pl.Int32, "place": pl.Int32},
        orient="row",
    )
    return (
        events.with_columns(kind)
        .join(rules, on="kind")
        .with_columns(until=pl.col("on") + pl.duration(days=pl.col("fresh_days")))
        .filter(pl.col("until") >= as_of)
        .join(closed, on=["customer_id", "account_id"], how="anti")  # an event about no account matches none
        .sort("on", "account_id")
        .unique(["customer_id", "kind"], keep="last", maintain_order=True)
        .sort("place", "until", "customer_id")
        .select("customer_id", "trigger", "kind", "on", "until", "account_id", "matures_on", "amount", "detail")
    )


class Spells(NamedTuple):
    """Holdings as numbers: whose (a place in `people`), of what, from which day up to which, not included."""

    people: pl.DataFrame  # customer_id, place, of_kind (a number)
    rows: pl.DataFrame  # place, product_id, start, end


def _spells(holdings: pl.DataFrame) -> Spells:
    people = holdings.select("customer_id", "kind").unique("customer_id").sort("customer_id").with_row_index("place")
    kinds = people["kind"].cast(pl.String).fill_null("").rank("dense").cast(pl.Int64) - 1
    rows = holdings.join(people.select("customer_id", "place"), on="customer_id").select(
        "place",
        "product_id",
        start=pl.col("opened_on").to_physical(),
        end=pl.col("closed_on").to_physical().fill_null(NEVER),
    )
    return Spells(people.select("customer_id", "place", of_kind=kinds), rows)


def _days_before(as_of: date, rule: Trigger) -> date:
    return as_of - timedelta(days=rule.follow_days)


def _had(events: pl.DataFrame, rule: Trigger, spells: Spells) -> pl.DataFrame:
    """Who had the event, on which days; several on a day are one."""
    return (
        events.filter(pl.col("kind").cast(pl.String) == rule.kind)
        .join(spells.people, on="customer_id")
        .select("place", "of_kind", "on", day=pl.col("on").to_physical())
        .unique()
        .sort("place", "day")
    )


def _of_holders(had: pl.DataFrame, spells: Spells) -> pl.DataFrame:
    """Events of those who held something on the day, as those alike do."""
    beside = had.join(spells.rows.select("place", "start", "end"), on="place")
    open_then = beside.filter(pl.col("start") <= pl.col("day"), pl.col("end") > pl.col("day"))
    return had.join(open_then, on=["place", "day"], how="semi", maintain_order="left")


def _apart(had: pl.DataFrame, days: int) -> pl.DataFrame:
    """Of events of one customer within so many days after one that counts, none counts."""
    kept, whose, last = [], -1, 0
    for place, day in had.select("place", "day").iter_rows():
        counts = place != whose or day > last + days
        kept.append(counts)
        if counts:
            whose, last = place, day
    return had.filter(pl.Series(kept, dtype=pl.Boolean))


def _targets(rule: Trigger, products: pl.DataFrame) -> list[tuple[str, pl.Series]]:
    """What a trigger leads to, with the products these are; what the bank does not sell is left out."""
    line, term = pl.col("line").cast(pl.String), pl.col("term").cast(pl.String)
    known = products["product_id"].to_list()
    found = []
    for name in rule.lines:
        is_in = (pl.lit("term ") + line == name) & (term == "term") if name.startswith("term ") else line == name
        found.append((name, products.filter(is_in)["product_id"]))
    for name in rule.products:
        if name not in known:
            raise InputError(
                f"The trigger {rule.name} leads to a product {name}, which there is not. {near_miss(name, known)}"
            )
        found.append((name, pl.Series([name])))
    return [(name, members) for name, members in found if len(members)]


def _beside(
    rule: Trigger, target: str, members: pl.Series, windows: pl.DataFrame, had: pl.DataFrame, spells: Spells
) -> tuple:
    """Counts of a trigger and a target, and of customers alike; `size`: how many customers' worth they tell."""
    of_target = spells.rows.filter(pl.col("product_id").is_in(members.implode()))
    rows = _looked_at(windows, of_target, rule.follow_days)
    alike = Alike(spells, of_target, had, rule.follow_days)
    is_like = np.zeros(rows.height, bool)
    for month in rows.partition_by("month"):
        is_like[month["at"].to_numpy()] = alike.add(month)
    counted = rows.filter(pl.Series(is_like, dtype=pl.Boolean))
    n, taken = counted.height, int(counted["is_taken"].sum())
    head = (rule.name, rule.kind, target, rule.follow_days, n, counted["place"].n_unique(), rows.height - n, taken)
    if not n:
        return (*head, None, 0, None, None, None)
    rate = taken / n
    left = np.bincount(counted["place"].to_numpy(), counted["is_taken"].to_numpy() - rate)
    size = _worth(rate, left / n, n, head[5])
    base = alike.weighed / n
    return (*head, rate, alike.n, base, size, _worth(base, alike.left / n, alike.n, int(alike.is_there.sum())))


def _looked_at(windows: pl.DataFrame, of_target: pl.DataFrame, days: int) -> pl.DataFrame:
    """Each event with whether something of the target was held that day, and whether some was taken after it."""
    rows = windows.with_row_index("at").with_columns(month=pl.col("on").dt.month_end())
    beside = rows.select("at", "place", "day").join(of_target, on="place")
    start, end, day = (pl.col(name) for name in ("start", "end", "day"))
    found = beside.group_by("at").agg(
        is_held=((start <= day) & (end > day)).any(), is_taken=start.is_between(day + 1, day + days).any()
    )
    return rows.join(found, on="at", how="left", maintain_order="left").with_columns(
        pl.col("is_held", "is_taken").fill_null(False)
    )


def _worth(rate: float, parts: np.ndarray, n: int, n_customers: int) -> float:
    """Of how many customers, each looked at once, a rate would be as sure: from the spread between customers."""
    spread = float((parts**2).sum()) * n_customers / max(n_customers - 1, 1)
    return min(rate * (1 - rate) / spread, n) if spread > 0 else float(n_customers)


class Alike:
    """Customers without an event, month by month, each stratum weighing as many as the events in it."""

    def __init__(self, spells: Spells, of_target: pl.DataFrame, had: pl.DataFrame, days: int):
        size = spells.people.height
        self.kind = spells.people["of_kind"].to_numpy()
        self.all, self.target = (
            tuple(rows[name].to_numpy() for name in ("place", "start", "end")) for rows in (spells.rows, of_target)
        )
        self.had = had["place"].to_numpy(), had["day"].to_numpy()
        self.days = days
        self.n, self.weighed = 0, 0.0
        self.left = np.zeros(size)  # what each customer adds to the rate's spread
        self.is_there = np.zeros(size, bool)

    def add(self, events: pl.DataFrame) -> np.ndarray:
        """Look at those alike of a month's events, and say which events have any."""
        day = int(np.median(events["day"].to_numpy()))
        last = (events["month"][0] - date(1970, 1, 1)).days
        held, taken = self._open(self.target, day), self._marked(self._begun(day))
        can = self._open(self.all, day)
        who, on = self.had
        can[who[(on > day - self.days) & (on <= last)]] = False
        stratum = self.kind * 2 + held
        of_event = events["of_kind"].to_numpy() * 2 + events["is_held"].to_numpy()
        length = 2 * (int(self.kind.max(initial=0)) + 1)
        there = np.bincount(stratum[can], minlength=length)
        took = np.bincount(stratum[can & taken], minlength=length)
        weight = np.where(there > 0, np.bincount(of_event, minlength=length), 0)
        rates = took / np.maximum(there, 1)
        can &= weight[stratum] > 0
        at = stratum[can]
        self.n += len(at)
        self.weighed += float(weight @ rates)
        self.left[can] += (weight / np.maximum(there, 1))[at] * (taken[can] - rates[at])
        self.is_there |= can
        return there[of_event] > 0

    def _open(self, spells: tuple, day: int) -> np.ndarray:
        place, start, end = spells
        return self._marked(place[(start <= day) & (end > day)])

    def _begun(self, day: int) -> np.ndarray:
        place, start, _ = self.target
        return place[(start > day) & (start <= day + self.days)]

    def _marked(self, places: np.ndarray) -> np.ndarray:
        marked = np.zeros(len(self.kind), bool)
        marked[places] = True
        return marked


def _with_intervals(rows: pl.DataFrame) -> pl.DataFrame:
    rate, size, base, base_size = (pl.col(name) for name in ("rate", "size", "base_rate", "base_size"))
    lower, upper = wilson(rate * size, size)
    base_lower, base_upper = wilson(base * base_size, base_size)
    least, most = difference(rate * size, size, base * base_size, base_size)
    return rows.select(
        "trigger", "kind", "target", "days", "n", "n_customers", "n_unlike", "n_taken", "rate", lower, upper, "n_base",
        "base_rate", base_lower.alias("base_lower"), base_upper.alias("base_upper"), difference=rate - base,
        least=least, most=most,
    )  # fmt: skip
