"""Leaving: what it means, how likely it is, whom to call, and whether last month's list was any good.

``churn.episodes`` who was at risk from when to when · ``churn.landmarks`` what was known of them month by month ·
``churn.fit`` the hazards of each cause · ``churn.trial`` the same as it would have stood ·
``churn.call_list`` whom to call.
"""

from importlib import import_module

_CONTENTS = {
    "definition": ("episodes", "overlap", "watch"),
    "landmarking": ("as_known", "landmarks"),
    "model": ("Fit", "coefficients", "fit", "probability", "quality"),
    "why": ("reasons", "told"),
    "backtest": ("testable", "trial", "verdict"),
    "ranking": ("accuracy", "concordance"),
    "reliability": ("calibration",),
    "capture": ("gains", "lead_time"),
    "worklist": ("call_list", "effects", "followed_up", "held_out", "sensitivity"),
    "winback": ("returns", "win_back_list"),
    "value": ("life_value",),
}
_ROOMS = {name: room for room, names in _CONTENTS.items() for name in names}
__all__ = sorted(_ROOMS)  # loaded when first named: a page needs the worklist and no model


def __getattr__(name: str):
    if name not in _ROOMS:
        raise AttributeError(f"module 'crmlab.measures.churn' has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
