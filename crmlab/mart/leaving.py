"""The tables of leaving: who left and why, who may be next, what matures, and how far the model is to be trusted."""

from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

import polars as pl

from crmlab.bank.read import Bank
from crmlab.errors import InputError
from crmlab.mart.people import Paths
from crmlab.measures import churn, maturity, survival
from crmlab.measures.churn.causes import TABLE as HAZARDS
from crmlab.policy import CAUSES, Policy
from crmlab.policy.source import MILLION

YEAR = 12  # months
TOLD = 24  # months back to which maturities are listed
CURVE = ["time", "survival", "lower", "upper", "at_risk", "n_events", "variance", "since", "n", "n_left_out"]
INCIDENCE = ["time", "incidence", "lower", "upper", "at_risk"]
WHO = [
    "customer_id", "customer_no", "name", "kind", "branch_id", "branch", "manager_id", "manager", "segment", "tier",
    "aum", "tenure_months",
]  # fmt: skip
TRIALS = ("accuracy", "calibration", "gains", "lead", "verdict")
BUDGETS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 1.0)  # shares of customers called
WORTH = "contribution"  # the list goes by what a customer earns us
NUMBER, TEXT = pl.Float64, pl.String
# What is empty where history is too short for anybody to be at risk, or for a model.
CURVES = dict.fromkeys(("kind", "by", "group"), TEXT) | dict.fromkeys(CURVE, NUMBER)
LIVES = dict.fromkeys(("value", "lower", "upper"), pl.Int64) | {"months_told": pl.Int32}
REASONS = {"customer_id": pl.Int32, "covariate": TEXT, "value": NUMBER, "contribution": NUMBER, "text": TEXT}
SCORES = dict.fromkeys(("p3", "p6", "p12", *CAUSES), NUMBER) | {"reasons": TEXT}
Progress = Callable[[str, int, int], None]


class Known(NamedTuple):
    """What the tables are made of."""

    bank: Bank
    standing: pl.DataFrame  # customer × month, of all months
    events: pl.DataFrame
    maturities: pl.DataFrame
    paths: Paths
    people: pl.DataFrame  # a row a customer there ever was, with branch and manager
    roster: pl.DataFrame  # a row a customer who is with us


class Life(NamedTuple):
    """Who was at risk, from when to when and how it ended, and how everybody stood month by month."""

    episodes: pl.DataFrame
    watched: pl.DataFrame


def tables(known: Known, progress: Progress) -> tuple[dict[str, pl.DataFrame], dict]:
    """The page tables by name, and what the manifest says of leaving."""
    policy = known.bank.policy
    given = (known.standing, known.events, policy.churn, known.maturities)
    life = Life(churn.episodes(*given), churn.watch(*given))
    gone = _departures(known, life.episodes)
    model, told = _model(known, life, progress)
    curves = _curves(known, life.episodes)
    made = {
        "departures": gone,
        "curves": curves,
        "incidence": _incidence(life.episodes),
        "overlap": churn.overlap(*given, policy.activity_window_days),
        "maturing": _maturing(known),
        "matured": _matured(known),
        "returned": churn.returns(gone, known.standing, known.bank.as_of),
        "win_back": _win_back(known, gone),
        "life_values": _life_values(known, curves),
    }
    return made | model, told


def _departures(known: Known, episodes: pl.DataFrame) -> pl.DataFrame:
    """Who left or was lost another way, with where they stood in the month before, by day and customer."""
    last_month = pl.col("ends_on").dt.month_start() - pl.duration(days=1)
    gone = episodes.filter(pl.col("cause").is_not_null()).with_columns(month=last_month)
    # Counted back by firsts of the month, since month ends differ.
    is_within = pl.col("month") > pl.col("until").dt.month_start().dt.offset_by(f"-{YEAR}mo").dt.month_end()
    a_year = (
        known.standing.select("customer_id", "month", "aum", "contribution")
        .join(gone.select("customer_id", until="month"), on="customer_id")
        .filter(pl.col("month") <= pl.col("until"), is_within)
        .group_by("customer_id", month="until")
        .agg(contribution_year=pl.col("contribution").sum(), aum_then=pl.col("aum").filter(_is_last()).first())
    )
    people = known.people.select("customer_id", "customer_no", "branch_id", "manager_id")
    segments = known.paths.segment.select("customer_id", "month", "segment")
    return (
        gone.join(a_year, on=["customer_id", "month"], how="left")
        .join(people, on="customer_id", how="left")
        .join(segments, on=["customer_id", "month"], how="left")
        .drop("month")
        .sort("ends_on", "customer_id")
    )


