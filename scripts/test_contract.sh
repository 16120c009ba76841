#!/usr/bin/env bash
# Sees that the contract serves other languages: generates Go, Java and TypeScript from proto/ in a temporary folder and
# compiles them, then has examples/go trade on a simulated connector that it starts on a free port, and a slow reader in
# Go read fresh prices there, also after it was stopped for STOP_S seconds (3; a full proof takes 60). Packages come from
# the registries that go, mvn and npm are set up for, in the versions named here and in scripts/contract.
# Exit code: 0 all seen, 1 something was not as it should be, 2 a program is missing.
set -euo pipefail

PROTOC_GEN_GO=google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.11
PROTOC_GEN_GO_GRPC=google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.1

root=$(cd "$(dirname "$0")/.." && pwd)
python=${PYTHON:-$root/.venv/bin/python}
[ -x "$python" ] || python=$(command -v python3) || { echo "error: no Python found; run: make setup" >&2; exit 2; }
for program in go:golang-go javac:default-jdk-headless mvn:maven npm:npm protoc:protobuf-compiler \
  grpc_java_plugin:protobuf-compiler-grpc-java-plugin; do
  command -v "${program%%:*}" >/dev/null ||
    { echo "error: ${program%%:*} is not installed; on Debian or Ubuntu: apt-get install ${program#*:}" >&2; exit 2; }
done

work=$(mktemp -d)
connector=""
reader=""
clean_up() {
  if [ -n "$connector" ] && kill -0 "$connector" 2>/dev/null; then kill -KILL "$connector" 2>/dev/null || true; fi
  if [ -n "$reader" ]; then kill -KILL "$reader" 2>/dev/null || true; fi
  rm -rf "$work"
}
trap clean_up EXIT

fail() {
  echo "FAILED: $1" >&2
  cat "$work"/log* >&2 2>/dev/null || true
  exit 1
}

# The grpcio-tools of our own requirements bring a protoc and Google's own files; only Java needs the system's.
sources=$(cd "$root/proto" && find opensqt -name '*.proto' | sort)
google=$("$python" -c 'from importlib.resources import files; print(files("grpc_tools") / "_proto")')
generate() { "$@" -I"$root/proto" -I"$google" $sources; }
ours() { generate "$python" -m grpc_tools.protoc "$@"; }

mkdir "$work/bin"
cp -r "$root/examples/go" "$work/go"
mkdir -p "$work/go/gen"
for plugin in $PROTOC_GEN_GO $PROTOC_GEN_GO_GRPC; do
  # Without the checksum database only when it can't be reached: the module proxy is still asked.
  GOBIN=$work/bin go install "$plugin" 2>>"$work/log.go" ||
    GOSUMDB=off GOBIN=$work/bin go install "$plugin" 2>>"$work/log.go" || fail "$plugin could not be built"
done
PATH=$work/bin:$PATH ours --go_out="$work/go/gen" --go_opt=paths=source_relative \
  --go-grpc_out="$work/go/gen" --go-grpc_opt=paths=source_relative >"$work/log.go" 2>&1 || fail "no code for Go"
(cd "$work/go" && test -z "$(gofmt -l main.go fresh)" && go vet ./... && go build -o client . && go build -o reader ./fresh) >"$work/log.go" 2>&1 ||
  fail "the code for Go, or examples/go, does not compile"
echo "ok: Go, messages and stubs, with examples/go"

mkdir -p "$work/java/src/main/java"
cp "$root/scripts/contract/pom.xml" "$work/java"
generate protoc --java_out="$work/java/src/main/java" --grpc-java_out="$work/java/src/main/java" \
  --plugin=protoc-gen-grpc-java="$(command -v grpc_java_plugin)" >"$work/log.java" 2>&1 || fail "no code for Java"
