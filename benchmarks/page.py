"""How fast the pages are, in a real browser: `python -m benchmarks.page MART` prints metric, goal and what was reached.

Cold is a browser that never was there; warm is one that was there three times (then it keeps the scripts compiled).
"""

import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from playwright.sync_api import BrowserContext, Page, Playwright, sync_playwright

DRAWN = ".crmlab-figure .main-svg"
FIRST = "() => performance.getEntriesByName('crmlab-figure')[0].startTime / 1000"
REDRAW = """async () => {
  const figures = [...document.querySelectorAll('.crmlab-figure')];
  const before = figures.map((figure) => figure.dataset.draws);
  const select = document.querySelector('.crmlab-filters select');
  const start = performance.now();
  select.selectedIndex = (select.selectedIndex + 1) % select.options.length;
  select.dispatchEvent(new Event('change', { bubbles: true }));
  while (figures.some((figure, i) => figure.dataset.draws === before[i])) await new Promise((go) => setTimeout(go, 4));
  return (performance.now() - start) / 1000;
}"""
NEXT = """async () => {
  const start = performance.now();
  document.querySelector('.crmlab-header nav a:last-child').click();
  while (!document.querySelector('.crmlab-facts')?.offsetHeight) await new Promise((go) => setTimeout(go, 4));
  return (performance.now() - start) / 1000;
}"""
ANOTHER = """async () => {
  const start = performance.now();
  document.querySelector('.crmlab-header nav a:nth-child(%d)').click();
  while (![...document.querySelectorAll('.crmlab-figure')].slice(2).some((one) => one.querySelector('.main-svg')))
    await new Promise((go) => setTimeout(go, 4));
  return (performance.now() - start) / 1000;
}"""
CUSTOMER = """async () => {
  const start = performance.now();
  document.querySelector('.crmlab-table tbody tr').click();
  while (!document.querySelector('.crmlab-dealings')?.offsetHeight) await new Promise((go) => setTimeout(go, 4));
  return (performance.now() - start) / 1000;
}"""
NAMES = ("worth", "segments")
NINE = f"async () => {{ const all = []; while (all.length < 9) all.push(await ({REDRAW})()); return all; }}"
Row = tuple[str, str, str]


def rows(mart: Path) -> list[Row]:
    """Every goal of the design for pages, and what was reached on this machine with this mart."""
    with served(mart) as (address, server), sync_playwright() as playwright, tempfile.TemporaryDirectory() as profile:
        cold = [_once(fresh(playwright), address, FIRST) for _ in range(3)]
        with _context(lived_in(playwright, profile)) as context:
            warm = [_visit(context, address, FIRST) for _ in range(8)][3:]
            following = [_visit(context, address, NEXT) for _ in range(3)]
            worth, moved = ([_visit(context, address, ANOTHER % place) for _ in range(3)] for place in (2, 3))
            customer = [_visit(context, address, CUSTOMER) for _ in range(3)]
            redrawn = _visit(context, address, NINE)
            worth_redrawn, moved_redrawn = (_visit(context, f"{address}?page={name}", NINE) for name in NAMES)
            memory = _ten_open(context, address, server)
    return [
        ("first figure, cold", "3 s", seconds(cold)),
        ("first figure, warm", "2 s", seconds(warm)),
        ("next page", "0.5 s", seconds(following)),
        ("next page, worth: its first figure", "0.5 s", seconds(worth)),
        ("next page, segments: its first figure", "0.5 s", seconds(moved)),
        ("a row opens its customer, for the first time", "0.5 s", seconds(customer)),
        ("control, in the kernel", "0.15 s", seconds(in_kernel(mart, "overview"))),
        ("control, in the kernel, worth", "0.15 s", seconds(in_kernel(mart, "worth"))),
        ("control, redrawn", "0.3 s", seconds(redrawn)),
        ("control, redrawn, worth: all eight figures", "0.3 s", seconds(worth_redrawn)),
        ("control, redrawn, segments: what is in sight", "0.3 s", seconds(moved_redrawn)),
        ("memory of a viewer's kernel, ten open (PSS)", "200 MB", f"{max(memory):.0f} MB"),
    ]


