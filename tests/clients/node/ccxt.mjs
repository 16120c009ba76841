// ccxt in JavaScript: the unified calls and the streams of ccxt.pro, on the venue that VENUE names.

import ccxt from 'ccxt';
import { onSimulator } from '../../../examples/ccxt_on_simulator.mjs';
import { Scenario, below } from './scenario.mjs';

const venue = process.env.VENUE;
const scenario = new Scenario(`ccxt ${venue}`);
const id = venue === 'binance' ? 'binanceusdm' : venue;
const keys = { apiKey: 'sim-key', secret: 'sim-secret', password: 'sim-pass', uid: '20000001' };
const options = { defaultType: 'swap' };
const exchange = await onSimulator(new ccxt.pro[id]({ ...keys, options, enableRateLimit: false }), scenario.base);
const symbol = 'BTC/USDT:USDT';
const call = (method, args = [], check = undefined) => scenario.call(exchange, method, args, { check });
let price, lot, order;

await scenario.step('instruments', async () => {
    await call('loadMarkets', [], (markets) => markets[symbol] !== undefined);
    lot = 0.01 / exchange.market(symbol).contractSize;
    if (exchange.has.fetchTime) await call('fetchTime');
    await call('fetchOrderBook', [symbol, 20], (book) => book.bids[0][0] < book.asks[0][0]);
    await call('fetchTrades', [symbol], (rows) => rows.length > 0);
    await call('fetchOHLCV', [symbol, '1m', undefined, 5], (rows) => rows.length === 5);
    await call('fetchFundingRate', [symbol]);
    await call('fetchTickers', [[symbol]]);
    const ticker = await call('fetchTicker', [symbol]);
    price = Number(below(ticker.last));
});

const streams = {
    private: ['watchOrders', 'watchMyTrades', 'watchPositions', 'watchBalance'],
    public: ['watchOrderBook', 'watchTrades', 'watchTicker', 'watchOHLCV'],
};
const first = {};
await scenario.step('connect', async () => {
    // A stream of orders has nothing to deliver yet: each is received in the background, and counted below.
    for (const method of streams.private) {
        const args = { watchPositions: [[symbol]], watchBalance: [{ type: 'swap' }] }[method] ?? [symbol];
        first[method] = exchange[method](...args);
        first[method].catch(() => {});
    }
    for (const method of streams.public) await call(method, [symbol]);
});

await scenario.step('reconcile', async () => {
    await call('setLeverage', [5, symbol]);
    await call('fetchOpenOrders', [symbol], (rows) => rows.length === 0);
    await call('fetchPositions', [[symbol]], (rows) => rows.every((row) => !row.contracts));
    await call('fetchMyTrades', [symbol], (rows) => rows.length === 0);
});

await scenario.step('limit', async () => {
    order = await call('createOrder', [symbol, 'limit', 'buy', lot, price, { clientOrderId: venue === 'gate' ? 't-one' : 'one' }]);
    // A refusal has the class that it has at the venue's own address.
    const refused = async (name, amount, at, params, ...classes) => scenario.call({
        [name]: () => exchange.createOrder(symbol, 'limit', 'buy', amount, at, params).then(() => 'placed', (error) => error.constructor.name),
    }, name, [], { check: (found) => classes.includes(found) });
    await refused('too much: InsufficientFunds', lot * 9000, price, {}, 'InsufficientFunds');
    if (venue === 'binance') {
        await refused('too small: InvalidOrder', lot / 10, Number(below(price, 0.1, 0.9)), {}, 'InvalidOrder');
        await refused('nothing to reduce: InvalidOrder', lot, price, { reduceOnly: true }, 'InvalidOrder');
    }
});

await scenario.step('query', async () => {
    if (venue === 'bybit') await call('fetchOpenOrder', [order.id, symbol], (one) => one.status === 'open');
    else await call('fetchOrder', [order.id, symbol], (one) => one.status === 'open');
    await call('fetchOpenOrders', [symbol], (rows) => rows.length === 1);
});

