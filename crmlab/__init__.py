"""Customer relationship analytics for banks: ``import crmlab as crm``, and everything is loaded when first named.

``crm.read`` a folder of extracts · ``crm.panel`` facts, customers, events, maturities, holdings ·
``crm.rfm`` recency, frequency, monetary ·
``crm.contribution`` what each line of each customer earns · ``crm.windows`` by quarter, year, year to date ·
``crm.deviation`` closing against average · ``crm.concentration`` whale curve, top shares, Gini · ``crm.tiers`` levels,
and who is near the next · ``crm.movement`` the bridge between two months · ``crm.completeness`` what is not known ·
``crm.groups`` households, corporate groups, payroll, referrals ·
``crm.standing`` a row a customer and month · ``crm.segments`` who is who · ``crm.lifecycle`` new to left ·
``crm.churn`` who is leaving, and whom to call · ``crm.survival`` how long they stay · ``crm.cox`` hazards ·
``crm.maturity`` what matures, and what of it stays · ``crm.issue`` a list, for the record ·
``crm.crosssell`` which products go together, and who takes which next ·
``crm.campaigns`` whom to offer what, and whether it worked ·
``crm.managers`` what relationship managers add, by rules that explain every point ·
``crm.clusters`` who banks alike, and how sure that is ·
``crm.funnel`` leads, step by step ·
``crm.spending`` on what, and how much goes to other banks · ``crm.channels`` counter or phone ·
``crm.transitions`` who moved where · ``crm.uncertainty`` intervals and effects ·
``crm.mart`` open what a build has published · ``crm.policy`` the bank's rules
"""

from importlib import import_module

_CONTENTS = {
    "InputError": ("crmlab.errors", "InputError"),
    "bands": ("crmlab.measures.bands", None),
    "build": ("crmlab.mart.build", "build"),
    "campaigns": ("crmlab.measures.campaigns", None),
    "channels": ("crmlab.measures.channels", None),
    "check": ("crmlab.bank.check", "check"),
    "churn": ("crmlab.measures.churn", None),
    "clusters": ("crmlab.measures.clusters", None),
    "completeness": ("crmlab.measures.completeness", None),
    "concentration": ("crmlab.measures.concentration", None),
    "contribution": ("crmlab.measures.contribution", None),
    "cox": ("crmlab.measures.cox", None),
    "crosssell": ("crmlab.measures.crosssell", None),
    "deviation": ("crmlab.measures.deviation", None),
    "funnel": ("crmlab.measures.funnel", None),
    "groups": ("crmlab.measures.groups", None),
    "issue": ("crmlab.mart.ledger", "issue"),
    "lifecycle": ("crmlab.measures.lifecycle", None),
    "managers": ("crmlab.measures.managers", None),
    "mart": ("crmlab.mart", None),
    "maturity": ("crmlab.measures.maturity", None),
    "movement": ("crmlab.measures.movement", None),
    "panel": ("crmlab.panel", None),
    "policy": ("crmlab.policy", None),
    "read": ("crmlab.bank.read", "read"),
    "rfm": ("crmlab.measures.rfm", None),
    "segments": ("crmlab.measures.segments", None),
    "spending": ("crmlab.measures.spending", None),
    "standing": ("crmlab.measures.standing", None),
    "survival": ("crmlab.measures.survival", None),
    "tiers": ("crmlab.measures.tiers", None),
    "transitions": ("crmlab.measures.transitions", None),
    "uncertainty": ("crmlab.measures.uncertainty", None),
    "windows": ("crmlab.measures.windows", None),
}
__all__ = list(_CONTENTS)


def __getattr__(name: str):
    if name not in _CONTENTS:
        raise AttributeError(f"module 'crmlab' has no attribute {name!r}")
    module, attribute = _CONTENTS[name]
    loaded = import_module(module)
    return getattr(loaded, attribute) if attribute else loaded


def __dir__() -> list[str]:
    return __all__
