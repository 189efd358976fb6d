"""A seeded synthetic bank whose truth is known."""

from crmlab.simulate.planted import truth
from crmlab.simulate.run import bank

__all__ = ["bank", "truth"]
