#!/usr/bin/env bash
# Prints the path of the first of the programs named that is installed: find_tool.sh GO_PACKAGE NAME...
# Exit code 2, and a line that says how to get it, when none is.
set -euo pipefail

package=$1
shift
gobin=""
if command -v go >/dev/null 2>&1; then gobin="$(go env GOPATH)/bin"; fi
for name in "$@"; do
  if command -v "$name" 2>/dev/null; then exit 0; fi
  for folder in "$gobin" "$HOME/go/bin"; do
    if [ -x "$folder/$name" ]; then
      echo "$folder/$name"
      exit 0
    fi
  done
done
echo "error: $1 is not installed; put it on PATH, or run: go install $package" >&2
exit 2
