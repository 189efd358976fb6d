"""The Czech bank of PKDD'99 (Berka), as published, mapped into the dictionary; landing then checks it like any extract.

What the mapping decides:

- Cards and loans become accounts of their own beside the current account they hang on (ids ``C…`` and ``L…``).
- A loan pays out its amount on its date and is paid back by the instalments (k_symbol UVER) of its current account,
  mirrored until nothing is owed. Amount = duration × instalment, so there is no interest. The money paid out is on no
  current account of the files. Nothing is booked after the last transaction of the files.
- Every transfer to another bank matches a standing order by account, bank, partner and amount: customers of this bank
  never sent one by hand. What a mandate or the bank posts is no sign of life.
- A recorded balance is a control where its account has no other transaction that day; elsewhere the order within the
  day, which the file does not keep, would decide.
"""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import polars as pl

from crmlab.bank import parse
from crmlab.bank.extract import Batch, Extract, batches
from crmlab.errors import InputError

FILES = {
    "account": ("account_id", "district_id", "frequency", "date"),
    "client": ("client_id", "birth_number", "district_id"),
    "disp": ("disp_id", "client_id", "account_id", "type"),
    "order": ("account_id", "bank_to", "account_to", "amount"),
    "loan": ("loan_id", "account_id", "date", "amount", "duration", "status"),
    "card": ("card_id", "disp_id", "type", "issued"),
    "district": ("a1", "a2", "a3"),
    "trans": (
        "trans_id", "account_id", "date", "type", "operation", "amount", "balance", "k_symbol", "bank", "account",
    ),
}  # fmt: skip
ENDINGS = (".asc", ".csv", ".asc.gz", ".csv.gz")
STATEMENTS = {
    "POPLATEK MESICNE": "Current account, monthly statement",
    "POPLATEK TYDNE": "Current account, weekly statement",
    "POPLATEK PO OBRATU": "Current account, statement after each transaction",
}
CARDS = {"classic": "Classic card", "junior": "Junior card", "gold": "Gold card"}
GRADES = {"A": "normal", "B": "loss", "C": "normal", "D": "substandard"}
SIGNS = {"PRIJEM": "", "VYDAJ": "-", "VYBER": "-"}

# What a posting is, by k_symbol first and by operation where that is blank: kind, channel, initiated_by, category.
BY_SYMBOL = {
    "UROK": ("interest", "system", "bank", "interest"),
    "SANKC. UROK": ("fee", "system", "bank", "penalty interest"),
    "SLUZBY": ("fee", "system", "bank", "statement fee"),
    "SIPO": ("payment", "system", "mandate", "household"),
    "POJISTNE": ("payment", "system", "mandate", "insurance"),
    "LEASING": ("payment", "system", "mandate", "leasing"),
    "UVER": ("payment", "system", "mandate", "loan"),
    "DUCHOD": ("salary", "system", "counterparty", "pension"),
}
BY_OPERATION = {
    "VKLAD": ("cash", "counter", "customer", None),
    "VYBER": ("cash", "counter", "customer", None),
    "VYBER KARTOU": ("card", "atm", "customer", None),
    "PREVOD Z UCTU": ("transfer", "system", "counterparty", None),
    "PREVOD NA UCET": ("payment", "online", "customer", None),
}
POSTING = ("kind", "channel", "initiated_by", "category")


def is_berka(folder: Path) -> bool:
    """Whether a folder holds the Berka files."""
    return all(_file(folder, name) for name in ("account", "disp", "trans"))


def find(folder: Path) -> Extract:
    """The Berka files of a folder as tables of the dictionary."""
    files = {name: _file(folder, name) for name in FILES}
    absent = [name for name, file in files.items() if not file]
    if absent:
        raise InputError(f"{folder} looks like the Berka files, but has no {absent[0]}.asc or {absent[0]}.csv. Add it.")
    tables = cache(lambda: _tables({name: _raw(file, name) for name, file in files.items()}))
    makers = {"branches": "district", "products": "account", "customers": "client", "accounts": "account"}
    makers |= {"holders": "disp", "transactions": "trans", "balances": "trans"}

    def reader(table: str):
        def read() -> Iterator[Batch]:
            yield Batch(files[makers[table]].name, 1, tables()[table])

        return read

    return Extract(folder, tuple(files.values()), {table: reader(table) for table in makers})


