"""Contribution by brute force, from the tables as delivered: day by day, in fractions, row by row."""

from calendar import monthrange
from collections import defaultdict
from datetime import date, timedelta
from fractions import Fraction
from itertools import groupby

from crmlab.policy import Policy
from tests import brute
from tests.random_banks import DIGITS, FIRST, LINE

DAY = timedelta(days=1)
MILLION = 10**6
OUTSIDE = {"payment", "card", "cash", "transfer", "salary"}
LENT = {"deposits", "loans", "cards", "guarantees"}
NEAREST = ("account", "line", "customer")


def day(value) -> date:
    return value if isinstance(value, date) else date.fromisoformat(value)


def units(value, digits: int) -> int | None:
    return None if value in (None, "") else int(Fraction(value) * 10**digits)


def parts(value: int, shares: list[tuple]) -> list[tuple]:
    """A value by shares of millionths, (who, share) from the largest: largest remainder, ties to who stands first."""
    whole = [(who, *divmod(value * share, MILLION)) for who, share in shares]
    most = sorted(range(len(whole)), key=lambda n: -whole[n][2])
    more = set(most[: value - sum(part for _, part, _ in whole)])
    return [(who, part + (n in more)) for n, (who, part, _) in enumerate(whole)]


class Brute:
    """A bank as delivered, of which only what is known at a day is looked at."""

    def __init__(self, tables: dict, as_of: date, policy: Policy):
        self.tables, self.as_of, self.policy = tables, as_of, policy
        self.left = {row["manager_id"]: row.get("left_on") for row in tables["managers"]}

    def rows(self, name: str, number: str, on: str = "on") -> list[dict]:
        rows = [row for row in self.tables[name] if row["account_id"] == number and day(row[on]) <= self.as_of]
        return sorted(rows, key=lambda row: day(row[on]))

    def lines(self) -> dict[tuple, dict[str, int]]:
        """(customer, month, line, manager) -> component -> amount in base currency, and points."""
        sums = defaultdict(lambda: defaultdict(int))
        for account in self.tables["accounts"]:
            for start, days in self.periods(account):
                for line, owner_only, amounts in self.earned(account, days):
                    self.credit(account, start, line, owner_only, amounts, sums)
        return {key: dict(of) for key, of in sums.items() if any(of.values())}

    def periods(self, account: dict) -> list[tuple[date, list[tuple[date, int]]]]:
        """Stretches of a month in which nothing about the account changes, as days with their balances."""
        balances = self.balances(account)
        seen = [(on, (on.month, self.state(account, on, balances[on]))) for on in balances]
        stretches = [list(of) for _, of in groupby(seen, key=lambda pair: pair[1])]
        return [(of[0][0], [(on, balances[on]) for on, _ in of]) for of in stretches]

    def balances(self, account: dict) -> dict[date, int]:
        digits, opened = DIGITS[account["currency"]], day(account["opened_on"])
        stated = self.rows("balances", account["account_id"])
        opening = sum(units(row["balance"], digits) for row in stated if row["kind"] == "anchor")
        entries = [(day(row["booked_on"]), units(row["amount"], digits)) for row in self.entries(account)]
        resets = {day(row["on"]): units(row["balance"], digits) for row in stated if row["kind"] == "valuation"}
        last = min(day(account.get("closed_on", self.as_of)), self.as_of)
        return brute.daily_balances(max(opened, FIRST), last, opening, entries, resets)

    def entries(self, account: dict) -> list[dict]:
        return self.rows("transactions", account["account_id"], "booked_on")

    def state(self, account: dict, on: date, balance: int) -> tuple:
        holders = {who for who, _ in self.holders(account)} | {account["customer_id"]}
        looked_after = tuple(
            n
            for n, row in enumerate(self.tables["assignments"])
            if self.in_force(row, on) and any(self.concerns(row, account, who) for who in holders)
        )
        is_below = account["product_id"] == "OD" and balance < 0
        return (*self.deal(account, on), *self.status(account, on), is_below, looked_after)

    def in_force(self, row: dict, on: date) -> bool:
        ends = [day(end) for end in (row.get("to_on"), self.left[row["manager_id"]]) if end]
        return day(row["from_on"]) <= on <= min([*ends, date.max])

    def concerns(self, row: dict, account: dict, who: str, line: str | None = None) -> bool:
        line = line or LINE[account["product_id"]]
        if row["scope"] == "account":
            return row["account_id"] == account["account_id"]
        return row["customer_id"] == who and (row["scope"] == "customer" or row["line"] == line)

    def holders(self, account: dict) -> list[tuple[str, int]]:
        rows = [row for row in self.tables["holders"] if row["account_id"] == account["account_id"]]
        shares = [(row["customer_id"], units(row["share"], 6)) for row in rows] or [(account["customer_id"], MILLION)]
        return sorted(shares, key=lambda pair: (-pair[1], pair[0]))

    def deal(self, account: dict, on: date) -> tuple[int | None, date]:
        """The client rate, and the day on which it was agreed."""
        made = (units(account.get("rate"), 6), day(account["opened_on"]))
        known = [row for row in self.rows("repricings", account["account_id"]) if day(row["on"]) <= on]
        return (units(known[-1]["rate"], 6), day(known[-1]["on"])) if known else made

    def status(self, account: dict, on: date) -> tuple[bool, str | None, str | None]:
        """Whether interest accrues, and both grades."""
        known = [row for row in self.rows("loan_status", account["account_id"]) if day(row["on"]) <= on]
        if not known:
            return True, None, None
        last = known[-1]
        overdue = last["overdue_days"] and last["overdue_days"] + (on - day(last["on"])).days
        accrues = (overdue or 0) <= self.policy.pricing.accrual_days
        return accrues, last["risk_grade"] or None, last["five_grade"] or None

    def earned(self, account: dict, days: list[tuple[date, int]]) -> list[tuple[str, bool, dict[str, int]]]:
        """Components of a period in base currency, by line; the second of two is what e-banking saved."""
        rules, line = self.policy.contribution, LINE[account["product_id"]]
        start, end = days[0][0], days[-1][0]
        booked = [row for row in self.entries(account) if start <= day(row["booked_on"]) <= end]
        digits = DIGITS[account["currency"]]
        weighted = sum(balance for _, balance in days)
        posted = sum(units(row["amount"], digits) for row in booked if row["kind"] == "fee")
        risk = self.risk(account, line, weighted, days)
        amounts = {
            "margin": self.margin(account, line, weighted, start),
            "fee": self.commission(account, line, weighted, booked) - posted,
            "expected_loss": -round(risk["loss"]),
            "capital": -round(risk["capital"]),
        }
        rate = self.rate(account["currency"], start)
        amounts = {name: round(amount * rate) for name, amount in amounts.items()}
        n = defaultdict(int)
        for row in booked:
            n[row.get("channel") or "system"] += 1
        online = n["online"] + n["mobile"]
        cheaper = sum(n[name] * (rules.cost["counter"] - rules.cost[name]) for name in ("online", "mobile"))
        saved = round(Fraction(cheaper * rules.substituted_share, MILLION)) if self.has_app(account, start) else 0
        amounts["service_cost"] = -sum(n[name] * rules.cost[name] for name in n) - saved
        points = rules.points.get(line, {})
        scale = Fraction(1, MILLION * 100) * 1000  # from millionths of points for a yuan to thousandths for a fen
        average = Fraction(abs(round(weighted * rate)), self.days_of(start))
        amounts["points"] = round(average * points.get("average", 0) * scale)
        amounts["points"] += round(-round(posted * rate) * points.get("fee", 0) * scale)
        amounts["points_owner"] = round(Fraction(len(booked) * points.get("transaction", 0), 1000))
        rows = [(line, False, self.taxed(amounts))]
        if online and self.has_app(account, start):
            per_one = rules.points.get("e-banking", {}).get("transaction", 0)
            credit = {"service_cost": saved, "points_owner": round(Fraction(online * per_one, 1000))}
            rows.append(("e-banking", True, self.taxed(credit)))
        return rows

    def taxed(self, amounts: dict[str, int]) -> dict[str, int]:
        base = sum(amount for name, amount in amounts.items() if not name.startswith("points"))
        return amounts | {"tax": -round(Fraction(base * self.policy.contribution.tax, MILLION))}

    def margin(self, account: dict, line: str, weighted: int, start: date) -> int:
        pricing = self.policy.pricing
        if line not in pricing.curves:
            return 0
        if line == "deposits" and weighted < 0:
            ftp, client = self.demand("loans", account, start), pricing.overdraft_rate
        else:
            client, made = self.deal(account, start)
            term = account.get("term_months")
            curve = pricing.curves[line]
            ftp = self.point(curve, account, self.tenor(term), made) if term else self.demand(curve, account, start)
        if not self.status(account, start)[0]:
            client = 0
        if client is None:
            return 0
        if line != "deposits" and weighted > 0:
            client = 0
        return round(Fraction(weighted * (ftp - client), MILLION * pricing.year_days(account["currency"])))

    def tenor(self, term: int) -> int:
        return max(tenor for tenor in self.policy.pricing.tenors if tenor <= term)

    def demand(self, curve: str, account: dict, start: date) -> int:
        return self.point(curve, account, 0, min(month_end(start), self.as_of))

    def point(self, curve: str, account: dict, tenor: int, on: date) -> int:
        key = (curve, account["currency"], tenor)
        rows = [row for row in self.tables["ftp_curve"] if (row["line"], row["currency"], row["term_months"]) == key]
        last = max((row for row in rows if row["on"] <= on), key=lambda row: row["on"])
        return units(last["rate"], 6)

    def commission(self, account: dict, line: str, weighted: int, booked: list[dict]) -> int:
        rules, digits = self.policy.contribution, DIGITS[account["currency"]]
        spent = 0
        for row in booked:
            amount = units(row["amount"], digits)
            if (row["kind"] in OUTSIDE and amount < 0) or (row["kind"] == "reversal" and amount > 0):
                spent -= amount
        year = self.policy.pricing.year_days(account["currency"])
        held = Fraction(max(weighted, 0) * rules.commission_on_balance.get(line, 0), year * MILLION)
        return round(held + Fraction(spent * rules.commission_on_turnover.get(line, 0), MILLION))

    def risk(self, account: dict, line: str, weighted: int, days: list) -> dict[str, Fraction]:
        rules = self.policy.contribution
        _, grade, class_ = self.status(account, days[0][0])
        pd = rules.pd.get(grade, rules.pd_by_class.get(class_, rules.pd_by_class["normal"]))
        lgd = rules.lgd.get(account.get("collateral"), rules.lgd["none"])
        drawn = max(-weighted, 0)
        limit = units(account.get("limit"), DIGITS[account["currency"]]) or 0
        undrawn = max(limit * len(days) - drawn, 0)
        exposure = drawn + Fraction(undrawn * rules.conversion.get(line, 0), MILLION) if line in LENT else Fraction(0)
        a_day = exposure / 365
        return {"loss": a_day * pd * lgd / MILLION**2, "capital": a_day * rules.capital.get(line, 0) / MILLION}

    def rate(self, currency: str, start: date) -> Fraction:
        """Fen for the smallest unit of a currency, at the end of the month."""
        if currency == "CNY":
            return Fraction(1)
        end = min(month_end(start), self.as_of)
        rows = [row for row in self.tables["fx_rates"] if row["currency"] == currency and day(row["on"]) <= end]
        return Fraction(max(rows, key=lambda row: day(row["on"]))["rate"]) * 10 ** (2 - DIGITS[currency])

    def has_app(self, account: dict, start: date) -> bool:
        """Whether the owner has e-banking on any day of the month, by an account other than this one."""
        apps = [row for row in self.tables["accounts"] if row["product_id"] == "APP" and row is not account]
        end = min(month_end(start), self.as_of)
        return any(
            row["customer_id"] == account["customer_id"]
            and day(row["opened_on"]) <= end
            and day(row.get("closed_on", date.max)) >= start.replace(day=1)
            for row in apps
        )

    def days_of(self, start: date) -> int:
        return min(month_end(start), self.as_of).day

    def credit(self, account: dict, start: date, line: str, owner_only: bool, amounts: dict, sums: dict) -> None:
        """Amounts to holders, and of each holder to managers."""
        owner = account["customer_id"]
        holders = [(owner, MILLION)] if owner_only else self.holders(account)
        owner = owner if owner in dict(holders) else holders[0][0]
        of = {who: defaultdict(int) for who, _ in holders}
        for name, amount in amounts.items():
            if name in ("service_cost", "points_owner"):
                of[owner][name.replace("points_owner", "points")] += amount
                continue
            for who, part in parts(amount, holders):
                of[who][name] += part
        for who, mine in of.items():
            for name, amount in mine.items():
                for manager, part in parts(amount, self.keepers(account, who, line, start)):
                    sums[who, month_end(start), line, manager][name] += part

    def keepers(self, account: dict, who: str, line: str, on: date) -> list[tuple[str | None, int]]:
        """Managers and their shares on a day, the larger first; None is the branch, and comes first among equals."""
        for scope in NEAREST:
            shares = defaultdict(int)
            for row in self.tables["assignments"]:
                if row["scope"] == scope and self.in_force(row, on) and self.concerns(row, account, who, line):
                    share = units(row["share"], 6) if row["share"] else MILLION
                    shares[row["manager_id"]] = max(share, shares[row["manager_id"]])
            if shares:
                break
        result, left = [], MILLION
        for manager, share in sorted(shares.items(), key=lambda pair: (-pair[1], pair[0])):
            result.append((manager, min(share, left)))
            left -= result[-1][1]
        kept = [*(pair for pair in result if pair[1]), *([(None, left)] if left else [])]
        return sorted(kept, key=lambda pair: (-pair[1], pair[0] or ""))


def month_end(on: date) -> date:
    return on.replace(day=monthrange(on.year, on.month)[1])
