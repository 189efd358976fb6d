"""Words that several rooms of the rules share."""

LINES = (
    "deposits", "loans", "wealth", "insurance", "cards", "settlement", "e-banking", "international", "guarantees",
)  # fmt: skip
KINDS = ("retail", "small business", "corporate", "institution")
