"""The process that forks the victims: it has everything imported, so a victim is running within milliseconds.

One order per line on stdin, one outcome per line on stdout, both JSON (see `faults.harness`). Run as `python -m faults.victim`.
With `STEDI_ENGINE=spark` it starts a Spark first, which all victims use.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
import traceback
from typing import Any

import pyarrow.parquet  # noqa: F401 - warm, as the rest
import pyiceberg.avro.file  # noqa: F401

import stedi.runs.doctor
import stedi.runs.forget
import stedi.runs.run
from faults.harness import ON_SPARK
from faults.instants import Instants
from faults.store import FailingStore
from stedi.errors import StediError

if ON_SPARK:
    from faults.warm_spark import WarmSpark

    SPARK = WarmSpark()


def live(order: dict[str, Any]) -> dict[str, Any]:
    """One run of the lakehouse, or one erasure, told of the fault that it is to meet."""
    if ON_SPARK:
        SPARK.attach()
    instants = Instants(order)
    store = FailingStore(order.get("store_fails_at"), lasts=order.get("store_fails_on", False))
    instants.watch()
    store.watch()
    told = {"instants": instants.labels, "operations": store.operations}
    lake = stedi.open_lakehouse(order["lake"], **order["settings"])
    try:
        if "forget" in order:
            done = lake.subjects.forget(order["forget"], progress=instants.progress)
            return {"run": done.run, "rows": done.rows, **told}
        result = lake.run(order["landing"], progress=instants.progress, **order["options"])
    except StediError as error:
        return {"error": error.as_dict(), "kind": type(error).__name__, **told}
    except BaseException as error:  # noqa: BLE001 - whatever it is, the test is told
        return {"error": None, "kind": type(error).__name__, "traceback": traceback.format_exc(), **told}
    return {"run": result.run, "rows": result.report.get("rows"), "plan": result.plan, **told}


def fork(order: dict[str, Any]) -> dict[str, Any]:
    """Let a child live; kill it after `order["delay_s"]` if it lives that long."""
    start = time.perf_counter()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        with os.fdopen(write, "w") as out:
            json.dump(live(order), out)
        os._exit(0)
    os.close(write)
    if order.get("delay_s") is not None:
        time.sleep(order["delay_s"])
        os.kill(child, signal.SIGKILL)
    with os.fdopen(read) as told:
        text = told.read()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    if killed and ON_SPARK:
        SPARK.give_up()
    if not killed and os.waitstatus_to_exitcode(status) != 0:
        raise RuntimeError(f"a victim ended with {os.waitstatus_to_exitcode(status)}")
    outcome = json.loads(text) if text and not killed else {}
    return {"killed": killed, "seconds": time.perf_counter() - start, **outcome}


if __name__ == "__main__":
    for line in sys.stdin:
        print(json.dumps(fork(json.loads(line))), flush=True)
