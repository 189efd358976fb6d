"""What a measure asks of the frames it is given, and the sentences where it is not so."""

from collections.abc import Sequence

import polars as pl

from crmlab.errors import InputError, near_miss

LARGEST = 2**63 - 1


def keys(by: str | Sequence[str] | None) -> list[str]:
    """The columns that rows are grouped by, whether one is named, several, or none.

    Examples
    --------
    >>> keys("kind"), keys(("kind", "branch_id")), keys(None)
    (['kind'], ['kind', 'branch_id'], [])
    """
    return [by] if isinstance(by, str) else list(by or [])


def required(frame: pl.DataFrame, columns: list[str], measure: str) -> None:
    """Stop where a frame is empty, lacks a column, or has rows without a value in one.

    Examples
    --------
    >>> required(pl.DataFrame({"value": [1, None]}), ["value"], "tiers.history")
    Traceback (most recent call last):
    crmlab.errors.InputError: 1 of 2 rows given to tiers.history have no value. Fill it, or leave them out.
    """
    named(frame.columns, columns, measure)
    if frame.is_empty():
        raise InputError(f"{measure} has been given no row: nobody is selected. Widen the selection.")
    for name in columns:
        if n := frame[name].null_count():
            raise InputError(f"{n} of {len(frame)} rows given to {measure} have no {name}. Fill it, or leave them out.")


def finite(frame: pl.DataFrame, columns: list[str], measure: str) -> None:
    """Stop where a column, which has no missing value, is not of numbers, or one of them is none.

    Examples
    --------
    >>> finite(pl.DataFrame({"idle": [1.0, float("nan")]}), ["idle"], "churn.fit")
    Traceback (most recent call last):
    crmlab.errors.InputError: 1 of 2 rows given to churn.fit have a idle that is no number. Mend it, or leave them out.
    """
    for name in columns:
        kind = frame.schema[name]
        if not (kind.is_numeric() or kind == pl.Boolean):
            raise InputError(f"{measure} cannot compute with {name}: it is {kind}, not numbers. Give 0 and 1.")
        if kind.is_float() and (n := len(frame) - frame[name].is_finite().sum()):
            raise InputError(
                f"{n} of {len(frame)} rows given to {measure} have a {name} that is no number. Mend it, or leave "
                "them out."
            )


def named(known: list[str], columns: list[str], measure: str) -> None:
    """Stop where a frame with the columns `known` lacks one.

    Examples
    --------
    >>> named(["customer"], ["customer_id"], "tiers.values")
    Traceback (most recent call last):
    crmlab.errors.InputError: tiers.values needs a column customer_id. Did you mean customer?
    """
    for name in columns:
        if name not in known:
            raise InputError(f"{measure} needs a column {name}. {near_miss(name, known)}")


def in_order(frame: pl.DataFrame, key: list[str], measure: str) -> pl.DataFrame:
    """The rows sorted by a key, which may occur once only.

    Examples
    --------
    >>> in_order(pl.DataFrame({"customer_id": [7, 7, 3]}), ["customer_id"], "tiers.near")
    Traceback (most recent call last):
    crmlab.errors.InputError: 1 of 3 rows given to tiers.near repeat a customer_id (first: 7). Give one row each.
    """
    if frame.select(_later(key).all()).item():
        return frame
    rows = frame.sort(key)
    again = rows.select(key).filter(~_later(key))
    if again.is_empty():
        return rows
    raise InputError(
        f"{len(again)} of {len(frame)} rows given to {measure} repeat a {', '.join(key)} "
        f"(first: {', '.join(map(str, again.row(0)))}). Give one row each."
    )


def in_64_bits(frame: pl.DataFrame) -> pl.DataFrame:
    """Sums made in 128 bits as ordinary whole numbers; stops where one is too large, which Polars would wrap.

    Examples
    --------
    >>> sums = pl.DataFrame({"x": [2**62, 2**62]}).select(pl.col("x").cast(pl.Int128).sum())
    >>> in_64_bits(sums)
    Traceback (most recent call last):
    crmlab.errors.InputError: x adds up to 9.22e+18, too much for 64 bits. Check its unit.
    """
    wide = [name for name, dtype in frame.schema.items() if dtype == pl.Int128]
    for name in wide:
        largest = max((abs(end) for end in (frame[name].min(), frame[name].max()) if end is not None), default=0)
        if largest > LARGEST:
            raise InputError(f"{name} adds up to {largest:.3g}, too much for 64 bits. Check its unit.")
    return frame.with_columns(pl.col(wide).cast(pl.Int64))


def _later(key: list[str]) -> pl.Expr:
    """Whether a row's key comes after that of the row before, which spares sorting what is sorted."""
    *first, last = (pl.col(name) for name in key)
    later = last > last.shift()
    for column in reversed(first):
        later = (column > column.shift()) | ((column == column.shift()) & later)
    return later.fill_null(True)
