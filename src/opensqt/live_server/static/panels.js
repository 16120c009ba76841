// Everything beside the chart: numbers, tables, badge and banner.

import { clock, day, decimalsOf, number, signed, tone } from "./format.js";

const MONEY = 2;
const SMALL = 4;
const CLASSES = { buy: "bought", sell: "sold" };
const at = (id) => document.getElementById(id);

let market = { priceDecimals: 2, sizeDecimals: 3, quoteAsset: "", baseAsset: "" };
let lastPrice = NaN;

export function showMarket(status) {
  market = {
    priceDecimals: decimalsOf(status.priceStep), sizeDecimals: decimalsOf(status.quantityStep),
    quoteAsset: status.quoteAsset, baseAsset: status.baseAsset,
  };
  text("symbol", status.symbol);
  text("venue", [status.exchange, status.simulated && "simulated", status.testnet && "testnet"].filter(Boolean).join(" · "));
  text("interval", status.interval);
  text("base", status.baseAsset);
  for (const element of document.querySelectorAll(".quote-asset")) element.textContent = status.quoteAsset;
  for (const id of ["position-card", "profit-card", "account-card"]) at(id).hidden = !status.trading;
}

export function showPrice({ price, bid, ask, symbol }) {
  const shown = number(price, market.priceDecimals);
  const value = Number(price);
  at("price").className = value > lastPrice ? "up" : value < lastPrice ? "down" : at("price").className;
  lastPrice = value;
  text("price", shown);
  text("quote", `${number(bid, market.priceDecimals)} / ${number(ask, market.priceDecimals)}`);
  document.title = `${shown} ${symbol} - OpenSQT`;
}

export function showBar(bar) {
  if (!bar) return;
  const [open, high, low, close] = [bar.open, bar.high, bar.low, bar.close].map((value) => number(value, market.priceDecimals));
  text("bar", `O ${open}  H ${high}  L ${low}  C ${close}`);
}

/** Positions by side: one in one-way mode, a long and a short one in hedge mode. */
export function showPositions(positions) {
  const [first, ...others] = positions;
  if (!first) return;
  const amount = Number(first.amount);
  const side = at("side");
  side.textContent = amount > 0 ? "Long" : amount < 0 ? "Short" : "Flat";
  side.className = `pill ${amount > 0 ? "long" : amount < 0 ? "short" : ""}`;
  if (first.leverage) side.textContent += ` ${Number(first.leverage)}x`;
  text("amount", number(first.amount, market.sizeDecimals));
  text("entry", amount ? number(first.entryPrice, market.priceDecimals) : null);
  text("current", number(first.currentPrice, market.priceDecimals));
  profit("unrealized", first.unrealizedPnL);
  text("liquidation", amount && first.liquidationPrice ? number(first.liquidationPrice, market.priceDecimals) : null);
  showProfit(positions);
  at("hedge").replaceChildren(...others.filter((other) => Number(other.amount)).map((other) => {
    const row = document.createElement("div");
    row.append(
      span(`${other.positionSide.toLowerCase()} ${number(other.amount, market.sizeDecimals)}`, "muted"),
      span(signed(other.unrealizedPnL, MONEY), tone(other.unrealizedPnL)),
    );
    return row;
  }));
}

function showProfit(positions) {
  const known = positions.every((position) => position.realizedPnL !== null);
  const sum = (key) => (known ? positions.reduce((total, position) => total + Number(position[key]), 0) : null);
  profit("realized", sum("realizedPnL"));
  profit("gross", sum("grossPnL"));
  text("fees", known ? signed(-sum("fees"), MONEY) : null);
  text("fill-count", number(sum("fills"), 0));
  text("volume", number(sum("volume"), MONEY));
  const others = positions.flatMap((position) => Object.entries(position.otherFees ?? {}))
    .map(([asset, paid]) => `, and ${paid} ${asset} in fees that are not taken off`).join("");
  text("since", known ? `After fees, from the fills since ${day(positions[0].realizedSince)} UTC${others}` : "The fills are not read yet");
}

