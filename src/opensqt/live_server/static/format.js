// Numbers and times as the page shows them. Amounts arrive as decimal strings; they become numbers only here.

const NONE = "–";

/** How many decimals a step such as "0.010" has: 2. */
export function decimalsOf(step) {
  const [, fraction = ""] = String(step).split(".");
  return fraction.replace(/0+$/, "").length;
}

export function number(text, decimals) {
  if (text === null || text === undefined || text === "") return NONE;
  const value = Number(text);
  // A rounded zero has no sign.
  const shown = Number(value.toFixed(decimals)) === 0 ? 0 : value;
  return shown.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

export function signed(text, decimals) {
  const shown = number(text, decimals);
  return Number(text) > 0 && /[1-9]/.test(shown) ? `+${shown}` : shown.replace("-", "−");
}

/** The class that colours a profit. */
export function tone(text) {
  const value = Number(text);
  return value > 0 ? "gain" : value < 0 ? "loss" : "";
}

export function clock(seconds) {
  return seconds ? new Date(seconds * 1000).toISOString().slice(11, 19) : NONE;
}

export function day(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
}
