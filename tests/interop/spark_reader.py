"""Spark with Iceberg's own runtime, on the SQLite catalog of a lakehouse: what any user of Spark would write."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from interop.artifacts import SPARK_ICEBERG, SQLITE_DRIVER, Unavailable, fetched

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def start_spark(scratch: Path) -> SparkSession:
    """A session without catalogs.

    Raises:
        Unavailable: there is no Java, or the jars cannot be had.
    """
    import shutil

    jars = [str(fetched(artifact)) for artifact in (SPARK_ICEBERG, SQLITE_DRIVER)]
    if shutil.which("java") is None:
        raise Unavailable("Java is missing: on Debian, apt-get install openjdk-17-jre-headless")
    from pyspark.sql import SparkSession

    return (
        SparkSession.builder.master("local[2]")
        .config("spark.jars", ",".join(jars))
        .config("spark.sql.extensions", "org.apache.iceberg.spark.extensions.IcebergSparkSessionExtensions")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "2")
        .config("spark.sql.warehouse.dir", str(scratch))
        .config("spark.ui.enabled", "false")
        .config("spark.ui.showConsoleProgress", "false")
        .config("spark.driver.memory", "1g")
        .config("spark.driver.host", "127.0.0.1")
        .getOrCreate()
    )


def session_on(spark: SparkSession, lakehouse: Path) -> SparkSession:
    """A session whose catalog `stedi` is that of a lakehouse.

    The name is that of the catalog in the file: so each lakehouse needs a session of its own.
    """
    session = spark.newSession()
    for key, value in {
        "": "org.apache.iceberg.spark.SparkCatalog",
        ".type": "jdbc",
        ".uri": f"jdbc:sqlite:file:{lakehouse}/catalog.db?mode=ro",
        ".warehouse": f"{lakehouse}/warehouse",
        ".jdbc.schema-version": "V1",
        ".init-catalog-tables": "false",
        ".cache-enabled": "false",
    }.items():
        session.conf.set(f"spark.sql.catalog.stedi{key}", value)
    session.sql("USE stedi.stedi")
    return session
