"""Reads one value of a policy file after another, and says in which line one cannot be used and what to write."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from crmlab.errors import InputError, near_miss

Path = tuple[str | int, ...]
MILLION = 1_000_000
HEADER = re.compile(r"""\s*(\[\[?)([\w.\s"'-]+)\]\]?\s*(#.*)?$""")
KEY = re.compile(r"""\s*([\w.\s"'-]+?)\s*=""")
CURRENCY = re.compile("[A-Z]{3}")


@dataclass(frozen=True)
class Source:
    """A policy file: its text, what it says itself, and the rules once it is laid over crmlab's own.

    A path names a value from the top: ("contribution", "cost", "counter"); a number in it is a place in a list.
    """

    name: str
    text: str
    own: dict
    rules: dict

    def error(self, path: Path, why: str) -> InputError:
        """The exception for a value: file, line where it has one, key, and `why`."""
        keys = [part for part in path if isinstance(part, str)]
        number = self._line(path)
        return InputError(f"{self.name}{f', line {number}' if number else ''}: {'.'.join(keys[1:]) or keys[0]} {why}")

    def value(self, *path: str | int) -> Any:
        """What stands at a path of the merged rules."""
        return _at(self.rules, path)

    def text_of(self, *path: str | int) -> str:
        """A text that is not empty."""
        value = self.value(*path)
        if not isinstance(value, str) or not value.strip():
            raise self.error(path, f"is {value!r}; write a text in quotes.")
        return value

    def currency(self, *path: str | int) -> str:
        """A currency's code."""
        return self._code(path, self.value(*path))

    def whole(self, *path: str | int, least: int, most: int | None = None) -> int:
        """A whole number within bounds."""
        value = self.value(*path)
        if type(value) is not int or value < least or (most is not None and value > most):
            bounds = f"of at least {least}" if most is None else f"from {least} to {most}"
            raise self.error(path, f"is {value!r}; write a whole number {bounds}.")
        return value

    def wholes(self, *path: str | int, least: int, most: int | None = None) -> tuple[int, ...]:
        """A list of rising whole numbers within bounds."""
        self.rows(*path, of="whole numbers")
        numbers = tuple(self.whole(*path, n, least=least, most=most) for n in range(len(self.value(*path))))
        if list(numbers) != sorted(set(numbers)):
            raise self.error(path, f"is {list(numbers)}; write each number once, from the lowest to the highest.")
        return numbers

    def ends(self, *path: str | int, least: int, most: int | None = None) -> tuple[int, ...]:
        """The fewest and the most."""
        found = self.wholes(*path, least=least, most=most)
        if len(found) != 2:
            raise self.error(path, f"is {list(found)}; write the fewest and the most, such as [2, 8].")
        return found

    def share(self, *path: str | int) -> int:
        """A share or a rate a year, from 0 to 1, in millionths."""
        return self._millionths(path, 1, "a share from 0 to 1")

    def factor(self, *path: str | int) -> int:
        """A number that is not negative, in millionths."""
        return self._millionths(path, None, "a number of at least 0")

    def money(self, *path: str | int) -> Decimal:
        """An amount that is not negative, in major units."""
        amount = self._number(path)
        if amount is None or amount < 0:
            raise self.error(path, f'is {self.value(*path)!r}; write an amount such as "50000.00".')
        return amount

    def minor(self, *path: str | int, digits: int) -> int:
        """An amount in the smallest unit of which `digits` make a whole.

        A bank's own amount must be whole in it. Ours, meant for a currency of two digits, are rounded.
        """
        amount = self.money(*path).scaleb(digits)
        if amount != int(amount) and _at(self.own, path) is not None:
            raise self.error(path, f"is {self.value(*path)!r}; write at most {digits} digits after the point.")
        return int(amount.to_integral_value(ROUND_HALF_UP))

    def scaled(self, *path: str | int, digits: int, least: int | None = None) -> int:
        """A number, which may be negative unless `least` says otherwise, in a unit of which `digits` make a whole."""
        number = self._number(path)
        if number is None or (least is not None and number < least):
            bounds = "" if least is None else f" of at least {least}"
            raise self.error(path, f"is {self.value(*path)!r}; write a number{bounds}.")
        number = number.scaleb(digits)
        if number != int(number):
            asked = f"at most {digits} digits after the point" if digits else "a whole number"
            raise self.error(path, f"is {self.value(*path)!r}; write {asked}.")
        return int(number)

    def yes_or_no(self, *path: str | int) -> bool:
        """True or false."""
        value = self.value(*path)
        if not isinstance(value, bool):
            raise self.error(path, f"is {value!r}; write true or false.")
        return value

    def one_of(self, *path: str | int, known: tuple[str, ...]) -> str:
        """One of fixed words."""
        value = self.value(*path)
        if value not in known:
            raise self.error(path, f"is {value!r}. {near_miss(str(value), list(known))}")
        return value

    def names(self, *path: str | int, known: tuple[str, ...], may_be_empty: bool = False) -> tuple[str, ...]:
        """A list of fixed words."""
        value = self.value(*path)
        if not isinstance(value, list) or not (value or may_be_empty):
            raise self.error(path, f"is {value!r}; write a list of names.")
        for name in value:
            if name not in known:
                raise self.error(path, f"names {name!r}. {near_miss(str(name), list(known))}")
        return tuple(value)

    def rows(self, *path: str | int, of: str) -> list:
        """A list that is not empty."""
        value = self.value(*path)
        if not isinstance(value, list) or not value:
            raise self.error(path, f"is {value!r}; write a list of {of}.")
        return value

    def table(self, *path: str | int, known: tuple[str, ...] | None = None, what: str = "key", read: Callable) -> dict:
        """A table, each value as `read(*its path)` gives it; its keys are `known` ones where these are given."""
        value = self.value(*path)
        if not isinstance(value, dict):
            raise self.error(path, f"is {value!r}; write a table.")
        for key in value:
            if known is not None and key not in known:
                raise self.error((*path, key), f"is not a {what}. {near_miss(key, list(known))}")
        return {key: read(*path, key) for key in value}

    def by_currency(self, *path: str | int, least: int, most: int | None = None) -> dict[str, int]:
        """A table of whole numbers by currency."""
        for key in self.value(*path):
            self._code((*path, key), key)
        return self.table(*path, read=lambda *at: self.whole(*at, least=least, most=most))

    def _code(self, path: Path, code: Any) -> str:
        if not isinstance(code, str) or not CURRENCY.fullmatch(code):
            raise self.error(
                path, f"is {code!r}; write a currency such as CNY." if code != path[-1] else "is no currency."
            )
        return code

    def _millionths(self, path: Path, most: int | None, words: str) -> int:
        number = self._number(path)
        if number is None or number < 0 or (most is not None and number > most):
            raise self.error(path, f"is {self.value(*path)!r}; write {words}.")
        if number * MILLION != int(number * MILLION):
            raise self.error(path, f"is {self.value(*path)!r}; write at most 6 digits after the point.")
        return int(number * MILLION)

    def _number(self, path: Path) -> Decimal | None:
        value = self.value(*path)
        try:
            number = Decimal(str(value)) if type(value) in (int, float, str) else Decimal("nan")
        except InvalidOperation:
            return None
        return number if number.is_finite() else None

    def _line(self, path: Path) -> int | None:
        """The line of the value, or else of the nearest table or list around it."""
        near = [(len(place), -number) for number, place in _places(self.text) if place == path[: len(place)]]
        return -max(near)[1] if near else None


def row_of(source: Source, path: Path, known: tuple[str, ...], needed: tuple[str, ...]) -> dict:
    """A table within a list, once it has the keys it needs and no other than it may have."""
    row = source.value(*path)
    if not isinstance(row, dict):
        raise source.error(path, f"has {row!r}; write a table with {', '.join(needed)}.")
    for key in row:
        if key not in known:
            raise source.error((*path, key), f"is not a rule. {near_miss(key, list(known))}")
    for key in needed:
        if key not in row:
            raise source.error((*path, key), "is missing; write it.")
    return row


def named_once(source: Source, path: Path, names: list[str], what: str) -> None:
    """Stop where two rows of a list have the same name."""
    for n, name in enumerate(names):
        if name in names[:n]:
            raise source.error((*path, n), f"have two {what} of the name {name}; name each differently.")


def _at(rules: Any, path: Path) -> Any:
    for part in path:
        inside = part in rules if isinstance(rules, dict) else isinstance(rules, list) and part in range(len(rules))
        if not inside:
            return None
        rules = rules[part]
    return rules


def _places(text: str) -> Iterator[tuple[int, Path]]:
    """Number and path of every line that opens a table, names a key, or begins a row of a list."""
    table: Path = ()
    key: Path = ()
    n_rows: Counter = Counter()
    for number, line in enumerate(text.splitlines(), 1):
        if header := HEADER.match(line):
            table = key = _table(_parts(header[2]), header[1] == "[[", n_rows)
        elif named := KEY.match(line):
            key = (*table, *_parts(named[1]))
            n_rows[key] = 0
        elif line.lstrip().startswith("{"):
            n_rows[key] += 1
            yield number, (*key, n_rows[key] - 1)
            continue
        else:
            continue
        yield number, key


def _parts(dotted: str) -> list[str]:
    return [part.strip(" \"'") for part in dotted.split(".")]


def _table(parts: list[str], is_row: bool, n_rows: Counter) -> Path:
    """The path of a header; each list on the way is at its latest row."""
    path: Path = ()
    for n, part in enumerate(parts, 1):
        path = (*path, part)
        n_rows[path] += is_row and n == len(parts)
        if n_rows[path]:
            path = (*path, n_rows[path] - 1)
    return path
