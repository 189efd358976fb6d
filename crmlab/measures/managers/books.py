"""Whose book it is: what is wrong with the assignments and which rule settles it, and who answers for a loss."""

from datetime import date

import polars as pl

from crmlab.measures.given import named
from crmlab.panel.assignments import FOREVER, stretches
from crmlab.policy import Managing

MILLION = 1_000_000
DAY = pl.duration(days=1)
OBJECT = ["role", "scope", "object"]
SCOPES = ["account", "line", "customer", "branch"]
RULES = {
    "ends before it starts": "It is left out.",
    "after the last day": "It ends with the manager's last day.",
    "assigned twice": "It counts once, with the larger share.",
    "shares over one": "",  # as the policy says
    "shares below one": "The rest is the branch's.",
    "two branches": "",  # as agreed, or as the policy says
    "gap": "On these days the customer is the branch's.",
    "no customers": "The manager is not assessed.",
}
AGREED = "The shares are as agreed."
WHO = {
    "larger share": "It is theirs who has the larger share, with what those of the other branches have.",
    "earlier": "It is theirs who came earlier, with what those of the other branches have.",
}
OVER = {
    "larger share": "The larger share counts first, then the lower manager_id, up to one.",
    "in proportion": "Each share counts in proportion.",
}
FINDINGS = {
    "finding": pl.Enum(list(RULES)), "role": pl.String, "scope": pl.String, "object": pl.String,
    "customer_id": pl.Int32, "manager_id": pl.String, "other_id": pl.String, "from_on": pl.Date, "to_on": pl.Date,
    "share": pl.Int64, "rule": pl.String,
}  # fmt: skip
ASSIGNMENTS = [
    "manager_id",
    "role",
    "scope",
    "account_id",
    "customer_id",
    "line",
    "branch_id",
    "share",
    "from_on",
    "to_on",
]


def findings(
    assignments: pl.DataFrame, accounts: pl.DataFrame, managers: pl.DataFrame, rules: Managing, as_of: date
) -> pl.DataFrame:
    """What is wrong with the assignments, a row an assignment, object or manager, and the rule that settles it.

    Answers: who gets credit where two have a claim, and where has nobody one?

    Shares are looked at within role, scope and object, day by day; that a nearer scope goes before a farther one
    (account, line, customer) is no finding. `crm.read` rejects assignments that end before they start, so that they
    are found here only in rows that did not come through it.

    Parameters
    ----------
    assignments
        The table assignments: manager_id, role, scope, account_id, customer_id, line, branch_id, share (millionths,
        null: the whole), from_on, to_on (null: still). May be empty.
    accounts
        account_id, customer_id.
    managers
        manager_id, branch_id, joined_on, left_on.
    rules
        ``policy.managing``.
    as_of
        The day up to which this is known.

    Returns
    -------
    pl.DataFrame
        finding (Enum: ends before it starts, after the last day, assigned twice, shares over one, shares below one, two
        branches, gap, no customers), role, scope, object (the account's, customer's, branch's id, or customer and
        line), customer_id, manager_id and other_id (the first two whom it concerns), from_on and to_on (first and last
        day on which it is so, null: still), share (of shares over and below one: the farthest from one, in
        millionths), rule (what is done about it); by finding, role, scope, day and object.

    Raises
    ------
    InputError
        When a column is missing.

    Examples
    --------
    >>> from crmlab.policy import load
    >>> rows = pl.DataFrame({"manager_id": ["M1", "M2"], "role": "maintains", "scope": "customer", "account_id": None,
    ...     "customer_id": [7, 7], "line": None, "branch_id": None, "share": [600_000, 700_000],
    ...     "from_on": [date(2024, 1, 1), date(2024, 3, 1)], "to_on": None})
    >>> accounts = pl.DataFrame({"account_id": [1], "customer_id": [7]})
    >>> managers = pl.DataFrame({"manager_id": ["M1", "M2"], "branch_id": "B1", "joined_on": date(2020, 1, 1),
    ...     "left_on": None})
    >>> found = findings(rows, accounts, managers, load().managing, date(2024, 6, 30))
    >>> found.select("finding", "manager_id", "other_id", "from_on", "share").rows()[0]
    ('shares over one', 'M1', 'M2', datetime.date(2024, 3, 1), 1300000)
    """
    named(assignments.columns, ASSIGNMENTS, "managers.findings")
    named(accounts.columns, ["account_id", "customer_id"], "managers.findings")
    named(managers.columns, ["manager_id", "branch_id", "joined_on", "left_on"], "managers.findings")
    rows = _objects(assignments, accounts, managers)
    upside_down = pl.col("from_on") > pl.col("to_on")
    held = rows.filter(~upside_down, pl.col("from_on") <= pl.col("last_on")).with_columns(
        to_on=pl.min_horizontal("to_on", "last_on")
    )
    # Who brought a customer did so for good; only who looks after one should have handed over.
    keeps = pl.col("role") == "maintains"
    late = rows.filter(
        keeps, ~upside_down, pl.col("to_on") > pl.col("last_on"), pl.col("last_on") <= as_of
    ).with_columns(from_on=pl.max_horizontal("from_on", pl.col("last_on") + DAY))
    found = {
        "ends before it starts": rows.filter(upside_down),
        "after the last day": late,
        **_by_day(held, as_of, WHO[rules.two_branches]),
        "gap": _gaps(held, as_of),
        "no customers": _idle(held, managers, as_of),
    }
    settled = RULES | {"shares over one": OVER[rules.shares_over_one]}
    told = [_told(frame, name, settled[name]) for name, frame in found.items()]
    return pl.concat(told).sort("finding", "role", "scope", "from_on", "object", "manager_id", nulls_last=True)


