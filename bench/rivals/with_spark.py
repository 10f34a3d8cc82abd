"""(c) The usual chain as PySpark jobs in local mode: one process, all cores, one session for all steps."""

from __future__ import annotations

import os
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession, Window
from pyspark.sql import functions as F  # noqa: N812 - as everybody calls it
from pyspark.sql import types as T  # noqa: N812

from bench.rivals.job import FIELDS, NEWEST, files_of, start

_TYPES = {"varchar": T.StringType(), "bigint": T.LongType(), "double": T.DoubleType()}
#: The JVM's heap; the product's limit bounds its engine alone, so Spark gets half as much again.
HEAP = "6g"
#: Bytes of JSON per task after a shuffle, which AQE merges where there is less to do.
_PER_TASK = 128 << 20
#: Below so many bytes of JSON the JVM is told to compile in one step: its second compiler would then take more time than it saves.
_SMALL = 200_000_000


def session(scratch: Path, feeds: Path) -> SparkSession:
    """A local Spark that is set to be quick: no web page, no checksum files, as many tasks as the feeds need."""
    size = sum(Path(path).stat().st_size for feed in FIELDS for path in files_of(feeds, feed))
    tasks = max(os.cpu_count() or 1, -(-size // _PER_TASK))
    settings = {
        "spark.driver.memory": HEAP,
        "spark.ui.enabled": "false",
        "spark.local.dir": str(scratch),
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.shuffle.partitions": str(tasks),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.hadoop.parquet.compression.codec.zstd.level": "1",
        "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
        "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
    }
    if size < _SMALL:
        settings["spark.driver.extraJavaOptions"] = "-XX:TieredStopAtLevel=1"
    builder = SparkSession.builder.master("local[*]").appName("usual chain")
    for name, value in settings.items():
        builder = builder.config(name, value)
    return builder.getOrCreate()


def run(feeds: Path, out: Path, memory_limit: str) -> None:  # noqa: ARG001 - see HEAP
    """Write every table of the usual chain."""
    spark = session(out.with_name(out.name + "-spill"), feeds)

    def write(name: str, rows: DataFrame) -> None:
        rows.write.mode("overwrite").parquet(str(out / name))

    def read(name: str) -> DataFrame:
        return spark.read.parquet(str(out / name))

    for feed, fields in FIELDS.items():
        schema = T.StructType([T.StructField(name, _TYPES[kind]) for name, kind in fields.items()])
        write(f"{feed}_landing", spark.read.schema(schema).json(files_of(feeds, feed)))
    consent = F.col("shareWithResearchAsOfDate")
    latest = Window.partitionBy("email").orderBy(*[F.col(name).desc_nulls_last() for name in NEWEST])
    newest = read("customer_landing").withColumn("rank", F.row_number().over(latest)).filter("rank = 1").drop("rank")
    write("customer_trusted", newest.filter(consent > 0))
    since = read("customer_trusted").select(F.col("email").alias("user"), consent)
    usable = read("accelerometer_landing").join(since, "user")
    write("accelerometer_trusted", usable.filter(F.col("timestamp") >= consent).drop("shareWithResearchAsOfDate"))
    users = read("accelerometer_trusted").select(F.col("user").alias("email"))
    write("customers_curated", read("customer_trusted").join(users, "email", "left_semi"))
    readings = read("accelerometer_trusted").withColumnRenamed("timestamp", "sensorReadingTime")
    instants = readings.select("sensorReadingTime")
    write("step_trainer_trusted", read("step_trainer_landing").join(instants, "sensorReadingTime", "left_semi"))
    write("machine_learning_curated", read("step_trainer_trusted").join(readings, "sensorReadingTime"))
    stop(spark)


def stop(spark: SparkSession) -> None:
    """End the session, and wait for its JVM: only then do its time and memory count as this process's."""
    process = spark.sparkContext._gateway.proc
    spark.stop()
    process.stdin.close()
    process.wait()


if __name__ == "__main__":
    start(run)