runtime=$(protoc --version | sed -n 's/^libprotoc //p')
case $runtime in
3.*) runtime=3.25.9 ;;
2[2-5].*) runtime=3.$runtime ;;
*) runtime=4.$runtime ;;
esac
(cd "$work/java" && mvn -q -B -Dprotobuf.version="$runtime" compile) >"$work/log.java" 2>&1 || fail "the code for Java does not compile"
[ -e "$work/java/target/classes/com/opensqt/marketmaker/v1/ExchangeServiceGrpc.class" ] || fail "Java has no stubs"
echo "ok: Java, messages and stubs, on protobuf-java $runtime"

mkdir -p "$work/ts/gen"
cp "$root"/scripts/contract/*.json "$work/ts"
(cd "$work/ts" && npm ci --silent --no-audit --no-fund --ignore-scripts) >"$work/log.ts" 2>&1 || fail "npm ci failed"
PATH=$work/ts/node_modules/.bin:$PATH ours --es_out="$work/ts/gen" --es_opt=target=ts,import_extension=js \
  >"$work/log.ts" 2>&1 || fail "no code for TypeScript"
(cd "$work/ts" && node_modules/.bin/tsc) >"$work/log.ts" 2>&1 || fail "the code for TypeScript does not compile"
[ -e "$work/ts/built/exchange_service_pb.js" ] || fail "TypeScript has no services"
echo "ok: TypeScript, messages and services"

rm -f "$work"/log*
"$python" -m opensqt.connector --exchange binance --simulated --port 0 --metrics-port 0 \
  >"$work/log.out" 2>"$work/log.err" &
connector=$!
for _ in $(seq 600); do
  if grep -q "ready on" "$work/log.out"; then break; fi
  kill -0 "$connector" 2>/dev/null || fail "the connector ended"
  sleep 0.1
done
address=$(sed -n 's/.*ready on //p' "$work/log.out")
[ -n "$address" ] || fail "the connector did not start"

"$work/go/client" "$address" >"$work/log.client" 2>&1 || fail "examples/go ended with an error"
says() { grep -Eq -- "$1" "$work/log.client" || fail "examples/go did not say: $1"; }
says '^placed [0-9]+ ORDER_STATUS_OPEN at [0-9]+\.[0-9]+$'
[ "$(grep -Ec '^price [0-9.]+ [0-9.]+ sequence [0-9]+$' "$work/log.client")" -eq 5 ] || fail "examples/go did not stream"
sed -n 's/^price .* sequence //p' "$work/log.client" | sort -nuc || fail "the stream's sequence did not grow"
says "^canceled $(sed -n 's/^placed \([0-9]*\) .*/\1/p' "$work/log.client") ORDER_STATUS_CANCELED$"
echo "ok: examples/go placed an order, streamed prices and canceled it at $address"

"$work/go/reader" "$address" 200ms >"$work/log.reader" 2>&1 &
reader=$!
reads() { # wait until the reader has printed so many prices
  for _ in $(seq 600); do
    if [ "$(grep -c '^price ' "$work/log.reader")" -ge "$1" ]; then return; fi
    kill -0 "$reader" 2>/dev/null || fail "examples/go/fresh ended"
    sleep 0.1
  done
  fail "examples/go/fresh read fewer than $1 prices"
}
reads 5
kill -STOP "$reader"
before=$(grep -c '^price ' "$work/log.reader")
sleep "${STOP_S:-3}"
resumed=$(date +%s%N)
kill -CONT "$reader"
reads $((before + 5))
kill -KILL "$reader"
wait "$reader" 2>/dev/null || true
reader=""
old=$(awk -v before="$before" -v resumed="$resumed" '/^price / && ++n > before && $7 < resumed' "$work/log.reader" | wc -l)
[ "$old" -le 1 ] || fail "examples/go/fresh read $old prices that were sent while it was stopped"
# The first response is sent before anything is acknowledged; each later one is not sent before its reader is ready.
if tail -n +2 "$work/log.reader" | grep -q 'after -'; then fail "examples/go/fresh read a price that had waited for it"; fi
echo "ok: examples/go/fresh read $(grep -c '^price ' "$work/log.reader") prices slowly, $old of them sent while it was stopped"

kill -TERM "$connector"
code=0
wait "$connector" || code=$?
connector=""
[ "$code" -eq 0 ] || fail "the connector ended with $code"