def _is_last() -> pl.Expr:
    return pl.col("month") == pl.col("until")


def _curves(known: Known, episodes: pl.DataFrame) -> pl.DataFrame:
    """Curves of staying, of all kinds and of each: of everybody, and by segment, tier and branch."""
    branches = episodes.join(known.people.select("customer_id", "branch_id"), on="customer_id", how="left")
    ways = {
        "": episodes,
        "segment": _as_they_stood(episodes, known.paths.segment, "segment"),
        "tier": _as_they_stood(episodes, known.paths.tier, "tier"),
        "branch_id": branches.filter(pl.col("branch_id").is_not_null()),
    }
    told = [(episodes, "", "kind"), *((rows, "", by) for by, rows in ways.items())]
    for kind in sorted(episodes["kind"].unique()):
        told += [(rows.filter(pl.col("kind") == kind), kind, by) for by, rows in ways.items()]
    made = [_curve(*one) for one in told if one[0].height]
    return pl.concat(made) if made else pl.DataFrame(schema=CURVES)


def _as_they_stood(episodes: pl.DataFrame, path: pl.DataFrame, name: str) -> pl.DataFrame:
    """Episodes with segment or tier when the first month at risk began: at its end it would tell of who left in it.

    Who was at risk before theirs could be told enters late, once it can; who had left by then is left out.
    """
    path = path.select("customer_id", began="month", **{name: pl.col(name).cast(pl.String)}).drop_nulls()
    first = path.group_by("customer_id").agg(pl.col("began").min().alias("first"))
    began = pl.col("starts_on").dt.month_start() - pl.duration(days=1)
    rows = episodes.join(first, on="customer_id").with_columns(began=pl.max_horizontal(began, "first"))
    late = (_number(pl.col("began")) + 1 - _number(pl.col("starts_on"))).cast(pl.Int32)
    return (
        rows.with_columns(entry=pl.col("entry") + late)
        .filter(pl.col("entry") < pl.col("duration"))
        .sort("began")
        .join_asof(path.sort("began"), on="began", by="customer_id", check_sortedness=False)
        .drop("began", "first")
    )


def _number(month: pl.Expr) -> pl.Expr:
    return month.dt.year().cast(pl.Int32) * 12 + month.dt.month()


def _curve(rows: pl.DataFrame, kind: str, by: str) -> pl.DataFrame:
    found = survival.curves(rows, by or None)
    group = pl.col(by).cast(pl.String) if by else pl.lit("")
    return found.select(pl.lit(kind).alias("kind"), pl.lit(by).alias("by"), group.alias("group"), *CURVE)


def _incidence(episodes: pl.DataFrame) -> pl.DataFrame:
    """By cause, of all kinds and of each in which anybody was lost."""
    rows = episodes.with_columns(pl.col("cause", "kind").cast(pl.String))
    everybody = rows.with_columns(kind=pl.lit(""))
    if rows["cause"].null_count() == rows.height:
        return pl.DataFrame(schema=dict.fromkeys(("kind", "cause"), pl.String) | dict.fromkeys(INCIDENCE, pl.Float64))
    lost = rows.filter(pl.col("cause").is_not_null()).select(pl.col("kind").unique())
    found = [survival.incidence(of, "kind") for of in (everybody, rows.join(lost, on="kind", how="semi"))]
    return pl.concat(found).select("kind", "cause", *INCIDENCE)


