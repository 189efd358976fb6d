"""What is timed, one function a case; `benchmarks.once` runs each in a process of its own."""

from pathlib import Path

import duckdb
import polars as pl

import crmlab as crm

TMP = Path(__file__).with_name("tmp")
EXTRACT, LANDED, LAST = TMP / "extract", TMP / "landed", "2024-12-31"


def bank():
    """The extract of the benchmarks, landed."""
    return crm.read(EXTRACT, as_of=LAST, landed=LANDED)


def bare(bank) -> None:
    """One bare Polars pass over the same files: group by account and month, sum and count."""
    scan = pl.scan_parquet(bank.paths("transactions"))
    scan.group_by("account_id", "month").agg(pl.col("amount").sum(), pl.len()).collect(engine="streaming")


def facts(bank) -> None:
    """`panel.facts` as frames."""
    crm.panel.facts(bank).collect()


def facts_on_duckdb(bank) -> None:
    """`panel.facts` with the pass over rows in DuckDB."""
    crm.panel.facts(bank, engine="duckdb").collect()


def panel(bank) -> None:
    """Facts and customers, month by month, as the build makes them."""
    for _ in crm.panel.monthly(bank):
        pass


def sql(bank) -> None:
    """The same facts in plain SQL on DuckDB: dense months, running balances, flows, counts, active days."""
    paths = {name: [str(path) for path in bank.paths(name)] for name in ("transactions", "accounts", "balances")}
    active = "kind IN ('payment', 'card', 'cash', 'transfer') AND initiated_by = 'customer'"
    outside = "kind IN ('payment', 'card', 'cash', 'transfer', 'salary')"
    duckdb.sql(f"""
        CREATE OR REPLACE TABLE facts AS
        WITH flows AS (
            SELECT account_id, month, sum(amount) AS net, count(*) AS n_transactions,
                sum(amount * (day(month) + 1 - day(booked_on))) AS weighted,
                sum(CASE WHEN {outside} AND amount > 0 OR kind = 'reversal' AND amount < 0 THEN amount END) AS inflow,
                sum(CASE WHEN {outside} AND amount < 0 OR kind = 'reversal' AND amount > 0 THEN -amount END) AS outflow,
                sum(CASE WHEN kind IN ('own_transfer', 'principal') THEN amount END) AS own_transfer,
                sum(CASE WHEN kind = 'interest' THEN amount END) AS interest,
                sum(CASE WHEN kind = 'fee' THEN amount END) AS fees,
                count(*) FILTER (channel = 'counter') AS n_counter, count(*) FILTER (channel = 'atm') AS n_atm,
                count(*) FILTER (channel = 'online') AS n_online, count(*) FILTER (channel = 'mobile') AS n_mobile,
                count(*) FILTER (channel = 'pos') AS n_pos,
                count(DISTINCT CASE WHEN {active} THEN booked_on END) AS n_active_days,
                max(CASE WHEN {active} THEN booked_on END) AS last_active_on
            FROM read_parquet({paths["transactions"]}) GROUP BY account_id, month
        ), months AS (
            SELECT last_day(d::DATE) AS month
            FROM generate_series(DATE '2023-01-01', DATE '{LAST}', INTERVAL 1 MONTH) t(d)
        ), dense AS (
            SELECT account_id, month, b.balance AS anchor
            FROM read_parquet({paths["accounts"]}) a JOIN read_parquet({paths["balances"]}) b USING (account_id)
            CROSS JOIN months
        ), running AS (
            SELECT account_id, month, flows.* EXCLUDE (account_id, month),
                anchor + sum(coalesce(net, 0)) OVER (PARTITION BY account_id ORDER BY month) AS closing
            FROM dense LEFT JOIN flows USING (account_id, month)
        )
        SELECT *, closing - coalesce(net, 0) AS opening,
            (closing - coalesce(net, 0)) * day(month) + coalesce(weighted, 0) AS balance_days
        FROM running
    """)