def births(clients: pl.DataFrame) -> pl.DataFrame:
    """Birth date and sex of clients: `birth_number` is YYMMDD with 50 added to the month of women.

    Examples
    --------
    >>> births(pl.DataFrame({"birth_number": ["706213", "450204"]})).rows()
    [(datetime.date(1970, 12, 13), True), (datetime.date(1945, 2, 4), False)]
    """
    number = pl.col("birth_number").cast(pl.Int32, strict=False)
    month = number // 100 % 100
    is_woman = month > 50
    return clients.select(
        _date(1900 + number // 10000, month - 50 * is_woman, number % 100).alias("birth_on"), is_woman=is_woman
    )


def _date(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    return pl.format("{}-{}-{}", year, month, day).str.to_date("%Y-%m-%d", strict=False)


def _day(column: str) -> pl.Expr:
    """YYMMDD, with or without a time, as a date of the twentieth century."""
    return (pl.lit("19") + pl.col(column).str.slice(0, 6)).str.to_date("%Y%m%d", strict=False)


def _file(folder: Path, name: str) -> Path | None:
    return next((path for ending in ENDINGS if (path := folder / f"{name}{ending}").is_file()), None)


def _raw(file: Path, name: str) -> pl.DataFrame:
    rows = pl.concat(batch.rows for batch in batches(file, file.name))
    absent = [column for column in FILES[name] if column not in rows.columns]
    if absent:
        raise InputError(f"{file.name} has no column {absent[0]}. It has: {', '.join(rows.columns)}.")
    return rows.with_columns(pl.all().replace("", None))


def _tables(raw: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    accounts = raw["account"].with_columns(opened_on=_day("date"))
    owned = raw["disp"].join(accounts.select("account_id", "opened_on"), on="account_id", how="left")
    trans = _postings(raw)
    return {
        "branches": raw["district"].select(branch_id="a1", name="a2", region="a3"),
        "products": _products(),
        "customers": _customers(raw, owned),
        "accounts": _accounts(raw, accounts, owned),
        "holders": _holders(raw),
        "transactions": pl.concat([trans, _loan_postings(raw, trans)], how="diagonal"),
        "balances": _controls(trans),
    }


def _products() -> pl.DataFrame:
    rows = [(code, name, "deposits", "demand") for code, name in STATEMENTS.items()]
    rows += [(code, name, "cards", None) for code, name in CARDS.items()]
    rows += [("loan", "Loan", "loans", "term")]
    return pl.DataFrame(rows, schema=["product_id", "name", "line", "term"], orient="row")


def _customers(raw: dict[str, pl.DataFrame], owned: pl.DataFrame) -> pl.DataFrame:
    since = owned.group_by("client_id").agg(since=pl.col("opened_on").min())
    clients = raw["client"].join(since, on="client_id", how="left", maintain_order="left")
    return clients.select(
        pl.col("client_id").alias("customer_id"), "since", branch_id="district_id", kind=pl.lit("retail")
    ).with_columns(births(clients)["birth_on"])


def _accounts(raw: dict[str, pl.DataFrame], accounts: pl.DataFrame, owned: pl.DataFrame) -> pl.DataFrame:
    owner = raw["disp"].filter(pl.col("type") == "OWNER").select("account_id", customer_id="client_id")
    current = accounts.join(owner, on="account_id", how="left", maintain_order="left").select(
        "account_id", "customer_id", "opened_on", product_id="frequency", branch_id="district_id"
    )
    months = pl.col("duration").cast(pl.Int32, strict=False)
    place = current.select("account_id", "customer_id", "branch_id")
    loans = raw["loan"].join(place, on="account_id", how="left", maintain_order="left").select(
        "customer_id", "branch_id",
        account_id=pl.lit("L") + pl.col("loan_id"),
        product_id=pl.lit("loan"),
        opened_on=_day("date"),
        term_months="duration",
        matures_on=_day("date").dt.offset_by(pl.format("{}mo", months)),
        five_grade=pl.col("status").replace_strict(GRADES, default=None, return_dtype=pl.String),
    )  # fmt: skip
    held = owned.join(place.select("account_id", "branch_id"), on="account_id", how="left").rename({"type": "role"})
    cards = (
        raw["card"]
        .join(held, on="disp_id", how="left", maintain_order="left")
        .select(
            "branch_id",
            account_id=pl.lit("C") + pl.col("card_id"),
            customer_id="client_id",
            product_id="type",
            opened_on=_day("issued"),
        )
    )
    return pl.concat([current, loans, cards], how="diagonal").with_columns(currency=pl.lit("CZK"))


def _holders(raw: dict[str, pl.DataFrame]) -> pl.DataFrame:
    disp = raw["disp"]
    is_owner = pl.col("type") == "OWNER"
    current = disp.select(
        "account_id",
        customer_id="client_id",
        role=pl.when(is_owner).then(pl.lit("owner")).when(pl.col("type") == "DISPONENT").then(pl.lit("user")),
        share=pl.when(is_owner).then(pl.lit("1")).otherwise(pl.lit("0")),
    )
    whole = {"role": pl.lit("owner"), "share": pl.lit("1")}
    loans = raw["loan"].join(disp.filter(is_owner), on="account_id", maintain_order="left")
    loans = loans.select(account_id=pl.lit("L") + pl.col("loan_id"), customer_id="client_id", **whole)
    cards = raw["card"].join(disp, on="disp_id", maintain_order="left")
    cards = cards.select(account_id=pl.lit("C") + pl.col("card_id"), customer_id="client_id", **whole)
    return pl.concat([current, loans, cards])


def _postings(raw: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """The transactions of current accounts, with the recorded `balance` still beside them."""
    orders = (
        raw["order"]
        .select("account_id", bank="bank_to", account="account_to", amount="amount", is_ordered=True)
        .unique()
    )
    loans = raw["loan"].select("account_id", lent_on=_day("date"))
    rows = raw["trans"].with_columns(pl.col("k_symbol").str.strip_chars().replace("", None), booked_on=_day("date"))
    rows = rows.join(orders, on=["account_id", "bank", "account", "amount"], how="left", maintain_order="left")
    rows = rows.join(loans, on="account_id", how="left", maintain_order="left")
    posting = [
        pl.coalesce(_looked_up("k_symbol", BY_SYMBOL, i), _looked_up("operation", BY_OPERATION, i)).alias(name)
        for i, name in enumerate(POSTING)
    ]
    is_instalment = (pl.col("k_symbol") == "UVER") & (pl.col("booked_on") >= pl.col("lent_on"))
    of_order = pl.col("is_ordered").fill_null(False) & (pl.col("initiated_by") == "customer")
    return rows.with_columns(posting).select(
        "account_id", "booked_on", "category", "balance",
        transaction_id="trans_id",
        amount=pl.col("type").replace_strict(SIGNS, default=None, return_dtype=pl.String) + pl.col("amount"),
        kind=pl.when(is_instalment.fill_null(False)).then(pl.lit("principal")).otherwise("kind"),
        channel=pl.when(of_order).then(pl.lit("system")).otherwise("channel"),
        initiated_by=pl.when(of_order).then(pl.lit("mandate")).otherwise("initiated_by"),
        counterparty_kind=pl.when(is_instalment.fill_null(False)).then(pl.lit("own"))
        .when(pl.col("k_symbol") == "DUCHOD").then(pl.lit("payroll"))
        .when(pl.col("bank").is_not_null()).then(pl.lit("other bank")),
    )  # fmt: skip


def _looked_up(column: str, rows: dict[str, tuple], i: int) -> pl.Expr:
    return pl.col(column).replace_strict(
        {key: row[i] for key, row in rows.items()}, default=None, return_dtype=pl.String
    )


def _loan_postings(raw: dict[str, pl.DataFrame], trans: pl.DataFrame) -> pl.DataFrame:
    """What a loan account books: its amount paid out, then each instalment until the amount is paid back."""
    loans = raw["loan"].select(
        "account_id", loan=pl.lit("L") + pl.col("loan_id"), lent_on=_day("date"), lent=_hundredths("amount")
    )
    loans = loans.filter(pl.col("lent_on") <= trans["booked_on"].max())
    common = {"kind": pl.lit("principal"), "channel": pl.lit("system")}
    paid_out = loans.select(
        transaction_id=pl.lit("O") + pl.col("loan"), account_id="loan", booked_on="lent_on",
        amount=parse.as_text(-pl.col("lent"), 2), initiated_by=pl.lit("bank"), **common,
    )  # fmt: skip
    paid = trans.filter(pl.col("kind") == "principal").join(loans, on="account_id", maintain_order="left")
    paid = paid.sort("loan", "booked_on", maintain_order=True).with_columns(back=-_hundredths("amount"))
    so_far = pl.min_horizontal(pl.col("back").cum_sum().over("loan"), "lent")
    paid = paid.with_columns(back=so_far - so_far.shift(1, fill_value=0).over("loan")).filter(pl.col("back") > 0)
    paid_back = paid.select(
        "booked_on", transaction_id=pl.lit("P") + pl.col("transaction_id"), account_id="loan",
        amount=parse.as_text(pl.col("back"), 2), initiated_by=pl.lit("mandate"), counterparty_kind=pl.lit("own"),
        **common,
    )  # fmt: skip
    return pl.concat([paid_out, paid_back], how="diagonal")


def _hundredths(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Decimal(18, 2), strict=False).to_physical().cast(pl.Int64)


def _controls(trans: pl.DataFrame) -> pl.DataFrame:
    alone = trans.filter(pl.struct("account_id", "booked_on").is_unique())
    return alone.select("account_id", on="booked_on", kind=pl.lit("control"), balance="balance")
