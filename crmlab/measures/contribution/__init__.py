"""Contribution (综合贡献度): what a relationship earns, line by line and component by component, in exact money.

Every amount is signed as it enters the contribution: margin and fee normally add, service_cost, expected_loss, capital
and tax normally take away, and their plain sum is the contribution. `points` stand beside money, never in it.
"""

from crmlab.measures.contribution.statement import Ledger, coverage, ledger, lines, long

__all__ = ["Ledger", "coverage", "ledger", "lines", "long"]
