// The chart: candles and volume, our orders as lines, our fills as marks.

import {
  CandlestickSeries, ColorType, CrosshairMode, HistogramSeries, LineStyle, createChart, createSeriesMarkers,
} from "./vendor/lightweight-charts.mjs";
import { decimalsOf, number } from "./format.js";

const BUY = "#2ebd85";
const SELL = "#f2545b";
const NOW = "#c9d4e5";
const KEEP = 1500;
const LABEL_PX = 18;
const SHOWN = 75;

export class Chart {
  #chart; #candles; #volume; #marks; #bars = new Map(); #lines = new Map(); #orders = []; #fills = [];
  #step = 60; #decimals = 2; #size = 3; #placed = false;

  constructor(element, onBar) {
    this.#chart = createChart(element, {
      autoSize: true,
      layout: {
        background: { type: ColorType.Solid, color: "#141a23" }, textColor: "#8793a5", fontSize: 12,
        fontFamily: getComputedStyle(document.body).fontFamily,
        attributionLogo: true, panes: { separatorColor: "#222b38" },
      },
      grid: { vertLines: { color: "#1a2230" }, horzLines: { color: "#1a2230" } },
      crosshair: { mode: CrosshairMode.Normal },
      rightPriceScale: { borderColor: "#222b38", scaleMargins: { top: 0.1, bottom: 0.2 } },
      timeScale: { borderColor: "#222b38", timeVisible: true, secondsVisible: false, rightOffset: 8, barSpacing: 9 },
    });
    this.#candles = this.#chart.addSeries(CandlestickSeries, {
      upColor: BUY, downColor: SELL, wickUpColor: BUY, wickDownColor: SELL, borderVisible: false,
      priceLineColor: NOW,
      autoscaleInfoProvider: (original) => this.#withOrders(original()),
    });
    this.#volume = this.#chart.addSeries(HistogramSeries, {
      priceScaleId: "volume", priceFormat: { type: "volume" }, priceLineVisible: false, lastValueVisible: false,
    });
    this.#chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
    this.#marks = createSeriesMarkers(this.#candles, []);
    this.#chart.subscribeCrosshairMove((move) => onBar(move.seriesData.get(this.#candles) ?? this.last));
  }

  get bars() { return this.#bars.size; }
  get lines() { return [...this.#lines.values()].map(({ line }) => line.options()); }
  get markers() { return this.#marks.markers(); }
  get last() { return [...this.#bars.values()].at(-1); }

  configure({ priceStep, quantityStep, intervalSeconds }) {
    this.#decimals = decimalsOf(priceStep);
    this.#size = decimalsOf(quantityStep);
    this.#step = intervalSeconds;
    this.#candles.applyOptions({
      priceFormat: { type: "price", precision: this.#decimals, minMove: Number(priceStep) },
    });
  }

  setHistory(list) {
    this.#bars = new Map(list.map((kline) => [kline.time, bar(kline)]));
    this.#redraw();
    this.#showFills();
    if (!this.#placed && list.length) {
      this.#placed = true;
      this.#chart.timeScale().setVisibleLogicalRange({ from: Math.max(0, list.length - SHOWN), to: list.length + 10 });
    }
  }

  update(kline) {
    const newest = this.last?.time ?? 0;
    const made = bar(kline);
    this.#bars.set(kline.time, made);
    if (kline.time < newest) return this.#redraw();
    if (this.#bars.size > KEEP) this.#bars.delete(this.#bars.keys().next().value);
    this.#candles.update(made);
    this.#volume.update(volumeOf(made));
    if (kline.time > newest) this.#showFills();
  }

  setOrders(orders) {
    this.#orders = orders;
    const wanted = new Map(orders.filter((order) => order.price !== null).map((order) => [order.key, order]));
    for (const [key, { line }] of this.#lines) {
      if (!wanted.has(key)) {
        this.#candles.removePriceLine(line);
        this.#lines.delete(key);
      }
    }
    const labelled = this.#labelled(orders);
    for (const [key, order] of wanted) {
      const options = this.#lineOf(order, labelled.has(key));
      const shown = JSON.stringify(options);
      const held = this.#lines.get(key);
      if (!held) this.#lines.set(key, { line: this.#candles.createPriceLine(options), shown });
      else if (held.shown !== shown) {
        held.line.applyOptions(options);
        held.shown = shown;
      }
    }
  }

  setFills(fills) {
    this.#fills = fills;
    this.#showFills();
  }

  // Labels that would lie on each other are left out, the furthest from the price first.
  #labelled(orders) {
    const now = this.last?.close ?? 0;
    const taken = [this.#candles.priceToCoordinate(now)];
    const shown = new Set();
    for (const order of [...orders].sort((one, other) => Math.abs(one.price - now) - Math.abs(other.price - now))) {
      const at = this.#candles.priceToCoordinate(Number(order.price));
      if (at === null || (!order.near && taken.some((other) => Math.abs(other - at) < LABEL_PX))) continue;
      taken.push(at);
      shown.add(order.key);
    }
    return shown;
  }

  #lineOf(order, labelled) {
    const buy = order.side === "BUY";
    const left = Number(order.amount) - Number(order.filled);
    return {
      price: Number(order.price), color: buy ? BUY : SELL, lineWidth: 1, lineStyle: LineStyle.Dashed,
      axisLabelVisible: labelled, title: labelled ? `${buy ? "buy" : "sell"} ${number(left, this.#size)}` : "",
    };
  }

  #showFills() {
    const first = this.#bars.keys().next().value ?? Infinity;
    const shown = this.#fills.map((fill) => ({ ...fill, bar: Math.floor(fill.time / this.#step) * this.#step }))
      .filter((fill) => fill.bar >= first && this.#bars.has(fill.bar));
    this.#marks.setMarkers(shown.sort((one, other) => one.bar - other.bar).map((fill) => {
      const buy = fill.side === "buy";
      return {
        id: fill.id, time: fill.bar, price: Number(fill.price), position: buy ? "atPriceBottom" : "atPriceTop",
        shape: buy ? "arrowUp" : "arrowDown", color: buy ? "#7ff0c4" : "#ff9ba0", size: 0.8,
      };
    }));
  }

  #redraw() {
    const bars = [...this.#bars.values()].sort((one, other) => one.time - other.time);
    this.#bars = new Map(bars.map((one) => [one.time, one]));
    this.#candles.setData(bars);
    this.#volume.setData(bars.map(volumeOf));
  }

  // Our orders belong into the picture, as long as they don't make a line of the candles.
  #withOrders(info) {
    if (!info?.priceRange) return info;
    const { minValue, maxValue } = info.priceRange;
    const room = Math.max(maxValue - minValue, maxValue * 0.0005);
    const prices = this.#orders.map((order) => Number(order.price))
      .filter((price) => price > minValue - room && price < maxValue + room);
    return {
      ...info,
      priceRange: { minValue: Math.min(minValue, ...prices), maxValue: Math.max(maxValue, ...prices) },
    };
  }
}

function bar(kline) {
  return {
    time: kline.time, open: Number(kline.open), high: Number(kline.high), low: Number(kline.low),
    close: Number(kline.close), volume: Number(kline.volume),
  };
}

function volumeOf(made) {
  return { time: made.time, value: made.volume, color: made.close >= made.open ? "#2ebd8540" : "#f2545b40" };
}
