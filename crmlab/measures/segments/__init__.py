"""Segments: who a customer is to the bank, month by month, and what sets a group apart.

`assign` gives activity, earning, growth and the segment they make, `cells` which cell is which segment, both by the
rules of ``policy.toml``; `profile` what sets any group apart from the rest.
"""

from crmlab.measures.segments.assignment import assign, cells
from crmlab.measures.segments.portrait import profile

__all__ = ["assign", "cells", "profile"]
