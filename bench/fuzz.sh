#!/usr/bin/env bash
# Runs every fuzz target of the module for a while each. usage: bench/fuzz.sh [TIME]
set -euo pipefail
cd "$(dirname "$0")/.."
time=${1:-3m}
out=$(mktemp)
trap 'rm -f "$out"' EXIT
ran=0 findings=0
while IFS=: read -r file name; do
  ran=$((ran + 1))
  echo "== $(dirname "$file") $name ($time)"
  if go test -run '^$' -fuzz "^$name\$" -fuzztime "$time" "./$(dirname "$file")" >"$out" 2>&1; then
    tail -n 3 "$out"
  elif grep -q 'context deadline exceeded' "$out" && ! grep -qE 'Failing input|panic:|hung or terminated' "$out"; then
    # A busy machine may not end its last input in time: that is no finding.
    echo "no finding; the last input was cut off when the time was up"
  else
    cat "$out"
    findings=$((findings + 1))
  fi
done < <(git ls-files '*_test.go' | xargs grep -oE '^func Fuzz[A-Za-z0-9_]+' | sed 's/func //')
echo "$ran fuzz targets ran $time each, $findings with a finding"
[ "$ran" -gt 0 ] && [ "$findings" -eq 0 ]
