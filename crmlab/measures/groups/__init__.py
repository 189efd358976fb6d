"""Groups: who belongs together, at home and in business, and what they hold together.

`households` divides all customers, `corporate` all that are not retail; `payroll` and `referrals` tie customers without
making them one group; `links` is everything that ties one customer to another, and `totals` adds up what a group has.
"""

from crmlab.measures.groups.company import corporate
from crmlab.measures.groups.household import Households, households
from crmlab.measures.groups.sums import referrals, totals
from crmlab.measures.groups.ties import links, payroll

__all__ = ["Households", "corporate", "households", "links", "payroll", "referrals", "totals"]
