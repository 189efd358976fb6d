"""One batch of a table: text to values, each row by the rules of the dictionary and beside its parents.

A fault is a row number and the rule it breaks; a row counts under the first rule it breaks, in the order: unreadable
value, rule of the dictionary, rule across tables.
"""

import copy
from dataclasses import dataclass
from functools import cache

import dataframely as dy
import polars as pl

from crmlab.bank import parse, relations
from crmlab.bank.extract import Batch
from crmlab.bank.schema import TABLES
from crmlab.errors import InputError

FAULTS = {"row": pl.UInt32, "rule": pl.String}
UNIT_DIGITS = {"millionths": 6, "hundred-millionths": 8, None: 0}


@dataclass(frozen=True)
class Read:
    """What became of a batch: the good rows, the rejected as text, and the money of both by currency."""

    good: pl.DataFrame
    rejected: pl.DataFrame
    money: dict[str, int]
    rejected_money: dict[str, int]
    n_unreadable: int
    largest_sum: int


def money_column(table: str) -> str | None:
    """The column of a table that is summed into control totals."""
    return {"transactions": "amount", "balances": "balance"}.get(table)


class Reader:
    """Reads the batches of one table; it remembers of each file how numbers are written there.

    `files` names the files by the number that good rows carry as `file`.
    """

    def __init__(self, table: str, known: dict[str, pl.DataFrame], digits: dict[str, int], base_digits: int):
        self.table = table
        self.known = known
        self.digits = digits
        self.base_digits = base_digits
        self.files: list[str] = []
        self._commas: dict[tuple[str, str], bool] = {}

    def read(self, batch: Batch) -> Read:
        """Parse, check and relate the rows of a batch."""
        frame, faults = self._values(batch)
        frame = relations.with_parents(frame, self.table, self.known)
        frame, in_units = self._in_units(frame)
        good, by_schema = _by_schema(frame, self.table)
        across = relations.rules(self.table, self.known)
        faults = pl.concat(
            [*faults, *in_units, *by_schema, *(_faults(frame, rule, is_) for rule, is_ in across.items())]
        )
        faults = faults.unique("row", keep="first", maintain_order=True).sort("row")
        if faults.height:
            bad = faults["row"].implode()
            good = good.filter(~pl.col("row").is_in(bad))
            parents = frame.filter(~pl.col("row").is_in(bad))
        else:
            parents = frame
        rejected = frame.filter(pl.col("row").is_in(faults["row"].implode())) if faults.height else frame.clear()
        numbers = [
            parents[f"{column}.number"].alias(column)
            for column, parent in relations.PARENTS.get(self.table, {}).items()
            if parent in ("customers", "accounts")
        ]
        if batch.file not in self.files[-1:]:
            self.files.append(batch.file)
        number = pl.lit(len(self.files) - 1, pl.UInt32)
        good = good.with_columns(*numbers, row=pl.col("row") + batch.first_row, file=number)
        return Read(
            good,
            _as_delivered(batch, faults, TABLES[self.table]),
            *self._money(frame, rejected),
        )

    def _values(self, batch: Batch) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
        n = batch.rows.height
        values = [pl.int_range(n, dtype=pl.UInt32, eager=True).alias("row")]
        faults = [pl.DataFrame(schema=FAULTS)]
        for name, column in TABLES[self.table].columns().items():
            if name not in batch.rows.columns:
                values.append(pl.Series(name, [], _read_type(column)).extend_constant(None, n))
                continue
            raw = _text(batch.rows[name], batch.file)
            value = self._value(raw, name, column, batch.file).alias(name)
            values.append(value)
            if value.null_count() != raw.null_count():
                rows = (raw.is_not_null() & value.is_null()).arg_true()
                too_fine = raw.gather(rows).cast(pl.String).str.contains(r"^-?\d+\.\d{11,}$")
                rule = pl.select(
                    pl.when(too_fine & value.dtype.is_decimal())
                    .then(pl.lit(f"{name}|decimals"))
                    .otherwise(pl.lit(f"{name}|format"))
                )
                faults.append(pl.DataFrame({"row": rows, "rule": rule.to_series()}, schema=FAULTS))
        return pl.DataFrame(values), faults

    def _value(self, raw: pl.Series, name: str, column: dy.Column, file: str) -> pl.Series:
        if isinstance(column, dy.Date):
            return parse.dates(raw)
        if isinstance(column, dy.Bool):
            return parse.flags(raw)
        if isinstance(column, dy.Int64 | dy.Int32):
            return self._number(raw, (file, name), (column.metadata or {}).get("unit") == "millionths")
        return raw.cast(pl.String)

    def _number(self, raw: pl.Series, place: tuple[str, str], percent: bool) -> pl.Series:
        """Numbers as written in this column of this file: the first of its rows that tell decide."""
        comma = self._commas.get(place)
        if comma is None:
            comma = parse.decimal_comma(raw.head(1000))
        value = parse.numbers(raw, bool(comma), percent)
        if comma is None and value.null_count() > raw.null_count():
            comma = parse.decimal_comma(raw)
            value = parse.numbers(raw, bool(comma), percent)
        if comma is not None:
            self._commas[place] = comma
        return value

    def _in_units(self, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
        """Decimals as whole units of what their column counts, which for money hangs on the currency."""
        faults = []
        for name, column in TABLES[self.table].columns().items():
            if not isinstance(column, dy.Int64 | dy.Int32):
                continue
            unit = (column.metadata or {}).get("unit")
            digits = self._money_digits() if unit == "money" else UNIT_DIGITS[unit]
            units = parse.units(pl.col(name), digits)
            if isinstance(column, dy.Int32):
                units = units.cast(pl.Int32, strict=False)
            before = frame[name]
            frame = frame.with_columns(units.alias(name))
            if frame[name].null_count() != before.null_count():
                fine = frame.with_columns(before.to_physical().alias("#fine"))
                lost = pl.col("#fine").is_not_null() & pl.col(name).is_null()
                small = pl.col("#fine").abs() < 2**63
                rule = pl.when(small).then(pl.lit(f"{name}|decimals")).otherwise(pl.lit(f"{name}|size"))
                faults.append(fine.filter(lost).select("row", rule.alias("rule")))
        return frame, faults

    def _money_digits(self) -> int | pl.Expr:
        if money_column(self.table):
            return pl.col("account_id.digits").fill_null(self.base_digits)
        if self.table == "accounts":
            return pl.col("currency").replace_strict(self.digits, default=2, return_dtype=pl.Int64)
        return self.base_digits

    def _money(self, frame: pl.DataFrame, rejected: pl.DataFrame) -> tuple[dict, dict, int, int]:
        name = money_column(self.table)
        if name is None:
            return {}, {}, 0, 0
        largest = int(frame.select(pl.col(name).cast(pl.Int128).abs().sum()).item() or 0)
        return _by_currency(frame, name), _by_currency(rejected, name), rejected[name].null_count(), largest


def _by_currency(frame: pl.DataFrame, name: str) -> dict[str, int]:
    sums = frame.group_by("account_id.currency").agg(pl.col(name).cast(pl.Int128).sum())
    return {currency or "account unknown": int(total) for currency, total in sums.iter_rows()}


def _text(values: pl.Series, file: str) -> pl.Series:
    """The delivered values, with text in place of what Parquet has as categories."""
    if values.dtype.is_nested():
        raise InputError(f"The column {values.name} of {file} holds lists or records. Deliver one value a row.")
    if values.dtype == pl.Categorical or isinstance(values.dtype, pl.Enum):
        values = values.cast(pl.String)
    return values


def _read_type(column: dy.Column) -> pl.DataType:
    return parse.EXACT if isinstance(column, dy.Int64 | dy.Int32) else column.dtype


@cache
def row_schema(table: str) -> type[dy.Schema]:
    """The schema of a table for single rows: without its key, which is checked on the whole table, with `row`."""
    schema = TABLES[table]
    columns = {name: copy.copy(column) for name, column in schema.columns().items()}
    for column in columns.values():
        column.primary_key = False
    return type(f"{schema.__name__}Rows", (schema,), columns | {"row": dy.UInt32(nullable=False)})


def _by_schema(frame: pl.DataFrame, table: str) -> tuple[pl.DataFrame, list[pl.DataFrame]]:
    good, failure = row_schema(table).filter(frame.select("row", *TABLES[table].columns()), cast=True)
    if good.height == frame.height:
        return good, []
    details = failure.details()
    rules = [name for name in details.columns if name not in good.columns]
    return good, [
        _faults(details, rule, pl.col(rule) == "invalid") for rule in sorted(rules, key=lambda r: "|" not in r)
    ]


def _faults(frame: pl.DataFrame, rule: str, broken: pl.Expr) -> pl.DataFrame:
    return frame.filter(broken).select("row", pl.lit(rule).alias("rule"))


def _as_delivered(batch: Batch, faults: pl.DataFrame, schema: type[dy.Schema]) -> pl.DataFrame:
    raw = batch.rows[faults["row"]].select(pl.all().cast(pl.String))
    where = {"file": pl.lit(batch.file), "row": (pl.Series(faults["row"]) + batch.first_row).cast(pl.String)}
    absent = [pl.lit(None, pl.String).alias(name) for name in schema.columns() if name not in raw.columns]
    return (
        raw.with_columns(rule=faults["rule"], **where)
        .with_columns(absent)
        .select("rule", "file", "row", *schema.columns())
    )
