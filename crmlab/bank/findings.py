"""The single questions of `check`, each answered by a frame. Money is in minor units of the account's currency."""

import polars as pl

from crmlab.bank.columns import MILLION
from crmlab.bank.read import Bank

BUSY = 20


def n_rows(bank: Bank, table: str) -> int:
    """Rows of a table known at `as_of`."""
    return bank.table(table).select(pl.len()).collect().item()


def differences(bank: Bank, facts: pl.LazyFrame) -> pl.DataFrame:
    """Every recorded balance of an anchored account beside the balance that its flows give.

    Recorded are controls, and the anchors that no history opens or goes on with: those after its first day, or of an
    account opened inside it, where the account's balances are not themselves its history.

    Returns
    -------
    pl.DataFrame
        account_id, on, recorded, from_flows, difference (recorded − from_flows).
    """
    accounts = bank.table("accounts").select("account_id", "opened_on", "history_kind")
    is_opening = (pl.col("on") <= bank.history_from) & (pl.col("opened_on") < bank.history_from)
    is_spare = ~is_opening & (pl.col("history_kind").fill_null("transactions") == "transactions")
    controls = (
        bank.table("balances")
        .join(accounts, on="account_id")
        .filter((pl.col("kind") == "control") | ((pl.col("kind") == "anchor") & is_spare))
        .select("account_id", "on", recorded="balance")
    )
    wanted = controls.select("account_id").unique()
    periods = facts.select("account_id", "starts_on", "ends_on", "opening", "closing").drop_nulls()
    periods = periods.join(wanted, on="account_id", how="semi").collect(engine="streaming")
    dated = _latest(controls.collect(), periods.sort("account_id", "starts_on"), "starts_on").filter(
        pl.col("on") <= pl.col("ends_on")
    )
    is_end = pl.col("on") == pl.col("ends_on")
    inside = _running(bank, dated.filter(~is_end))
    at_end = dated.filter(is_end).select("account_id", "on", "recorded", from_flows="closing")
    found = pl.concat([at_end, inside]).sort("on", "account_id")
    return found.with_columns(difference=pl.col("recorded") - pl.col("from_flows"))


def _latest(rows: pl.DataFrame, dated: pl.DataFrame, by: str) -> pl.DataFrame:
    """Each account's row of `dated` with the last day `by` at or before `on`."""
    rows = rows.sort("account_id", "on")
    return rows.join_asof(dated, left_on="on", right_on=by, by="account_id", check_sortedness=False)


def _running(bank: Bank, dated: pl.DataFrame) -> pl.DataFrame:
    """Balances on days inside a period: its opening, or the last valuation in it, and what was booked since."""
    stated = bank.table("accounts").filter(pl.col("history_kind") != "transactions").select("account_id").collect()
    dated = dated.join(stated, on="account_id", how="anti")
    wanted = dated.lazy().select("account_id").unique()
    booked = bank.table("transactions").join(wanted, on="account_id", how="semi")
    booked = booked.group_by("account_id", "booked_on").agg(flow=pl.col("amount").sum()).collect(engine="streaming")
    booked = booked.sort("account_id", "booked_on")
    booked = booked.select("account_id", "booked_on", upto=pl.col("flow").cum_sum().over("account_id"))
    valued = bank.table("balances").filter(pl.col("kind") == "valuation").join(wanted, on="account_id", how="semi")
    valued = valued.select("account_id", valued_on="on", value="balance").sort("account_id", "valued_on").collect()
    is_valued = (pl.col("valued_on") >= pl.col("starts_on")).fill_null(False)
    dated = _latest(dated, valued, "valued_on").with_columns(
        base=pl.when(is_valued).then("value").otherwise("opening"),
        since=pl.when(is_valued).then("valued_on").otherwise(pl.col("starts_on").dt.offset_by("-1d")),
    )
    dated = (
        _latest(dated, booked, "booked_on").drop("booked_on").rename({"on": "day", "upto": "until_day", "since": "on"})
    )
    dated = _latest(dated, booked, "booked_on")
    flows = pl.col("until_day").fill_null(0) - pl.col("upto").fill_null(0)
    return dated.select("account_id", on="day", recorded="recorded", from_flows=pl.col("base") + flows)


