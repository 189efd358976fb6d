"""What only a whole table tells (or a month of transactions): keys given twice, shares that do not add up."""

from datetime import date

import dataframely as dy
import polars as pl

from crmlab.bank import parse, relations
from crmlab.bank.rows import UNIT_DIGITS, money_column
from crmlab.bank.schema import KNOWN_ON, NULLABLE_KEYS, TABLES


def split(rows: pl.DataFrame, table: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows that stand, and those that break a rule of the whole table with the `rule`.

    A row repeated word for word stands once. Of rows that share a key and differ, those known from a later day on fall,
    so that no later row can take away an earlier one; those known from the same day on all fall: which one is right is
    not ours to guess.
    """
    broken = doubled(rows, key(table), KNOWN_ON.get(table))
    if table == "holders":
        uneven = relations.uneven_shares(rows)
        broken = pl.select(pl.coalesce(broken, pl.when(uneven).then(pl.lit("share|uneven")))).to_series()
    if broken.null_count() == rows.height:
        return rows, rows.clear().with_columns(rule=pl.lit(""))
    return rows.filter(broken.is_null()), rows.with_columns(rule=broken).filter(broken.is_not_null())


def key(table: str) -> list[str]:
    """The columns that name a row of a table."""
    return NULLABLE_KEYS.get(table) or TABLES[table].primary_key()


def doubled(rows: pl.DataFrame, key: list[str], known_on: str | None = None) -> pl.Series:
    """The rule that a row breaks by its key, or null; a row whose first key is null has no name to share.

    A row is known from the day in `known_on` on, or from the start where that is null.

    Examples
    --------
    >>> rows = pl.DataFrame({"id": ["a", "a", "b", "b", "c"], "x": [1, 1, 1, 2, 1], "file": "f", "row": range(5)})
    >>> doubled(rows, ["id"]).to_list()
    [None, 'id|repeated', 'id|conflicting', 'id|conflicting', None]
    """
    clear = pl.Series("rule", [], pl.String).extend_constant(None, rows.height)
    named = pl.col(key[0]).is_not_null() if key else False
    keys = rows.lazy().filter(named).select(key).collect()
    if keys.n_unique() == keys.height:
        return clear
    day = (pl.col(known_on) if known_on else pl.lit(None, pl.Date)).fill_null(date.min)
    held = rows.with_row_index("#").filter(named).filter(pl.struct(key).is_duplicated()).with_columns(day.alias("#on"))
    later = pl.col("#on") > pl.col("#on").min().over(key)
    content = pl.struct(pl.exclude("#", "#on", "file", "row", *key))
    differ = content.n_unique().over(*key, "#on") > 1
    again = ~pl.struct(*key, "#on").is_first_distinct()
    name = "+".join(key)
    rule = pl.when(later | differ).then(pl.lit(f"{name}|conflicting")).when(again).then(pl.lit(f"{name}|repeated"))
    return clear.scatter(held["#"], held.select(rule).to_series())


def as_text(
    rows: pl.DataFrame, table: str, known: dict[str, pl.DataFrame], base_digits: int, files: list[str]
) -> pl.DataFrame:
    """Typed rows with their `rule` as text again, as they would stand in an extract."""
    if rows.is_empty():
        return pl.DataFrame()
    for column, parent in relations.PARENTS.get(table, {}).items():
        if parent in ("customers", "accounts"):
            facts = known[parent].rename(lambda name, column=column: f"{column}.{name}")
            rows = rows.join(facts, left_on=column, right_on=f"{column}.number", how="left", maintain_order="left")
            rows = rows.with_columns(pl.col(f"{column}.id").alias(column))
    wanted = []
    for name, column in TABLES[table].columns().items():
        unit = (column.metadata or {}).get("unit")
        digits = UNIT_DIGITS.get(unit, base_digits)
        if unit == "money" and money_column(table):
            digits = pl.col("account_id.digits")
        number = isinstance(column, dy.Int64 | dy.Int32)
        wanted.append(parse.as_text(pl.col(name), digits).alias(name) if number else pl.col(name).cast(pl.String))
    file = pl.lit(pl.Series(files)).gather("file").alias("file")
    return rows.select("rule", file, pl.col("row").cast(pl.String), *wanted)
