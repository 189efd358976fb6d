"""The accounts of one block of customers: opening, posting, closing, and what a month leaves behind."""

import numpy as np

from crmlab.bank.schema import CHANNELS, COUNTERPARTIES, ENTRY_KINDS, INITIATORS
from crmlab.simulate.catalogue import (
    FOREIGN,
    FOREIGN_RATES,
    MAIN,
    OVERDRAFT_RATE,
    RATE,
    ROLE,
    SAVING,
    TERM_MONTHS,
    VALUED,
)
from crmlab.simulate.months import NEVER, Month, add_months

KIND = {name: i for i, name in enumerate(ENTRY_KINDS)}
CHANNEL = {name: i for i, name in enumerate(CHANNELS)}
BY = {name: i for i, name in enumerate(INITIATORS)}
OTHER = {name: i for i, name in enumerate(COUNTERPARTIES)} | {None: len(COUNTERPARTIES)}
CATEGORIES = (
    "groceries", "dining", "fuel", "medical", "education", "shopping", "travel", "utilities", "insurance premium",
    "rent", "supplies", "sales", "wages", "bonus", "pension", "allowance", "subsidy", "tax", "remittance",
)  # fmt: skip
CATEGORY = {name: i for i, name in enumerate(CATEGORIES)} | {None: len(CATEGORIES)}
REASONS = ("request", "matured", "moved", "deceased", "merged", "written off")
REASON = {name: i for i, name in enumerate(REASONS)}

COLUMNS = {
    "customer": np.int32, "product": np.int8, "currency": np.int8, "opened": np.int32, "closed": np.int32,
    "reason": np.int8, "rate": np.int32, "agreed": np.int32, "term": np.int16, "matures": np.int32, "renews": bool,
    "limit": np.int64, "instalment": np.int64, "stops": bool, "missed": np.int32, "unpaid_from": np.int32,
    "told": np.int32, "lent": np.int64, "lent_until": np.int32, "joint": np.int32, "joint_share": np.int32,
}  # fmt: skip
DEFAULTS = {
    "currency": 0, "closed": NEVER, "reason": -1, "renews": False, "limit": 0, "instalment": 0, "stops": False,
    "missed": 0, "unpaid_from": NEVER, "told": 0, "lent": 0, "lent_until": NEVER, "joint": -1, "joint_share": 0,
}  # fmt: skip


