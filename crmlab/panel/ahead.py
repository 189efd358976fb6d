"""Work on the next items while the last one is being used."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

WORKERS = 2


def ahead(work: Callable, items: Iterable, alone: bool = False) -> Iterator:
    """`work(item)` for each item in turn, two of them under way before they are asked for, or none where it is `alone`.

    Examples
    --------
    >>> list(ahead(abs, [-3, 2, -1]))
    [3, 2, 1]
    """
    if alone:
        yield from map(work, items)
        return
    items = iter(items)
    with ThreadPoolExecutor(WORKERS) as pool:
        waiting = deque(pool.submit(work, item) for item in islice(items, WORKERS))
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(pool.submit(work, item) for item in islice(items, 1))
            yield result
