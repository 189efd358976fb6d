"""Cross-sell: which products go together, and who takes which next.

``crosssell.rules`` who holds these also holds those.
"""

from importlib import import_module

_CONTENTS = {
    "association": ("rules",),
}
_ROOMS = {name: room for room, names in _CONTENTS.items() for name in names}
__all__ = sorted(_ROOMS)  # loaded when first named: a page needs the list and no model


def __getattr__(name: str):
    if name not in _ROOMS:
        raise AttributeError(f"module 'crmlab.measures.crosssell' has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
