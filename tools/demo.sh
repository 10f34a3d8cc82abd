#!/usr/bin/env bash
# The main job on simulated feeds, start to finish. Writes ./demo, anew each time.
set -euo pipefail
rm -rf demo
mkdir demo
cd demo
bold='' plain=''
if [ -t 1 ]; then bold=$'\033[1m' plain=$'\033[0m'; fi
step() {
  printf '\n%s$ stedi %s%s\n' "$bold" "$*" "$plain"
  stedi "$@"
}

step simulate feeds --customers 1000 --seed 7
step run --landing feeds
step tables
step query 'SELECT "subjectId", count(*) AS readings, round(avg("distanceFromObject"), 1) AS distance FROM machine_learning_curated GROUP BY 1 ORDER BY 2 DESC LIMIT 5'
step quarantine list
step devices
step run --landing feeds
