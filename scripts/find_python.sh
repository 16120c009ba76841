#!/bin/sh
# Print the first Python of 3.11 or later that can make a virtual environment; say what to install when there is none.
found=""
for candidate in "${PYTHON:-python3}" python3.13 python3.12 python3.11 python3.14 python; do
    version=$("$candidate" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || continue
    found="$found $candidate is $version;"
    "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue
    if ! "$candidate" -c 'import ensurepip, venv' 2>/dev/null; then
        unusable="$candidate ($version) can't make a virtual environment; on Debian or Ubuntu: apt-get install python$version-venv"
        continue
    fi
    command -v "$candidate"
    exit 0
done
if [ -n "${unusable:-}" ]; then
    echo "error: $unusable" >&2
else
    echo "error: Python 3.11 or later is needed;${found:- no Python was found}; install it, or name one: make PYTHON=/path/to/python3.12" >&2
fi
exit 2
