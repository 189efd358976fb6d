"""The lists of `managers`: peers, books, who moves, contacts due, and a book dealt anew."""

from collections.abc import Callable

import polars as pl

from crmlab.errors import InputError
from crmlab.views.book import ALL
from crmlab.views.managers import behind
from crmlab.views.managers.changing import Change
from crmlab.views.managers.peers import COLUMNS as AMONG
from crmlab.views.managers.peers import by_measure
from crmlab.views.managers.tables import Tables, worth
from crmlab.views.widgets import Column, Table, table
from crmlab.views.words import named, word

SIZE = 8  # rows of a list
PEERS = [
    Column("manager"), Column("branch"), Column("grade"), Column("n_customers", "count"),
    Column("manager_verdict", "named"), Column("ratio_told"), Column("lasting_told"), Column("rank_told"),
    Column("points_told", "count"), Column("line_reached", "named"), Column("amount_pay", "money"),
]  # fmt: skip
BOOKS = [
    Column("manager"), Column("branch"), Column("n_customers", "count"),
    Column("amount_opening", "money"), Column("amount_new", "change"), Column("amount_net", "change"),
    Column("amount_lost", "change"), Column("amount_handed_in", "change"), Column("amount_handed_out", "change"),
    Column("amount_interest", "change"), Column("amount_valuation", "change"), Column("amount_fx", "change"),
    Column("amount_closing", "money"),
]  # fmt: skip
MOVERS = [
    Column("manager"), Column("branch"), Column("points_before", "count"), Column("points_after", "count"),
    Column("points_change", "count"), Column("line_before", "named"), Column("line_after", "named"),
    Column("amount_pay_before", "money"), Column("amount_pay_after", "money"), Column("amount_pay_change", "change"),
]  # fmt: skip
DUE = [
    Column("customer_no"), Column("name"), Column("manager"), Column("duty"), Column("last_told", "prose"),
    Column("due_on", "date"), Column("days_overdue", "count"),
]  # fmt: skip
RECUT = [
    Column("customer_no"), Column("name"), Column("kind", "named"), Column("from_manager"), Column("to_manager"),
    Column("contribution", "money"), Column("n_contacts_due", "count"), Column("why_them", "prose"),
]  # fmt: skip
FINDINGS = [
    Column("finding"), Column("customer_no"), Column("manager"), Column("other_manager"), Column("from_day", "date"),
    Column("to_day", "date"), Column("settled_by", "prose"),
]  # fmt: skip
OF_BAR = {
    "amount_opening": "opening", "amount_new": "new", "amount_net": "net_new_money", "amount_handed_in": "handed_in",
    "amount_interest": "interest", "amount_valuation": "valuation", "amount_fx": "fx", "amount_closing": "closing",
}  # fmt: skip


def peers(tables: Tables, measure: str | None, branch: str = ALL) -> pl.DataFrame:
    """Everybody with what will last of their difference, its interval, the ranks they could as well have, and points.

    In the order of managers: an order by rank would say more than is known.
    """
    rows = tables.differences(measure, branch)
    if not rows.height:
        return pl.DataFrame(schema=dict.fromkeys(("manager_id", *(one.name for one in PEERS)), pl.String))
    is_rate = rows["kind"][0] == "rate"
    last = pl.col("period") == pl.col("period").max().over("manager_id")
    totals = tables.page("totals")
    if totals.height:
        scored = totals.filter(last).select(
            "manager_id", points_told=_points("points"), line_reached="line", amount_pay="pay"
        )
        rows = rows.join(scored, on="manager_id", how="left", maintain_order="left")
    else:
        rows = rows.with_columns(points_told=pl.lit(None, pl.Float64), line_reached=pl.lit(None, pl.String),
                                 amount_pay=pl.lit(None, pl.Int64))  # fmt: skip
    lasting = [_interval(row, is_rate) for row in rows.iter_rows(named=True)]
    rows = rows.with_columns(lasting_told=pl.Series(lasting, dtype=pl.String))
    rows = rows.join(tables.staff().select("manager_id", "grade"), on="manager_id", how="left", maintain_order="left")
    return rows.sort("manager", "manager_id").select(
        "manager_id", "manager", "branch", "grade", "n_customers", manager_verdict="status",
        ratio_told=pl.col("ratio").round(2).cast(pl.String), lasting_told="lasting_told",
        rank_told=pl.when(pl.col("rank").is_not_null()).then(pl.format("{}–{}", "rank_lower", "rank_upper")),
        points_told="points_told", line_reached="line_reached", amount_pay="amount_pay",
    )  # fmt: skip


