"""The bank's rules as data: ``policy.toml`` read into frozen rows, validated, with a hash that every snapshot keeps."""

import hashlib
import tomllib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from itertools import product
from pathlib import Path

from crmlab.errors import InputError, near_miss

DEFAULT = Path(__file__).with_name("policy.toml")
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
    """One bank's rules; `hash` names the text they were read from."""

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

    A bank's file needs to hold only what differs: a table of it (``[activity]``, ``[lines]``) is laid over ours key by key.

    Raises
    ------
    InputError
        When the file is absent or not TOML, or when a key is unknown or its value cannot be used; file, line and key are named.
    """
    text = DEFAULT.read_text("utf-8")
    rules = tomllib.loads(text)
    if path is None:
        return _policy(rules, text, DEFAULT)
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no policy file {path}. Name an existing one, or leave it out to use crmlab's own.")
    text = path.read_text("utf-8")
    try:
        own = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"{path} is not valid TOML: {error}. Correct that line.") from None
    return _policy(_laid_over(rules, own, path, text), text, path)


def _laid_over(ours: dict, own: dict, path: Path, text: str, where: str = "") -> dict:
    open_tables = ("minor_digits", "lines")
    for key, value in own.items():
        if key not in ours and where.rstrip(".") not in open_tables:
            raise InputError(f"{_place(path, text, key)}: unknown key {where}{key}. {near_miss(key, list(ours))}")
        if key in ours and isinstance(ours[key], dict) != isinstance(value, dict):
            raise InputError(f"{_place(path, text, key)}: {where}{key} must be {'a table' if isinstance(ours[key], dict) else 'a value'}.")
    merged = {key: _laid_over(ours[key], value, path, text, f"{where}{key}.") if isinstance(value, dict) and key in ours else value for key, value in own.items()}
    return ours | merged


def _place(path: Path, text: str, key: str) -> str:
    lines = text.splitlines()
    number = next((n for n, line in enumerate(lines, 1) if line.split("=")[0].strip(' []"') in (key, f"rfm.{key}")), None)
    return f"{path.name}, line {number}" if number else path.name


def _policy(rules: dict, text: str, path: Path) -> Policy:
    def fail(key: str, why: str) -> InputError:
        return InputError(f"{_place(path, text, key)}: {key} {why}.")

    def money(table: str, key: str) -> Decimal:
        try:
            return Decimal(str(rules[table][key]))
        except InvalidOperation:
            raise fail(key, f"is {rules[table][key]!r}, which is not an amount such as \"50000.00\"") from None

    def whole(table: str, key: str, low: int) -> int:
        value = rules[table][key]
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise fail(key, f"is {value!r}; it must be a whole number of at least {low}")
        return value

    def names(table: str, key: str) -> tuple[str, ...]:
        value = rules[table][key]
        if not isinstance(value, list) or not value or not all(isinstance(name, str) for name in value):
            raise fail(key, f"is {value!r}; it must be a list of names")
        return tuple(value)

    share = rules["landing"]["max_reject_share"]
    if not isinstance(share, (int, float)) or not 0 <= share <= 1:
        raise fail("max_reject_share", f"is {share!r}; it must be a share from 0 to 1")
    for line, class_ in rules["lines"].items():
        if class_ not in CLASSES:
            raise fail(line, f"counts as {class_!r}. {near_miss(str(class_), list(CLASSES))}")
    bands = whole("rfm", "bands", 2)
    return Policy(
        base_currency=str(rules["base_currency"]),
        minor_digits=dict(rules["minor_digits"]),
        max_reject_share=float(share),
        tolerance=money("landing", "tolerance"),
        lines=dict(rules["lines"]),
        activity_kinds=names("activity", "kinds"),
        activity_initiators=names("activity", "initiated_by"),
        activity_window_days=whole("activity", "window_days", 1),
        churn_words=str(rules["churn"]["words"]),
        large_inflow=money("events", "large_inflow"),
        rfm_window_days=whole("rfm", "window_days", 1),
        rfm_bands=bands,
        rfm_segments=_segments(rules["rfm"]["segments"], bands, path.name),
        hash=hashlib.sha256(text.encode()).hexdigest(),
    )


def _segments(rows: list[dict], bands: int, file: str) -> tuple[Segment, ...]:
    try:
        segments = tuple(Segment(row["name"], *(tuple(row[axis]) for axis in "rfm")) for row in rows)
        owner: dict[tuple, str] = {}
        for segment in segments:
            for cell in segment.cells():
                if cell in owner:
                    raise InputError(f"{file}: RFM cell {cell} is in two segments, {owner[cell]} and {segment.name}.")
                owner[cell] = segment.name
    except (KeyError, TypeError, ValueError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f'{file}: each [[rfm.segments]] needs name, and r, f, m as [low, high] ({error}).') from None
    space = set(product(range(1, bands + 1), repeat=3))
    missing, outside = sorted(space - owner.keys()), sorted(owner.keys() - space)
    if missing:
        raise InputError(f"{file}: {len(missing)} of {bands**3} RFM cells are in no segment (first: {missing[0]}).")
    if outside:
        raise InputError(f"{file}: {len(outside)} RFM cells lie outside 1 to {bands} (first: {outside[0]}).")
    return segments
