// A short tone on a fill: rising for a buy, falling for a sell. Made on the spot, so there is nothing to load.

const KEY = "opensqt.sound";
const GAP_MS = 90;

export class Sound {
  #context = null; #button; #lastAt = 0; #heard = false;

  constructor(button) {
    this.#button = button;
    this.on = localStorage.getItem(KEY) !== "off";
    button.addEventListener("click", () => {
      // The first click of all only wakes what the browser held back.
      if (!this.on || this.#context?.state === "running") this.on = !this.on;
      localStorage.setItem(KEY, this.on ? "on" : "off");
      this.#wake();
      this.#show();
    });
    // Browsers keep a page silent until somebody has touched it.
    addEventListener("pointerup", (event) => event.target === button || this.#wake(), { once: true });
    this.#show();
  }

  play(side) {
    const now = performance.now();
    if (!this.on || this.#context?.state !== "running" || now - this.#lastAt < GAP_MS) return false;
    this.#lastAt = now;
    this.#chime(side);
    return true;
  }

  #chime(side) {
    const [from, to] = side === "buy" ? [587.3, 880] : [880, 587.3];
    this.#tone(from, 0);
    this.#tone(to, 0.09);
  }

  #tone(hertz, after) {
    const start = this.#context.currentTime + after;
    const tone = this.#context.createOscillator();
    const volume = this.#context.createGain();
    tone.type = "triangle";
    tone.frequency.value = hertz;
    volume.gain.setValueAtTime(0.0001, start);
    volume.gain.exponentialRampToValueAtTime(0.12, start + 0.01);
    volume.gain.exponentialRampToValueAtTime(0.0001, start + 0.22);
    tone.connect(volume).connect(this.#context.destination);
    tone.start(start);
    tone.stop(start + 0.24);
  }

  #wake() {
    if (!this.on) return;
    this.#context ??= new AudioContext();
    this.#context.resume().then(() => {
      if (!this.#heard) this.#chime("buy");
      this.#heard = true;
      this.#show();
    });
  }

  #show() {
    const waiting = this.on && this.#context?.state !== "running";
    this.#button.setAttribute("aria-pressed", String(this.on));
    this.#button.textContent = this.on ? (waiting ? "Enable sound" : "Sound on") : "Sound off";
  }
}
