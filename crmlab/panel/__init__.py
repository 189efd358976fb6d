"""Rows become three grains, and nothing to the right of this room looks behind them.

- `facts`: account × period, in the account's currency;
- `customers`: customer × month × line, in the base currency, summed from facts through holders;
- `events`: dated things about a customer.

Sign: what the bank owes the customer is positive, so a loan's balance is negative. In both frames
``opening + inflow − outflow + own_transfer + interest + fees + valuation + fx = closing``, to the minor unit.
"""

from crmlab.panel.assignments import keepers
from crmlab.panel.months import facts
from crmlab.panel.relationships import customers, monthly
from crmlab.panel.timeline import events, in_base_of_the_day

__all__ = ["customers", "events", "facts", "in_base_of_the_day", "keepers", "monthly"]
