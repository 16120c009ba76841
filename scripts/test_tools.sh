#!/usr/bin/env bash
# Sees that the tools people use on any gRPC server work on a connector with TLS and tokens: grpc_health_probe,
# grpcurl and ghz, and openssl for the certificates. Starts its own simulated connectors on free ports.
# Exit code: 0 all seen, 1 something was not as it should be, 2 a program is missing.
set -euo pipefail

root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
[ -x "$python" ] || python=$(command -v python3) || { echo "error: no Python found; run: make setup" >&2; exit 2; }
probe=$(bash "$root/scripts/find_tool.sh" github.com/grpc-ecosystem/grpc-health-probe@v0.4.39 grpc_health_probe grpc-health-probe)
grpcurl=$(bash "$root/scripts/find_tool.sh" github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3 grpcurl)
ghz=$(bash "$root/scripts/find_tool.sh" github.com/bojand/ghz/cmd/ghz@v0.120.0 ghz)
command -v openssl >/dev/null || { echo "error: openssl is not installed" >&2; exit 2; }

service=opensqt.market_maker.v1.ExchangeService
gateway=opensqt.market_maker.v1.GatewayService
work=$(mktemp -d)
connector="" stream=""
clean_up() {
  for pid in $stream $connector; do
    if kill -0 "$pid" 2>/dev/null; then kill -KILL "$pid" 2>/dev/null || true; fi
  done
  rm -rf "$work"
}
trap clean_up EXIT
cd "$work"

fail() {
  echo "FAILED: $1" >&2
  echo "--- the answer:" >&2
  cat answer >&2 2>/dev/null || true
  echo "--- the connector said:" >&2
  tail -n 50 out err >&2
  exit 1
}

certificates() { # an authority, and what it signs for the server and for one client
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=authority \
    -keyout ca.key -out ca.pem 2>/dev/null
  for name in server maker; do
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=$name" \
      -keyout "$name.key" -out "$name.csr" 2>/dev/null
    openssl x509 -req -in "$name.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -out "$name.pem" \
      -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") 2>/dev/null
  done
}

serve() { # serve FLAG...: a simulated connector; sets $address
  "$python" -m opensqt.connector --exchange binance --simulated --port 0 --metrics-port 0 --clients clients.yaml \
    --tls-cert server.pem --tls-key server.key "$@" >out 2>err &
  connector=$!
  for _ in $(seq 300); do
    if grep -q "ready on" out; then break; fi
    kill -0 "$connector" 2>/dev/null || fail "the connector did not start"
    sleep 0.1
  done
  address=$(sed -n 's/.*ready on //p' out)
}

stop() {
  kill -TERM "$connector"
  wait "$connector" || fail "the connector ended with $?"
  connector=""
}

# The token comes from the environment, so that no list of processes shows it.
call() { # call TOKEN METHOD JSON: answers in `answer`
  token=$1 "$grpcurl" -cacert ca.pem -expand-headers -H 'authorization: Bearer ${token}' -d "$3" "$address" "$2" >answer 2>&1
}
says() { grep -q "$1" answer; }

certificates
new_token() { "$python" -m opensqt.cli token new --clients clients.yaml "$@"; }
new_token --name page --role read >page.token 2>/dev/null
new_token --name maker --role trade --certificate maker --max-order-notional 5000 >maker.token 2>/dev/null
page=$(cat page.token) maker=$(cat maker.token)
serve

"$probe" -addr="$address" -tls -tls-ca-cert=ca.pem >answer 2>&1 || fail "the probe does not see SERVING over TLS"
"$probe" -addr="$address" >answer 2>&1 && fail "the probe was answered without TLS"
echo "ok: grpc_health_probe over TLS"

