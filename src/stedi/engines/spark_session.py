"""Find a Spark to work with: the session that is active (Glue, EMR, a notebook, Spark Connect), or a local one of our own.

A local one lives as long as the process: it takes seconds to start, and stops with it. It writes nothing to the console, since its log
quotes rows: what its JVM says is thrown away.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark import SparkConf, SparkContext
from pyspark.java_gateway import launch_gateway
from pyspark.sql import SparkSession

from stedi.aws import S3Options, reach
from stedi.errors import ConfigError

_OR_DUCKDB = 'or take the embedded engine: engine = "duckdb"'
_OLDEST_JAVA = 17
#: What says that a Spark outside of this process is to be used.
_ELSEWHERE = ("SPARK_REMOTE", "PYSPARK_GATEWAY_PORT")
#: Set in a Spark that was started here.
_OWN = "spark.stedi.own"
#: What our SQL relies on, whatever the session says. Integers that do not fit are errors, as in DuckDB.
_OPTIONS = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # Iceberg takes no INT96
    "spark.sql.parquet.fieldId.write.enabled": "true",
    # Spark 4.1 keeps wrong constraints of relations that are kept and united again: "key not found" in its optimizer.
    "spark.sql.constraintPropagation.enabled": "false",
    "spark.sql.sources.parallelPartitionDiscovery.threshold": "10000",  # files are named one by one: no job looks for them
}


def open_session(memory_limit: str | None, threads: int | None, s3: S3Options | None = None) -> SparkSession:
    """A session of its own relations and options.

    Args:
        memory_limit: of a local Spark, for example "2GB"; a quarter of this machine's memory where None.
        threads: of a local Spark; all cores where None.
        s3: how a Spark of our own is to reach S3, where it is to; any other knows that by itself.

    Raises:
        ConfigError: Java is missing, or too old.
        StorageError: there are no credentials for S3.
    """
    options = _OPTIONS
    found = SparkSession.getActiveSession()
    if found is None and any(os.environ.get(name) for name in _ELSEWHERE):
        found = SparkSession.builder.getOrCreate()
    if found is None:
        found = _start_local(memory_limit, threads)
    if s3 and found.conf.get(_OWN, "false") == "true":
        options = options | _s3_options(s3)
    session = found if _is_remote(found) else found.newSession()
    for name, value in options.items():
        session.conf.set(name, value)
    return session


def parallelism(session: SparkSession) -> int:
    """How many tasks run at a time, as far as Spark tells: through Spark Connect, it tells the number of partitions alone."""
    if _is_remote(session):
        return int(session.conf.get("spark.sql.shuffle.partitions") or 1)
    return int(session.sparkContext.defaultParallelism)


def _is_remote(session: SparkSession) -> bool:
    """Whether it is reached through Spark Connect, where every client has a session of its own already."""
    return "connect" in type(session).__module__


def _start_local(memory_limit: str | None, threads: int | None) -> SparkSession:
    _require_java()
    running = SparkContext._active_spark_context
    if running is None:
        conf = SparkConf().setMaster(f"local[{threads or '*'}]").setAppName("stedi")
        conf.setAll(list(_local_options(memory_limit, threads or os.cpu_count() or 1).items()))
        silence = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with _own_signals():
            running = SparkContext(conf=conf, gateway=launch_gateway(conf, silence))
        running.pythonExec = sys.executable  # tasks need what is installed here
    return SparkSession(running)


def _local_options(memory_limit: str | None, cores: int) -> dict[str, str]:
    return {
        _OWN: "true",
        "spark.driver.memory": f"{_megabytes(memory_limit)}m",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.sql.catalogImplementation": "in-memory",
        "spark.sql.shuffle.partitions": str(2 * cores),
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
    }


def _s3_options(s3: S3Options) -> dict[str, str]:
    """How Hadoop's client reaches `s3://`; credentials come from AWS's chain, which it asks itself."""
    now = reach(s3)
    options = {
        "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "fs.s3a.aws.credentials.provider": "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider",
        "fs.s3a.endpoint.region": now.region,
    }
    if now.endpoint:
        options |= {"fs.s3a.endpoint": now.endpoint, "fs.s3a.path.style.access": "true"}
    if s3.encryption:
        options["fs.s3a.encryption.algorithm"] = "SSE-KMS" if s3.encryption == "aws:kms" else s3.encryption
    if s3.kms_key:
        options["fs.s3a.encryption.key"] = s3.kms_key
    return options


def _megabytes(memory_limit: str | None) -> int:
    """How much the JVM may take; never less than Spark starts with."""
    if memory_limit is None:
        return max(1024, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (4 << 20))
    number, unit = re.fullmatch(r"([0-9.]+) ?([KMGT])i?B", memory_limit).groups()  # type: ignore[union-attr] # as config.py says
    return max(512, int(float(number) * 1024.0 ** ("KMGT".index(unit) - 1)))


def _require_java() -> None:
    """Spark's own complaint comes from a shell script, and late."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else shutil.which("java")
    hint = f"install Java {_OLDEST_JAVA} or newer (Debian: apt-get install openjdk-17-jre-headless); {_OR_DUCKDB}"
    if java is None or not Path(java).is_file():
        raise ConfigError("the engine spark needs Java, and there is none", where=java or "engine", hint=hint)
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr  # noqa: S603
    version = re.search(r'version "(\d+)', said)
    if version is None or int(version[1]) < _OLDEST_JAVA:
        raise ConfigError(f"the engine spark needs Java {_OLDEST_JAVA} or newer", where=java, hint=hint)


@contextmanager
def _own_signals() -> Iterator[None]:
    """Spark takes Ctrl-C for itself when it starts; it is ours."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
