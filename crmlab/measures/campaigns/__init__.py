"""Campaigns: whom to offer what under the means at hand, and whether it worked.

``campaigns.settle`` the best list under its limits · ``campaigns.preview`` about the same list as limits move ·
``campaigns.verdict`` did it work · ``campaigns.past`` the bank's own campaigns, ready for a verdict.
"""

from importlib import import_module

_CONTENTS = {
    "limits": ("PAIRS", "Limits", "led"),
    "program": ("Settled", "settle"),
    "sketch": ("Preview", "preview"),
    "outcome": ("balance", "by_segment", "detectable", "verdict"),
    "offered": ("past",),
}
_ROOMS = {name: room for room, names in _CONTENTS.items() for name in names}
__all__ = sorted(_ROOMS)  # loaded when first named: a page needs the verdict and no solver


def __getattr__(name: str):
    if name not in _ROOMS:
        raise AttributeError(f"module 'crmlab.measures.campaigns' has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
