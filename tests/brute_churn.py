"""Leaving, worked out customer by customer and month by month in plain Python: slow, and written another way."""

from calendar import monthrange
from datetime import date, timedelta

MILLION = 10**6
EXITS = {"deceased": "death", "merged": "merger"}


def number(day: date) -> int:
    return day.year * 12 + day.month


def median(values: list[int]) -> int:
    values = sorted(values)
    return (values[(len(values) - 1) // 2] + values[len(values) // 2]) // 2


class Customer:
    """One customer's months, 0 the first of the history."""

    def __init__(self, rows, events, maturities, rule, first: int, n_months: int):
        self.rows = {number(row["month"]) - first: row for row in rows}
        self.events = [row | {"n": number(row["on"]) - first} for row in events if number(row["on"]) < first + n_months]
        self.maturities = [
            row | {"n": number(row["matures_on"]) - first, "until": number(found) - first}
            for row in maturities
            for found in [row["matures_on"] + timedelta(rule.maturity_days)]
        ]
        self.rule, self.first, self.n_months = rule, first, n_months

    def is_open(self, n: int) -> bool:
        return n in self.rows and self.rows[n]["is_open"]

    def is_known(self, n: int) -> bool:
        return n in self.rows and self.rows[n]["n_without_average"] == 0

    def average(self, n: int) -> int | None:
        if n in self.rows:
            row = self.rows[n]
            return max(row["balance_days"] // row["days"], 0) if self.is_known(n) else None
        return 0 if n > min(self.rows) else None

    def own(self, n: int) -> int:
        return max(-self.rows[n]["own_transfer"], 0) if n in self.rows else 0

    def window(self, n: int) -> list[int]:
        return [i for i in range(max(0, n - self.rule.median_months), n) if self.is_known(i)]

    def usual(self, n: int, until: int | None = None) -> int | None:
        """The median of the months before `n`, each less what went to own loans from it on up to month `until`."""
        known = self.window(n)
        if len(known) < self.rule.least_months:
            return None
        return median([max(self.average(i) - self.beyond(i, until if until is not None else -1), 0) for i in known])

    def before(self, n: int) -> int:
        """The median of what is known before `n`, however little that is."""
        return median([self.average(i) for i in self.window(n)] or [0])

    def beyond(self, n: int, until: int) -> int:
        """What went to own loans from month `n` to another, in each beyond what was usual before."""
        usual = {i: median([self.own(j) for j in self.window(i)] or [0]) for i in range(n, until + 1)}
        return sum(max(self.own(i) - usual[i], 0) for i in usual)

    def is_below(self, n: int, until: int) -> bool:
        usual, average = self.usual(n, until), self.average(until)
        if usual is None or average is None:
            return False
        return average * MILLION < usual * self.rule.share and usual - average >= self.rule.floor

    def has_salary(self, n: int) -> bool:
        return any(row["kind"] == "salary" and row["n"] == n for row in self.events)

    def has_everyday(self, n: int) -> bool:
        steps = [
            1 if row["kind"] == "opened" else -1
            for row in self.events
            if row["kind"] in ("opened", "closed") and row["line"] == "deposits" and row["matures_on"] is None
            and row["n"] <= n
        ]  # fmt: skip
        return sum(steps) > 0

    def closings(self, n: int) -> list[dict]:
        return [row for row in self.events if row["kind"] == "closed" and row["n"] == n]

    def other_exit(self, n: int) -> str | None:
        reasons = {row["reason"] for row in self.closings(n)}
        return next((cause for reason, cause in EXITS.items() if reason in reasons), None)

    def is_repaid(self, n: int) -> bool:
        rows = self.closings(n)
        last = [row for row in rows if row["on"] == max(one["on"] for one in rows)]
        return bool(last) and all(row["line"] == "loans" and row["reason"] == "matured" for row in last)

    def gone(self) -> list[tuple[int, int]]:
        """From when to when it turned out that the money of a maturity was gone."""
        known = [
            (row["n"], row["until"], row["before"] - self.beyond(row["n"], row["until"]), row["after"])
            for row in self.maturities
            if row["before"] * MILLION >= self.before(row["n"]) * self.rule.share
            if row["amount"] > 0 and row["n"] >= 0 and row["until"] < self.n_months and row["after"] is not None
        ]
        rule = self.rule
        return [
            (n, until)
            for n, until, before, after in known
            if before >= rule.floor and after * MILLION < before * rule.share
        ]

    def cause(self, n: int) -> str | None:
        """Why somebody at risk in month `n` left in it; "vanished" where that is told by no clause."""
        k, causes = self.rule.confirm_months, self.rule.causes
        window = range(n, n + k + 1)
        closed = not any(self.is_open(i) for i in window)
        fallen = all(self.is_below(n, i) for i in window)
        regular = n >= self.rule.salary_months and all(
            self.has_salary(i) for i in range(n - self.rule.salary_months, n)
        )
        moved = regular and not any(self.has_salary(i) for i in window)
        if n and self.has_everyday(n - 1) and self.is_open(n):
            moved |= not any(self.has_everyday(i) for i in window)
        matured = any(
            n == until or (begin <= n <= until <= n + k and (closed or fallen)) for begin, until in self.gone()
        )
        holds = {"maturity": matured, "closure": closed, "run-off": fallen, "salary": moved}
        found = next((cause for cause, here in holds.items() if here and cause in causes), None)
        if closed and self.is_repaid(n) and not fallen and not matured:
            found = "repaid"
        if found is None and n and not any(self.is_open(i) for i in range(n - 1, n + k)):
            found = "vanished"
        others = [self.other_exit(i) for i in window]
        return next(filter(None, others), found) if found else others[0]

    def episodes(self) -> list[tuple]:
        """Start, end, cause (None: still there), lost."""
        found, n, last = [], 1, self.n_months - 1 - self.rule.confirm_months
        while n <= last:
            if not self.enters(n):
                n += 1
                continue
            end = next((i for i in range(n, last + 1) if self.cause(i)), None)
            if end is None:
                return [*found, (n, last, None, None)]
            cause = self.cause(end)
            found.append((n, end, cause, self.lost(end)))
            if cause in ("death", "merger"):
                break
            n = self.returns(end, cause)
        return found

    def enters(self, n: int) -> bool:
        is_lost = any(row["kind"] == "closed" and row["reason"] in EXITS and row["n"] < n for row in self.events)
        return not is_lost and self.usual(n) is not None and self.is_open(n - 1) and not self.is_below(n, n - 1)

    def lost(self, n: int) -> int | None:
        until = n + self.rule.confirm_months
        usual, kept = self.usual(n, until), self.average(until)
        return None if usual is None or kept is None else max(usual - kept, 0)

    def returns(self, end: int, cause: str) -> int:
        """The first month after a row of good ones that can be entered."""
        needed = self.rule.median_months if cause == "salary" else self.rule.confirm_months + 1
        rest = [max(self.average(i) - self.beyond(i, end + self.rule.confirm_months), 0) for i in self.window(end)]
        usual, row = median(rest or [0]), 0
        for n in range(end + self.rule.confirm_months + 1, self.n_months):
            is_good = self.is_open(n) and self.is_known(n) and self.average(n) * MILLION >= usual * self.rule.share
            row = row + 1 if is_good else 0
            if row >= needed and self.enters(n + 1):
                return n + 1
        return self.n_months

    def since(self) -> int:
        first, seen = self.rows[min(self.rows)]["first_on"], min(self.rows)
        return seen if first is None else min(number(first) - self.first, seen)


def episodes(standing, events, rule, maturities=None) -> list[tuple]:
    """customer_id, episode, entry, duration, event, cause, end, lost; by customer and episode."""
    rows, months = standing.rows(named=True), sorted(set(standing["month"]))
    if (
        max(row["days"] for row in rows if row["month"] == months[-1])
        < monthrange(months[-1].year, months[-1].month)[1]
    ):
        rows = [row for row in rows if row["month"] < months.pop()]
    told = []
    for who in sorted({row["customer_id"] for row in rows}):
        own = [
            [row for row in of if row["customer_id"] == who]
            for of in (rows, events.rows(named=True), [] if maturities is None else maturities.rows(named=True))
        ]
        customer = Customer(*own, rule, number(months[0]), len(months))
        for n, (start, end, cause, lost) in enumerate(customer.episodes(), 1):
            cause = None if cause == "vanished" else cause
            event = cause is not None and cause not in ("death", "merger", "repaid")
            since = customer.since()
            told.append((who, n, start - since, end - since + 1, event, cause, months[end], lost if event else None))
    return told
