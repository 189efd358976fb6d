"""Small banks drawn at random, with all that a contribution depends on: as tables of text, as a bank delivers them."""

from datetime import date, timedelta
from pathlib import Path

from hypothesis import Phase, settings
from hypothesis import strategies as st

import crmlab as crm
from tests import banks
from tests.banks import account, entry, person

FIRST, LAST = date(2024, 1, 1), date(2024, 4, 15)
DAYS = st.dates(FIRST, LAST)
DIGITS = {"CNY": 2, "USD": 2, "JPY": 0}
PRODUCTS = [
    {"product_id": "OD", "line": "deposits", "term": "demand", "overdraft_allowed": "Y"},
    {"product_id": "DEMAND", "line": "deposits", "term": "demand"},
    {"product_id": "TERM", "name": "Term deposit", "line": "deposits", "term": "term"},
    {"product_id": "LOAN", "line": "loans"},
    {"product_id": "CARD", "line": "cards"},
    {"product_id": "FUND", "line": "wealth"},
    {"product_id": "SIGN", "line": "settlement"},
    {"product_id": "PAPER", "line": "guarantees"},
    {"product_id": "APP", "line": "e-banking"},
]
LINE = {row["product_id"]: row["line"] for row in PRODUCTS}
POLICY = """
base_currency = "CNY"
[pricing]
tenors = [0, 3, 12]
overdraft_rate = "0.0712"
[contribution]
substituted_share = "0.35"
tax = "{tax}"
[contribution.commission_on_balance]
wealth = "0.0123"
[contribution.commission_on_turnover]
cards = "0.0035"
deposits = "0.000013"
[contribution.conversion]
guarantees = "0.5"
cards = "0.2"
[contribution.capital]
{capital}
[contribution.points]
deposits = {{ average = "0.0137", fee = "0.3" }}
cards = {{ transaction = "0.1001" }}
e-banking = {{ transaction = "0.0505" }}
"""
KNOWN_ON = {
    "transactions": "booked_on", "balances": "on", "repricings": "on", "loan_status": "on", "ftp_curve": "on",
    "fx_rates": "on",
}  # fmt: skip
RATES = st.integers(0, 200_000)
AMOUNTS = st.integers(-(10**8), 10**8).filter(bool)
# Banks take too long to shrink, and to draw many: what holds in these few is asked of many by test_large.
DRAWN = settings(max_examples=5, deadline=None, phases=set(Phase) - {Phase.shrink})


def text(value: int, digits: int) -> str:
    """A whole number of smallest units as it would be delivered."""
    sign, size = "-" * (value < 0), abs(value)
    return f"{sign}{size // 10**digits}" + (f".{size % 10**digits:0{digits}d}" if digits else "")