def summary(findings: pl.DataFrame) -> pl.DataFrame:
    """How many of each finding and rule there are, and which is first.

    Parameters
    ----------
    findings
        As `findings` gives them.

    Returns
    -------
    pl.DataFrame
        finding, n, n_customers, first (in words), rule; those that occur, in the order of `findings`.

    Examples
    --------
    >>> row = dict.fromkeys(FINDINGS) | {"finding": "gap", "object": "7", "customer_id": 7, "rule": "It is so."}
    >>> row |= {"role": "maintains", "scope": "customer", "from_on": date(2024, 1, 5), "to_on": date(2024, 1, 9)}
    >>> summary(pl.DataFrame([row], FINDINGS)).row(0)
    ('gap', 1, 1, 'customer 7, 2024-01-05 to 2024-01-09', 'It is so.')
    """
    who = pl.concat_str(pl.lit(", "), "manager_id")
    days = pl.format(
        ", {}{}", pl.col("from_on").cast(pl.String), pl.concat_str(pl.lit(" to "), "to_on").fill_null(" on")
    )
    first = pl.concat_str(pl.concat_str("scope", pl.lit(" "), "object").fill_null("manager"), who.fill_null(""), days)
    told = findings.group_by("finding", "rule", maintain_order=True).agg(
        n=pl.len(), n_customers=pl.col("customer_id").drop_nulls().n_unique(), first=first.first()
    )
    return told.select("finding", "n", "n_customers", "first", "rule")


def kept_on(keeping: pl.DataFrame, rows: pl.DataFrame, on: str) -> pl.DataFrame:
    """The rows with the manager who kept the customer on the day in the column `on`.

    Parameters
    ----------
    keeping
        As `panel.keeping` gives it.
    rows
        customer_id and `on`.

    Returns
    -------
    pl.DataFrame
        `rows` in their order with manager_id (null: nobody).

    Examples
    --------
    >>> keeping = pl.DataFrame({"customer_id": [7, 7], "manager_id": ["M1", "M2"],
    ...     "from_on": [date(2024, 1, 1), date(2024, 3, 1)]})
    >>> kept_on(keeping, pl.DataFrame({"customer_id": [7], "on": [date(2024, 2, 29)]}), "on")["manager_id"].item()
    'M1'
    """
    spells = keeping.select("customer_id", "manager_id", "from_on").sort("from_on")
    found = (
        rows.with_row_index("#")
        .sort(on)
        .join_asof(spells, left_on=on, right_on="from_on", by="customer_id", check_sortedness=False)
    )
    return found.sort("#").drop("#", "from_on", strict=False)


