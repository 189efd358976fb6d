"""What became of those on issued lists, in words, a table and a list."""

from html import escape

import polars as pl

from crmlab.measures.churn import followup
from crmlab.views import theme
from crmlab.views.parts import small_table
from crmlab.views.retention.tables import Tables
from crmlab.views.widgets import Column
from crmlab.views.words import named, word

MOST = 6  # lists that are told, the latest first
COLUMNS = [
    Column("list_name"), Column("rank", "count"), Column("customer_no"), Column("manager"),
    Column("is_control", "flag"), Column("probability", "percent"), Column("issued_on", "date"),
    Column("read_out_on", "date"),
]  # fmt: skip


def table(tables: Tables, n_lists: int) -> str:
    """Each list with its arms, and what can be said of it; a sentence where none was issued."""
    arms = tables.fate(n_lists) if n_lists else None
    if arms is None:
        return f'<p class="crmlab-sentence">{word("retention.fate_none")}</p>'
    told = _latest(followup.effects(arms))
    rows = [row for one in told.iter_rows(named=True) for row in _rows(tables, one, arms)]
    head = [word(f"retention.fate_{name}", currency=tables.mart.base_currency) for name in HEAD]
    sentences = "".join(f"<p>{sentence(row)}</p>" for row in told.iter_rows(named=True))
    people = f'<p class="crmlab-reading">{word("retention.fate_people")}</p>'
    return f'<div class="crmlab-reading">{sentences}</div>{small_table(head, rows, "ttnnnn")}{people}'


def last(tables: Tables, n_lists: int) -> str:
    """What can be said of the latest call list; nothing where none was issued."""
    arms = tables.fate(n_lists) if n_lists else None
    if arms is None:
        return ""
    row = _latest(followup.effects(arms)).row(0, named=True)
    return word("retention.fate_last", text=sentence(row))


def sentence(row: dict) -> str:
    """What can be said of a list (`followup.effects`)."""
    if row["verdict"] == "not yet":
        days = {"on": theme.day(row["issued_on"]), "read_out": theme.day(row["read_out_on"])}
        return word("retention.fate_wait", name=escape(row["name"]), **days)
    shares = {
        "listed": theme.share(row["n_left"] / row["n_listed"] if row["n_listed"] else None),
        "control": theme.share(row["n_control_left"] / row["n_control"] if row["n_control"] else None),
    }
    if row["difference"] is None:
        return word("retention.fate_few", name=escape(row["name"]), why=row["why"], **shares)
    points = {name: theme.points(row[name]) for name in ("difference", "lower", "upper")}
    verdict = word(f"retention.fate_{row['verdict'].replace(' ', '_')}")
    return word("retention.fate_told", name=escape(row["name"]), verdict=verdict, **shares, **points)


def people(tables: Tables, n_lists: int, **chosen: str) -> pl.DataFrame:
    """Who stands on the issued lists, the latest first."""
    if not n_lists:
        return pl.DataFrame(schema={column.name: pl.String for column in COLUMNS})
    calls = tables.issued(n_lists).filter(pl.col("product_id").is_null())
    rows = tables.with_names(tables.of_filters(calls, **chosen))
    return rows.sort("issued_on", "list_id", "rank", descending=[True, True, False]).select(
        "rank", "customer_no", "manager", "is_control", "probability", "issued_on", "read_out_on", list_name="name"
    )


HEAD = ("list", "arm", "n", "left", "rate", "lost")


def _latest(effects: pl.DataFrame) -> pl.DataFrame:
    return effects.sort("issued_on", "list_id", descending=True).head(MOST)


def _rows(tables: Tables, one: dict, arms: pl.DataFrame) -> list[tuple[str, ...]]:
    rows = arms.filter(pl.col("list_id") == one["list_id"])
    is_over, digits = rows["is_over"][0], tables.mart.minor_digits
    wait = word("retention.fate_not_yet", on=theme.day(one["read_out_on"]))
    return [
        (
            "" if at else escape(one["name"]),
            named("arm", row["arm"]),
            theme.whole(row["n"]),
            theme.whole(row["n_left"]) if is_over else "–",
            _rate(row) if is_over else "" if at else wait,
            theme.money(row["lost"], digits) if is_over else "–",
        )
        for at, row in enumerate(rows.iter_rows(named=True))
    ]


def _rate(row: dict) -> str:
    if row["rate"] is None:
        return word("retention.fate_nobody")
    ends = f"{theme.share(row['lower'])}–{theme.share(row['upper'])}".replace(" %–", "–")
    return f"{theme.share(row['rate'])} <small>{ends}</small>"
