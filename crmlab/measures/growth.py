"""Growth: whether a customer's money rises or falls, by its average over some months against as many before them."""

from collections import deque
from fractions import Fraction

import numpy as np

from crmlab.errors import InputError
from crmlab.measures.given import LARGEST
from crmlab.measures.history import Month, Window
from crmlab.policy import GROWTH, Growth
from crmlab.policy.source import MILLION

FALLING, STEADY, RISING = range(len(GROWTH))
UNKNOWN = len(GROWTH)  # an average is not known, or history does not reach back far enough
NEEDED = ["balance_days", "n_without_average"]


class Averages:
    """Average AUM month by month, and what it was before; months come in order."""

    def __init__(self, size: int, rule: Growth):
        self.rule = rule
        self.window = Window(rule.months, size)
        self.days: list[int] = []
        self.averages: deque[np.ndarray] = deque(maxlen=rule.months + 1)
        # The last month in which an average was not known, as a number; at first long ago.
        self.unknown_in = np.full(size, -2 * rule.months, np.int32)

    def add(self, month: Month) -> np.ndarray:
        """FALLING, STEADY, RISING or UNKNOWN for each row of one more month.

        An average is the balance-days of `rule.months` months over their days, rounded down; a month in which a
        customer was not with us counts as 0. Who has an account without a known average in one of the months compared
        is UNKNOWN.
        """
        months, number = self.rule.months, len(self.days)
        self.days.append(month.days)
        average = self.window.add(month.at, month.values["balance_days"]) // sum(self.days[-months:])
        self.averages.append(average)
        self.unknown_in[month.at[month.values["n_without_average"] > 0]] = number
        if number + 1 < 2 * months:
            return np.full(len(month.at), UNKNOWN, np.uint8)
        found = self._compared(average, self.averages[0])[month.at]
        np.putmask(found, self.unknown_in[month.at] > number - 2 * months, UNKNOWN)
        return found

    def _compared(self, now: np.ndarray, before: np.ndarray) -> np.ndarray:
        share = Fraction(self.rule.change, MILLION)
        largest = 2 * (self.window.largest // min(self.days) + 1)  # no average is larger, nor its change
        if largest * share.denominator > LARGEST:
            raise InputError(
                f"A change of {largest:.3g} times {share.denominator:,} is too much for 64 bits. Write `change` under "
                "[growth] in policy.toml with fewer digits."
            )
        change, size = now - before, np.abs(before)
        moved = np.abs(change)
        is_large = moved >= max(self.rule.least, 1)
        moved *= share.denominator
        size *= share.numerator
        is_large &= moved >= size
        found = (change > 0).view(np.uint8) * np.uint8(RISING)
        np.putmask(found, ~is_large, STEADY)
        return found
