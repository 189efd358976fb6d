"""A server on a free port, a browser, and pages that remember what went wrong in them."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from playwright.sync_api import Browser, Locator, Page, sync_playwright

# Where to click a mark: the middle of what its figure shows of it, brought to the middle of the window, as soon as
# the figure listens and the mark has stood in one place for ten frames.
AT_REST = """(mark) => new Promise((done) => {
  const figure = mark.closest(".crmlab-figure");
  const middle = () => {
    const [one, all] = [mark, figure].map((part) => part.getBoundingClientRect());
    const [top, bottom] = [Math.max(one.top, all.top), Math.min(one.bottom, all.bottom)];
    return [one.left + one.width / 2, (top + bottom) / 2];
  };
  let [seen, still] = ["", 0];
  const look = () => {
    scrollBy({ top: middle()[1] - innerHeight / 2, behavior: "instant" });
    const now = String(middle());
    still = figure.dataset.draws && now === seen ? still + 1 : 0;
    seen = now;
    still < 10 ? requestAnimationFrame(look) : done(middle());
  };
  look();
})"""
SERVE = "import sys; from crmlab.views.server import serve; serve(sys.argv[1], int(sys.argv[2]))"


@dataclass
class Shown:
    """A page, and what a reader should never see: errors, and requests to other hosts."""

    page: Page
    errors: list[str] = field(default_factory=list)
    hosts: set[str] = field(default_factory=set)

    def text(self, selector: str) -> str:
        return self.page.locator(selector).first.inner_text()

    def figures(self) -> list[str]:
        """How often each figure was drawn."""
        return self.page.eval_on_selector_all(".crmlab-figure", "all => all.map(one => one.dataset.draws)")

    def click_mark(self, figure: Locator, mark: str, at: int = 0) -> None:
        """Click a bar, square or ribbon where it stands, whatever transparent layers lie over it."""
        self.page.mouse.click(*figure.locator(mark).nth(at).evaluate(AT_REST))

    def come_to(self, part: int) -> Locator:
        """Read down to a part of the page that is made when it comes into sight."""
        found = self.page.locator(".crmlab-later").nth(part)
        found.scroll_into_view_if_needed()
        self.wait_for("at => document.querySelectorAll('.crmlab-later')[at].children.length > 1", part)
        return found

    def wait_for(self, script: str, argument: object = None) -> None:
        self.page.wait_for_function(script, arg=argument, timeout=15_000)


def serving(mart: Path, log: Path) -> Iterator[str]:
    """The address of a server in a process of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with log.open("w") as out:
        process = subprocess.Popen([sys.executable, "-c", SERVE, str(mart), str(port)], stdout=out, stderr=out)
    try:
        address = f"http://127.0.0.1:{port}"
        until(lambda: _answers(address, process), 30)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)


def until(met: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.1)


def _answers(address: str, process: subprocess.Popen) -> bool:
    assert process.poll() is None, "the server ended"
    try:
        return urlopen(f"{address}/voila/static/voila.js", timeout=5).status == 200
    except URLError:
        return False


@pytest.fixture(scope="session")
def mart(request) -> Path:
    """The sample mart, or the one of ``CRMLAB_MART``."""
    named = os.environ.get("CRMLAB_MART")
    return Path(named) if named else request.getfixturevalue("sample_mart")


@pytest.fixture(scope="session")
def address(mart, tmp_path_factory) -> Iterator[str]:
    yield from serving(mart, tmp_path_factory.mktemp("log") / "server.log")


@pytest.fixture(scope="module")
def served(folder, tmp_path_factory) -> Iterator[str]:
    """The address of a server of the module's own mart, its `folder`."""
    yield from serving(folder, tmp_path_factory.mktemp("log") / "server.log")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    known = ("google-chrome", "chromium", "chromium-browser")
    path = os.environ.get("CRMLAB_BROWSER") or next(filter(None, map(shutil.which, known)), None)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture
def show(browser, address) -> Iterator[Callable[..., Shown]]:
    """Open a page of the app; it must end without errors and without a request to another host."""
    context = browser.new_context(viewport={"width": 1366, "height": 768}, accept_downloads=True)
    opened: list[Shown] = []

    def open_page(query: str = "", base: str = address, until: str = ".crmlab-figure .main-svg") -> Shown:
        shown = Shown(context.new_page())
        opened.append(shown)
        page = shown.page
        page.on("console", lambda told: shown.errors.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: shown.errors.append(str(error)))
        page.on("request", lambda asked: shown.hosts.add(asked.url.split("/")[2]) if "//" in asked.url else None)
        page.goto(f"{base}/{query}", wait_until="commit")
        page.wait_for_selector(until, timeout=30_000)
        return shown

    yield open_page
    for shown in opened:
        assert shown.errors == []
        assert {host.split(":")[0] for host in shown.hosts} <= {"127.0.0.1", ""}
        shown.page.close(run_before_unload=True)
    context.close()
