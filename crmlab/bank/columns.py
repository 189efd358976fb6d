"""The kinds of column that the dictionary is made of, and what their metadata say."""

from collections.abc import Sequence

import dataframely as dy

MILLION = 1_000_000
FIXED = {"time": "fixed"}
CURRENT = {"time": "current"}
MONEY = {"time": "fixed", "unit": "money"}
MILLIONTHS = {"time": "fixed", "unit": "millionths"}
PERSONAL = {"time": "fixed", "personal": True}


def dated(by: str) -> dict:
    """Metadata of a column that is known from the date in the column `by` on."""
    return {"time": "dated", "by": by}


def key(**more) -> dy.String:
    """A column that names the row."""
    return dy.String(primary_key=True, min_length=1, metadata=FIXED, **more)


def other_id(nullable: bool = False) -> dy.String:
    """A column that names a row of another table."""
    return dy.String(nullable=nullable, min_length=1, metadata=FIXED)


def text(metadata: dict = FIXED) -> dy.String:
    """A column of free text."""
    return dy.String(nullable=True, metadata=metadata)


def one_of(values: Sequence[str], nullable: bool = True, metadata: dict = FIXED) -> dy.Enum:
    """A column of fixed words."""
    return dy.Enum(list(values), nullable=nullable, metadata=metadata)


def day(nullable: bool = True, metadata: dict = FIXED) -> dy.Date:
    """A column of dates."""
    return dy.Date(nullable=nullable, metadata=metadata)


def flag(metadata: dict = FIXED) -> dy.Bool:
    """A column of yes and no."""
    return dy.Bool(nullable=True, metadata=metadata)


def money(nullable: bool = False) -> dy.Int64:
    """A column of whole minor units."""
    return dy.Int64(nullable=nullable, metadata=MONEY)


def share_() -> dy.Int64:
    """A column of millionths from none to the whole."""
    return dy.Int64(nullable=True, min=0, max=MILLION, metadata=MILLIONTHS)
