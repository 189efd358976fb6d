"""The data dictionary as code: one schema a table, each rule one named expression.

Types are those of a value after parsing: money is a whole number of minor units of its account's currency (of the
policy's base currency where there is no account), a rate or a share a whole number of millionths, an exchange rate of
hundred-millionths (base currency for one unit). A column that may be null may also be missing from an extract. What a
column may be used for at a past date stands in its metadata:

- ``fixed``: known since the row exists (`KNOWN_ON` says since when);
- ``dated``: known from the date in the column ``by`` on, masked before it;
- ``current``: true of the day the extract was made, and of no other day. `Bank.table` does not serve these.
"""

import dataframely as dy
import polars as pl

from crmlab.bank.columns import (
    CURRENT,
    FIXED,
    MILLIONTHS,
    PERSONAL,
    dated,
    day,
    flag,
    key,
    money,
    one_of,
    other_id,
    share_,
    text,
)
from crmlab.bank.staff import Assignments, Capacity, ManagerEvents, Managers, Targets
from crmlab.policy import ENTRY_KINDS, INITIATORS, LINES

KINDS = ["retail", "small business", "corporate", "institution"]
CHANNELS = ["counter", "atm", "online", "mobile", "pos", "system"]
COUNTERPARTIES = ["own", "same bank", "other bank", "merchant", "payroll"]
FIVE_GRADES = ["normal", "special mention", "substandard", "doubtful", "loss"]


class Customers(dy.Schema):
    customer_id = key()
    kind = one_of(KINDS, nullable=False)
    since = day(nullable=False)
    branch_id = other_id(nullable=True)
    name = text(PERSONAL)
    national_id = text(PERSONAL)
    mobile = text(PERSONAL)
    address = text(PERSONAL)
    birth_on = day(metadata=PERSONAL)
    founded_on = day()
    industry = text()
    referred_by_id = other_id(nullable=True)
    legal_rep_id = other_id(nullable=True)
    risk_grade = text(CURRENT)
    graded_on = day(metadata=CURRENT)
    kyc_due_on = day(metadata=CURRENT)
    consent = flag(CURRENT)
    staff_related = flag(CURRENT)
    status = one_of(["active", "frozen", "deceased", "merged", "closed"], metadata=CURRENT)

    @dy.rule()
    def born_before_joining(cls) -> pl.Expr:
        return pl.col("birth_on") <= pl.col("since")

    @dy.rule()
    def founded_before_joining(cls) -> pl.Expr:
        return pl.col("founded_on") <= pl.col("since")


class Parties(dy.Schema):
    customer_id = key()
    party_id = other_id()


class Accounts(dy.Schema):
    account_id = key()
    customer_id = other_id()
    product_id = other_id()
    branch_id = other_id(nullable=True)
    currency = dy.String(regex="^[A-Z]{3}$", metadata=FIXED)
    opened_on = day(nullable=False)
    closed_on = day(metadata=dated("closed_on"))
    close_reason = one_of(
        ["request", "matured", "moved", "deceased", "merged", "written off"], metadata=dated("closed_on")
    )
    rate = dy.Int64(nullable=True, metadata=MILLIONTHS)
    is_floating = flag()
    term_months = dy.Int32(nullable=True, min=0, metadata=FIXED)
    matures_on = day()
    auto_renew = flag(CURRENT)
    limit = money(nullable=True)
    collateral = text()
    history_kind = one_of(["transactions", "daily", "month_end", "balance_days"])
    five_grade = one_of(FIVE_GRADES, metadata=CURRENT)
    overdue_days = dy.Int32(nullable=True, min=0, metadata=CURRENT)

    @dy.rule()
    def opened_before_closed(cls) -> pl.Expr:
        return pl.col("opened_on") <= pl.col("closed_on")

    @dy.rule()
    def opened_before_maturity(cls) -> pl.Expr:
        return pl.col("opened_on") <= pl.col("matures_on")


