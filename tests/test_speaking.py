"""A solver's answer holds nothing but its answer, whatever the library beneath it prints."""

import json
import subprocess
import sys

NOISY = """
import os
from crmlab.mart.speaking import speak

def answer(asked, told):
    os.write(1, b"the library speaks\\n")
    print("and so does Python", flush=True)
    told.write(b'{"step": "done", "asked": "' + asked.readline().strip() + b'"}\\n')

speak(answer)
"""


def test_what_a_library_prints_is_no_answer():
    done = subprocess.run([sys.executable, "-c", NOISY], input=b"deal\n", capture_output=True, check=True)
    assert [json.loads(line) for line in done.stdout.splitlines()] == [{"step": "done", "asked": "deal"}]
    assert b"the library speaks" in done.stderr
