"""What a bank wants to know of its extracts before it believes a number: do they add up, and what is odd about them."""

from dataclasses import dataclass

import polars as pl

from crmlab.bank import findings
from crmlab.bank.read import Bank
from crmlab.bank.report import told
from crmlab.bank.unmet import unmet


@dataclass(frozen=True)
class Report:
    """What `check` found; `text` is what ``crmlab check`` prints.

    Attributes
    ----------
    breaks
        account_no, currency, on, recorded, from_flows, difference (minor units) beyond tolerance, by day and account.
    sizes
        difference, n: how often a recorded balance differs by how much in either direction, the most frequent first.
    unanchored
        account_no of accounts older than the history without a balance to start from.
    silent_months
        month, branch_id (null: the whole bank), usual: months without a booking where there are many in others.
    duplicates
        by (party or national_id), customers: one person under several numbers, as lists of customer_no.
    overlaps
        role, scope, object, from_on, share: more than the whole of something assigned at once, from that day on.
    overdrafts
        account_no, month, closing of accounts below zero whose product does not allow it, the first month of each.
    deviations
        quarter, currency, line, closing, average, deviation_share: closing of the quarter against the month's average.
    unmet
        Sentences: where the rules for managers and the bank's tables do not meet.
    """

    bank: Bank
    n_rows: dict[str, int]
    n_controls: int
    n_accounts_off: int
    breaks: pl.DataFrame
    sizes: pl.DataFrame
    unanchored: pl.DataFrame
    silent_months: pl.DataFrame
    duplicates: pl.DataFrame
    overlaps: pl.DataFrame
    overdrafts: pl.DataFrame
    deviations: pl.DataFrame
    unmet: list[str]

    @property
    def is_reconciled(self) -> bool:
        """Whether loaded and rejected add up to what was delivered, in rows and in money of each currency."""
        return all(
            table["rows_in"] == table["loaded"] + table["rejected"]
            and all(sums["in"] == sums["loaded"] + sums["rejected"] for sums in table.get("control", {}).values())
            for table in self.bank.manifest["tables"].values()
        )

    @property
    def is_clean(self) -> bool:
        """Whether everything adds up: rows and sums, each recorded balance within tolerance, each account anchored, and
        no month is missing.

        Rejects below the policy's ceiling and business facts (one person twice, two managers at once, overdrafts) are
        told and do not count.
        """
        lacks = (self.breaks, self.unanchored, self.silent_months)
        return self.is_reconciled and all(frame.is_empty() for frame in lacks)

    @property
    def text(self) -> str:
        """The whole report."""
        return told(self)


def check(bank: Bank, facts: pl.LazyFrame) -> Report:
    """Reconcile a landed bank: its rows and sums, its recorded balances against its flows, its people and managers.

    Answers: can this extract be trusted, and if not, where does it break?

    Parameters
    ----------
    bank
        As known at its `as_of`; later rows are in the control totals only.
    facts
        `panel.facts` of the bank.
    """
    differences = findings.differences(bank, facts)
    return Report(
        bank=bank,
        n_rows={name: findings.n_rows(bank, name) for name in ("customers", "accounts", "transactions")},
        n_controls=differences.height,
        n_accounts_off=differences.filter(pl.col("difference") != 0)["account_id"].n_unique(),
        breaks=findings.breaks(bank, differences),
        sizes=findings.sizes(differences),
        unanchored=findings.unanchored(bank, facts),
        silent_months=findings.silent_months(bank, facts),
        duplicates=findings.duplicates(bank),
        overlaps=findings.overlaps(bank),
        overdrafts=findings.overdrafts(bank, facts),
        deviations=findings.deviations(bank, facts),
        unmet=unmet(bank),
    )
