"""The tables of what customers need next: who holds what, what leads to what, whom to offer what, what offers did."""

from collections.abc import Callable
from dataclasses import asdict
from datetime import date, timedelta
from typing import NamedTuple

import polars as pl

from crmlab import panel
from crmlab.bank.read import Bank
from crmlab.errors import InputError
from crmlab.mart.people import Paths
from crmlab.measures import campaigns, crosssell

YEAR = 12  # months
TOLD = 24  # months of attach rates, and of life events
OFFERS = 3  # a customer, on the page: the best of them
DEAR = 5  # a customer, in the builder of lists
COMPONENTS = ("margin", "fee", "service_cost", "expected_loss")
MONEY, TEXT = pl.Int64, pl.String
WHO = ["customer_id", "customer_no", "name", "kind", "branch_id", "branch", "manager_id", "manager", "segment"]
TRIALS = ("products", "rankings", "gains", "verdicts")
Progress = Callable[[str, int, int], None]


class Known(NamedTuple):
    """What the tables are made of."""

    bank: Bank
    standing: pl.DataFrame  # customer × month, of all months
    events: pl.DataFrame
    holdings: pl.DataFrame
    paths: Paths
    people: pl.DataFrame  # a row a customer there ever was
    roster: pl.DataFrame  # a row a customer who is with us
    customers: pl.LazyFrame  # customer × month × line
    contribution: pl.LazyFrame  # the same, by manager


def tables(known: Known, progress: Progress) -> tuple[dict[str, pl.DataFrame], dict]:
    """The page tables by name, and what the manifest says of offers."""
    bank, products = known.bank, _products(known.bank)
    held = crosssell.baskets(known.holdings, bank.as_of)
    progress("offers", 0, 3)
    made = {
        "products": products,
        "penetration": crosssell.penetration(held),
        "products_each": crosssell.per_customer(held),
        "affinity": crosssell.together(held, "kind"),
        "attach_rates": _attach_rates(known),
        "followed": crosssell.followed(known.events, known.holdings, products, bank.policy, bank.as_of, TOLD),
        "occasions": _occasions(known),
    }
    led_to, untold = _led_to(known, products)
    progress("offers", 1, 3)
    next_best, said = _next_best(known, products)
    progress("offers", 2, 3)
    without = {name: why for name, why in (untold | said).items() if why}
    told = {"without": without, "horizon": _horizon(known), "triggers": [asdict(one) for one in bank.policy.triggers]}
    progress("offers", 3, 3)
    return made | led_to | next_best | _past(known), told


def _products(bank: Bank) -> pl.DataFrame:
    """What the bank sells: product_id, product, line, term, risk, bundled_with."""
    return (
        bank.table("products")
        .select("product_id", pl.coalesce("name", "product_id").alias("product"),
                *(pl.col(name).cast(TEXT) for name in ("line", "term", "risk", "bundled_with")))
        .sort("product_id").collect()
    )  # fmt: skip


def _attach_rates(known: Known) -> pl.DataFrame:
    """Who took what month by month, by kind and by the segment of the month before."""
    months = known.standing["month"].unique().sort().tail(TOLD).to_list()
    months = [month for month in months if month <= known.bank.as_of and _is_held(known.holdings, month)]
    if not months:
        return pl.DataFrame()
    segment = known.paths.segment.select("customer_id", "month", pl.col("segment").cast(TEXT))
    ways = {"kind": crosssell.attached(known.holdings, months)}
    if segment.height:  # nobody has one before there is enough history
        ways["segment"] = crosssell.attached(known.holdings, months, "segment", standing=segment)
    return pl.concat(
        found.select("month", pl.lit(by).alias("by"), pl.col(by).cast(TEXT).alias("group"), pl.exclude("month", by))
        for by, found in ways.items()
    )


def _is_held(holdings: pl.DataFrame, month: date) -> bool:
    """Whether anybody held anything before the month began: else nobody can be asked what they took."""
    eve = month.replace(day=1) - timedelta(1)
    return not holdings.filter(pl.col("opened_on") <= eve, (pl.col("closed_on") > eve).fill_null(True)).is_empty()


