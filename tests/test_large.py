"""Proofs that take minutes: run by `make test-all`."""

import json
import subprocess
import sys
from datetime import date

import pytest
from hypothesis import given, settings
from polars.testing import assert_frame_equal

import crmlab as crm
from crmlab import simulate
from crmlab.bank.check import check
from tests import test_contribution, test_panel
from tests.random_banks import delivered
from tests.test_panel import DAYS, ENTRIES, SHARES, VALUATIONS

pytestmark = pytest.mark.slow

MANY = settings(test_panel.DRAWN, max_examples=150)
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