def books(tables: Tables, branch: str = ALL) -> pl.DataFrame:
    """The bridge of every manager's book, and of what is nobody's in a branch."""
    rows = tables.page("book_bridges", branch=branch)
    if not rows.height:
        return pl.DataFrame(schema=dict.fromkeys(("manager_id", *(one.name for one in BOOKS)), pl.String))
    rows = tables.named(rows.filter(pl.col("level") == "manager"))
    return rows.sort("branch", "manager_id", nulls_last=True).select(
        "manager_id", pl.col("manager").fill_null(word("filter.public")), "branch", "n_customers",
        **OF_BAR, amount_lost=-pl.col("lost"), amount_handed_out=-pl.col("handed_out"),
    )  # fmt: skip


def movers(tables: Tables, changes: tuple[Change, ...]) -> pl.DataFrame:
    """Who would move under other rules, those whose pay moves most first; nobody where there can be no such rules."""
    try:
        people = tables.if_so(changes).people
    except InputError:  # which is told above the list
        people = tables.if_so(()).people
    home = pl.col("manager_id").replace_strict(tables.home, default=None, return_dtype=pl.String).alias("branch_id")
    pay = {f"amount_pay_{end}": f"pay_{end}" for end in ("before", "after", "change")}
    return tables.named(people.with_columns(home)).select(
        "manager_id", "manager", "branch", points_before=_points("points_before"), points_after=_points("points_after"),
        points_change=_points("points_change"), line_before="line_before", line_after="line_after",
        **pay,
    )  # fmt: skip


def due(tables: Tables, branch: str = ALL, manager: str = ALL) -> pl.DataFrame:
    """Whom to contact, those who have waited longest beyond their day first; of some it is not known for how long."""
    rows = tables.page("due", branch=branch, manager=manager)
    if not rows.height:
        return pl.DataFrame(schema=dict.fromkeys((one.name for one in DUE), pl.String))
    told = [
        word(f"managers.duty_{by}", who=named("duty", who), times=times, per=per)
        for by, who, times, per in rows.select("by", "who", "times", "per").rows()
    ]
    return tables.named(rows).select(
        "customer_no", "name", "manager", pl.Series("duty", told, pl.String), "last_on", "due_on",
        last_told="told", days_overdue=pl.when(pl.col("overdue_days") > 0).then("overdue_days"),
    ).sort("due_on", "customer_no")  # fmt: skip


def findings(tables: Tables, branch: str = ALL, manager: str = ALL) -> pl.DataFrame:
    """What is wrong with the assignments, one by one."""
    rows = tables.page("assignment_findings", branch=branch, manager=manager)
    if not rows.height:
        return pl.DataFrame(schema=dict.fromkeys((one.name for one in FINDINGS), pl.String))
    other = pl.col("other_id").replace_strict(tables.managers, default=pl.col("other_id"), return_dtype=pl.String)
    return tables.named(rows.drop("branch_id")).select(
        "finding", "customer_no", "manager", other_manager=other, from_day="from_on", to_day="to_on", settled_by="rule"
    )  # fmt: skip


KEYS = dict.fromkeys(("peers", "books", "movers"), "manager_id")
KEYS |= dict.fromkeys(("behind", "due", "recut", "findings"), "customer_no") | {"among": "measure"}
MADE = {"peers": (peers, PEERS), "among": (by_measure, AMONG), "books": (books, BOOKS), "movers": (movers, MOVERS),
        "due": (due, DUE), "findings": (findings, FINDINGS), "recut": (None, RECUT),
        "behind": (behind.rows, behind.COLUMNS)}  # fmt: skip


def listed(
    tables: Tables, name: str, opened: Callable[[str], None] | None, made: Callable | None = None, **controls: object
) -> Table:
    """One of the lists, with search and download, that says in its own words when it is empty.

    A list that is made of more than its tables and its controls is `made` by who asks for it.
    """
    known, columns = MADE[name]
    made = made or known
    shown = table(
        lambda asked: made(tables, **asked),
        columns,
        key=KEYS.get(name),
        search=[column.name for column in columns if column.form in ("text", "prose")],
        file=word(f"managers.{name}_file"),
        digits=tables.mart.minor_digits,
        sort=None,
        opened=opened,
        size=SIZE,
        **controls,
    )
    shown.words = shown.words | {"empty": word(f"managers.{name}_empty")}
    return shown


def _points(name: str) -> pl.Expr:
    return (pl.col(name) / 1000).round(1)


def _interval(row: dict, is_rate: bool) -> str | None:
    """What will last, with its interval; nothing where nothing can be said."""
    if row["lasting"] is None:
        return None
    return word("managers.interval", **{one: worth(row[one], is_rate, True) for one in ("lasting", "lower", "upper")})
