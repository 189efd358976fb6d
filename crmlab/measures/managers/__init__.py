"""What managers add: whose book it is, what of it was handed to them, what is theirs, and what it is paid.

``managers.findings`` what is wrong with assignments and which rule settles it · ``managers.answering`` who answers for
a loss · ``managers.bridge`` what moved a book · ``managers.assessed`` what everybody is assessed by ·
``managers.rows_behind`` the customers each value is made of · ``managers.scores`` what each rule gives whom ·
``managers.told`` the same in words · ``managers.totals`` points and lines · ``managers.paid`` what points are paid ·
``managers.moved`` who moves when the rules do · ``managers.assessment`` who is above what the book would yield anyway,
and how sure that is · ``managers.target_audit`` whether achievement follows the book handed over · ``managers.duties``
who must be spoken with how often, ``managers.due`` when next · ``managers.proposal`` the book of who leaves, dealt to
the others.
"""

from importlib import import_module

_CONTENTS = {
    "books": ("answering", "findings", "kept_on", "summary"),
    "bridging": ("bridge",),
    "gathering": ("Known", "gathered"),
    "assessing": ("assessed",),
    "behind": ("rows_behind",),
    "scoring": ("scores", "totals"),
    "sentences": ("told",),
    "pay": ("paid",),
    "whatif": ("altered", "asks", "moved", "outcome", "retargeted", "reweighted", "stretched"),
    "expected": ("expectation",),
    "shrinkage": ("shrunk",),
    "funnel": ("scored", "verdicts"),
    "ranks": ("rank_intervals",),
    "fairness": ("assessment",),
    "audit": ("target_audit",),
    "owing": ("duties", "spans", "with_us"),
    "planning": ("due", "workload"),
    "schedule": ("by_role", "on_schedule", "reaching"),
    "recut": ("Recut", "proposal"),
    "handing": ("Names",),
}
_ROOMS = {name: room for room, names in _CONTENTS.items() for name in names}
__all__ = sorted(_ROOMS)  # loaded when first named: a page needs points and no expectation


def __getattr__(name: str):
    if name not in _ROOMS:
        raise AttributeError(f"module 'crmlab.measures.managers' has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS[name]}"), name)


def __dir__() -> list[str]:
    return __all__
