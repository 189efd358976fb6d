"""A list settled behind the page: in a process of its own, with its progress, and what it found."""

import json
import subprocess
import sys
import threading
import time
from contextlib import suppress
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
        self._threads: list[threading.Thread] = []

    @property
    def is_busy(self) -> bool:
        """Whether a list is being settled."""
        return self._process is not None

    def start(self, pairs: pl.DataFrame, limits: dict, digits: int, asked: dict) -> None:
        """Settle the list of these pairs; `asked` is kept with what is found."""
        if self.is_busy:
            return
        question = json.dumps({"limits": limits, "digits": digits}).encode() + b"\n" + pairs.serialize()
        process = subprocess.Popen(
            [sys.executable, "-m", SOLVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self._process, self.why, self.n, self.seconds, self.step = process, "", pairs.height, 0, "reading"
        work = (_ask, question), (self._listen, asked), (self._count,)
        self._threads = [threading.Thread(target=do, args=(process, *args), daemon=True) for do, *args in work]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Give up on the list that is being settled; what was settled before stays."""
        process, self._process = self._process, None
        if process:
            process.kill()
            self.step = "stopped"

    def wait(self, seconds: float = 60) -> None:
        """Until the list is settled, or was given up."""
        for thread in self._threads:
            thread.join(seconds)

    def _listen(self, process: subprocess.Popen, asked: dict) -> None:
        told = {}
        with process.stdout as lines:
            for line in lines:
                told = json.loads(line)
                if told["step"] == "solving" and self._process is process:
                    self.step = "solving"
        process.wait()
        if self._process is not process:  # given up meanwhile
            return
        self._process = None
        if told.get("step") != "done":
            self.why = told.get("why", "")
            self.step = "failed"
            return
        chosen, prices = pl.DataFrame(told["chosen"], CHOSEN, orient="row"), pl.DataFrame(told["prices"], PRICES)
        self.found = Found(asked, chosen, prices, told["value"], told["bound"], told["gap"])
        self.step = "done"
        self.value += 1

    def _count(self, process: subprocess.Popen) -> None:
        started = time.monotonic()
        while process.poll() is None:
            time.sleep(0.2)
            if self._process is process:
                self.seconds = int(time.monotonic() - started)


def _ask(process: subprocess.Popen, question: bytes) -> None:
    """Both may fail where the process has ended, which is told by what it has answered."""
    for do in (lambda: process.stdin.write(question), process.stdin.close):
        with suppress(OSError):
            do()
