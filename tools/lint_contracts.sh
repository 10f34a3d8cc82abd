#!/usr/bin/env bash
# Every contract in zones/ must be a valid Open Data Contract Standard file.
set -euo pipefail
count=0
while IFS= read -r contract; do
  if ! output=$(datacontract lint "$contract" 2>&1); then
    printf '%s\n%s\n' "$contract" "$output"
    exit 1
  fi
  count=$((count + 1))
done < <(find src/stedi/zones -name '*.yaml' | sort)
echo "$count contracts are valid"
