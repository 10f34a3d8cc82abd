"""Ctrl-C and SIGTERM, so that they end a command in order: what it staged is removed, a half-written file too.

1. The handler notes the signal and raises KeyboardInterrupt in the main thread, as Python does by itself.
2. Where DuckDB raises an error of its own instead, the note tells what it was.
3. DuckDB may not look for signals until a query is done, and even where it does, its workers go on with what they have begun: for hours, if
   that is a cross product. So a thread waits for signals, too, and from the first one on tells the engines of this process to give up.
4. A lock that Python's `threading` has just taken, but not given back to `with` yet, would stay locked for good, and a thread pool with it
   (cpython#73788). So within that module, unless it waits, the handler comes again a moment later.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType

_EVERY_S = 0.2
_A_MOMENT_S = 0.001
#: Functions of `threading` in which a thread may wait for long. They clean up after an exception.
_WAITING = {"wait", "wait_for", "join", "_wait_for_tstate_lock"}
_seen: list[int] = []


def notice_signals() -> None:
    """Treat SIGTERM as Ctrl-C, and remember both. For the main thread of a program of its own."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _on_signal)
    signal.signal(signal.SIGALRM, _on_alarm)
    threading.Thread(target=_watch, args=(reading,), name="signals", daemon=True).start()


def noticed() -> int | None:
    """The signal that this process got first; None where it got none."""
    return _seen[0] if _seen else None


def _on_signal(number: int, frame: FrameType | None) -> None:
    _seen.append(number)
    _on_alarm(number, frame)


def _on_alarm(_number: int, frame: FrameType | None) -> None:
    while frame is not None:
        if frame.f_globals is vars(threading) and frame.f_code.co_name not in _WAITING:
            signal.setitimer(signal.ITIMER_REAL, _A_MOMENT_S)
            return
        frame = frame.f_back
    raise KeyboardInterrupt


def _watch(reading: int) -> None:
    os.read(reading, 1)
    while True:  # until the process ends: what is cleaned up after a signal needs no engine
        time.sleep(_EVERY_S)
        door = sys.modules.get("stedi.lakehouse")
        if door is not None:
            door.interrupt()
