"""Proofs that take minutes: run by `make test-all`."""

import json
import subprocess
import sys
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab import simulate
from crmlab.bank.check import check
from tests import test_books, test_contribution, test_deals, test_maturities, test_panel, test_standing
from tests.random_banks import delivered
from tests.test_maturities import maturing
from tests.test_panel import DAYS, ENTRIES, SHARES, VALUATIONS

pytestmark = pytest.mark.slow

MANY = settings(test_panel.DRAWN, max_examples=150)
DAYS_WITHIN = st.dates(date(2024, 1, 31), date(2024, 3, 20))
DELIVERED = [  # what `make test` asks of a few banks, and what is drawn for it
    (test_books.test_books_are_the_panel_by_manager, delivered(), DAYS),
    (test_contribution.test_nothing_is_lost_between_accounts_customers_and_managers, delivered(), DAYS),
    (test_contribution.test_the_wall_what_is_delivered_later_changes_nothing, delivered(), DAYS_WITHIN),
    (test_deals.test_states_and_periods_equal_those_told_day_by_day_on_both_engines, delivered(), DAYS),
    (test_maturities.test_maturities_against_a_daily_ledger_by_brute_force, maturing()),
    (test_maturities.test_nothing_after_as_of_and_no_current_column_changes_a_maturity, maturing(), DAYS_WITHIN),
    (test_panel.test_the_wall_what_comes_after_as_of_changes_nothing, ENTRIES, ENTRIES, VALUATIONS, DAYS),
    (test_standing.test_month_by_month_is_the_same_as_all_at_once_and_sums_are_those_of_the_lines, delivered()),
]
BUILD = """
import json, resource, sys
import crmlab as crm
mart = crm.build(sys.argv[1], sys.argv[2], sys.argv[3])
print(json.dumps([mart.manifest["checks"]["is_clean"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20]))
"""


@pytest.fixture(scope="module")
def extracts(tmp_path_factory):
    """25,000 customers over 12 months: above 20,000 the simulated bank comes as Parquet in pieces."""
    folder = tmp_path_factory.mktemp("large") / "extracts"
    simulate.bank(folder, customers=25_000, months=12, seed=3, start=date(2024, 1, 1))
    return folder


def test_facts_equal_a_daily_ledger_on_150_banks():
    drawn = given(ENTRIES, VALUATIONS, DAYS, DAYS, SHARES)
    MANY(drawn(test_panel.test_facts_equal_a_daily_ledger_by_brute_force.hypothesis.inner_test))()


def test_nothing_is_lost_on_150_banks():
    drawn = given(ENTRIES, VALUATIONS, DAYS, SHARES)
    MANY(drawn(test_panel.test_nothing_is_lost_between_the_grains_and_the_engines_agree.hypothesis.inner_test))()


def test_contribution_equals_a_ledger_kept_day_by_day_on_150_banks():
    drawn = given(delivered(), DAYS)
    MANY(drawn(test_contribution.test_contribution_equals_a_ledger_kept_day_by_day.hypothesis.inner_test))()


@pytest.mark.parametrize("asked", DELIVERED, ids=lambda asked: asked[0].__name__)
def test_what_holds_in_a_few_banks_holds_in_50(asked):
    test, *drawn = asked
    settings(MANY, max_examples=50)(given(*drawn)(test.hypothesis.inner_test))()


def test_a_bank_in_pieces_reconciles_and_engines_agree(extracts, tmp_path):
    bank = crm.read(extracts, as_of="2024-12-31", landed=tmp_path)
    facts = crm.panel.facts(bank)
    report = check(bank, facts)
    assert report.is_clean, report.text
    assert_frame_equal(crm.panel.facts(bank, engine="duckdb").collect(), facts.collect())


def test_a_build_needs_little_memory(extracts, tmp_path):
    command = [sys.executable, "-c", BUILD, str(extracts), "2024-12-31", str(tmp_path / "mart")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    is_clean, gigabytes = json.loads(done.stdout.splitlines()[-1])
    assert is_clean
    assert gigabytes < 2