def _led_to(known: Known, products: pl.DataFrame) -> tuple[dict[str, pl.DataFrame], dict[str, str]]:
    """The rules found a year ago and tested since."""
    until = _last_month_end(known.bank.as_of)
    split_on = pl.select(pl.lit(until).dt.offset_by(f"-{YEAR}mo").dt.month_end()).item()
    since = known.people.select("customer_id", "since")
    try:
        found = crosssell.discovered(known.holdings, since, split_on, until, known.bank.policy, products)
    except InputError as error:
        return {"led_to": pl.DataFrame(schema={"verdict": TEXT})}, {"led_to": str(error)}
    dated = found.with_columns(pl.lit(split_on).alias("split_on"), pl.lit(until).alias("until"))
    return {"led_to": dated.with_columns(pl.col("verdict").cast(TEXT))}, {}


def _occasions(known: Known) -> pl.DataFrame:
    """Fresh life events of those who are with us, and who looks after them."""
    found = crosssell.fresh(known.events, known.bank.policy, known.bank.as_of)
    return found.drop("kind").join(known.roster.select(WHO), on="customer_id", maintain_order="left")


def _next_best(known: Known, products: pl.DataFrame) -> tuple[dict[str, pl.DataFrame], dict[str, str]]:
    """How the ways to tell were tried, which is used, and the best offers to whom they may be made."""
    bank, said = known.bank, {}
    births = bank.table("customers").select("customer_id", "birth_on").collect()
    book = crosssell.Book(known.holdings, known.people.select("customer_id", "since"), products)
    try:
        rows = crosssell.landmarks(known.standing, known.events, known.holdings, bank.policy, births)
        fit = crosssell.fit(rows, bank.as_of, bank.policy, book=book)
    except InputError as error:
        return _nothing(), {"next_best": str(error)}
    try:
        trial = crosssell.trial(rows, bank.policy, book=book, now=fit)
        tried = {f"taking_{name}": _plain(getattr(trial, name)) for name in TRIALS}
    except InputError as error:
        tried, said = {f"taking_{name}": pl.DataFrame() for name in TRIALS}, {"trial": str(error)}
    now = rows.filter(pl.col("month") == rows["month"].max())
    found = _eligible(known, products, _plain(crosssell.probability(fit, now)))
    offers = _worth(known, products, found.pairs)
    pairs = _pairs(known, offers)
    made = {
        "taking_choices": _plain(crosssell.choices(fit)), "excluded": found.excluded,
        "next_best": offers.filter(pl.col("rank") <= OFFERS), "pairs": pairs, "prices": _prices(known, pairs),
    }  # fmt: skip
    return tried | made, said


def _eligible(known: Known, products: pl.DataFrame, told: pl.DataFrame) -> crosssell.Eligible:
    """Of pairs of those who are with us, those that may be offered; the rest is counted by reason.

    Nobody is asked how likely they take what they hold: such pairs are put beside the others, to be counted.
    """
    bank, pair = known.bank, ["customer_id", "product_id"]
    held = known.holdings.filter(pl.col("closed_on").is_null()).select(pair).unique(maintain_order=True)
    pairs = pl.concat([told, held.join(told, on=pair, how="anti", maintain_order="left")], how="diagonal_relaxed")
    ours = pairs.join(known.roster.select("customer_id"), on="customer_id", how="semi", maintain_order="left")
    last = known.customers.filter(pl.col("month") == known.standing["month"].max())
    people = panel.today(bank, last)
    found = crosssell.eligible(ours, people, known.holdings, products, bank.policy, bank.as_of)
    return found._replace(pairs=found.pairs.filter(pl.col("probability").is_not_null()))


def _worth(known: Known, products: pl.DataFrame, pairs: pl.DataFrame) -> pl.DataFrame:
    """Pairs with what taking the product would earn in a year, its expectation, and their order for each customer.

    A year of a product is what holders of its line earned us with it in the last one: those of the customer's kind and
    tier, where enough of them are known (`crosssell.priced`).
    """
    rows = pairs.join(products.select("product_id", "product", "line"), on="product_id", how="left")
    rows = crosssell.priced(rows, known.roster, _earned(known))
    return (
        rows.with_columns(value=(pl.col("probability") * pl.col("a_year")).round().cast(MONEY))
        .sort("customer_id", "value", "probability", "product_id", descending=[False, True, True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1).over("customer_id"))
        .select(
            "customer_id", "product_id", "product", "line", "probability", "source", "a_year", "basis", "value", "rank"
        )
    )


