#!/usr/bin/env bash
# Sees with the real grpc_health_probe that a connector says SERVING while it runs and NOT_SERVING while it stops,
# a stream open, and that it then ends with 0. Starts its own simulated connector on a free port and kills only that.
# Exit code: 0 all seen, 1 something was not as it should be, 2 a program is missing.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
[ -x "$python" ] || python=$(command -v python3) || { echo "error: no Python found; run: make setup" >&2; exit 2; }

probe=$(bash "$root/scripts/find_tool.sh" github.com/grpc-ecosystem/grpc-health-probe@v0.4.39 grpc_health_probe grpc-health-probe)

work=$(mktemp -d)
connector="" stream=""
clean_up() {
  for pid in $stream $connector; do
    if kill -0 "$pid" 2>/dev/null; then kill -KILL "$pid" 2>/dev/null || true; fi
  done
  rm -rf "$work"
}
trap clean_up EXIT

fail() {
  echo "FAILED: $1" >&2
  echo "--- the connector said:" >&2
  cat "$work/out" "$work/err" >&2
  exit 1
}

# Repeats a command every 0.1 s until it succeeds, 30 s at most.
until_true() {
  for _ in $(seq 300); do
    if "$@"; then return 0; fi
    kill -0 "$connector" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}
says() {
  local answer
  answer=$("$probe" -addr="$address" -service="${2:-}" 2>&1 || true)
  grep -Eq "(^|[^_])\b$1\b" <<<"$answer"
}

"$python" -m opensqt.connector --exchange binance --simulated --port 0 --metrics-port 0 \
  >"$work/out" 2>"$work/err" &
connector=$!
until_true grep -q "ready on" "$work/out" || fail "the connector did not start"
address=$(sed -n 's/.*ready on //p' "$work/out")

until_true says SERVING || fail "no SERVING from $address"
says SERVING opensqt.market_maker.v1.ExchangeService || fail "no SERVING for the service's name"
echo "ok: SERVING while it runs ($address)"

"$python" - "$address" >"$work/stream" 2>&1 <<'PYTHON' &
import sys
import grpc
from opensqt.proto import exchange_service_pb2 as pb
from opensqt.proto.exchange_service_pb2_grpc import ExchangeServiceStub

with grpc.insecure_channel(sys.argv[1]) as channel:
    try:
        for _ in ExchangeServiceStub(channel).SubscribePrice(pb.SubscribePriceRequest(symbol="BTCUSDT")):
            print("open", flush=True)
    except grpc.RpcError as error:
        print("ended", error.code().name, flush=True)
PYTHON
stream=$!
until_true grep -q open "$work/stream" || fail "the stream did not open: $(cat "$work/stream")"

kill -TERM "$connector"
until_true says NOT_SERVING || fail "no NOT_SERVING after SIGTERM"
says SERVING liveness || fail "liveness is not SERVING while the process runs"
echo "ok: NOT_SERVING while it stops, a stream open"

code=0
wait "$connector" || code=$?
connector=""
[ "$code" -eq 0 ] || fail "it ended with $code"
wait "$stream" || true
stream=""
grep -q "ended UNAVAILABLE" "$work/stream" || fail "the stream did not end with UNAVAILABLE"
echo "ok: ended with 0, the stream with UNAVAILABLE"
