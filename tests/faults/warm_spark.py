"""One Spark for all victims of a process: it goes on when one of them is killed, and need not start again.

A victim finds it as a job on Glue or EMR finds its own: as the session that is active.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import Any

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

_OPTIONS = {
    "spark.master": "local[2]",
    "spark.app.name": "victims",
    "spark.driver.memory": "1g",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.host": "127.0.0.1",
    "spark.sql.catalogImplementation": "in-memory",
    "spark.sql.shuffle.partitions": "2",
    "spark.ui.enabled": "false",
}


class WarmSpark:
    """A JVM with Spark in it, which ends with this process. Victims are forked from it, and each has a connection of its own."""

    def __init__(self) -> None:
        conf = SparkConf(loadDefaults=False).setAll(list(_OPTIONS.items()))
        self._gateway = launch_gateway(conf, {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL})
        parameters = self._gateway.gateway_parameters
        os.environ["PYSPARK_GATEWAY_PORT"] = str(parameters.port)
        os.environ["PYSPARK_GATEWAY_SECRET"] = parameters.auth_token

    def attach(self) -> None:
        """Make it the session that is active in this process, which was forked."""
        gateway = launch_gateway()
        java = gateway.jvm.JavaSparkContext.fromSparkContext(_context(gateway))
        SparkSession(SparkContext(gateway=gateway, jsc=java, conf=SparkConf(_jconf=java.getConf())))

    def give_up(self) -> None:
        """End what a victim left running, as Spark does when it misses its driver."""
        context = _context(self._gateway)
        context.cancelAllJobs()
        while list(context.statusTracker().getActiveJobIds()):
            time.sleep(0.01)


def _context(gateway: Any) -> Any:
    return gateway.jvm.org.apache.spark.SparkContext.getOrCreate()