def breaks(bank: Bank, differences: pl.DataFrame) -> pl.DataFrame:
    """The recorded balances that differ from their flows by more than the policy's tolerance, by day and account.

    Returns
    -------
    pl.DataFrame
        account_no, currency, on, recorded, from_flows, difference
    """
    accounts = bank.table("accounts").select("account_id", "account_no", "currency").collect()
    currencies = accounts["currency"].unique()
    limits = {currency: bank.policy.minor(bank.policy.tolerance, currency) for currency in currencies}
    found = differences.join(accounts, on="account_id")
    beyond = pl.col("difference").abs() > pl.col("currency").replace_strict(limits, return_dtype=pl.Int64)
    found = found.filter(beyond).sort("on", "account_no")
    return found.select("account_no", "currency", "on", "recorded", "from_flows", "difference")


def unanchored(bank: Bank, facts: pl.LazyFrame) -> pl.DataFrame:
    """Accounts that have days but no balance, because nothing says with how much their history opens.

    Returns
    -------
    pl.DataFrame
        account_no, opened_on
    """
    lost = facts.filter(pl.col("opening").is_null()).select("account_id").unique().collect(engine="streaming").lazy()
    accounts = bank.table("accounts").join(lost, on="account_id", how="semi")
    return accounts.select("account_no", "opened_on").sort("account_no").collect()


def silent_months(bank: Bank, facts: pl.LazyFrame) -> pl.DataFrame:
    """Months between others in which nothing was booked, in the whole bank or in one branch that is usually busy.

    A branch is busy that books at least `BUSY` rows in its median month; a quiet month of a smaller one says nothing.

    Returns
    -------
    pl.DataFrame
        month, branch_id (null: the whole bank), usual (median of the rows booked a month); by month and branch.
    """
    branches = bank.table("accounts").select("account_id", "branch_id")
    rows = facts.join(branches, on="account_id").group_by("month", "branch_id")
    booked = rows.agg(n=pl.col("n_transactions").cast(pl.Int64).sum()).collect(engine="streaming")
    whole = booked.group_by("month").agg(pl.col("n").sum()).with_columns(branch_id=pl.lit(None, pl.String))
    counts = pl.concat(
        [whole.select("month", "branch_id", "n"), booked.drop_nulls("branch_id").select("month", "branch_id", "n")]
    )
    busy = pl.col("month").filter(pl.col("n") > 0)
    of = counts.group_by("branch_id").agg(usual=pl.col("n").median(), first=busy.min(), last=busy.max())
    silent = counts.join(of, on="branch_id", nulls_equal=True).filter(
        pl.col("n") == 0, pl.col("usual") >= BUSY, pl.col("month").is_between("first", "last")
    )
    return silent.select("month", "branch_id", "usual").sort("month", "branch_id", nulls_last=False)


def duplicates(bank: Bank) -> pl.DataFrame:
    """One person under several customer numbers, by the bank's own parties and by equal national_id.

    Returns
    -------
    pl.DataFrame
        by, customers (list of customer_no)
    """
    customers = bank.table("customers").select("customer_id", "customer_no", "national_id")
    parties = bank.table("parties").join(customers, on="customer_id")
    found = [
        rows.filter(pl.col(key).is_not_null())
        .group_by(key)
        .agg(customers=pl.col("customer_no").sort())
        .filter(pl.col("customers").list.len() > 1)
        .select(pl.lit(by).alias("by"), "customers")
        for by, key, rows in (("party", "party_id", parties), ("national_id", "national_id", customers))
    ]
    return pl.concat(found).collect().sort("by", pl.col("customers").list.first())


