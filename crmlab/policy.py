"""The bank's rules as data: ``policy.toml`` read into frozen rows, validated, with a hash that every snapshot keeps."""

import hashlib
import json
import tomllib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product
from pathlib import Path

from crmlab.errors import InputError, near_miss

DEFAULT = Path(__file__).with_name("policy.toml")
OPEN_TABLES = ("minor_digits",)
LINES = (
    "deposits", "loans", "wealth", "insurance", "cards", "settlement", "e-banking", "international", "guarantees",
)  # fmt: skip
ENTRY_KINDS = (
    "payment", "card", "cash", "transfer", "salary", "own_transfer", "principal", "interest", "fee", "reversal",
)  # fmt: skip
INITIATORS = ("customer", "counterparty", "mandate", "bank")
CLASSES = ("deposits", "loans", "investments", "services")


@dataclass(frozen=True)
class Segment:
    """A named box of RFM cells; each range is inclusive."""

    name: str
    r: tuple[int, int]
    f: tuple[int, int]
    m: tuple[int, int]

    def cells(self) -> list[tuple[int, int, int]]:
        """The (r, f, m) cells of the box."""
        return list(product(*(range(low, high + 1) for low, high in (self.r, self.f, self.m))))


@dataclass(frozen=True)
class Policy:
    """One bank's rules; `hash` names all of them together."""

    base_currency: str
    minor_digits: dict[str, int]
    max_reject_share: float
    tolerance: Decimal
    lines: dict[str, str]
    activity_kinds: tuple[str, ...]
    activity_initiators: tuple[str, ...]
    activity_window_days: int
    churn_words: str
    large_inflow: Decimal
    rfm_window_days: int
    rfm_bands: int
    rfm_segments: tuple[Segment, ...]
    hash: str

    def digits(self, currency: str) -> int:
        """Digits after the decimal point of a currency.

        Examples
        --------
        >>> load().digits("JPY"), load().digits("CNY")
        (0, 2)
        """
        return self.minor_digits.get(currency, 2)

    def minor(self, amount: Decimal, currency: str) -> int:
        """An amount in major units as a whole number of minor units.

        Examples
        --------
        >>> load().minor(Decimal("12.34"), "CNY")
        1234
        """
        return int(amount.scaleb(self.digits(currency)))

    def lines_of(self, *classes: str) -> list[str]:
        """The product lines that count as one of `classes`.

        Examples
        --------
        >>> load().lines_of("deposits", "investments")
        ['deposits', 'wealth', 'insurance']
        """
        return [line for line, class_ in self.lines.items() if class_ in classes]


def load(path: Path | str | None = None) -> Policy:
    """Read the rules of a bank, or crmlab's own where no file is named.

    A bank's file needs to hold only what differs: its tables (``[activity]``, ``[lines]``) are laid over ours.

    Raises
    ------
    InputError
        When the file is absent or not TOML, when a key is unknown, or when a value cannot be used: which line and key.
    """
    own = Path(path) if path is not None else DEFAULT
    if not own.is_file():
        raise InputError(f"There is no policy file {own}. Name an existing one, or leave it out to use crmlab's own.")
    try:
        source = _Source(own.name, own.read_text("utf-8"))
    except UnicodeDecodeError:
        raise InputError(f"{own} is not UTF-8. Save it as UTF-8.") from None
    ours = tomllib.loads(DEFAULT.read_text("utf-8"))
    try:
        rules = _laid_over(ours, tomllib.loads(source.text), source)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{own} is not valid TOML: {error}. Correct that line.") from None
    return _policy(rules, source)


@dataclass(frozen=True)
class _Source:
    """The text of a policy file, to say where in it something is wrong."""

    name: str
    text: str

    def error(self, key: str, why: str) -> InputError:
        starts = (line.split("=")[0].strip(' []"') for line in self.text.splitlines())
        number = next((n for n, start in enumerate(starts, 1) if start in (key, f"rfm.{key}")), None)
        return InputError(f"{self.name}{f', line {number}' if number else ''}: {key} {why}")


