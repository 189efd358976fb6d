"""Standing: sums of a customer's lines, what is not known, and the last own act carried from month to month."""

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
import pytest
from hypothesis import given
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab import policy
from crmlab.errors import InputError
from crmlab.measures import contribution, standing
from tests import banks
from tests.random_banks import DRAWN, delivered, written

LINES = {"month": [], "customer_id": [], "margin": [], "fee": [], "service_cost": [], "expected_loss": [], "points": []}
JAN, FEB, MAR = date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31)


def given_of(bank) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    facts = pl.concat(frame for _, frame, *_ in crm.panel.monthly(bank))
    customers = crm.panel.customers(facts.lazy(), bank).collect()
    ledger = contribution.ledger(bank)
    months = sorted(facts["month"].unique())
    lines = pl.concat(ledger.lines(facts.filter(pl.col("month") == month), month) for month in months)
    first = bank.table("accounts").group_by("customer_id").agg(first_on=pl.col("opened_on").min())
    people = bank.table("customers").select("customer_id", pl.col("kind").cast(pl.String)).join(first, on="customer_id")
    return customers, lines, people.collect()


def test_six_customers(tmp_path):
    bank = crm.read(banks.six(tmp_path / "in"), as_of=MAR, landed=tmp_path / "landed")
    table = standing.table(*given_of(bank), bank.policy)
    names = dict(bank.table("customers").select("customer_id", "customer_no").collect().iter_rows())
    rows = {
        (names[row["customer_id"]], row["month"].month): (row["aum"], row["loans"], row["n_lines"], row["is_open"])
        for row in table.iter_rows(named=True)
    }
    assert rows[("C1", 1)] == (150_00, 0, 1, True)
    assert rows[("C1", 2)] == (445_00, 300_00, 2, True)  # 150 and the loan's 300 in, 35 spent, 30 taken back
    assert rows[("C2", 1)] == (None, 0, 1, True)  # no anchor: not known, never zero
    assert rows[("C3", 2)] == (0, 0, 0, False)  # closed within the month
    assert ("C3", 3) not in rows
    active = {(names[i], m.month): on for i, m, on in table.select("customer_id", "month", "last_active_on").rows()}
    assert active[("C1", 1)] is None  # a salary is not their own act
    assert active[("C1", 3)] == date(2024, 2, 10)  # carried on
    unknown = table.filter(pl.col("aum").is_null())
    assert (unknown["n_without_average"] > 0).all()


@DRAWN
@given(tables=delivered())
def test_month_by_month_is_the_same_as_all_at_once_and_sums_are_those_of_the_lines(tables):
    with TemporaryDirectory() as folder:
        bank = written(Path(folder), tables)
        customers, lines, people = given_of(bank)
    whole = standing.table(customers, lines, people, bank.policy)
    seen, parts = pl.DataFrame(schema={"customer_id": pl.Int32, "last_active_on": pl.Date}), []
    for month in sorted(customers["month"].unique()):
        of = pl.col("month") == month
        parts.append(standing.table(customers.filter(of), lines.filter(of), people, bank.policy, seen))
        now = parts[-1].select("customer_id", "last_active_on")
        seen = pl.concat([seen.join(now, on="customer_id", how="anti"), now])
    assert_frame_equal(pl.concat(parts), whole)
    components = list(bank.policy.contribution.components)
    assert whole["contribution"].sum() == lines.select(pl.sum_horizontal(pl.col(components).sum())).item()
    held = customers.filter(pl.col("line").is_in(bank.policy.lines_of("deposits", "investments")))
    assert whole["balance_days"].sum() == held["balance_days"].sum()
    known = whole.filter(pl.col("aum").is_not_null()).select("customer_id", "month")
    assert whole["aum"].sum() == held.join(known, on=["customer_id", "month"], how="semi")["closing"].sum()


def test_a_missing_column_is_named():
    with pytest.raises(InputError, match=r"standing\.table needs a column line"):
        standing.table(pl.DataFrame({"customer_id": [1], "month": [JAN]}), pl.DataFrame(LINES), None, policy.load())
