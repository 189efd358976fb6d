"""The bank's rules as data: ``policy.toml`` read into frozen rows, validated, with a hash that every snapshot keeps."""

from crmlab.policy.parse import load
from crmlab.policy.rules import (
    CHANNELS,
    CLASSES,
    ENTRY_KINDS,
    FIELDS,
    FIVE_GRADES,
    INITIATORS,
    KINDS,
    LINES,
    POINT_BASES,
    TIER_VALUES,
    Completeness,
    Contribution,
    Deviation,
    Level,
    Policy,
    Pricing,
    Segment,
    TierRule,
)

__all__ = [
    "CHANNELS", "CLASSES", "ENTRY_KINDS", "FIELDS", "FIVE_GRADES", "INITIATORS", "KINDS", "LINES", "POINT_BASES",
    "TIER_VALUES", "Completeness", "Contribution", "Deviation", "Level", "Policy", "Pricing", "Segment", "TierRule",
    "load",
]  # fmt: skip