def pandas(bank) -> None:
    """The same facts in pandas, as an analyst would write them."""
    import pandas as pd

    columns = ["account_id", "booked_on", "amount", "kind", "channel", "initiated_by", "month"]
    rows = pd.concat([pd.read_parquet(path, columns=columns) for path in bank.paths("transactions")], ignore_index=True)
    rows["booked_on"], rows["month"] = pd.to_datetime(rows["booked_on"]), pd.to_datetime(rows["month"])
    kind, amount = rows["kind"].astype(str), rows["amount"]
    outside = kind.isin(["payment", "card", "cash", "transfer", "salary"])
    reversal = kind == "reversal"
    active = kind.isin(["payment", "card", "cash", "transfer"]) & (rows["initiated_by"] == "customer")
    rows["inflow"] = amount.where((outside & (amount > 0)) | (reversal & (amount < 0)), 0)
    rows["outflow"] = -amount.where((outside & (amount < 0)) | (reversal & (amount > 0)), 0)
    rows["own_transfer"] = amount.where(kind.isin(["own_transfer", "principal"]), 0)
    rows["interest"] = amount.where(kind == "interest", 0)
    rows["fees"] = amount.where(kind == "fee", 0)
    rows["weighted"] = amount * (rows["month"].dt.day + 1 - rows["booked_on"].dt.day)
    numbers = ["counter", "atm", "online", "mobile", "pos"]
    for channel in numbers:
        rows[f"n_{channel}"] = (rows["channel"] == channel).astype("int32")
    rows["active_on"] = rows["booked_on"].where(active)
    keys = ["account_id", "month"]
    money = ["amount", "inflow", "outflow", "own_transfer", "interest", "fees", "weighted"]
    grouped = rows.groupby(keys)
    flows = grouped[money + [f"n_{channel}" for channel in numbers]].sum()
    flows["n_transactions"] = grouped.size()
    flows["n_active_days"] = grouped["active_on"].nunique()
    flows["last_active_on"] = grouped["active_on"].max()
    balances = pd.read_parquet(bank.paths("balances")[0]).set_index("account_id")["balance"]
    every = pd.MultiIndex.from_product([balances.index, sorted(rows["month"].unique())], names=keys)
    flows = flows.reindex(every)
    numeric = flows.columns.drop("last_active_on")
    flows[numeric] = flows[numeric].fillna(0).astype("int64")
    running = flows.groupby(level="account_id")["amount"].cumsum()
    flows["closing"] = balances.reindex(every.get_level_values(0)).to_numpy() + running
    flows["opening"] = flows["closing"] - flows["amount"]
    days = pd.DatetimeIndex(every.get_level_values(1)).day
    flows["balance_days"] = flows["opening"] * days + flows["weighted"]


def rfm_rows(bank) -> pl.DataFrame:
    """Transactions with their customer: what RFM is asked of."""
    owners = bank.table("accounts").select("account_id", "customer_id")
    rows = bank.table("transactions").select("account_id", "booked_on", "amount").join(owners, on="account_id")
    return rows.select("customer_id", "booked_on", "amount").collect(engine="streaming")


def rfm(rows: pl.DataFrame) -> None:
    """`rfm.summary` of all rows."""
    crm.rfm.summary(rows, crm.read(EXTRACT, as_of=LAST, landed=LANDED).as_of, 730)


def lifetimes(rows) -> None:
    """`lifetimes.utils.summary_data_from_transaction_data` of the same rows."""
    from lifetimes.utils import summary_data_from_transaction_data

    summary_data_from_transaction_data(rows, "customer_id", "booked_on", monetary_value_col="amount")


def landing(folder: Path) -> None:
    """`crm.read` of the CSV extract into an empty folder."""
    crm.read(EXTRACT, as_of=LAST, landed=folder)


def scan(folder: Path) -> None:
    """A bare `scan_csv` into `sink_parquet` of the transactions."""
    pl.scan_csv(EXTRACT / "transactions" / "*.csv").sink_parquet(folder / "bare.parquet")
