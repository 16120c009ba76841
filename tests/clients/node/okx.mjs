// npm `okx-api`: perpetual swaps of API v5 over REST, and the public, private and business streams.

import { RestClient, WebsocketAPIClient, WebsocketClient } from 'okx-api';
import { Messages, Scenario, below, logger } from './scenario.mjs';

const scenario = new Scenario('okx-api');
const credentials = { apiKey: 'sim-key', apiSecret: 'sim-secret', apiPass: 'sim-pass' };
const client = new RestClient({ ...credentials, baseUrl: scenario.base });
const instType = 'SWAP';
const instId = 'BTC-USDT-SWAP';
const messages = new Messages();
const [open, own, business] = ['public', 'private', 'business'].map((part) => {
    const account = part === 'public' ? {} : { accounts: [credentials] };
    const socket = new WebsocketClient({ ...account, wsUrl: `${scenario.sockets}/ws/v5/${part}` }, logger);
    for (const name of ['update', 'response']) socket.on(name, (message) => messages.add(message));
    for (const name of ['exception', 'error']) socket.on(name, (error) => console.error(JSON.stringify(error)));
    return socket;
});

const call = (method, args = {}, check = undefined) =>
    scenario.call(client, method, Array.isArray(args) ? args : [args], { type: 'RestClient', check });
const done = (rows) => rows.every((row) => row.sCode === '0');
const order = { instId, tdMode: 'cross', side: 'buy', ordType: 'limit', sz: '1' };
let price, ordId, tag;

await scenario.step('instruments', async () => {
    await call('getSystemTime');
    await call('getInstruments', { instType }, (rows) => rows.some((row) => row.instId === instId));
    await call('getAccountInstruments', { instType }, (rows) => rows.some((row) => row.instId === instId));
    await call('getOrderBook', { instId, sz: '20' });
    await call('getTrades', { instId });
    await call('getCandles', { instId, bar: '1m', limit: '5' }, (rows) => rows.length === 5);
    await call('getMarkPrice', { instType, instId });
    await call('getIndexTickers', { instId: 'BTC-USDT' });
    await call('getFundingRate', { instId });
    await call('getFundingRateHistory', { instId });
    await call('getMinMaxLimitPrice', { instId });
    await call('getOpenInterest', { instType, instId });
    await call('getPositionTiers', { instType, tdMode: 'cross', uly: 'BTC-USDT' });
    await call('getTickers', { instType });
    const [ticker] = await call('getTicker', { instId });
    price = below(ticker.last);
});

await scenario.step('connect', async () => {
    const subscribe = (socket, name, args) => scenario.call(
        { [name]: () => Promise.all(socket.subscribe(args)) }, name);
    await subscribe(own, 'subscribe private', [
        { channel: 'orders', instType }, { channel: 'positions', instType }, { channel: 'account' },
        { channel: 'balance_and_position' }]);
    await subscribe(open, 'subscribe public', [
        { channel: 'books', instId }, { channel: 'bbo-tbt', instId }, { channel: 'trades', instId },
        { channel: 'tickers', instId }, { channel: 'mark-price', instId }, { channel: 'funding-rate', instId },
        { channel: 'instruments', instType }]);
    await subscribe(business, 'subscribe business', [
        { channel: 'candle1m', instId }, { channel: 'orders-algo', instType }]);
});

await scenario.step('reconcile', async () => {
    await call('getAccountConfiguration', []);
    await call('getFeeRates', { instType });
    await call('setLeverage', { instId, lever: '5', mgnMode: 'cross' }, (rows) => rows[0].lever === '5');
    await call('getLeverage', { instId, mgnMode: 'cross' });
    await call('getOrderList', { instType }, (rows) => rows.length === 0);
    await call('getAlgoOrderList', { ordType: 'conditional' }, (rows) => rows.length === 0);
    await call('getPositions', { instType }, (rows) => rows.length === 0);
    await call('getFills', { instType }, (rows) => rows.length === 0);
    await call('getMaxBuySellAmount', { instId, tdMode: 'cross' });
    await call('getMaxAvailableTradableAmount', { instId, tdMode: 'cross' });
});

await scenario.step('limit', async () => {
    const [placed] = await call('submitOrder', { ...order, px: price, clOrdId: 'limit1' }, done);
    ({ ordId, tag } = placed);
});

await scenario.step('query', async () => {
    await call('getOrderDetails', { instId, ordId }, ([row]) => row.state === 'live' && row.tag === tag);
    await call('getOrderList', { instType, instId }, (rows) => rows.length === 1);
});

await scenario.step('amend', async () => {
    await call('amendOrder', { instId, ordId, newSz: '2' }, done);
    await call('getOrderDetails', { instId, ordId }, ([row]) => row.sz === '2');
});

await scenario.step('cancel', async () => {
    await call('cancelOrder', { instId, ordId }, done);
    await call('getOrderHistory', { instType }, (rows) => rows[0].state === 'canceled');
    await call('cancelAllAfter', { timeOut: '0' });
});

