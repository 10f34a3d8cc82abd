"""Ctrl-C at any instant: what Python's own locks make of it."""

from __future__ import annotations

import subprocess
import sys

#: Locks of a pool are taken and given back all the time, as it does by itself, while a hundred signals arrive; none may stay locked.
LOCKING = """
import os, random, signal, threading, time
from stedi.cli import interrupts

interrupts.notice_signals()
lock = threading.Lock()
seats = threading.Semaphore(0)
seats._cond = threading.Condition(lock)
expected = []

def interrupt():
    for _ in range(100):
        while not expected:
            time.sleep(0.0001)
        time.sleep(random.uniform(0.0001, 0.003))
        expected.clear()
        os.kill(os.getpid(), signal.SIGINT)

threading.Thread(target=interrupt, daemon=True).start()
for number in range(100):
    try:
        expected.append(number)
        while True:
            seats.release()
            seats.acquire(timeout=0)
    except KeyboardInterrupt:
        if not lock.acquire(timeout=1):
            raise SystemExit(f"still locked after interrupt {number}")
        lock.release()
"""


def test_ctrl_c_leaves_no_lock_of_a_pool_behind() -> None:
    done = subprocess.run([sys.executable, "-c", LOCKING], capture_output=True, text=True, timeout=180, check=False)
    assert (done.returncode, done.stderr) == (0, "")