await scenario.step('amend', async () => {
    const amended = await call('editOrder', [order.id, symbol, 'limit', 'buy', 2 * lot, price]);
    await call('fetchOpenOrders', [symbol], (rows) => rows.length === 1 && Math.abs(rows[0].amount - 2 * lot) < lot / 100);
    order = amended ?? order;
});

await scenario.step('cancel', async () => {
    await call('cancelOrder', [order.id, symbol]);
    await call('fetchOpenOrders', [symbol], (rows) => rows.length === 0);
    if (exchange.has.fetchClosedOrders) await call('fetchClosedOrders', [symbol]);
    await exchange.createOrder(symbol, 'limit', 'buy', lot, price);
    if (exchange.has.cancelAllOrders) await call('cancelAllOrders', [symbol]);
    else await call('cancelOrders', [(await exchange.fetchOpenOrders(symbol)).map((one) => one.id), symbol]);
    await call('fetchOpenOrders', [symbol], (rows) => rows.length === 0);
});

await scenario.step('market', async () => {
    await call('createOrder', [symbol, 'market', 'buy', 2 * lot]);
    await call('fetchMyTrades', [symbol], (rows) => rows.length > 0);
});

await scenario.step('stop', async () => {
    const stop = Number(below(price, 0.1, 0.02));
    const waiting = await call('createOrder', [symbol, 'market', 'sell', lot, undefined, { stopLossPrice: stop, reduceOnly: true }]);
    // How ccxt is asked for the venue's kind of conditional order.
    const kind = { trigger: true, ...{ bitget: { planType: 'profit_loss' }, okx: { ordType: 'conditional' } }[venue] };
    await call('fetchOpenOrders', [symbol, undefined, undefined, kind], (rows) => rows.length === 1);
    await call('cancelOrder', [waiting?.id, symbol, kind]);
    await call('fetchOpenOrders', [symbol, undefined, undefined, kind], (rows) => rows.length === 0);
});

await scenario.step('position', async () => {
    await call('fetchPositions', [[symbol]], (rows) => Math.abs(rows[0].contracts - 2 * lot) < lot / 100);
    if (venue !== 'binance') await call('fetchPosition', [symbol], (row) => row.side === 'long');
});

await scenario.step('balance', async () => {
    await call('fetchBalance', [{ type: 'swap' }], (balance) => balance.USDT.total > 9000);
});

await scenario.step('private stream', async () => {
    for (const method of streams.private) {
        await scenario.call({ [method]: () => first[method] }, method, [], { check: (rows) => rows !== undefined });
    }
});

await scenario.step('public stream', async () => {
    for (const method of streams.public) await call(method, [symbol]);
});

await scenario.step('batch', async () => {
    const one = { symbol, type: 'limit', side: 'buy', amount: lot, price };
    const placed = await call('createOrders', [[one, one]], (rows) => rows.length === 2);
    // ccxt puts the settlement coin in capitals into Gate's path, where the venue has it in small letters.
    await call('cancelOrders', [placed.map((row) => row.id), symbol, venue === 'gate' ? { settle: 'usdt' } : {}]);
    await call('fetchOpenOrders', [symbol], (rows) => rows.length === 0);
});

if (exchange.has.createOrderWs) {
    await scenario.step('socket orders', async () => {
        const placed = await call('createOrderWs', [symbol, 'limit', 'buy', lot, price]);
        await call('editOrderWs', [placed.id, symbol, 'limit', 'buy', 2 * lot, price]);
        await call('fetchOpenOrders', [symbol], (rows) => rows.length === 1 && Math.abs(rows[0].amount - 2 * lot) < lot / 100);
        await call('cancelOrderWs', [placed.id, symbol]);
        await call('fetchOpenOrders', [symbol], (rows) => rows.length === 0);
    });
}

await scenario.step('close', async () => {
    await call('createOrder', [symbol, 'market', 'sell', 2 * lot, undefined, { reduceOnly: true }]);
    await call('fetchPositions', [[symbol]], (rows) => rows.every((row) => !row.contracts));
    await call('close');
});

scenario.finish();
