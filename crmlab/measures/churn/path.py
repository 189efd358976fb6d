"""One pass over the months of a block of customers: who is at risk, who left, who came back."""

from collections.abc import Iterator

import numpy as np

from crmlab.measures.churn import clauses
from crmlab.measures.churn.clauses import (
    CAUSE,
    CLOSURE,
    DEATH,
    MATURITY,
    MERGER,
    REPAID,
    RUN_OFF,
    SALARY,
    UNKNOWN,
    Happened,
    Signs,
    least_kept,
)
from crmlab.measures.history import NEVER, Block
from crmlab.policy.departing import Churn

STATES = ("not yet", "at risk", "unconfirmed", "gone")
NOT_YET, AT_RISK, UNCONFIRMED, GONE = range(len(STATES))
VANISHED = len(CAUSE.categories) + 1  # no account left, which is no leaving where closure is not looked for


def ended(block: Block, what: Happened, rule: Churn) -> Iterator[tuple[np.ndarray, ...]]:
    """The episodes that each month confirms to have ended, and with the last one those that have not."""
    signs, since = clauses.signs(block, what, rule), _since(block)
    path = Path(signs, rule)

    def told(who: np.ndarray, end: int, code: np.ndarray) -> tuple[np.ndarray, ...]:
        is_told = (signs.n_known[end, who] >= rule.least_months) & (signs.kept[end, who] < UNKNOWN)
        lost = np.where(is_told, np.maximum(signs.due[end, who] - signs.kept[end, who], 0), UNKNOWN)
        ends = np.full(len(who), end, np.int32)
        return block.ids[who], path.number[who], path.start[who], ends, code, lost, since[who]

    last = len(block.months) - 1
    for now in range(last + 1):
        who, code = path.add(now)
        ended = told(who, max(now - rule.confirm_months, 0), code)
        if now == last:
            still = np.flatnonzero(path.is_in & (path.start <= last - rule.confirm_months))
            there = told(still, max(last - rule.confirm_months, 0), np.zeros(len(still), np.uint8))
            ended = tuple(map(np.concatenate, zip(ended, there, strict=True)))
        path.enter(now + 1)
        yield ended


def stood(block: Block, what: Happened, rule: Churn) -> Iterator[tuple[np.ndarray, ...]]:
    """State, usual and average of the customers there are in each month."""
    signs = clauses.signs(block, what, rule)
    path = Path(signs, rule)
    for now, month in enumerate(block.months):
        path.add(now)
        usual = np.where(signs.n_known[now] < rule.least_months, UNKNOWN, signs.usual[now])
        average = np.where(signs.is_known[now], signs.average[now], UNKNOWN)
        yield block.ids[month.at], path.states(now)[month.at], usual[month.at], average[month.at]
        path.enter(now + 1)


def _since(block: Block) -> np.ndarray:
    """The month of each first account, the first of the history being 0; the first month there, where it is older."""
    found, n_seen = np.zeros(len(block.ids), np.int32), np.zeros(len(block.ids), bool)
    first = block.months[0].on
    for n, month in enumerate(block.months):
        fresh = ~n_seen[month.at]
        at, day = month.at[fresh], month.values["first_on"][fresh]
        number = day.astype("datetime64[D]").astype("datetime64[M]").astype(np.int32) + 1970 * 12
        number -= first.year * 12 + first.month - 1
        found[at] = np.where(day == NEVER, n, np.minimum(number, n))
        n_seen[at] = True
    return found


