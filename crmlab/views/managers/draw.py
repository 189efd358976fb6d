"""What `managers` draws: figures of its tables, by the reader's choice."""

import plotly.graph_objects as go
import polars as pl

from crmlab.measures.managers.bridging import BARS
from crmlab.views import theme
from crmlab.views.book import ALL
from crmlab.views.figures import bridge as bridge_figure
from crmlab.views.figures import standing
from crmlab.views.managers import peers
from crmlab.views.managers.tables import Tables
from crmlab.views.words import word

MOST_ROWS = 40  # managers in a figure with a row each


def funnel(tables: Tables, measure: str | None, branch: str = ALL, manager: str = ALL) -> go.Figure:
    """Every manager between the limits of their own book."""
    rows = tables.differences(measure, branch)
    axis = word("managers.axis_away", unit=_unit(tables, rows))
    return standing.funnel(rows, manager, axis, _is_rate(rows), nothing(tables, "fairness"))


def lasting(tables: Tables, measure: str | None, branch: str = ALL, manager: str = ALL) -> go.Figure:
    """What of the difference will last: the peers of the manager chosen, or everybody's two ends."""
    found = tables.differences(measure, branch)
    if found.height:
        found = ends(peers_of(tables, found, manager).drop_nulls("lasting").sort("lasting", "manager_id"))
    axis = word("managers.axis_away", unit=_unit(tables, found))
    return standing.lasting(found, manager, axis, _is_rate(found), nothing(tables, "fairness"))


def peers_of(tables: Tables, rows: pl.DataFrame, manager: str) -> pl.DataFrame:
    """The manager and their peers; everybody where no manager is chosen."""
    others = peers.whom(tables, manager).others
    return rows.filter(pl.col("manager_id").is_in([manager, *others])) if others else rows


def ends(rows: pl.DataFrame) -> pl.DataFrame:
    """The highest and the lowest of many, the highest first; the rows come in with the lowest first."""
    if rows.height <= MOST_ROWS:
        return rows.reverse()
    half = MOST_ROWS // 2
    return pl.concat([rows.head(half), rows.tail(half)]).reverse()


def bridge(tables: Tables, branch: str = ALL, manager: str = ALL) -> go.Figure:
    """What moved the book of the manager in the year; without one that of the branch, else that of the bank."""
    return _bridge(tables, level(branch, manager), branch, manager)


def apart(tables: Tables, branch: str = ALL, manager: str = ALL) -> go.Figure:
    """What was their own and what was handed over, of the branches; of a branch's managers where one is chosen."""
    home = tables.home.get(manager) or branch
    rows = tables.page("book_bridges", branch=home)
    if rows.width:
        rows = tables.named(
            rows.filter(pl.col("level") == ("manager" if home else "branch"), pl.col("branch_id").is_not_null())
        )
    if not rows.height:
        return theme.sentence(tables.without.get("book_bridges") or word("managers.bridge_none"), bridge_figure.HEIGHT)
    unit = 10**tables.mart.minor_digits
    told = rows.select(
        key="manager_id" if home else "branch_id",
        name=pl.col("manager").fill_null(word("filter.public")) if home else "branch",
        own=(pl.col("new") + pl.col("net_new_money") - pl.col("lost")) / unit,
        handed=(pl.col("handed_in") - pl.col("handed_out")) / unit,
    )
    return standing.apart(told.sort("own", "name", descending=[True, False]), manager)


def level(branch: str, manager: str) -> str:
    """Whose book is meant: a manager's, a branch's or the bank's."""
    return "manager" if manager else "branch" if branch else "bank"


def bars(tables: Tables, of: str, branch: str = ALL, manager: str = ALL) -> dict | None:
    """The row of `book_bridges` of a manager, of the manager's branch or of the bank."""
    rows = tables.mart.page("book_bridges")
    if not rows.width:
        return None
    rows = rows.filter(pl.col("level") == of)
    if of == "manager":
        rows = rows.filter(pl.col("manager_id") == manager)
    if of == "branch":
        rows = rows.filter(pl.col("branch_id") == (tables.home.get(manager) or branch))
    return rows.row(0, named=True) if rows.height else None


def points(tables: Tables, manager: str = ALL) -> go.Figure:
    """What each rule gave the manager in the last period."""
    nothing_told = word("managers.not_lately" if manager else "managers.choose")
    return standing.points(trace(tables, manager), tables.without.get("scores") or nothing_told)


def trace(tables: Tables, manager: str) -> pl.DataFrame:
    """The trace of a manager's last period with points as whole numbers; nothing where no manager is chosen."""
    rows = tables.page("scores")
    if not rows.height or not manager:
        return rows.clear()
    own = rows.filter(pl.col("manager_id") == manager)
    return (
        own.filter(pl.col("period") == pl.col("period").max())
        .sort("place")
        .with_columns(points=pl.col("points") / 1000)
    )


def rule(tables: Tables, manager: str, clicked: list | None) -> dict | None:
    """The row of the trace that was clicked."""
    rows = trace(tables, manager)
    found = rows.filter(pl.col("place") == clicked[0]) if clicked and rows.height else rows.clear()
    return found.row(0, named=True) if found.height else None


def contacts(tables: Tables, branch: str = ALL, manager: str = ALL) -> go.Figure:
    """Contacts overdue and due, beside what each manager can make in a month."""
    rows = load(tables, branch, manager)
    return standing.contacts(rows.head(MOST_ROWS), word("managers.no_duty"))


def load(tables: Tables, branch: str = ALL, manager: str = ALL) -> pl.DataFrame:
    """A row a manager: contacts due and overdue and what they can make, the most overdue first."""
    rows = tables.page("duties", branch=branch, manager=manager)
    if not rows.height:
        return rows
    rows = tables.named(rows).with_columns(n_more=(pl.col("n_needed") - pl.col("n_overdue")).clip(0))
    return rows.sort("n_overdue", "n_needed", "manager_id", descending=[True, True, False])


def nothing(tables: Tables, name: str) -> str:
    """Why a table is empty."""
    return tables.without.get(name) or word("managers.none_here")


def _bridge(tables: Tables, of: str, branch: str, manager: str) -> go.Figure:
    row = bars(tables, of, branch, manager)
    if row is None:
        return theme.sentence(word("managers.bridge_none"), bridge_figure.HEIGHT)
    signs = {name: sign * row[name] for name, sign in BARS.items() if name == "opening" or row[name]}
    labels = {name: theme.month(day) for name, day in zip(("opening", "closing"), _days(row), strict=True)}
    labels |= {name: word(f"managers.bar_{name}") for name in BARS if name != "opening"}
    parts = signs | {"closing": row["closing"]}
    return bridge_figure.waterfall(parts, labels, tables.mart.base_currency, tables.mart.minor_digits, False)


def _days(row: dict) -> tuple:
    return row["from_on"], row["to_on"]


def _is_rate(rows: pl.DataFrame) -> bool:
    return bool(rows.height and rows["kind"][0] == "rate")


def _unit(tables: Tables, rows: pl.DataFrame) -> str:
    if _is_rate(rows):
        return word("managers.points_of_rate")
    return word("managers.unit_money", currency=tables.mart.base_currency)
