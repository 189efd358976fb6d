"""What several tests share: the real data, and a small mart of the simulated bank."""

from datetime import date
from pathlib import Path

import pytest

import crmlab as crm

SHARED = Path(__file__).parents[2] / "shared" / "data"


def shared(name: str) -> Path:
    """A folder of real data, or a skip that says why."""
    folder = SHARED / name
    if not folder.exists():
        pytest.skip(f"the real data {name} are not beside this checkout (../shared/data/{name})")
    return folder


@pytest.fixture(scope="session")
def sample_bank(tmp_path_factory) -> Path:
    """Extracts of 600 simulated customers over 18 months, 2023-01-01 to 2024-06-30."""
    from crmlab import simulate

    folder = tmp_path_factory.mktemp("sample") / "extracts"
    simulate.bank(folder, customers=600, months=18, seed=11, start=date(2023, 1, 1))
    return folder


@pytest.fixture(scope="session")
def sample_mart(sample_bank) -> Path:
    """The mart of the sample bank at 2024-06-30."""
    mart = sample_bank.parent / "mart"
    crm.build(sample_bank, "2024-06-30", mart)
    return mart
