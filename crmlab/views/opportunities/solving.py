"""A list settled behind the page: in a process of its own, with its progress, and what it found."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl
import traitlets

SOLVER = "crmlab.mart.settling"
CHOSEN = {
    "customer_id": pl.Int32, "product_id": pl.String, "net": pl.Float64, "reason": pl.String, "rank": pl.Int64,
}  # fmt: skip
PRICES = {
    "condition": pl.String, "name": pl.String, "limit": pl.Int64, "used": pl.Int64, "price": pl.Float64,
    "sentence": pl.String,
}  # fmt: skip


@dataclass(frozen=True)
class Found:
    """A settled list, and what was asked for it."""

    asked: dict  # the values of the controls
    chosen: pl.DataFrame  # the columns of CHOSEN
    prices: pl.DataFrame  # the columns of PRICES
    value: int
    bound: int
    gap: float


class Solving(traitlets.HasTraits):
    """The solver of a page: `step` and `seconds` tell how far it is, `value` counts what it has settled.

    One list is settled at a time; the solver of a page that is closed ends by itself.
    """

    value = traitlets.Int()  # so that it can be followed like a control
    step = traitlets.Unicode()  # "", reading, solving, done, failed, stopped
    seconds = traitlets.Int()
    found: Found | None = None
    why = ""
    n = 0

    def __init__(self) -> None:
        super().__init__()
        self._process: subprocess.Popen | None = None
        self._thread: threading.Thread | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a list is being settled."""
        return self._process is not None

    def start(self, pairs: pl.DataFrame, limits: dict, digits: int, asked: dict) -> None:
        """Settle the list of these pairs; `asked` is kept with what is found."""
        if self.is_busy:
            return
        question = json.dumps({"limits": limits, "digits": digits}).encode() + b"\n" + pairs.serialize()
        self.why, self.n, self.seconds, self.step = "", pairs.height, 0, "reading"
        self._process = subprocess.Popen(
            [sys.executable, "-m", SOLVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        work = (self._ask, question), (self._listen, asked), (self._count,)
        threads = [threading.Thread(target=target, args=args, daemon=True) for target, *args in work]
        self._thread = threads[1]
        for thread in threads:
            thread.start()

    def stop(self) -> None:
        """Give up on the list that is being settled; what was settled before stays."""
        if self._process:
            self.step = "stopped"
            self._process.kill()

    def wait(self, seconds: float = 60) -> None:
        """Until the list is settled, or was given up."""
        if self._thread:
            self._thread.join(seconds)

    def _ask(self, question: bytes) -> None:
        process = self._process
        try:
            process.stdin.write(question)
            process.stdin.close()
        except OSError:  # it ended before it had read all, and says so itself
            return

    def _listen(self, asked: dict) -> None:
        process, told = self._process, {"step": "failed"}
        for line in process.stdout:
            told = json.loads(line)
            if told["step"] == "solving" and self.step == "reading":
                self.step = "solving"
        process.stdout.close()
        process.wait()
        self._process = None
        if self.step == "stopped":
            return
        if told["step"] != "done":
            self.why = told.get("why", "")
            self.step = "failed"
            return
        chosen = pl.DataFrame(told["chosen"], CHOSEN, orient="row")
        prices = pl.DataFrame(told["prices"], PRICES)
        self.found = Found(asked, chosen, prices, told["value"], told["bound"], told["gap"])
        self.step = "done"
        self.value += 1

    def _count(self, each: Callable[[float], None] = time.sleep) -> None:
        started, process = time.monotonic(), self._process
        while process and process.poll() is None:
            each(0.2)
            self.seconds = int(time.monotonic() - started)