def _earned(known: Known) -> pl.DataFrame:
    """What a holder's year of each line earned us in the last twelve months; who has gone has no tier any more."""
    tier = known.roster.select("customer_id", "tier")
    people = known.people.select("customer_id", "kind").join(tier, on="customer_id", how="left")
    since = pl.lit(known.standing["month"].max()).dt.offset_by(f"-{YEAR}mo").dt.month_end()
    recent = known.contribution.filter(pl.col("month") > since)
    a_month = recent.group_by("customer_id", "month", "line").agg(earned=pl.sum_horizontal(COMPONENTS).sum())
    return crosssell.earned(a_month.collect(), people)


def _pairs(known: Known, offers: pl.DataFrame) -> pl.DataFrame:
    """What a list can be made of: the dearest offers of each customer that are worth more than the contact costs."""
    rule = known.bank.policy.campaigns
    who = known.roster.select("customer_id", "customer_no", "kind", "segment", "branch_id", "manager_id")
    return (
        offers.filter(pl.col("rank") <= DEAR, pl.col("value") > rule.cost)
        .join(who, on="customer_id", how="left")
        .with_columns(cost=pl.lit(rule.cost, MONEY), minutes=pl.lit(rule.minutes, MONEY))
        .sort("customer_id", "product_id")
    )


def _prices(known: Known, pairs: pl.DataFrame) -> pl.DataFrame:
    """What the usual limits are worth a unit more, from which pages tell about other limits at once."""
    rule, calls = known.bank.policy.campaigns, known.bank.policy.worklist.calls
    if pairs.is_empty():
        return pl.DataFrame(schema={"condition": TEXT, "name": TEXT, "price": pl.Float64})
    limits = campaigns.Limits(minutes=calls * rule.minutes)
    found = campaigns.settle(campaigns.led(pairs).select(campaigns.PAIRS), limits)
    return _plain(found.prices.select("condition", "name", "price"))


def _past(known: Known) -> dict[str, pl.DataFrame]:
    """The bank's own campaigns and what they did, of all and by segment."""
    bank = known.bank
    offers, run = (bank.table(name).collect() for name in ("offers", "campaigns"))
    if offers.is_empty():
        return {"campaigns_past": pl.DataFrame(), "campaigns_by_segment": pl.DataFrame()}
    money = known.standing.select("customer_id", "month", amount="contribution")
    rows = campaigns.past(offers, run, bank.as_of, holdings=known.holdings, amounts=money)
    segment = known.paths.segment.select("customer_id", pl.col("segment").cast(TEXT), on="month").sort("on")
    rows = rows.sort("offered_on").join_asof(
        segment, left_on="offered_on", right_on="on", by="customer_id", check_sortedness=False
    )
    covariates = ["before"] if rows["before"].null_count() == 0 else []
    by = campaigns.by_segment(rows.with_columns(pl.col("segment").fill_null("not known")), bank.as_of, "segment")
    told = campaigns.verdict(rows, bank.as_of, covariates=covariates)
    product = rows.select("campaign_id", "product_id").unique()
    return {
        "campaigns_past": _plain(told.join(product, on="campaign_id", how="left", maintain_order="left")),
        "campaigns_by_segment": _plain(by),
    }


def _horizon(known: Known) -> int:
    return known.bank.policy.crosssell.horizons[0]


def _nothing() -> dict[str, pl.DataFrame]:
    names = [f"taking_{name}" for name in (*TRIALS, "choices")] + ["excluded", "next_best", "pairs", "prices"]
    return {name: pl.DataFrame() for name in names}


def _plain(table: pl.DataFrame) -> pl.DataFrame:
    """Words as text: pages know nothing of enums."""
    return table.with_columns(pl.col(pl.Enum).cast(TEXT))


def _last_month_end(day: date) -> date:
    return day if (day + timedelta(1)).day == 1 else day.replace(day=1) - timedelta(1)
