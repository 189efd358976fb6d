"""The mart: what the pages show, published whole or not at all, and opened without anything heavy."""

from crmlab.mart.snapshot import Mart, open

__all__ = ["Mart", "open"]