def answering(keeping: pl.DataFrame, rows: pl.DataFrame, on: str, rules: Managing) -> pl.DataFrame:
    """The rows with the manager who answers for what the customer takes away on the day in the column `on`.

    That is who kept the customer ``managing.protection_days`` days before. So for so many days after a handover, the
    day itself the first, what is lost counts to the one who handed over, and not to who received; handing on once more
    does not pass it on. Where the customer came to us later than that, it is who kept them first.

    Parameters
    ----------
    keeping
        As `panel.keeping` gives it.
    rows
        customer_id and `on`.
    rules
        ``policy.managing``.

    Returns
    -------
    pl.DataFrame
        `rows` in their order with manager_id (null: the branch).

    Examples
    --------
    >>> from crmlab.policy import load
    >>> keeping = pl.DataFrame({"customer_id": [7, 7], "manager_id": ["M1", "M2"],
    ...     "from_on": [date(2024, 1, 1), date(2024, 3, 1)]})
    >>> left = pl.DataFrame({"customer_id": [7, 7], "on": [date(2024, 5, 29), date(2024, 5, 30)]})
    >>> answering(keeping, left, "on", load().managing)["manager_id"].to_list()  # 90 days from 1 March on
    ['M1', 'M2']
    """
    first = keeping.group_by("customer_id").agg(first_on=pl.col("from_on").min())
    back = rows.join(first, on="customer_id", how="left", maintain_order="left").with_columns(
        answers_on=pl.max_horizontal(pl.col(on) - pl.duration(days=rules.protection_days), "first_on")
    )
    return kept_on(keeping, back, "answers_on").drop("first_on", "answers_on")


def _objects(assignments: pl.DataFrame, accounts: pl.DataFrame, managers: pl.DataFrame) -> pl.DataFrame:
    """Assignments with the object they are about, its customer, and the manager's branch and last day."""
    scope = pl.col("scope").cast(pl.String)
    customer = pl.col("customer_id").cast(pl.String)
    object_ = (
        pl.when(scope == "account").then(pl.col("account_id").cast(pl.String))
        .when(scope == "customer").then(customer)
        .when(scope == "line").then(customer + " " + pl.col("line").cast(pl.String))
        .otherwise("branch_id")
    )  # fmt: skip
    owners = accounts.select("account_id", owner_id="customer_id")
    of = managers.select("manager_id", manager_branch="branch_id", last_on=pl.col("left_on").cast(pl.Date))
    own = [name for name in ("account_id",) if assignments.schema[name] == pl.Null]
    rows = assignments.with_columns(pl.col(own).cast(owners.schema["account_id"]))
    return (
        rows.join(owners, on="account_id", how="left", maintain_order="left")
        .join(of, on="manager_id", how="left", maintain_order="left")
        .select(
            "manager_id", pl.col("role").cast(pl.String), scope.alias("scope"), object_.alias("object"),
            pl.coalesce("customer_id", "owner_id").cast(pl.Int32).alias("customer_id"), branch_id="manager_branch",
            share=pl.col("share").fill_null(MILLION).cast(pl.Int64), from_on="from_on",
            to_on=pl.col("to_on").cast(pl.Date).fill_null(FOREVER), last_on=pl.col("last_on").fill_null(FOREVER),
        )
    )  # fmt: skip