class Path:
    """Where each place of a block stands, month by month."""

    def __init__(self, signs: Signs, rule: Churn):
        size = signs.usual.shape[1]
        self.signs, self.rule = signs, rule
        self.is_in = np.zeros(size, bool)
        self.number = np.zeros(size, np.int32)  # of the episode
        self.start = np.zeros(size, np.int32)  # its first month
        self.is_final = np.zeros(size, bool)  # dead, or merged into another
        # AUM that is not below what was usual before leaving, and for how many months more it must last.
        self.least, self.wait = np.zeros(size, np.int64), np.zeros(size, np.int32)
        self.waits = np.zeros(size, np.int32)
        self.runs = [signs.closed] if "closure" in rule.causes else []
        self.runs += [signs.fallen] if {"run-off", "maturity"} & set(rule.causes) else []
        self.runs += [signs.moved] if "salary" in rule.causes else []

    def add(self, now: int) -> tuple[np.ndarray, np.ndarray]:
        """Who is found to have left in the month that this one confirms, and by which clause."""
        signs, month = self.signs, now - self.rule.confirm_months
        # Who died or was merged before they were at risk, or after they left, is never at risk again.
        self.is_final |= ~self.is_in & (signs.exits[now] > 0)
        stays = signs.is_open[now] & signs.is_known[now] & (signs.average[now] >= self.least)
        self.wait = np.where(stays, self.wait - 1, self.waits)
        if month < 0:
            return np.zeros(0, np.intp), np.zeros(0, np.uint8)
        code = self._codes(month)
        code *= self.is_in & (self.start <= month)
        who = np.flatnonzero(code)
        self._leave(who, code[who], month)
        return who, code[who]

    def enter(self, now: int) -> None:
        """Take in those who are there as a month begins, with what is usual: not those whose money went before."""
        signs = self.signs
        if now == len(signs.usual):
            return
        fresh = ~self.is_in & ~self.is_final & (self.wait <= 0)
        fresh &= signs.is_open[now - 1] & (signs.n_known[now] >= self.rule.least_months)
        fresh &= ~signs.went[now]
        self.is_in |= fresh
        self.number += fresh
        self.start[fresh] = now

    def states(self, now: int) -> np.ndarray:
        """The state at a month's end, which the months after it do not change."""
        signs = self.signs
        found = np.where(self.number > 0, np.where(self.is_in, AT_RISK, GONE), NOT_YET).astype(np.uint8)
        for month in range(max(0, now - self.rule.confirm_months + 1), now + 1):
            within = self.is_in & (self.start <= month)
            for run in self.runs:
                found[within & (run[month] > now - month) & (found == AT_RISK)] = UNCONFIRMED
            ended = signs.exits[month] > 0
            if "maturity" in self.rule.causes:
                ended |= signs.matured[month]
            found[within & ended] = GONE
        found[self.is_final | (self.is_in & ~signs.is_open[now])] = GONE
        return found

    def _codes(self, month: int) -> np.ndarray:
        """The clause by which each would have left in a month, were they at risk; 0 where none holds."""
        signs, causes, k = self.signs, self.rule.causes, self.rule.confirm_months
        closed, fallen, moved = (run[month] > k for run in (signs.closed, signs.fallen, signs.moved))
        matured = signs.matured[month] | (signs.maturing[month] & (closed | fallen))
        code = np.zeros(len(closed), np.uint8)
        if month:
            code[signs.closed[month - 1] > k] = VANISHED
        # In one month the last one written wins.
        holds = {"salary": (SALARY, moved), "run-off": (RUN_OFF, fallen), "closure": (CLOSURE, closed)}
        holds["maturity"] = MATURITY, matured
        for cause, (number, here) in holds.items():
            if cause in causes:
                code[here] = number
        code[closed & signs.repaid[month] & ~fallen & ~matured] = REPAID
        for later in range(month + k, month - 1, -1):
            is_exit = (signs.exits[later] > 0) & ((code > 0) | (later == month))
            np.putmask(code, is_exit, signs.exits[later])
        return code

    def _leave(self, who: np.ndarray, code: np.ndarray, month: int) -> None:
        self.is_in[who] = False
        self.is_final[who] = (code == DEATH) | (code == MERGER)
        self.least[who] = least_kept(self.signs.due[month, who], self.rule)
        waits = np.where(code == SALARY, self.rule.median_months, self.rule.confirm_months + 1)
        self.waits[who] = self.wait[who] = waits
