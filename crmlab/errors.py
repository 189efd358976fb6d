"""The one exception a person may meet: what, how many, which first, what to do next."""

from difflib import get_close_matches


class InputError(ValueError):
    """Input that cannot be used, told in one sentence; the command line and the pages print it as it is."""


def near_miss(name: str, known: list[str]) -> str:
    """The end of a sentence about an unknown name: the nearest known one, or all of them."""
    close = get_close_matches(name, known, n=1)
    return f"Did you mean {close[0]}?" if close else f"Known: {', '.join(known)}."