def overlaps(bank: Bank) -> pl.DataFrame:
    """Things of which more than the whole is assigned in the same role on the same day.

    Returns
    -------
    pl.DataFrame
        role, scope, object (number or id as delivered), from_on (the first such day), share (millionths, the largest)
    """
    accounts = bank.table("accounts").select("account_id", "account_no")
    customers = bank.table("customers").select("customer_id", "customer_no")
    rows = bank.table("assignments").join(accounts, on="account_id", how="left")
    rows = rows.join(customers, on="customer_id", how="left")
    scope, customer = pl.col("scope").cast(pl.String), pl.col("customer_no")
    object_ = (
        pl.when(scope == "account").then("account_no")
        .when(scope == "customer").then(customer)
        .when(scope == "line").then(customer + " " + pl.col("line").cast(pl.String))
        .otherwise("branch_id")
    )  # fmt: skip
    share = pl.col("share").fill_null(MILLION)
    key = ["role", "scope", "object"]
    rows = rows.select("role", scope, "from_on", "to_on", object=object_, share=share)
    starts = rows.select(*key, on="from_on", change="share")
    ends = rows.filter(pl.col("to_on").is_not_null())
    ends = ends.select(*key, on=pl.col("to_on").dt.offset_by("1d"), change=-pl.col("share"))
    days = pl.concat([starts, ends]).group_by(*key, "on").agg(pl.col("change").sum()).sort("on")
    running = days.with_columns(share=pl.col("change").cum_sum().over(key)).filter(pl.col("share") > MILLION)
    found = running.group_by(key).agg(from_on=pl.col("on").min(), share=pl.col("share").max())
    return found.collect().sort("from_on", *key)


def overdrafts(bank: Bank, facts: pl.LazyFrame) -> pl.DataFrame:
    """Accounts of deposits and investments below zero at a month's end, where the product does not allow it.

    Returns
    -------
    pl.DataFrame
        account_no, currency, month (the first), closing (of that month)
    """
    lines = bank.policy.lines_of("deposits", "investments")
    products = bank.table("products").filter(
        pl.col("line").cast(pl.String).is_in(lines), ~pl.col("overdraft_allowed").fill_null(False)
    )
    accounts = bank.table("accounts").join(products, on="product_id", how="semi")
    below = facts.filter(pl.col("closing") < 0, pl.col("ends_on") == pl.col("month"))
    below = below.join(accounts.select("account_id", "account_no", "currency"), on="account_id")
    first = below.group_by("account_no", "currency").agg(pl.col("month", "closing").sort_by("month").first())
    return first.collect(engine="streaming").sort("month", "account_no")


def deviations(bank: Bank, facts: pl.LazyFrame) -> pl.DataFrame:
    """The closing of each quarter against the average of its last month, by line: window dressing shows here.

    Both are of the accounts whose average is known, and the average is over the days of that month in the history.

    Returns
    -------
    pl.DataFrame
        quarter (its last day), currency, line, closing, average, deviation_share (closing / average − 1)
    """
    products = bank.table("products").select("product_id", pl.col("line").cast(pl.String))
    lines = bank.table("accounts").join(products, on="product_id").select("account_id", "currency", "line")
    quarters = facts.filter(pl.col("month").dt.month() % 3 == 0, pl.col("month") <= bank.as_of)
    unknown = quarters.filter(pl.col("balance_days").is_null()).select("account_id", "month").unique()
    at_end = pl.col("ends_on") == pl.col("month")
    sums = (
        quarters.join(unknown, on=["account_id", "month"], how="anti")
        .join(lines, on="account_id")
        .group_by(pl.col("month").alias("quarter"), "currency", "line")
        .agg(closing=pl.col("closing").filter(at_end).sum(), balance_days=pl.col("balance_days").sum())
        .filter(pl.col("balance_days") != 0)
    )
    first = pl.max_horizontal(pl.col("quarter").dt.month_start(), pl.lit(bank.history_from))
    n_days = (pl.col("quarter") - first).dt.total_days() + 1
    average = pl.col("balance_days") / n_days
    sums = sums.with_columns(average=average.round().cast(pl.Int64))
    sums = sums.with_columns(deviation_share=pl.col("closing") / pl.col("average") - 1)
    return sums.drop("balance_days").collect(engine="streaming").sort("quarter", "currency", "line")


def sizes(differences: pl.DataFrame) -> pl.DataFrame:
    """How often a recorded balance differs by how much, in either direction, the most frequent first.

    Returns
    -------
    pl.DataFrame
        difference (absolute), n
    """
    size = pl.col("difference").abs()
    odd = differences.filter(size > 0).group_by(size).agg(n=pl.len())
    return odd.sort("n", "difference", descending=[True, False])
