#!/usr/bin/env bash
# Tests on Spark: installs Java where it may, fetches Hadoop's client of S3 once, and runs the tests.
set -euo pipefail
bash tools/require_java.sh
bash tools/require_maven.sh
jars=$(python tests/spark/jars.py)
# To compile code takes longer than to run it over few rows.
export PYSPARK_SUBMIT_ARGS="${jars:+--jars $jars} --conf spark.sql.codegen.wholeStage=false --conf spark.driver.extraJavaOptions=-XX:TieredStopAtLevel=1 pyspark-shell"
pytest -n 2 --dist loadfile --durations=20 tests/spark
# Processes of their own: a Spark that runs already does not learn of the credentials that these tests put into the environment.
exec pytest -n 2 --durations=20 tests/aws/test_on_spark.py