class Ledger:
    """Columns of accounts as arrays, their balances in minor units, and the entries of the month in hand.

    `free` is what an account may still spend in the month: its opening balance less what it has paid. Money that comes
    in counts from the next month on, so that no order of entries within a month overdraws an account. Of a loan
    `missed` is the number of instalments not paid, `unpaid_from` the day the oldest was due, `stops` whether it will
    never be paid again, `told` the days overdue last written down; `lent` is an overdraft and `lent_until` its end.
    """

    def __init__(self) -> None:
        for name, dtype in COLUMNS.items():
            setattr(self, name, np.empty(0, dtype))
        self.balance = np.empty(0, np.int64)
        self.free = np.empty(0, np.int64)
        self.balance_days = np.empty(0, np.int64)
        self.accrued = np.empty(0, np.int64)
        self.entries: list[tuple[np.ndarray, ...]] = []
        self.valuations: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        self.month: Month | None = None

    def __len__(self) -> int:
        return len(self.customer)

    @property
    def role(self) -> np.ndarray:
        return ROLE[self.product]

    @property
    def is_open(self) -> np.ndarray:
        return self.closed == NEVER

    @property
    def usable(self) -> np.ndarray:
        """Open accounts that were opened before this month."""
        return self.is_open & (self.opened < self.month.first)

    def open(self, customer: np.ndarray, product, opened, balance=0, **more) -> np.ndarray:
        """Open accounts and return their numbers; `balance` is an opening balance older than the extract."""
        n = len(customer)
        product = np.broadcast_to(product, n)
        term = more.setdefault("term", TERM_MONTHS[product])
        opened = np.broadcast_to(opened, n)
        if "matures" not in more:
            more["matures"] = np.where(
                np.broadcast_to(term, n) > 0, add_months(opened, np.broadcast_to(term, n)), NEVER
            )
        rate = np.where(ROLE[product] == FOREIGN, FOREIGN_RATES[more.get("currency", 0)], RATE[product])
        own = {"customer": customer, "product": product, "opened": opened, "rate": rate, "agreed": rate}
        values = DEFAULTS | more | own
        for name, dtype in COLUMNS.items():
            added = np.broadcast_to(np.asarray(values[name], dtype), n)
            setattr(self, name, np.concatenate([getattr(self, name), added]))
        self.balance = np.concatenate([self.balance, np.broadcast_to(np.asarray(balance, np.int64), n)])
        for name in ("free", "balance_days", "accrued"):
            setattr(self, name, np.concatenate([getattr(self, name), np.zeros(n, np.int64)]))
        return np.arange(len(self) - n, len(self), dtype=np.int32)

    def start(self, month: Month) -> None:
        """Begin a month."""
        self.month = month
        self.entries, self.valuations = [], []
        self.free = np.maximum(self.balance, 0)
        self.balance_days = self.balance * month.n_days

    def post(self, account, day, amount, kind: str, channel="system", by="bank", category=None, other=None) -> None:
        """Book amounts; words may be given as one word or as an array of their numbers."""
        amount = np.asarray(amount, np.int64)
        account = np.broadcast_to(account, amount.shape)
        keep = amount != 0
        if not keep.any():
            return
        codes = (
            _code(kind, KIND),
            _code(channel, CHANNEL),
            _code(by, BY),
            _code(category, CATEGORY),
            _code(other, OTHER),
        )
        account, day, amount = account[keep], np.broadcast_to(day, keep.shape)[keep], amount[keep]
        self._move(account, day, amount)
        np.add.at(self.free, account, np.minimum(amount, 0))
        self.entries.append((account, day, amount, *(np.broadcast_to(code, keep.shape)[keep] for code in codes)))

    def transfer(self, source, target, day, amount, kind="own_transfer", channel="mobile", by="customer") -> None:
        """Move money between two accounts of one customer, both legs."""
        amount = np.asarray(amount, np.int64)
        self.post(source, day, -amount, kind, channel, by, None, "own")
        self.post(target, day, amount, kind, channel, by, None, "own")

    def earmark(self, account: np.ndarray, amount: np.ndarray) -> None:
        """Free money that came in this month for what it is about to be spent on."""
        np.add.at(self.free, account, amount)

    def value(self, account: np.ndarray, day, balance) -> None:
        """Set balances by valuation, without an entry."""
        day, balance = np.broadcast_to(day, len(account)), np.broadcast_to(np.asarray(balance, np.int64), len(account))
        self._move(account, day, balance - self.balance[account])
        self.valuations.append((account, day, balance))

    def affordable(self, account: np.ndarray, amount: np.ndarray, share: float = 0.95) -> np.ndarray:
        """Amounts cut down to a share of what the accounts may still spend."""
        return np.clip(amount, 0, (self.free[account] * share).astype(np.int64))

    def settle(self, account: np.ndarray, day) -> None:
        """Credit or, after an overdraft, charge the interest that has accrued since the last time."""
        self.post(account, day, np.rint(self.accrued[account] / 365e6).astype(np.int64), "interest")
        self.accrued[account] = 0

    def close(self, account: np.ndarray, day, reason) -> None:
        """Close accounts; whoever calls has brought their balances to zero."""
        self.closed[account] = day
        self.reason[account] = REASON[reason] if isinstance(reason, str) else reason

    def empty(self, account: np.ndarray, day: np.ndarray, main: np.ndarray, reason) -> None:
        """Close side accounts on a day and move what they hold to the customers' main accounts."""
        role = self.role[account]
        valued, foreign = role == VALUED, role == FOREIGN
        self.value(account[valued], day[valued], 0)
        earning = (role == SAVING) & (self.balance[account] > 0)
        self.settle(account[earning], day[earning])
        self.post(
            account[foreign],
            day[foreign],
            -self.balance[account[foreign]],
            "transfer",
            "counter",
            "customer",
            None,
            "other bank",
        )
        rest = ~valued & ~foreign
        self.transfer(account[rest], main[rest], day[rest], self.balance[account[rest]], channel="counter")
        self.close(account, day, reason)

    def end(self) -> None:
        """Close the month: interest accrues on its days' balances at the rate in force, and on those below zero."""
        earns = np.isin(self.role, (MAIN, SAVING, FOREIGN))
        self.accrued += self.balance_days * np.where(earns, self.rate, 0)
        able = np.flatnonzero(earns & (self.limit > 0))
        below = np.minimum(self.daily(able), 0).sum(axis=1)
        self.accrued[able] += below * (OVERDRAFT_RATE - self.rate[able])

    def overdue(self, account: np.ndarray, day) -> np.ndarray:
        """Days since the oldest instalment not paid was due, 0 where all are paid."""
        since = self.unpaid_from[account]
        return np.where(since == NEVER, 0, day - since)

    def daily(self, account: np.ndarray) -> np.ndarray:
        """Balances of a few accounts at the end of each day of the month so far booked, a row an account."""
        row = np.full(len(self), -1)
        row[account] = np.arange(len(account))
        flows = np.zeros((len(account), self.month.n_days), np.int64)
        for booked, day, amount, *_ in self.entries:
            mine = row[booked] >= 0
            np.add.at(flows, (row[booked[mine]], day[mine] - self.month.first), amount[mine])
        upto = flows.cumsum(axis=1)
        return upto + (self.balance[account] - upto[:, -1])[:, None]

    def gathered(self) -> list[np.ndarray]:
        """The month's entries as columns: account, day, amount and the codes of the words."""
        return [np.concatenate(column) for column in zip(*self.entries, strict=True)]

    def _move(self, account: np.ndarray, day: np.ndarray, amount: np.ndarray) -> None:
        np.add.at(self.balance, account, amount)
        np.add.at(self.balance_days, account, amount * (self.month.last - day + 1))


def whole(amount: np.ndarray, step: int = 1) -> np.ndarray:
    """Amounts rounded down to whole steps of minor units, towards zero.

    Examples
    --------
    >>> whole(np.array([12_345.6, -250.0]), 100)
    array([12300,  -200])
    """
    return np.trunc(amount / step).astype(np.int64) * step


def either(codes: dict, flags: np.ndarray, yes, no) -> np.ndarray:
    """The number of one word where the flag is set, else of the other, as `post` takes them."""
    return np.where(flags, codes[yes], codes[no])


def _code(word, codes: dict) -> np.ndarray:
    return np.uint8(codes[word]) if word is None or isinstance(word, str) else np.asarray(word, np.uint8)