def in_kernel(mart: Path, name: str) -> list[float]:
    """Seconds in which the kernel answers nine moves of the first control, everything on the page included."""
    from crmlab.mart import snapshot
    from crmlab.views.app import PAGES

    def controls(box: object) -> Iterator:
        for child in getattr(box, "children", ()):
            yield from controls(child)
            if type(child).__name__ == "Dropdown":
                yield child

    branch = next(controls(PAGES[name](snapshot.open(mart))))
    taken = []
    for i in range(9):
        start = time.perf_counter()
        branch.index = (i + 1) % len(branch.options)
        taken.append(time.perf_counter() - start)
    return taken


@contextmanager
def served(mart: Path) -> Iterator[tuple[str, int]]:
    """A server of its own: its address and process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = "import sys; from crmlab.views.server import serve; serve(sys.argv[1], int(sys.argv[2]))"
    process = subprocess.Popen([sys.executable, "-c", command, str(mart), str(port)], stdout=subprocess.DEVNULL)
    try:
        time.sleep(15)  # until the pool is warm
        urlopen(f"http://127.0.0.1:{port}/voila/static/voila.js", timeout=60).close()
        yield f"http://127.0.0.1:{port}/", process.pid
    finally:
        process.terminate()
        process.wait()


def fresh(playwright: Playwright) -> BrowserContext:
    """A browser that knows nothing."""
    return playwright.chromium.launch(executable_path=_path(), args=["--no-sandbox"]).new_context()


def lived_in(playwright: Playwright, profile: str) -> BrowserContext:
    """A browser that keeps its cache in a profile."""
    return playwright.chromium.launch_persistent_context(profile, executable_path=_path(), args=["--no-sandbox"])


def _path() -> str | None:
    named = ("google-chrome", "chromium", "chromium-browser")
    return os.environ.get("CRMLAB_BROWSER") or next(filter(None, map(shutil.which, named)), None)


@contextmanager
def _context(context: BrowserContext) -> Iterator[BrowserContext]:
    yield context
    context.close()


def _once(context: BrowserContext, address: str, script: str) -> float:
    taken = _visit(context, address, script)
    context.browser.close()
    return taken


def _open(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(address, wait_until="commit")
    page.wait_for_selector(DRAWN, timeout=60_000)
    return page


def _visit(context: BrowserContext, address: str, script: str) -> float | list[float]:
    page = _open(context, address)
    page.wait_for_timeout(1000)
    taken = page.evaluate(script)
    page.close(run_before_unload=True)
    time.sleep(12)  # until the pool is warm again
    return taken


def _ten_open(context: BrowserContext, address: str, server: int) -> list[float]:
    """PSS of each kernel in MB, while ten pages are open and every control was moved once."""
    pages = [_open(context, address) for _ in range(10)]
    for page in pages:
        page.evaluate(REDRAW)
    found = [_pss(child) for child in _children(server)]
    for page in pages:
        page.close(run_before_unload=True)
    return found


def _children(process: int) -> list[int]:
    return [
        int(child)
        for task in Path(f"/proc/{process}/task").iterdir()
        for child in (task / "children").read_text().split()
    ]


def _pss(process: int) -> float:
    return int(re.search(r"^Pss:\s+(\d+)", Path(f"/proc/{process}/smaps_rollup").read_text(), re.M)[1]) / 1024


def seconds(taken: list[float]) -> str:
    """The median and the worst of some runs."""
    return f"{statistics.median(taken):.2f} s (worst of {len(taken)}: {max(taken):.2f} s)"


def main(arguments: list[str], show: Callable[[str], None] = print) -> None:
    """Print the rows for a mart."""
    for row in rows(Path(arguments[0])):
        show("{:45} {:8} {}".format(*row))


if __name__ == "__main__":
    main(sys.argv[1:])
