// One scenario for every client: its steps, the calls that pass in each, and what the calls returned.
//
// A script of a client names the steps below and makes its own calls in them. A step that fails does not end the run: the
// next step begins, so that one run shows everything that a client meets. The report goes to standard output as one line.

import { appendFileSync } from 'node:fs';

export const STEPS = [
    'instruments', 'connect', 'reconcile', 'limit', 'query', 'amend', 'cancel', 'market', 'stop', 'position', 'balance',
    'private stream', 'public stream', 'batch', 'socket orders', 'close',
];
const WITHIN_MS = 20_000;

export class Scenario {
    /** @param {string} client Name of the client in the report. */
    constructor(client) {
        this.client = client;
        this.base = process.env.SIMULATOR;
        this.sockets = this.base.replace('http', 'ws');
        this.calls = [];
        this.answers = [];
        this._step = '';
        // A client that rejects in the background is a failure of the step at work, never an unreported end.
        process.on('unhandledRejection', (error) => this._record('a call in the background', error));
    }

    /** Run one step. An error outside of its calls is the failure of the step itself. */
    async step(name, body) {
        if (!STEPS.includes(name)) throw new Error(`${name}: expected one of ${STEPS}`);
        this._step = name;
        try {
            await body();
        } catch (error) {
            this._record('the step', error);
        }
    }

    /**
     * Call client[method](...args), and count it; undefined is returned after a failure, so that the step goes on. `type`
     * is where the SDK declares the method; with it the answer is compiled against the declared type. `check` throws, or
     * returns false, when the answer is not what the step needs.
     */
    async call(client, method, args = [], { type, check } = {}) {
        let answer;
        try {
            answer = await within(Promise.resolve(client[method](...args)), method);
            if (type) this.answers.push({ call: method, type: `Awaited<ReturnType<sdk.${type}['${method}']>>`, answer });
            if (check && check(answer) === false) throw new Error(`unexpected answer ${text(answer)}`);
        } catch (error) {
            this._record(method, error);
            return undefined;
        }
        this._record(method);
        return answer;
    }

    /** Wait until a message satisfies `matches`, count it as `name`, and keep it as a value of the SDK's type `type`. */
    async frame(messages, name, matches, { type } = {}) {
        try {
            const message = await messages.until(matches, name);
            if (type) this.answers.push({ call: name, type: `sdk.${type}`, answer: message });
            this._record(name);
            return message;
        } catch (error) {
            this._record(name, error);
            return undefined;
        }
    }

    /** Write the report and end, whatever connections the client has left open. */
    finish() {
        const report = { client: this.client, calls: this.calls, answers: this.answers };
        appendFileSync(process.env.REPORT, JSON.stringify(report) + '\n');
        process.exit(0);
    }

    _record(call, error) {
        this.calls.push({ step: this._step, call, error: error === undefined ? null : text(error) });
    }
}

/** What a client receives over its connections, in order. */
export class Messages {
    constructor() {
        this.all = [];
        this._waiting = new Set();
    }

    add(message) {
        this.all.push(message);
        for (const look of this._waiting) look(message);
    }

    until(matches, name) {
        const seen = this.all.find(matches);
        if (seen !== undefined) return Promise.resolve(seen);
        let look;
        const found = new Promise((resolve) => {
            look = (message) => matches(message) && resolve(message);
            this._waiting.add(look);
        });
        const names = () => [...new Set(this.all.map((one) => one.topic ?? one.channel ?? one.arg?.channel ?? one.e ?? text(one)))];
        return within(found, name, () => `; received ${text(names())}`).finally(() => this._waiting.delete(look));
    }
}

/** A logger that keeps standard output free and says what the client complains about. */
export const logger = {
    trace() {}, debug() {}, info() {}, notice() {}, silly() {}, warning() {},
    error(...args) { console.error(...args.map(text)); },
};

/** The price of a limit order that rests: 1 % under the last one, in steps of `step`. */
export function below(price, step = 0.1, share = 0.01) {
    const digits = Math.max(0, Math.round(-Math.log10(step)));
    return (Math.floor((Number(price) * (1 - share)) / step) * step).toFixed(digits);
}

function within(promise, name, extra = () => '') {
    let timer;
    const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`${name}: nothing within ${WITHIN_MS} ms${extra()}`)), WITHIN_MS);
    });
    return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

function text(value) {
    if (value instanceof Error) return String(value.message || value.name).slice(0, 600);
    return (typeof value === 'string' ? value : JSON.stringify(value) ?? String(value)).slice(0, 600);
}
