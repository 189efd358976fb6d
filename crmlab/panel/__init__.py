"""Rows become a few grains, and nothing to the right of this room looks behind them.

- `facts`: account × period, in the account's currency;
- `customers`: customer × month × line, in the base currency, summed from facts through holders;
- `books`: the same by who maintained it: customer × month × line × manager;
- `events`: dated things about a customer;
- `holdings`: who held which product from when to when;
- `maturities`: what deposits and plans paid out, and what of it stayed;
- `today`: what a decision taken today may rest on.

Sign: what the bank owes the customer is positive, so a loan's balance is negative. In the first two
``opening + inflow − outflow + own_transfer + interest + fees + valuation + fx = closing``, to the minor unit.
"""

from crmlab.panel.assignments import keepers, keeping
from crmlab.panel.bookkeeping import books, monthly
from crmlab.panel.decision import today
from crmlab.panel.holding import holdings
from crmlab.panel.maturing import maturities
from crmlab.panel.months import facts
from crmlab.panel.rates import in_base_of_the_day
from crmlab.panel.relationships import customers
from crmlab.panel.timeline import events

__all__ = [
    "books",
    "customers",
    "events",
    "facts",
    "holdings",
    "in_base_of_the_day",
    "keepers",
    "keeping",
    "maturities",
    "monthly",
    "today",
]
