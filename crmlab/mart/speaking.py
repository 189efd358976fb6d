"""How a solver in a process of its own answers: on a standard output that is its own."""

import os
import sys
from collections.abc import Callable
from typing import BinaryIO


def speak(answer: Callable[[BinaryIO, BinaryIO], None]) -> None:
    """Answer what is asked on standard input, line by line; what a library prints by itself goes to standard error.

    HiGHS writes a line to standard output now and then though it is told to be silent: whoever reads the answer would
    take it for a step.
    """
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as told:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        answer(sys.stdin.buffer, told)