await scenario.step('market', async () => {
    const [bought] = await call('submitOrder', { ...order, ordType: 'market', sz: '2' }, done);
    await call('getOrderDetails', { instId, ordId: bought.ordId }, ([row]) => row.state === 'filled');
    await call('getFills', { instType }, (rows) => rows.length > 0);
    await call('getFillsHistory', { instType }, (rows) => rows.length > 0);
});

await scenario.step('stop', async () => {
    const slTriggerPx = below(price, 0.1, 0.02);
    const stop = { instId, tdMode: 'cross', side: 'sell', ordType: 'conditional', sz: '1', slTriggerPx, slOrdPx: '-1',
        reduceOnly: true };
    const [{ algoId }] = await call('placeAlgoOrder', stop, done);
    await call('getAlgoOrderList', { ordType: 'conditional' }, (rows) => rows.length === 1);
    await call('getAlgoOrderDetails', { algoId });
    await call('amendAlgoOrder', { instId, algoId, newSlTriggerPx: below(price, 0.1, 0.03) }, done);
    await call('cancelAlgoOrder', [[{ instId, algoId }]], done);
    await call('getAlgoOrderHistory', { ordType: 'conditional', state: 'canceled' }, (rows) => rows.length === 1);
});

await scenario.step('position', async () => {
    await call('getPositions', { instType }, ([row]) => row.pos === '2');
    await call('getAccountPositionRisk', { instType });
});

await scenario.step('balance', async () => {
    await call('getBalance', [], ([row]) => Number(row.totalEq) > 9000);
    await call('getBalance', { ccy: 'USDT' }, ([row]) => row.details.length === 1);
    await call('getBills', {}, (rows) => rows.length > 0);
    await call('getMaxWithdrawals', []);
});

const channel = (name, matches = () => true) => (message) =>
    message.arg?.channel === name && message.data?.length > 0 && matches(message);
const rows = (type) => ({ type: `WsDataEvent<sdk.${type}[]>` });
await scenario.step('private stream', async () => {
    await scenario.frame(messages, 'orders', channel('orders', (one) => one.data[0].state === 'filled'), rows('OrderDetails'));
    await scenario.frame(messages, 'positions', channel('positions'), rows('AccountPosition'));
    await scenario.frame(messages, 'account', channel('account'), rows('AccountBalance'));
    await scenario.frame(messages, 'balance_and_position', channel('balance_and_position'));
    await scenario.frame(messages, 'orders-algo', channel('orders-algo'), rows('AlgoOrderDetailsResult'));
});

await scenario.step('public stream', async () => {
    await scenario.frame(messages, 'books snapshot', channel('books', (one) => one.action === 'snapshot'));
    await scenario.frame(messages, 'books update', channel('books', (one) => one.action === 'update'));
    await scenario.frame(messages, 'bbo-tbt', channel('bbo-tbt'));
    await scenario.frame(messages, 'trades', channel('trades'), rows('Trade'));
    await scenario.frame(messages, 'tickers', channel('tickers'), rows('Ticker'));
    await scenario.frame(messages, 'mark-price', channel('mark-price'));
    await scenario.frame(messages, 'funding-rate', channel('funding-rate'), rows('PublicFundingRate'));
    await scenario.frame(messages, 'candle1m', channel('candle1m'));
});

await scenario.step('batch', async () => {
    const one = { ...order, px: price };
    const placed = await call('submitMultipleOrders', [[one, one]], done);
    const ids = placed.map((row) => ({ instId, ordId: row.ordId }));
    await call('amendMultipleOrders', [ids.map((id) => ({ ...id, newSz: '2' }))], done);
    await call('cancelMultipleOrders', [ids], done);
});

await scenario.step('socket orders', async () => {
    const wsUrl = `${scenario.sockets}/ws/v5/private`;
    const entry = new WebsocketAPIClient({ accounts: [credentials], wsUrl, attachEventListeners: false }, logger);
    const ask = (method, args) =>
        scenario.call(entry, method, [args], { check: (answer) => answer.code === '0' && done(answer.data) });
    const one = { ...order, px: price };
    const placed = await ask('submitNewOrder', one);
    const id = { instId, ordId: placed.data[0].ordId };
    await ask('amendOrder', { ...id, newSz: '2' });
    await ask('cancelOrder', id);
    const several = await ask('submitMultipleOrders', [one, one]);
    const ids = several.data.map((row) => ({ instId, ordId: row.ordId }));
    await ask('amendMultipleOrders', ids.map((row) => ({ ...row, newSz: '2' })));
    await ask('cancelMultipleOrders', ids);
    await scenario.call(entry.getWSClient(), 'closeAll', [true]);
});

await scenario.step('close', async () => {
    await call('closePositions', { instId, mgnMode: 'cross' });
    await call('getPositions', { instType }, (rows) => rows.every((row) => row.pos === '0'));
    await call('getPositionsHistory', { instType }, (rows) => rows.length === 1);
    for (const socket of [open, own, business]) await scenario.call(socket, 'closeAll', [true]);
});

scenario.finish();