def _life_values(known: Known, curves: pl.DataFrame) -> pl.DataFrame:
    """What those who are with us may still contribute; of a kind without a curve nothing is told."""
    of_kinds = curves.filter(pl.col("by") == "kind").drop("kind").rename({"group": "kind"})
    customers = known.roster.join(_contributed(known), on="customer_id", how="left").select(
        "customer_id", pl.col("kind").cast(pl.String), "tenure_months", pl.col("contribution_year").fill_null(0)
    )
    told = customers.join(of_kinds, on="kind", how="semi")
    if told.is_empty():
        return pl.DataFrame(schema={"customer_id": pl.Int32} | LIVES)
    return churn.life_value(of_kinds, told, known.bank.policy).sort("customer_id")


def _contributed(known: Known) -> pl.DataFrame:
    """What each customer contributed in the last twelve months."""
    first = known.bank.as_of.replace(day=1)
    since = pl.lit(first).dt.offset_by(f"-{YEAR - 1}mo")
    rows = known.standing.filter(pl.col("month") >= since)
    return rows.group_by("customer_id").agg(contribution_year=pl.col("contribution").sum())


def _numbered(known: Known, rows: pl.DataFrame) -> pl.DataFrame:
    people = known.people.select("customer_id", "customer_no", "branch_id", "manager_id")
    return rows.join(people, on="customer_id", how="left", maintain_order="left")


def _win_back(known: Known, gone: pl.DataFrame) -> pl.DataFrame:
    """Whom to ask to come back; nobody who died since, nor whose complaint is open."""
    died = known.events.filter(pl.col("reason").is_in(["deceased", "merged"])).select("customer_id")
    cross = known.bank.table("complaints").filter(pl.col("resolved_on").is_null()).select("customer_id").collect()
    apart = pl.concat([died, cross])
    rows = churn.win_back_list(gone, known.standing, known.bank.as_of, apart=apart)
    return rows.join(known.people.select("customer_id", "name"), on="customer_id", how="left", maintain_order="left")


def _maturing(known: Known) -> pl.DataFrame:
    """What is still ahead, and how likely it is to stay."""
    accounts = known.bank.table("accounts").select("account_id", "account_no").collect()
    found = maturity.renewal(known.maturities, known.bank.as_of)
    return _numbered(known, found.join(accounts, on="account_id", how="left", maintain_order="left"))


def _matured(known: Known) -> pl.DataFrame:
    """What matured in the last two years and is known to have stayed or gone."""
    since = pl.lit(known.bank.as_of).dt.offset_by(f"-{TOLD}mo")
    rows = known.maturities.filter(pl.col("retained").is_not_null(), pl.col("amount") > 0, pl.col("matures_on") > since)
    found = rows.select(
        "customer_id", "kind", "line", "matures_on", pl.col("matures_on").dt.month_end().alias("month"), "amount",
        "retained",
    )  # fmt: skip
    return _numbered(known, found).sort("matures_on", "customer_id")


def _scores(known: Known, life: Life, scored: list[pl.DataFrame]) -> pl.DataFrame:
    """Everybody who is with us: how they stand, how likely they are to leave, and what is to be known before a call."""
    day, rule = known.bank.as_of, known.bank.policy.worklist
    now = life.watched.filter(pl.col("month") == pl.col("month").max())
    calls = known.events.filter(pl.col("kind") == "contact")
    ahead = known.maturities.filter(pl.col("matures_on") > day).sort("matures_on")
    is_soon = pl.col("matures_on") <= day + timedelta(rule.maturing_days)
    beside = [
        now.select("customer_id", state_of_watch=pl.col("state").cast(pl.String)),
        _contributed(known),
        calls.group_by("customer_id").agg(last_contact_on=pl.col("on").max()),
        ahead.group_by("customer_id").agg(
            pl.col("matures_on").first(), maturing=pl.col("amount").filter(is_soon).sum()
        ),
        *scored,
    ]
    rows = known.roster.select(WHO)
    for frame in beside:
        rows = rows.join(frame, on="customer_id", how="left")
    untold = {name: dtype for name, dtype in SCORES.items() if name not in rows.columns}
    return rows.with_columns(
        pl.col("state_of_watch").fill_null("not yet"),
        pl.col("contribution_year", "maturing").fill_null(0),
        *(pl.lit(None, dtype).alias(name) for name, dtype in untold.items()),
    ).sort("customer_id")