def _by_day(held: pl.DataFrame, as_of: date, two_branches: str) -> dict[str, pl.DataFrame]:
    """What is wrong with those who have the same thing on the same day, a row an object."""
    cut = stretches(held, OBJECT).filter(pl.col("starts_on") <= as_of)
    # Of one who is assigned twice the larger share counts, as the panel has it.
    once = cut.sort("share", descending=True).unique([*OBJECT, "starts_on", "manager_id"], keep="first")
    days = once.group_by(*OBJECT, "starts_on", "ends_on").agg(
        pl.col("customer_id").first(),
        pl.col("share").sum(),
        n_branches=pl.col("branch_id").drop_nulls().n_unique(),
        managers=pl.col("manager_id").sort(),
    )
    again = cut.group_by(*OBJECT, "starts_on", "ends_on", "manager_id").agg(pl.len(), pl.col("customer_id").first())
    again = again.filter(pl.col("len") > 1).select(
        *OBJECT,
        "starts_on",
        "ends_on",
        "customer_id",
        managers=pl.concat_list("manager_id"),
        share=pl.lit(None, pl.Int64),
    )
    share, whose = pl.col("share"), pl.col("scope") != "branch"
    both = days.filter(pl.col("n_branches") > 1, whose)
    return {
        "assigned twice": _stretched(again),
        "shares over one": _stretched(days.filter(share > MILLION, whose)),
        "shares below one": _stretched(days.filter(share < MILLION, whose)),
        "two branches": pl.concat(
            _stretched(both.filter(some)).with_columns(rule=pl.lit(rule))
            for some, rule in ((share > MILLION, two_branches), (share <= MILLION, AGREED))
        ),
    }


def _stretched(days: pl.DataFrame) -> pl.DataFrame:
    """A row an object: the first and the last day, and the share farthest from one."""
    farthest = pl.col("share").sort_by((pl.col("share") - MILLION).abs(), descending=True).first()
    first = pl.col("managers").sort_by("starts_on").first()
    return (
        days.group_by(OBJECT)
        .agg(
            pl.col("customer_id").first(),
            farthest,
            manager_id=first.list.get(0),
            other_id=first.list.get(1, null_on_oob=True),
            from_on=pl.col("starts_on").min(),
            to_on=pl.col("ends_on").max(),
        )
    )  # fmt: skip


def _gaps(held: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Days on which nobody keeps a customer whom somebody kept before and somebody keeps after."""
    of = held.filter(pl.col("role") == "maintains", pl.col("scope") == "customer").sort("object", "from_on")
    # Compared as numbers of days: a running maximum of dates is one of numbers.
    until = pl.col("to_on").to_physical().cum_max().shift().over("object").cast(pl.Date)
    before = of.with_columns(until=until, other_id="manager_id", manager_id=pl.col("manager_id").shift().over("object"))
    return (
        before.filter(pl.col("from_on") > pl.col("until") + DAY, pl.col("from_on") <= as_of)
        .with_columns(from_on=pl.col("until") + DAY, to_on=pl.col("from_on") - DAY, share=pl.lit(None, pl.Int64))
    )  # fmt: skip


def _idle(held: pl.DataFrame, managers: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Managers at work on the day who keep nobody."""
    now = held.filter(pl.col("role") == "maintains", pl.col("from_on") <= as_of, pl.col("to_on") >= as_of)
    at_work = (pl.col("joined_on").is_null() | (pl.col("joined_on") <= as_of)) & (
        pl.col("left_on").is_null() | (pl.col("left_on") > as_of)
    )
    idle = managers.filter(at_work).join(now, on="manager_id", how="anti")
    return idle.select("manager_id", role=pl.lit("maintains"), from_on=pl.lit(as_of))


def _told(frame: pl.DataFrame, finding: str, rule: str) -> pl.DataFrame:
    about = {"finding": finding, "rule": rule}
    known = frame.with_columns(pl.lit(value).alias(name) for name, value in about.items() if name not in frame.columns)
    lacking = [pl.lit(None, dtype).alias(name) for name, dtype in FINDINGS.items() if name not in known.columns]
    told = known.with_columns(lacking).select(pl.col(name).cast(dtype) for name, dtype in FINDINGS.items())
    of_shares = pl.col("finding").cast(pl.String).is_in(["shares over one", "shares below one"])
    return told.with_columns(pl.col("to_on").replace(FOREVER, None), share=pl.when(of_shares).then(pl.col("share")))