def maybe(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.none() | values


@st.composite
def delivered(draw) -> dict:
    """Tables of a bank of three customers and ten accounts, and its policy as text under "policy"."""
    accounts = draw(_accounts())
    of = {row["account_id"]: row for row in accounts}
    tables = {"products": PRODUCTS, "accounts": accounts}
    tables["customers"] = [person(f"C{n}") for n in (1, 2, 3)]
    tables["managers"] = [
        {"manager_id": "M1"},
        {"manager_id": "M2"},
        {"manager_id": "M3", "left_on": draw(maybe(DAYS))},
    ]
    tables["holders"] = draw(_holders("D1")) + draw(_holders("L1"))
    tables["assignments"] = draw(_assignments(tables["managers"]))
    tables["transactions"] = draw(_transactions(of))
    tables["balances"] = draw(_balances(of))
    tables["repricings"] = [
        {"account_id": number, "on": day, "rate": text(rate, 6)}
        for number in ("T1", "L1", "D1", "J1")
        for day, rate in draw(st.dictionaries(DAYS, RATES, min_size=number in ("T1", "L1"), max_size=3)).items()
        if str(day) >= of[number]["opened_on"]
    ]
    tables["loan_status"] = draw(_statuses())
    tables["ftp_curve"] = draw(_curves())
    tables["fx_rates"] = [
        {"currency": currency, "on": day, "rate": text(draw(st.integers(10**6, 10**9)), 8)}
        for currency in ("USD", "JPY")
        for day in ("2023-12-29", "2024-01-31", "2024-02-15", "2024-03-29")
    ]
    tables["policy"] = draw(
        st.sampled_from([("0", ""), ("0.25", 'loans = "0.0101"\ncards = "0.02"'), ("0.1", 'guarantees = "0.007"')])
        .map(lambda rules: POLICY.format(tax=rules[0], capital=rules[1]))
    )  # fmt: skip
    return tables


@st.composite
def _accounts(draw) -> list[dict]:
    def rate() -> str:
        return text(draw(RATES), 6)

    opened = str(draw(st.dates(date(2023, 6, 1), date(2024, 3, 1))))
    return [
        account("D1", "C1", "OD", rate=rate()),
        account("T1", "C1", "TERM", opened, rate=rate(), term_months=draw(st.sampled_from([1, 3, 5, 12, 13]))),
        account("L1", "C2", "LOAN", rate=rate(), term_months=36, collateral=draw(st.sampled_from(["home", "", "?"]))),
        account("U1", "C2", "DEMAND", "2024-01-20", currency="USD", closed_on="2024-04-10", rate=rate()),
        account(
            "J1", "C3", "LOAN", currency="JPY", rate=draw(st.just("") | RATES.map(lambda r: text(r, 6))), limit="9"
        ),
        account("K1", "C3", "CARD", rate=rate(), limit="20000.00"),
        account("W1", "C3", "FUND"),
        account("S1", "C2", "SIGN"),
        account("G1", "C2", "PAPER", "2024-02-10", currency="USD", limit="12345.67"),
        account("E1", "C1", "APP", str(draw(DAYS))),
    ]


@st.composite
def _holders(draw, number: str) -> list[dict]:
    """Nobody beside the owner, or up to three holders whose shares add to one."""
    cuts = sorted(draw(st.sets(st.integers(1, 999_999), max_size=2)))
    parts = [b - a for a, b in zip([0, *cuts], [*cuts, 10**6], strict=True)]
    owners = draw(st.permutations(["C1", "C2", "C3"]))
    rows = zip(owners, parts, strict=False)
    return [
        {"account_id": number, "customer_id": who, "role": "joint", "share": text(part, 6)} for who, part in rows
    ] if len(parts) > 1 else []  # fmt: skip


@st.composite
def _assignments(draw, managers: list[dict]) -> list[dict]:
    objects = st.sampled_from(
        [("customer", {"customer_id": f"C{n}"}) for n in (1, 2, 3)] * 2
        + [("line", {"customer_id": who, "line": line}) for who in ("C1", "C2") for line in ("deposits", "e-banking")]
        + [("account", {"account_id": number}) for number in ("D1", "L1", "U1")]
    )
    ends = {row["manager_id"]: row.get("left_on") or LAST for row in managers}
    rows = []
    for _ in range(draw(st.integers(1, 8))):
        who, (scope, of) = draw(st.sampled_from(sorted(ends))), draw(objects)
        start = draw(st.dates(date(2023, 12, 1), ends[who]))
        share = draw(maybe(st.integers(1, 10**6) | st.sampled_from([500_000, 333_333])))
        rows.append(
            {"manager_id": who, "role": "maintains", "scope": scope, **of, "from_on": start,
             "to_on": draw(maybe(st.dates(start, LAST))), "share": "" if share is None else text(share, 6)}
        )  # fmt: skip
    return rows


@st.composite
def _transactions(draw, of: dict[str, dict]) -> list[dict]:
    kinds = ["payment", "card", "salary", "own_transfer", "principal", "interest", "fee", "reversal"]
    channels = ["counter", "atm", "online", "mobile", "mobile", "pos", "system", ""]
    rows = draw(
        st.lists(
            st.tuples(DAYS, st.sampled_from(sorted(of)), AMOUNTS, *map(st.sampled_from, (kinds, channels))),
            min_size=5,
            max_size=30,
        )
    )
    return [entry(FIRST, "W1", "0.01", "interest", "bank")] + [
        entry(day, number, text(amount, DIGITS[of[number]["currency"]]), kind, channel=channel)
        for day, number, amount, kind, channel in rows
        if of[number]["opened_on"] <= str(day) <= of[number].get("closed_on", "9999")
    ]


@st.composite
def _balances(draw, of: dict[str, dict]) -> list[dict]:
    """What the accounts that are older than the history began with, and valuations."""
    rows = [
        {"account_id": number, "on": "2023-12-31", "kind": "anchor",
         "balance": text(draw(AMOUNTS), DIGITS[row["currency"]])}
        for number, row in of.items()
        if row["opened_on"] < str(FIRST)
    ]  # fmt: skip
    for number in ("D1", "W1"):
        valued = draw(st.dictionaries(st.dates(FIRST + timedelta(days=1), LAST), AMOUNTS, max_size=3))
        rows += [
            {"account_id": number, "on": day, "kind": "valuation", "balance": text(value, 2)}
            for day, value in valued.items()
        ]
    return rows


@st.composite
def _statuses(draw) -> list[dict]:
    grades, classes = ["", "A", "B", "Z"], ["", "normal", "special mention", "loss"]
    state = st.tuples(st.sampled_from(grades), st.sampled_from(classes), maybe(st.integers(0, 120)))
    days = st.dates(date(2023, 9, 1), LAST)
    return [
        {"account_id": number, "on": day, "risk_grade": grade, "five_grade": class_, "overdue_days": overdue}
        for number in ("L1", "K1", "J1", "D1")
        for day, (grade, class_, overdue) in draw(
            st.dictionaries(days, state, min_size=number == "L1", max_size=4)
        ).items()
    ]


@st.composite
def _curves(draw) -> list[dict]:
    """Points of both curves from long ago, and some more in between."""
    rows = []
    for line in ("deposits", "loans"):
        for currency in DIGITS:
            for tenor in (0, 3, 12):
                later = draw(st.sets(st.dates(date(2023, 6, 1), LAST), max_size=3))
                rows += [
                    {"line": line, "currency": currency, "term_months": tenor, "on": day, "rate": text(draw(RATES), 6)}
                    for day in [date(2020, 1, 1), *later]
                ]
    return rows


def known(tables: dict, as_of: date) -> dict:
    """The tables as they would have been delivered at the end of a day."""

    def by_then(name: str, on: str) -> list[dict]:
        return [row for row in tables[name] if str(row[on]) <= str(as_of)]

    def without_later(rows: list[dict], on: str) -> list[dict]:
        return [row if str(row.get(on) or "") <= str(as_of) else row | {on: None} for row in rows]

    accounts = without_later(by_then("accounts", "opened_on"), "closed_on")
    numbers = {row["account_id"] for row in accounts}
    assignments = without_later(by_then("assignments", "from_on"), "to_on")
    dated = {name: by_then(name, on) for name, on in KNOWN_ON.items()}
    return tables | dated | {
        "accounts": accounts,
        "assignments": [row for row in assignments if row.get("account_id", "D1") in numbers],
        "managers": without_later(tables["managers"], "left_on"),
    }  # fmt: skip


def written(folder: Path, tables: dict, as_of: date = LAST):
    """The tables on disk, read as a bank at a day."""
    extracts = banks.write(folder / "extracts", **{name: rows for name, rows in tables.items() if name != "policy"})
    (extracts / "policy.toml").write_text(tables["policy"], "utf-8")
    return crm.read(extracts, as_of=as_of, landed=folder / "landed")
