"""Cross-sell: which products go together, and who takes which next.

``crosssell.penetration`` who holds what · ``crosssell.per_customer`` how many products ·
``crosssell.together`` which go together · ``crosssell.attached`` who takes what month by month ·
``crosssell.rules`` who holds these also holds those · ``crosssell.discovered`` which rules hold up afterwards ·
``crosssell.followed`` what came of a life event · ``crosssell.fresh`` who has had one ·
``crosssell.eligible`` who may be offered what ·
``crosssell.landmarks`` what was known when · ``crosssell.fit`` who takes what next · ``crosssell.probability`` how
likely · ``crosssell.trial`` was that any good · ``crosssell.earned`` what a year of a line earns ·
``crosssell.priced`` what it would earn of whom.
"""

from importlib import import_module

_CONTENTS = {
    "affinity": ("baskets", "penetration", "per_customer", "together"),
    "association": ("rules",),
    "discovery": ("discovered",),
    "earning": ("earned", "priced"),
    "attachment": ("attached",),
    "backtest": ("Trial", "trial"),
    "choosing": ("Fit", "choices", "coefficients", "fit", "probability"),
    "eligibility": ("Eligible", "eligible"),
    "popularity": ("Book",),
    "taking": ("as_known", "landmarks"),
    "triggers": ("followed", "fresh"),
}
_ROOMS = {name: room for room, names in _CONTENTS.items() for name in names}
__all__ = sorted(_ROOMS)  # loaded when first named: a page needs the list and no model


def __getattr__(name: str):
    if name not in _ROOMS:
        raise AttributeError(f"module 'crmlab.measures.crosssell' has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
