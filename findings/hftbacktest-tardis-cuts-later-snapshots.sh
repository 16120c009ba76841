#!/usr/bin/env bash
# What: hftbacktest 2.4.4, `data.utils.tardis.convert`, which makes hftbacktest's events of Tardis' incremental_book_L2 files. A file has a
#   snapshot of one level a side, changes, as after a disconnection a second snapshot of five levels a side, changes, and a third of one.
# Guess, from its documentation: snapshot_mode "process", the default, takes all snapshots, so there are 14 snapshot levels, and after
#   the second snapshot the book is that snapshot.
# Seen: there are 4. Of the second snapshot one level a side is left, and the levels behind it are those from before the gap: a bid of 2
#   at 99.5 that the snapshot does not have, and nothing at 99.0, where it has 11. A third snapshot, at the end of the file, is not there.
# Why the guess is wrong: the buffer of a side is cut to the length of a snapshot when that is written (`ss_bid = ss_bid[:ss_bid_rn]`),
#   and stays cut. numba checks no bounds, so a later snapshot is collected as a whole without an error, and then cut to the length of the
#   shortest one before it. A snapshot is written when the row after it comes, so one at the end of a file never is. A file whose
#   snapshots become longer, or that has one short one, has wrong books from then on, and the backtest fills against them.
# Here: `--replay` reads Tardis' files themselves, docs/recordings.md; tests/unit/recordings/test_formats.py has both kinds of snapshot.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hftbacktest==2.4.4 numpy==2.2.6

cat >try.py <<'PYTHON'
from hftbacktest import BacktestAsset, HashMapMarketDepthBacktest
from hftbacktest.data.utils import tardis

START = 1735689600000000


def row(after, snapshot, side, price, amount):
    return f"bybit,X,{START + after},{START + after},{str(snapshot).lower()},{side},{price},{amount}\n"


def snapshot(after, levels):
    bids = [row(after, True, "bid", 100.0 - n, 10 + n) for n in range(levels)]
    return "".join(bids + [row(after, True, "ask", 101.0 + n, 10 + n) for n in range(levels)])


text = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
text += snapshot(0, 1) + row(1_000, False, "bid", 99.5, 2)
text += snapshot(9_000, 5) + row(10_000, False, "bid", 90.0, 3)
text += snapshot(20_000, 1)
with open("incremental_book_L2.csv", "w") as file:
    file.write(text)

events = tardis.convert(["incremental_book_L2.csv"], output_filename="events.npz", buffer_size=1_000, ss_buffer_size=100)
levels = int(((events["ev"] & 0xFF) == 4).sum())
asset = BacktestAsset().data(["events.npz"]).tick_size(0.5).lot_size(1).linear_asset(1.0).constant_order_latency(0, 0)
asset = asset.risk_adverse_queue_model().no_partial_fill_exchange().trading_value_fee_model(0, 0)
backtest = HashMapMarketDepthBacktest([asset])
backtest.elapse(15_000_000)
depth = backtest.depth(0)
at = {price: depth.bid_qty_at_tick(round(price / 0.5)) for price in (100.0, 99.5, 99.0)}
backtest.close()
print(f"snapshot levels: {levels} of {2 + 10 + 2}; bids after the second snapshot: {at}")
assert levels == 4
assert at == {100.0: 10.0, 99.5: 2.0, 99.0: 0.0}
print("as described")
PYTHON
venv/bin/python try.py
