"""Work that Ctrl-C may not cut in half: taking back, or putting in order, what came before it."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

#: SIGALRM too: the command line's handler comes back by it (`stedi.cli.interrupts`).
_HELD = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


@contextmanager
def held() -> Iterator[None]:
    """Signals that ask the process to end are dealt with after the block. They come to the main thread; in any other, nothing is done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    arrived: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        arrived.append(number)

    before = {number: signal.signal(number, note) for number in _HELD}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if arrived:
            signal.raise_signal(arrived[0])