"$grpcurl" -cacert ca.pem "$address" list >answer 2>&1 || fail "grpcurl can't list"
says "^$service$" && says "^$gateway$" || fail "grpcurl does not list both services"
"$grpcurl" -cacert ca.pem "$address" describe $service.PlaceOrder >answer 2>&1 || fail "grpcurl can't describe"
says "rpc PlaceOrder" || fail "grpcurl does not describe PlaceOrder"
echo "ok: grpcurl lists and describes without a token"

"$grpcurl" -cacert ca.pem "$address" $service/GetAccount >answer 2>&1 && fail "a call without a token was answered"
says "Code: Unauthenticated" && says '"reason": "TOKEN_REFUSED"' || fail "it was not refused as it should be"
call "${page}x" $service/GetAccount '{}' && fail "a call with a wrong token was answered"
says "Code: Unauthenticated" || fail "a wrong token was not refused as it should be"
call "$page" $service/GetAccount '{}' || fail "a reader could not read"
order='{"order": {"symbol": "BTCUSDT", "side": "SIDE_BUY", "order_type": "ORDER_TYPE_LIMIT", "price": "PRICE",
  "time_in_force": "TIME_IN_FORCE_GTC", "quantity": "0.003", "client_order_id": "tools1"}}'
call "$page" $service/GetLatestPrice '{"symbol": "BTCUSDT"}' || fail "a reader got no price"
order=${order/PRICE/$(sed -n 's/.*"bid": "\([0-9]*\)[0-9.]*".*/\1/p' answer)}
call "$page" $service/PlaceOrder "$order" && fail "a reader placed an order"
says "Code: PermissionDenied" || fail "a reader's order was not refused as it should be"
call "$maker" $service/PlaceOrder "$order" || fail "a trader could not place an order"
first=$(grep '"order_id"' answer) || fail "the order has no id"
call "$maker" $service/PlaceOrder "$order" || fail "the order could not be asked for again"
says "$first" || fail "the order asked for again is another one"
call "$maker" $service/CancelAllOrders '{"symbol": "BTCUSDT"}' || fail "a trader could not cancel"
call "$page" $gateway/GetStatus '{}' && says '"healthy": true' || fail "the status does not say healthy"
echo "ok: grpcurl calls with a token, and is refused without one or beyond its role"

token=$page "$grpcurl" -cacert ca.pem -expand-headers -H 'authorization: Bearer ${token}' -d '{"symbol": "BTCUSDT"}' \
  "$address" $service/SubscribePrice >prices 2>&1 &
stream=$!
for _ in $(seq 100); do
  if grep -q '"bid"' prices; then break; fi
  sleep 0.1
done
cp prices answer
says '"bid"' || fail "grpcurl got no price from the stream"
"$ghz" --cacert ca.pem --call $service/GetLatestPrice -d '{"symbol": "BTCUSDT"}' \
  -m "{\"authorization\": \"Bearer $page\"}" -n 1000 -c 20 "$address" >answer 2>&1 || fail "ghz ended with an error"
says '\[OK\] *1000 responses' || fail "not all 1000 of ghz's calls were answered"
kill "$stream" && wait "$stream" || true
stream=""
echo "ok: ghz, 1000 calls without an error: $(sed -n 's/^ *\(Requests\/sec:.*\)/\1/p' answer | tr -s '\t ' ' ')"
if grep -qF -e "$page" -e "$maker" out err; then fail "a token stands in the connector's log"; fi
stop

serve --tls-client-ca ca.pem
"$probe" -addr="$address" -tls -tls-ca-cert=ca.pem -connect-timeout=2s >answer 2>&1 && fail "it let a client without a certificate in"
"$probe" -addr="$address" -tls -tls-ca-cert=ca.pem -tls-client-cert=maker.pem -tls-client-key=maker.key >answer 2>&1 ||
  fail "the probe does not see SERVING with its certificate"
"$grpcurl" -cacert ca.pem -cert maker.pem -key maker.key -d "${order/tools1/tools2}" "$address" $service/PlaceOrder \
  >answer 2>&1 || fail "a client known by its certificate could not trade"
stop
echo "ok: mTLS"
