"""Tiers: which level of service a customer has earned, how steadily, and who is about to change.

`weighted` and `values` say what a customer is assessed on, `history` which tier that gives with the buffer rule and
without, `flips` what the rule avoids and what it mis-tiers, `near` who stands close to a threshold, `matrix` how two
rules divide the same customers. A rule comes from ``policy.toml``; a tier column is an Enum, its lowest level first.
"""

from crmlab.measures.tiers.assess import values, weighted
from crmlab.measures.tiers.ladder import history
from crmlab.measures.tiers.report import flips, matrix, near

__all__ = ["flips", "history", "matrix", "near", "values", "weighted"]
