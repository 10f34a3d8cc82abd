#!/bin/sh
# Puts the settings that the task definition holds where stedi looks for them, and becomes stedi: signals reach it.
set -eu
if [ -n "${STEDI_TOML:-}" ]; then
  printf '%s' "$STEDI_TOML" >stedi.toml
fi
exec stedi "$@"