class Repricings(dy.Schema):
    """The client rate of an account from a day on; before the first row its own `rate` holds."""

    account_id = key()
    on = dy.Date(primary_key=True, metadata=FIXED)
    rate = dy.Int64(metadata=MILLIONTHS)


class LoanStatus(dy.Schema):
    """The state of a loan at the end of a day; it holds until the next row, a day overdue growing older by itself."""

    account_id = key()
    on = dy.Date(primary_key=True, metadata=FIXED)
    risk_grade = text()
    five_grade = one_of(FIVE_GRADES)
    overdue_days = dy.Int32(nullable=True, min=0, metadata=FIXED)


class Holders(dy.Schema):
    account_id = key()
    customer_id = key()
    role = one_of(["owner", "joint", "user"], nullable=False)
    share = share_()

    @dy.rule()
    def user_holds_no_share(cls) -> pl.Expr:
        return (pl.col("role") != "user") | (pl.col("share").fill_null(0) == 0)


class Products(dy.Schema):
    product_id = key()
    name = text()
    line = one_of(LINES, nullable=False)
    asset_class = text()
    term = one_of(["demand", "term"])
    risk = one_of(["R1", "R2", "R3", "R4", "R5"])
    is_off_balance = flag()
    overdraft_allowed = flag()
    bundled_with = other_id(nullable=True)


class Transactions(dy.Schema):
    """Every posting. A payment or transfer whose counterparty is `own` is landed with the kind own_transfer."""

    transaction_id = dy.String(nullable=True, unique=False, metadata=FIXED)
    account_id = other_id()
    booked_on = day(nullable=False)
    amount = money()
    kind = one_of(ENTRY_KINDS, nullable=False)
    channel = one_of(CHANNELS)
    initiated_by = one_of(INITIATORS)
    category = text()
    counterparty_kind = one_of(COUNTERPARTIES)
    reverses_id = text()


class Balances(dy.Schema):
    account_id = key()
    on = dy.Date(primary_key=True, metadata=FIXED)
    kind = dy.Enum(["control", "anchor", "valuation", "balance_days"], primary_key=True, metadata=FIXED)
    balance = money()


class Branches(dy.Schema):
    branch_id = key()
    name = text()
    region = text()
    peer_group = text()


class Leads(dy.Schema):
    """A lead takes each step once, and the first time counts; every single contact is a row of `contacts`."""

    lead_id = key()
    step = dy.Enum(["contacted", "responded", "offered", "opened", "lost"], primary_key=True, metadata=FIXED)
    on = day(nullable=False)
    customer_id = other_id(nullable=True)
    manager_id = other_id(nullable=True)
    product_id = other_id(nullable=True)
    cost = money(nullable=True)


class Contacts(dy.Schema):
    contact_id = key()
    customer_id = other_id()
    manager_id = other_id(nullable=True)
    on = day(nullable=False)
    channel = one_of(["visit", "call", "message", "counter"])
    purpose = text()
    outcome = text()


class Nominations(dy.Schema):
    """Customers whom the branch has put on its key list, from a day to a day; both count."""

    customer_id = key()
    from_on = dy.Date(primary_key=True, metadata=FIXED)
    to_on = day(metadata=dated("to_on"))

    @dy.rule()
    def begins_before_it_ends(cls) -> pl.Expr:
        return pl.col("from_on") <= pl.col("to_on")


class Complaints(dy.Schema):
    complaint_id = key()
    customer_id = other_id()
    on = day(nullable=False)
    topic = text()
    resolved_on = day(metadata=dated("resolved_on"))


class Surveys(dy.Schema):
    customer_id = key()
    on = dy.Date(primary_key=True, metadata=FIXED)
    score = dy.Int32(min=0, max=10, metadata=FIXED)
    topic = text()