def _model(known: Known, life: Life, progress: Progress) -> tuple[dict[str, pl.DataFrame], dict]:
    """Everybody's chance of leaving and the reasons, with trials of each horizon; only what can be tried is told."""
    rules = known.bank.policy.leaving
    try:
        rows = churn.landmarks(known.standing, known.events, *life, known.bank.policy)
        found, untested = _trials(known, rows, progress)
        tested = tuple(horizon for horizon in rules.horizons if horizon not in untested)
        model = churn.fit(rows, known.bank.as_of, known.bank.policy, horizons=tested) if tested else None
    except InputError as error:
        rows, model, found, untested = None, None, [], dict.fromkeys(rules.horizons, str(error))
    tested = model.horizons if model else ()
    told = {"horizons": list(tested), "main": min(tested, default=None), "untested": untested, "budget": rules.budget}
    made = {f"trial_{name}": _stacked(found, name) for name in TRIALS}
    made |= {"hazards": churn.coefficients(model) if model else pl.DataFrame(schema=HAZARDS)}
    scored, reasons = _scored(model, rows, told["main"]) if model else ([], pl.DataFrame(schema=REASONS))
    return made | {"leaving": _scores(known, life, scored), "reasons": reasons}, told


def _trials(known: Known, rows: pl.DataFrame, progress: Progress) -> tuple[list[dict], dict[int, str]]:
    """What the trial of each horizon found, and why there is none of the others."""
    policy, found, untested = known.bank.policy, [], {}
    for done, horizon in enumerate(policy.leaving.horizons):
        progress("trials", done, len(policy.leaving.horizons))
        try:
            found.append(_trial(rows, policy, horizon))
        except InputError as error:
            untested[horizon] = str(error)
    progress("trials", len(policy.leaving.horizons), len(policy.leaving.horizons))
    return found, untested


def _trial(rows: pl.DataFrame, policy: Policy, horizon: int) -> dict[str, pl.DataFrame]:
    trial, budget = churn.trial(rows, policy, horizon), policy.leaving.budget / MILLION
    curve = churn.calibration(trial.scored, horizon)
    found = churn.verdict(trial.scored, horizon, budget, worth=WORTH)
    slope = {"slope": curve.slope, "slope_lower": curve.slope_lower, "slope_upper": curve.slope_upper, "ici": curve.ici}
    tables = {
        "accuracy": churn.accuracy(trial.scored, horizon),
        "calibration": curve.groups,
        "gains": churn.gains(trial.scored, horizon, sorted({*BUDGETS, budget}), worth=WORTH),
        "lead": churn.lead_time(trial.later, horizon, budget, worth=WORTH),
        "verdict": pl.DataFrame([found._asdict() | slope | {"at": trial.at, "known_at": trial.known_at}]),
    }
    return {name: table.with_columns(horizon=pl.lit(horizon)) for name, table in tables.items()}


def _stacked(found: list[dict[str, pl.DataFrame]], name: str) -> pl.DataFrame:
    # Where one horizon cannot tell, its column has no type of its own.
    made = [one[name] for one in found]
    return pl.concat(made, how="vertical_relaxed") if made else pl.DataFrame(schema={"horizon": pl.Int32})


def _scored(model: churn.Fit, rows: pl.DataFrame, main: int) -> tuple[list[pl.DataFrame], pl.DataFrame]:
    """Of those at risk at the end: probabilities, for the main horizon by cause, reasons in words and in numbers."""
    now = rows.filter(pl.col("month") == rows["month"].max())
    parts = churn.probability(model, now, main).drop("probability", "exit")
    found = [
        churn.probability(model, now, horizon).select("customer_id", pl.col("probability").alias(f"p{horizon}"))
        for horizon in model.horizons
    ]
    told = churn.told(model, now).rename({"text": "reasons"})
    return [*found, parts, told], churn.reasons(model, now)
