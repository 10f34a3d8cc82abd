#!/usr/bin/env bash
# Tests on Spark: installs Java where it may, fetches Hadoop's client of S3 once, and runs the tests.
# STEDI_SPARK_BEHAVIOUR names files of tests/behaviour to run on Spark; without it all run, which takes more than an hour.
set -euo pipefail
bash tools/require_java.sh
bash tools/require_maven.sh
jars=$(python tests/spark/jars.py)
# To compile code takes longer than to run it over few rows.
export PYSPARK_SUBMIT_ARGS="${jars:+--jars $jars} --conf spark.sql.codegen.wholeStage=false --conf spark.sql.codegen.factoryMode=NO_CODEGEN pyspark-shell"
pytest -n 2 --dist loadfile --durations=20 tests/spark
# Processes of their own: a Spark that runs already does not learn of the credentials that these tests put into the environment.
pytest -n 2 --durations=20 tests/aws/test_on_spark.py
# Properties, few examples of each: the histories of tests/spark are those of tests/property/test_incremental.py.
STEDI_ENGINE=spark STEDI_EXAMPLES="${STEDI_SPARK_EXAMPLES:-2}" pytest -n 2 --dist worksteal --durations=20 tests/property/test_{consent_history,histories,reading}.py
read -ra behaviour <<<"${STEDI_SPARK_BEHAVIOUR:-tests/behaviour}"
echo "--- behaviour on Spark: ${behaviour[*]}"
STEDI_ENGINE=spark exec pytest -n 2 --dist worksteal --durations=20 "${behaviour[@]}"
