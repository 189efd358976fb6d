"""What a fit is made of, and the sentences where it cannot be."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from crmlab.errors import InputError
from crmlab.measures.given import required


@dataclass(frozen=True)
class Columns:
    """Which columns a fit was made of."""

    duration: str
    event: str
    entry: str | None
    strata: str | None
    weight: str | None
    cluster: str | None


def checked(rows: pl.DataFrame, covariates: list[str], columns: Columns, counts: bool = True) -> None:
    """Stop where rows cannot be fitted; `counts`: also where too few of them left."""
    others = [columns.entry, columns.strata, columns.weight, columns.cluster]
    names = [name for name in (columns.duration, columns.event, *others) if name is not None]
    required(rows, [*names, *covariates], "cox.fit")
    end = finite(rows, columns.duration, "cox.fit")
    _none(end <= 0, rows, columns.duration, "are not above 0", "Who was never at risk is left out")
    if columns.weight is not None:
        wrong = finite(rows, columns.weight, "cox.fit") <= 0
        _none(wrong, rows, columns.weight, "are not above 0", "Leave out rows that do not count")
    if columns.entry is not None and (n := int((late := finite(rows, columns.entry, "cox.fit") >= end).sum())):
        first = rows.row(int(np.argmax(late)), named=True)
        raise InputError(
            f"{n} of {len(rows)} rows given to cox.fit enter when they have ended: {columns.entry} is not before "
            f"{columns.duration} (first: {first[columns.entry]} and {first[columns.duration]}). Leave them out, "
            "or date their entry earlier."
        )
    left = int(events(rows, columns.event).sum())
    if counts and not left:
        raise InputError(
            f"None of the {len(rows)} rows given to cox.fit left: {columns.event} is never true. "
            "Follow them longer, or widen what leaving means."
        )
    if counts and left < len(covariates):
        raise InputError(
            f"{left} of {len(rows)} rows given to cox.fit left, too few to tell {len(covariates)} covariates apart. "
            "Use fewer, or follow longer."
        )


def _none(wrong: np.ndarray, rows: pl.DataFrame, name: str, what: str, advice: str) -> None:
    if n := int(wrong.sum()):
        raise InputError(
            f"{n} of {len(rows)} values of {name} given to cox.fit {what} "
            f"(first: {rows[name][int(np.argmax(wrong))]}). {advice}."
        )


def finite(rows: pl.DataFrame, name: str, measure: str) -> np.ndarray:
    """A column as floats."""
    kind = rows.schema[name]
    if not (kind.is_numeric() or kind == pl.Boolean):
        raise InputError(f"{measure} cannot compute with {name}: it is {kind}, not numbers. Give 0 and 1 for groups.")
    values = rows[name].cast(pl.Float64).to_numpy()
    if n := len(values) - int(np.isfinite(values).sum()):
        raise InputError(f"{n} of {len(rows)} rows given to {measure} have a {name} that is no number. Leave them out.")
    return values


def events(rows: pl.DataFrame, name: str) -> np.ndarray:
    """Whether each row left."""
    values = finite(rows, name, "cox.fit")
    _none((values != 0) & (values != 1), rows, name, "are neither 0 nor 1", "Say for each row whether it left")
    return values == 1


def codes(values: pl.Series) -> tuple[np.ndarray, pl.Series]:
    """A number for each value, in their order, and the values."""
    known = values.unique().sort()
    numbered = known.to_frame("value").with_row_index("code")
    codes = values.to_frame("value").join(numbered, on="value", how="left", maintain_order="left")["code"]
    return codes.to_numpy(), known
