// Wires the WebSocket's messages to what is shown, and draws at most once per frame.

import { Chart } from "./chart.js";
import { Connection } from "./connection.js";
import * as panels from "./panels.js";
import { Sound } from "./sound.js";

const KEEP_FILLS = 200;
const KEEP_EVENTS = 6;

const orders = new Map();
const positions = new Map();
const fresh = new Set();
const counted = { flashes: 0, sounds: 0, connections: 0 };
let trades = [];
let events = [];
let status = null;
let price = null;
let connection = "connecting";
const due = new Set();

const chart = new Chart(document.getElementById("chart"), panels.showBar);
const sound = new Sound(document.getElementById("sound"));

const take = {
  status(data) {
    const first = status === null || status.symbol !== data.symbol || status.interval !== data.interval;
    status = data;
    if (first) {
      chart.configure(data);
      due.add("orders").add("trades");
    }
    panels.showMarket(data);
    showState();
  },
  history(list) {
    chart.setHistory(list);
    panels.showBar(chart.last);
  },
  kline(data) {
    chart.update(data);
    panels.showBar(chart.last);
  },
  price(data) {
    price = Number(data.price);
    panels.showPrice(data);
    due.add("orders");
  },
  orders(data) {
    if (Array.isArray(data)) orders.clear();
    for (const order of [data].flat()) {
      const key = order.clientOrderId || order.id;
      if (order.open) orders.set(key, { ...order, key });
      else orders.delete(key);
    }
    due.add("orders");
  },
  trades(list) {
    trades = list;
    due.add("trades");
  },
  trade_event(fill) {
    if (trades.some((one) => one.id === fill.id)) return;
    trades = [...trades, fill].sort((one, other) => one.time - other.time).slice(-KEEP_FILLS);
    fresh.add(fill.id);
    setTimeout(() => fresh.delete(fill.id), 1600);
    due.add("trades");
    counted.flashes += 1;
    panels.flash(fill.side);
    if (sound.play(fill.side)) counted.sounds += 1;
  },
  position(data) {
    positions.set(data.positionSide, data);
    due.add("positions");
  },
  account: panels.showAccount,
  risk_status(data) {
    events = [data, ...events.filter((one) => one.timestamp !== data.timestamp || one.message !== data.message)];
    events.length = Math.min(events.length, KEEP_EVENTS);
    panels.showEvents(events);
  },
};

const draw = {
  orders() {
    const all = [...orders.values()].sort((one, other) => other.price - one.price);
    const nearest = (side, sign) => all.filter((order) => order.side === side && order.price !== null)
      .sort((one, other) => sign * (one.price - other.price))[0];
    const near = new Set([nearest("BUY", -1), nearest("SELL", 1)]);
    const shown = all.map((order) => ({ ...order, near: near.has(order) }));
    chart.setOrders(shown);
    panels.showOrders(shown, price);
  },
  trades() {
    chart.setFills(trades);
    panels.showTrades(trades, fresh);
  },
  positions() {
    const open = (position) => Number(Number(position.amount) !== 0);
    panels.showPositions([...positions.values()].sort((one, other) => open(other) - open(one)));
  },
};

function frame() {
  for (const what of due) draw[what]();
  due.clear();
  requestAnimationFrame(frame);
}

function showState() {
  if (connection !== "connected") {
    const since = Math.round(link.silence / 1000);
    panels.showConnection(connection, connection === "connecting" ? "" : `No connection to the live server for ${since} s. What is shown is old; trying again.`);
    panels.showAge("");
  } else if (status?.stale) {
    panels.showConnection("stale", `What is shown may be old: ${status.reasons.join("; ")}`);
    panels.showAge("");
  } else if (status) {
    panels.showConnection("connected", "");
    panels.showAge(status.priceAge === null ? "" : `price ${status.priceAge.toFixed(1)} s old`);
  }
}

const address = new URL("ws", location.href);
address.protocol = location.protocol === "https:" ? "wss:" : "ws:";
const link = new Connection(address, {
  onMessage: ({ type, data }) => take[type]?.(data),
  onState(state) {
    if (state === "connected") {
      counted.connections += 1;
      positions.clear();
    }
    connection = state;
    showState();
  },
});

// For tests and the curious; changes nothing.
window.opensqt = Object.freeze({
  get connection() { return document.body.dataset.connection; },
  get bars() { return chart.bars; },
  get lines() { return chart.lines; },
  get markers() { return chart.markers; },
  get orders() { return [...orders.values()]; },
  get trades() { return trades; },
  get positions() { return [...positions.values()]; },
  get counted() { return { ...counted }; },
});

setInterval(showState, 1000);
requestAnimationFrame(frame);
link.open();