export function showAccount(account) {
  for (const [id, key] of [["balance", "balance"], ["equity", "marginBalance"], ["free", "free"]]) {
    text(id, `${number(account[key], MONEY)} ${account.asset}`);
  }
}

export function showOrders(orders, price) {
  text("order-count", String(orders.length));
  at("no-orders").hidden = orders.length > 0;
  at("orders").replaceChildren(...orders.map((order) => {
    const away = order.price === null || !price ? "" : signed(((order.price - price) / price) * 100, 2) + " %";
    const kind = [order.reduceOnly ? "reduce only" : order.type.toLowerCase(), order.open && !/OPEN|PARTIALLY/.test(order.status) && order.status.toLowerCase()];
    const row = cells([
      [order.side === "BUY" ? "Buy" : "Sell", order.side.toLowerCase()], [number(order.price, market.priceDecimals)],
      [number(order.amount, market.sizeDecimals)], [number(order.filled, market.sizeDecimals)], [away, "muted"],
      [kind.filter(Boolean).join(", "), "muted"],
    ]);
    if (order.near) row.className = "near";
    return row;
  }));
  // The ladder stays centred on the price, unless somebody is reading it.
  const box = at("orders").closest(".scroll");
  const near = box.querySelector(".near");
  if (near && !box.matches(":hover, :focus-within")) box.scrollTop = near.offsetTop - box.clientHeight / 2;
}

// Every fee with its asset, but for the one in the quote asset, and what the venue did of itself.
function paid(trade) {
  const fees = Object.entries(trade.fees ?? { [trade.feeAsset]: trade.fee })
    .map(([asset, amount]) => `${number(amount, SMALL)}${asset === market.quoteAsset ? "" : " " + asset}`);
  const kind = (trade.kind ?? "TRADE") === "TRADE" ? [] : [trade.kind.toLowerCase().replaceAll("_", " ")];
  return [...fees, ...kind].join(", ");
}

export function showTrades(trades, fresh) {
  text("trade-count", String(trades.length));
  at("no-trades").hidden = trades.length > 0;
  at("trades").replaceChildren(...trades.slice(-100).reverse().map((trade) => {
    const row = cells([
      [clock(trade.time), "muted"], [trade.side === "buy" ? "Buy" : "Sell", trade.side],
      [number(trade.price, market.priceDecimals)], [number(trade.amount, market.sizeDecimals)],
      [number(trade.price * trade.amount, MONEY)], [paid(trade), "muted"],
      Number(trade.realizedPnL) ? [signed(trade.realizedPnL, SMALL), tone(trade.realizedPnL)] : ["", ""],
    ]);
    if (fresh.has(trade.id)) row.classList.add("new", CLASSES[trade.side]);
    return row;
  }));
}

export function flash(side) {
  const element = at("flash");
  element.className = "";
  // Reading the layout in between starts the animation again when fills follow each other.
  void element.offsetWidth;
  element.className = CLASSES[side];
}

export function showEvents(events) {
  at("no-events").hidden = events.length > 0;
  at("events").replaceChildren(...events.map((event) => {
    const item = document.createElement("li");
    item.className = event.severity;
    item.textContent = `${clock(event.timestamp)} ${event.message}`;
    return item;
  }));
}

export function showConnection(state, words) {
  document.body.dataset.connection = state;
  text("badge", state[0].toUpperCase() + state.slice(1));
  at("banner").hidden = !words;
  text("banner", words);
}

export function showAge(words) {
  text("age", words);
}

function profit(id, value) {
  const known = value !== null && value !== undefined;
  text(id, known ? signed(value, MONEY) : null);
  at(id).className = known ? tone(Number(value).toFixed(MONEY)) : "";
}

function text(id, words) {
  const element = at(id);
  const wanted = words ?? "–";
  if (element.textContent !== wanted) element.textContent = wanted;
}

function span(words, name) {
  const element = document.createElement("span");
  element.textContent = words;
  element.className = name;
  return element;
}

function cells(list) {
  const row = document.createElement("tr");
  for (const [words, name = ""] of list) {
    const cell = document.createElement("td");
    cell.textContent = words;
    cell.className = name;
    row.append(cell);
  }
  return row;
}
