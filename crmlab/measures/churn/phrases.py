"""What a covariate says of a customer, in words: a number as it is shown, and a phrase for it."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import polars as pl

MINUS = "−"


class Phrase(NamedTuple):
    """How a covariate is told."""

    shown: Callable[[pl.DataFrame], np.ndarray]  # whole numbers, from the column `value` and what else is known
    words: Callable[[int], str]


def texts(rows: pl.DataFrame) -> pl.Series:
    """What each row says, in words.

    Parameters
    ----------
    rows
        covariate, value; aum and aum_change in minor units where a balance's change is to be told to the unit.

    Examples
    --------
    >>> texts(pl.DataFrame({"covariate": ["salary", "idle"], "value": [1.0, 4.2]})).to_list()
    ['salary still comes in', 'nothing of their own done for 9 weeks']
    """
    said = np.full(len(rows), "", object)
    for (name,), of in rows.with_row_index("at").partition_by("covariate", as_dict=True).items():
        phrase = PHRASES.get(name, Phrase(_hundredths, lambda n, name=name: f"{name} {n / 100:.2f}"))
        numbers, which = np.unique(phrase.shown(of), return_inverse=True)
        said[of["at"].to_numpy()] = np.array([phrase.words(int(n)) for n in numbers], object)[which]
    return pl.Series("text", said, pl.String)


def signed(text: pl.Expr, contribution: pl.Expr) -> pl.Expr:
    """A phrase and what it adds to the log of the hazard.

    Examples
    --------
    >>> pl.select(signed(pl.lit("salary still comes in"), pl.lit(-0.218))).item()
    'salary still comes in (−0.22)'
    """
    size = (contribution.abs() * 100).round().cast(pl.Int64)
    sign = pl.when(contribution < 0).then(pl.lit(MINUS)).otherwise(pl.lit("+"))
    cents = (size % 100).cast(pl.String).str.zfill(2)
    return pl.format("{} ({}{}.{})", text, sign, size // 100, cents)


def _whole(numbers: np.ndarray) -> np.ndarray:
    """Rounded; beyond a thousand million million, where nobody reads on, cut off."""
    return np.rint(np.clip(numbers, -(10.0**15), 10.0**15)).astype(np.int64)


def _floats(rows: pl.DataFrame) -> np.ndarray:
    return rows["value"].to_numpy().astype(np.float64)


def _value(rows: pl.DataFrame) -> np.ndarray:
    return _whole(_floats(rows))


def _hundredths(rows: pl.DataFrame) -> np.ndarray:
    return _whole(100 * _floats(rows))


def _part(rows: pl.DataFrame) -> np.ndarray:
    """A share in hundredths; −1 for what is less than a half of one, but not nothing."""
    share = _hundredths(rows)
    return np.where((share == 0) & (_floats(rows) > 0), -1, share)


def _grown(rows: pl.DataFrame) -> np.ndarray:
    """What the log of a ratio says has been added."""
    return np.expm1(np.minimum(_floats(rows), 40))


def _counted(rows: pl.DataFrame) -> np.ndarray:
    """What log(1 + n) stands for."""
    return _whole(_grown(rows))


def _two_digits(rows: pl.DataFrame) -> np.ndarray:
    """An amount in units, to two digits: nobody reads more, and few phrases serve all."""
    amount = _counted(rows)
    step = 10 ** np.maximum(np.floor(np.log10(np.maximum(amount, 1))) - 1, 0)
    return (np.rint(amount / step) * step).astype(np.int64)


def _ratio(rows: pl.DataFrame) -> np.ndarray:
    """What the log of a ratio stands for, in hundredths."""
    return _whole(100 * _grown(rows))


def _balance(rows: pl.DataFrame) -> np.ndarray:
    """How much the average balance has changed, in hundredths; the covariate leaves small ones out."""
    if not {"aum", "aum_change"} <= set(rows.columns):
        return _ratio(rows)
    change = rows["aum_change"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    before = rows["aum"].cast(pl.Float64).fill_null(float("nan")).to_numpy() - change
    known = before > 0
    exact = np.rint(100 * np.divide(change, before, out=np.zeros(len(rows)), where=known))
    return np.where(known, np.clip(exact, -100, 10**6), _ratio(rows)).astype(np.int64)


def _span(days: int) -> str:
    """A number of days as people say it."""
    if days < 14:
        return "1 day" if days == 1 else f"{days} days"
    if days < 183:
        return f"{round(days / 7)} weeks"
    return f"{round(days / 30.4375)} months" if days < 730 else f"{round(days / 365.25)} years"


def _months(n: int) -> str:
    if n < 24:
        return "1 month" if n == 1 else f"{n} months"
    return f"{n // 12} years"


def _tenure(n: int) -> str:
    return f"customer for {_months(n)}" if n else "customer for less than a month"


def _size(n: int) -> str:
    return f"balance {n:,} on average" if n else "hardly any balance"


def _times(n: int) -> int:
    """How many times as much as before it is, of what has been added in hundredths."""
    return (n + 150) // 100


def _percent(n: int) -> str:
    return "less than 1 %" if n < 0 else f"{n} %"


def _change(n: int) -> str:
    if n >= 200:
        return f"balance {_times(n)} times that of three months before"
    return f"balance {'up' if n > 0 else 'down'} {abs(n)} % in three months" if n else "balance as three months before"


def _idle(n: int) -> str:
    return "active this week" if n < 7 else f"nothing of their own done for {_span(n)}"


def _acts(n: int) -> str:
    if n >= 200:
        return f"transactions {_times(n)} times those of the quarter before"
    return f"transactions {'up' if n > 0 else 'down'} {abs(n)} %" if n else "as many transactions as before"


def _no_card(n: int) -> str:
    return f"no card payment for {_months(n)}" if n else "no gap in card payments"


def _away(n: int) -> str:
    return f"{_percent(n)} of the money sent to other banks in three months" if n else "nothing sent to other banks"


def _maturing(n: int) -> str:
    return f"{_percent(n)} of the balance matures within 90 days" if n else "nothing matures within 90 days"


def _lines(n: int) -> str:
    return "only one product line" if n == 1 else f"{n or 'no'} product lines"


def _yes_no(yes: str, no: str) -> Phrase:
    return Phrase(_value, lambda n: yes if n else no)


PHRASES = {
    "tenure": Phrase(_counted, _tenure),
    "size": Phrase(_two_digits, _size),
    "change": Phrase(_balance, _change),
    "idle": Phrase(_counted, _idle),
    "acts": Phrase(_ratio, _acts),
    "no_card": Phrase(_counted, _no_card),
    "salary": _yes_no("salary still comes in", "no salary comes in"),
    "salary_missed": _yes_no("salary missing this month", "no salary missed"),
    "away": Phrase(_part, _away),
    "maturing": Phrase(_part, _maturing),
    "lines": Phrase(_value, _lines),
    "closed": _yes_no("a product line given up in three months", "no product line given up"),
    "complaint": _yes_no("complained within 90 days", "no complaint"),
    "new_manager": _yes_no("new manager within six months", "no change of manager"),
    "loan": _yes_no("has a loan", "no loan"),
}
