#!/bin/sh
# See a market maker try ten times to reach a connector that is not there, each attempt logged with its number, the waits
# growing as promised (scaled down by a setting), and the process end with code 4 and one plain line.
#
# Usage: scripts/test_retry.sh
#   MARKET_MAKER   the command to test; by default `market-maker` of .venv, else the one on PATH
# Ends with 0 when all was seen, 1 when not, 2 when it can't be tried here.
set -eu

root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
scale=0.001

fail() {
    echo "FAILED: $1" >&2
    sed 's/^/    /' "$log" >&2
    exit 1
}

if [ -z "${MARKET_MAKER:-}" ]; then
    MARKET_MAKER="$root/.venv/bin/market-maker"
    [ -x "$MARKET_MAKER" ] || MARKET_MAKER=$(command -v market-maker) || {
        echo "error: market-maker is neither in $root/.venv nor on PATH; run make setup" >&2
        exit 2
    }
fi

work=$(mktemp -d)
log="$work/log"
client=""
tidy() {
    [ -z "$client" ] || kill "$client" 2>/dev/null || true
    rm -rf "$work"
}
trap tidy EXIT
trap 'exit 1' INT TERM

# A port that nothing listens on. Port 1 needs rights to listen on that no test has.
address=127.0.0.1:1

# Only what this run needs from the environment: a variable of the user's must not change what is tried.
env -i PATH="$PATH" HOME="${HOME:-/}" LOG_FORMAT=json \
    EXCHANGE_GRPC_ADDRESS="$address" \
    OPENSQT__EXCHANGES__REMOTE__RETRY_SCALE="$scale" \
    OPENSQT__APP__DATABASE_URL="sqlite:///$work/state.db" \
    OPENSQT__TELEMETRY__METRICS_PORT=0 \
    "$MARKET_MAKER" --config "$root/configs/config.yaml" >"$log" 2>&1 &
client=$!
code=0
wait "$client" || code=$?
client=""

[ "$code" -eq 4 ] || fail "expected exit code 4, got $code"

number=1
for next in 0.001 0.002 0.004 0.008 0.016 0.032 0.06 0.06 0.06 end; do
    case $next in
    end) expected="giving up" ;;
    *) expected="next in $next s" ;;
    esac
    [ "$(grep -c "attempt $number of 10 " "$log")" -eq 1 ] || fail "expected attempt $number of 10 to be logged once"
    grep "attempt $number of 10 " "$log" | grep -qF "$expected" || fail "expected attempt $number to say: $expected"
    number=$((number + 1))
done
! grep -q "attempt 11 " "$log" || fail "an eleventh attempt was made"
[ "$(grep -c '^error: ' "$log")" -eq 1 ] || fail "expected one line that says what to do"
! grep -q "Traceback" "$log" || fail "a traceback was printed"

echo "ok: ten attempts, waits 1 2 4 8 16 32 60 60 60 (times $scale s), exit code 4:"
echo "    $(grep '^error: ' "$log")"
