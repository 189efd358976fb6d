"""A question that is solved behind a page: in a process of its own, with its progress, and what it found."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import polars as pl
import traitlets


class Solving(traitlets.HasTraits):
    """The solver of a page: `step` and `seconds` tell how far it is, `value` counts what it has solved.

    One question is solved at a time; the solver of a page that is closed ends by itself.

    Parameters
    ----------
    solver
        The module that is asked on its standard input, a line of JSON and a frame, and answers a line a step.
    made
        Makes `found` of the last step and of what was asked.
    """

    value = traitlets.Int()  # so that it can be followed like a control
    step = traitlets.Unicode()  # "", reading, solving, done, failed, stopped
    seconds = traitlets.Int()
    found: object = None
    why = ""
    n = 0

    def __init__(self, solver: str, made: Callable[[dict, object], object]) -> None:
        super().__init__()
        self._solver, self._made = solver, made
        self._process: subprocess.Popen | None = None
        self._threads: list[threading.Thread] = []

    @property
    def is_busy(self) -> bool:
        """Whether something is being solved."""
        return self._process is not None

    def ask(self, how: dict, rows: pl.DataFrame, n: int, asked: object) -> None:
        """Solve a question of `n` things; `asked` is kept with what is found."""
        if self.is_busy:
            return
        question = json.dumps(how).encode() + b"\n" + rows.serialize()
        process = subprocess.Popen(
            [sys.executable, "-m", self._solver], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self._process, self.why, self.n, self.seconds, self.step = process, "", n, 0, "reading"
        work = (_ask, question), (self._listen, asked), (self._count,)
        self._threads = [threading.Thread(target=do, args=(process, *args), daemon=True) for do, *args in work]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Give up on what is being solved; what was solved before stays."""
        process, self._process = self._process, None
        if process:
            process.kill()
            self.step = "stopped"

    def wait(self, seconds: float = 60) -> None:
        """Until it is solved, or was given up."""
        for thread in self._threads:
            thread.join(seconds)

    def _listen(self, process: subprocess.Popen, asked: object) -> None:
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
        self.found = self._made(told, asked)
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