class Campaigns(dy.Schema):
    campaign_id = key()
    name = text()
    product_id = other_id(nullable=True)
    from_on = day(nullable=False)
    to_on = day(nullable=False)
    read_out_on = day()
    cost = money(nullable=True)


class Offers(dy.Schema):
    campaign_id = key()
    customer_id = key()
    on = dy.Date(primary_key=True, metadata=FIXED)
    is_control = flag()
    responded_on = day(metadata=dated("responded_on"))
    opened_on = day(metadata=dated("opened_on"))


class Relations(dy.Schema):
    """`customer_id` stands in relation `kind` to `other_id`, for instance pays wages to."""

    customer_id = key()
    other_id = key()
    kind = dy.Enum(["kin", "controls", "guarantees", "pays wages to"], primary_key=True, metadata=FIXED)
    from_on = day()
    to_on = day(metadata=dated("to_on"))


class ContactPersons(dy.Schema):
    customer_id = other_id()
    name = text(PERSONAL)
    position = text()
    mobile = text(PERSONAL)


class FxRates(dy.Schema):
    currency = dy.String(primary_key=True, regex="^[A-Z]{3}$", metadata=FIXED)
    on = dy.Date(primary_key=True, metadata=FIXED)
    rate = dy.Int64(min=1, metadata={"time": "fixed", "unit": "hundred-millionths"})


class FtpCurve(dy.Schema):
    currency = dy.String(primary_key=True, regex="^[A-Z]{3}$", metadata=FIXED)
    line = dy.Enum(list(LINES), primary_key=True, metadata=FIXED)
    term_months = dy.Int32(primary_key=True, min=0, metadata=FIXED)
    on = dy.Date(primary_key=True, metadata=FIXED)
    rate = dy.Int64(metadata=MILLIONTHS)


TABLES: dict[str, type[dy.Schema]] = {
    "customers": Customers, "parties": Parties, "accounts": Accounts, "holders": Holders, "products": Products,
    "repricings": Repricings, "loan_status": LoanStatus, "transactions": Transactions, "balances": Balances,
    "branches": Branches, "managers": Managers,
    "assignments": Assignments, "manager_events": ManagerEvents, "capacity": Capacity, "targets": Targets,
    "leads": Leads, "contacts": Contacts, "nominations": Nominations, "complaints": Complaints, "surveys": Surveys,
    "campaigns": Campaigns,
    "offers": Offers, "relations": Relations, "contact_persons": ContactPersons, "fx_rates": FxRates,
    "ftp_curve": FtpCurve,
}  # fmt: skip
REQUIRED = ("customers", "accounts", "products", "transactions")

# Keys with a column that may be null, which no primary key may: a posting without an id has no key, and a relation
# that is as old as anyone knows has one start like any other.
NULLABLE_KEYS = {
    "transactions": ["transaction_id"],
    "relations": ["customer_id", "other_id", "kind", "from_on"],
}

# The column from whose date on a row is known; tables without one hold what is true from the start.
KNOWN_ON = {
    "customers": "since", "accounts": "opened_on", "transactions": "booked_on", "balances": "on", "repricings": "on",
    "loan_status": "on", "managers": "joined_on", "assignments": "from_on", "manager_events": "on", "capacity": "month",
    "targets": "set_on", "leads": "on", "contacts": "on", "nominations": "from_on", "complaints": "on", "surveys": "on",
    "campaigns": "from_on", "offers": "on", "relations": "from_on", "fx_rates": "on", "ftp_curve": "on",
}  # fmt: skip


def columns(table: str, **wanted) -> list[str]:
    """Columns of a table whose metadata agree with `wanted`, in the order of the dictionary.

    Examples
    --------
    >>> columns("accounts", time="dated")
    ['closed_on', 'close_reason']
    >>> columns("transactions", unit="money")
    ['amount']
    """
    return [
        name
        for name, column in TABLES[table].columns().items()
        if all((column.metadata or {}).get(key) == value for key, value in wanted.items())
    ]
