"""A seeded synthetic bank whose truth is known."""

from crmlab.simulate.planted import truth
from crmlab.simulate.run import Future, bank
from crmlab.simulate.staff import Managing

__all__ = ["Future", "Managing", "bank", "truth"]
