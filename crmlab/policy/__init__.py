"""The bank's rules as data: ``policy.toml`` read into frozen rows, validated, with a hash that every snapshot keeps."""

from crmlab.policy.departing import CAUSES, Churn, Leaving, LifeValue, Worklist
from crmlab.policy.known import KINDS, LINES
from crmlab.policy.managing import Duty, Managing, PayPlan, Weights
from crmlab.policy.offering import EXCLUSIONS, Campaigns, CrossSell, Eligibility, Trigger
from crmlab.policy.parse import load
from crmlab.policy.rules import (
    CHANNELS,
    CLASSES,
    ENTRY_KINDS,
    FIELDS,
    FIVE_GRADES,
    GROWTH,
    INITIATORS,
    POINT_BASES,
    TIER_VALUES,
    WORDS_OF_A_NAME,
    ActivityLevel,
    Clusters,
    Completeness,
    Contribution,
    Deviation,
    DynamicSegment,
    Funnel,
    Groups,
    Growth,
    Level,
    LifeCycle,
    Policy,
    Pricing,
    Profile,
    Segment,
    Segmentation,
    TierRule,
)
from crmlab.policy.scoring import MEASURES, Entry, Line, Scorecard, ScoreRule

__all__ = [
    "CAUSES", "CHANNELS", "CLASSES", "ENTRY_KINDS", "EXCLUSIONS", "FIELDS", "FIVE_GRADES", "GROWTH", "INITIATORS",
    "KINDS", "LINES", "MEASURES", "POINT_BASES", "TIER_VALUES", "WORDS_OF_A_NAME", "ActivityLevel", "Campaigns",
    "Churn", "Clusters", "Completeness", "Contribution", "CrossSell", "Deviation", "Duty", "DynamicSegment",
    "Eligibility", "Entry", "Funnel", "Groups", "Growth", "Leaving", "Level", "LifeCycle", "LifeValue", "Line",
    "Managing", "PayPlan", "Policy", "Pricing", "Profile", "ScoreRule", "Scorecard", "Segment", "Segmentation",
    "TierRule", "Trigger", "Weights", "Worklist", "load",
]  # fmt: skip