def _laid_over(ours: dict, own: dict, source: _Source, table: str = "") -> dict:
    merged = dict(ours)
    for key, value in own.items():
        if key not in ours and table not in OPEN_TABLES:
            raise source.error(key, f"is not a rule. {near_miss(key, list(ours))}")
        if isinstance(ours.get(key), dict) != isinstance(value, dict):
            raise source.error(key, f"must be {'a table' if isinstance(ours.get(key), dict) else 'a value'}.")
        merged[key] = _laid_over(ours[key], value, source, key) if isinstance(value, dict) else value
    return merged


def _policy(rules: dict, source: _Source) -> Policy:
    bands = _whole(rules, source, "rfm", "bands", 2)
    return Policy(
        base_currency=str(rules["base_currency"]),
        minor_digits={code: _whole(rules, source, "minor_digits", code, 0) for code in rules["minor_digits"]},
        max_reject_share=_share(rules, source, "landing", "max_reject_share"),
        tolerance=_money(rules, source, "landing", "tolerance"),
        lines={line: _class(rules, source, line) for line in rules["lines"]},
        activity_kinds=_names(rules, source, "activity", "kinds", ENTRY_KINDS),
        activity_initiators=_names(rules, source, "activity", "initiated_by", INITIATORS),
        activity_window_days=_whole(rules, source, "activity", "window_days", 1),
        churn_words=str(rules["churn"]["words"]),
        large_inflow=_money(rules, source, "events", "large_inflow"),
        rfm_window_days=_whole(rules, source, "rfm", "window_days", 1),
        rfm_bands=bands,
        rfm_segments=_segments(rules["rfm"]["segments"], bands, source),
        hash=hashlib.sha256(json.dumps(rules, sort_keys=True).encode()).hexdigest(),
    )


def _money(rules: dict, source: _Source, table: str, key: str) -> Decimal:
    try:
        return Decimal(str(rules[table][key]))
    except InvalidOperation:
        raise source.error(key, f'is {rules[table][key]!r}; write an amount such as "50000.00".') from None


def _whole(rules: dict, source: _Source, table: str, key: str, least: int) -> int:
    value = rules[table][key]
    if type(value) is not int or value < least:
        raise source.error(key, f"is {value!r}; write a whole number of at least {least}.")
    return value


def _share(rules: dict, source: _Source, table: str, key: str) -> float:
    value = rules[table][key]
    if type(value) not in (int, float) or not 0 <= value <= 1:
        raise source.error(key, f"is {value!r}; write a share from 0 to 1.")
    return float(value)


def _class(rules: dict, source: _Source, line: str) -> str:
    class_ = rules["lines"][line]
    if line not in LINES:
        raise source.error(line, f"is not a product line. {near_miss(line, list(LINES))}")
    if class_ not in CLASSES:
        raise source.error(line, f"counts as {class_!r}. {near_miss(str(class_), list(CLASSES))}")
    return class_


def _names(rules: dict, source: _Source, table: str, key: str, known: tuple[str, ...]) -> tuple[str, ...]:
    value = rules[table][key]
    if not isinstance(value, list) or not value:
        raise source.error(key, f"is {value!r}; write a list of names.")
    for name in value:
        if name not in known:
            raise source.error(key, f"names {name!r}. {near_miss(str(name), list(known))}")
    return tuple(value)


def _segments(rows: list[dict], bands: int, source: _Source) -> tuple[Segment, ...]:
    try:
        segments = tuple(Segment(row["name"], *((*map(int, row[axis]),) for axis in "rfm")) for row in rows)
        cells = [(cell, segment.name) for segment in segments for cell in segment.cells()]
    except (KeyError, TypeError, ValueError):
        raise source.error("segments", "each need a name, and r, f and m as [low, high].") from None
    owner: dict[tuple, str] = {}
    for cell, name in cells:
        if owner.setdefault(cell, name) != name:
            raise source.error("segments", f"put cell {cell} into two, {owner[cell]} and {name}.")
    space = set(product(range(1, bands + 1), repeat=3))
    missing, outside = sorted(space - owner.keys()), sorted(owner.keys() - space)
    if missing:
        raise source.error("segments", f"leave {len(missing)} of {bands**3} cells out (first: {missing[0]}).")
    if outside:
        raise source.error("segments", f"have {len(outside)} cells outside 1 to {bands} (first: {outside[0]}).")
    return segments
