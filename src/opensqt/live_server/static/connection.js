// The WebSocket that reconnects by itself, and reports when what it brought may be old.

const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 8000;
// The server sends its status every second; silence for this long means that nobody is there.
const SILENCE_MS = 3500;

export class Connection {
  #url; #onMessage; #onState; #socket = null; #tries = 0; #lastHeard = 0; #retry = 0;

  constructor(url, { onMessage, onState }) {
    this.#url = url;
    this.#onMessage = onMessage;
    this.#onState = onState;
    setInterval(() => this.#check(), 500);
    // A sleeping tab or a lost network need not sit out the wait.
    addEventListener("online", () => this.#now());
    document.addEventListener("visibilitychange", () => document.hidden || this.#now());
  }

  open() {
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    this.#lastHeard = performance.now();
    socket.onmessage = (event) => {
      if (socket !== this.#socket) return;
      this.#lastHeard = performance.now();
      if (this.#tries !== 0 || !this.heard) this.#onState("connected");
      this.heard = true;
      this.#tries = 0;
      this.#onMessage(JSON.parse(event.data));
    };
    socket.onclose = () => socket === this.#socket && this.#lost();
  }

  /** Milliseconds since the last message. */
  get silence() {
    return performance.now() - this.#lastHeard;
  }

  #check() {
    if (this.#socket && this.silence > SILENCE_MS) {
      const socket = this.#socket;
      this.#lost();
      socket.close();
    }
  }

  #lost() {
    this.#socket = null;
    const wait = Math.min(FIRST_WAIT_MS * 2 ** this.#tries++, LONGEST_WAIT_MS) * (0.75 + Math.random() / 2);
    this.#onState("reconnecting");
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.open(), wait);
  }

  #now() {
    if (this.#socket) return;
    clearTimeout(this.#retry);
    this.open();
  }
}
