// npm `gateio-api`: USDT-margined perpetuals of API v4 over REST and WebSocket.

import { RestClient, WebsocketAPIClient, WebsocketClient } from 'gateio-api';
import { Messages, Scenario, below, logger } from './scenario.mjs';

const scenario = new Scenario('gateio-api');
const key = { apiKey: 'sim-key', apiSecret: 'sim-secret' };
const client = new RestClient({ ...key, baseUrl: `${scenario.base}/api/v4` });
const settle = 'usdt';
const contract = 'BTC_USDT';
const where = { settle, contract };
const messages = new Messages();
const socket = new WebsocketClient({ ...key, wsUrl: `${scenario.sockets}/v4/ws/usdt` }, logger);
for (const name of ['update', 'response']) socket.on(name, (message) => messages.add(message));
socket.on('exception', (error) => console.error(JSON.stringify(error)));

const call = (method, args = {}, check = undefined) =>
    scenario.call(client, method, Array.isArray(args) ? args : [args], { type: 'RestClient', check });
const order = { ...where, size: 10, tif: 'gtc' };
let price, order_id;

await scenario.step('instruments', async () => {
    await call('getFuturesContracts', { settle }, (rows) => rows.some((row) => row.name === contract));
    await call('getFuturesContract', where);
    await call('getFuturesOrderBook', { ...where, limit: 20, with_id: true });
    await call('getFuturesTrades', where);
    await call('getFuturesCandles', { ...where, interval: '1m', limit: 5 }, (rows) => rows.length === 5);
    await call('getFundingRates', where);
    const [ticker] = await call('getFuturesTickers', where);
    price = below(ticker.last);
});

await scenario.step('connect', async () => {
    const user = String((await call('getAccountDetail', [])).user_id);
    const subscribe = (name, topics) => scenario.call(
        { [name]: async () => socket.subscribe(topics, 'perpFuturesUSDTV4') }, name);
    await subscribe('subscribe private', ['futures.orders', 'futures.usertrades', 'futures.positions', 'futures.balances',
        'futures.autoorders'].map((topic) => ({ topic, payload: topic.endsWith('balances') ? [user] : [user, '!all'] })));
    await subscribe('subscribe public', [
        { topic: 'futures.book_ticker', payload: [contract] }, { topic: 'futures.tickers', payload: [contract] },
        { topic: 'futures.trades', payload: [contract] }, { topic: 'futures.candlesticks', payload: ['1m', contract] },
        { topic: 'futures.order_book_update', payload: [contract, '100ms', '20'] }]);
    const accepted = (message) => message.event === 'subscribe' && message.result?.status === 'success';
    for (const channel of ['futures.orders', 'futures.balances', 'futures.order_book_update']) {
        await scenario.frame(messages, `subscribed to ${channel}`, (one) => one.channel === channel && accepted(one));
    }
});

await scenario.step('reconcile', async () => {
    await call('getFuturesUserTradingFees', where);
    await call('updateFuturesLeverage', { ...where, leverage: '0', cross_leverage_limit: '5' });
    await call('getFuturesOrders', { ...where, status: 'open' }, (rows) => rows.length === 0);
    await call('getFuturesAutoOrders', { settle, status: 'open' }, (rows) => rows.length === 0);
    await call('getFuturesPositions', { settle });
    await call('getFuturesTradingHistory', where, (rows) => rows.length === 0);
});

await scenario.step('limit', async () => {
    const placed = await call('submitFuturesOrder', { ...order, price, text: 't-limit-1' }, (row) => row.status === 'open');
    order_id = String(placed.id);
});

await scenario.step('query', async () => {
    await call('getFuturesOrder', { settle, order_id }, (row) => row.status === 'open');
    await call('getFuturesOrders', { ...where, status: 'open' }, (rows) => rows.length === 1);
});

await scenario.step('amend', async () => {
    await call('updateFuturesOrder', { settle, order_id, size: 20 }, (row) => Number(row.size) === 20);
});

await scenario.step('cancel', async () => {
    await call('cancelFuturesOrder', { settle, order_id }, (row) => row.finish_as === 'cancelled');
    await call('getFuturesOrdersByTimeRange', where, (rows) => rows.length === 1);
    await call('submitFuturesOrder', { ...order, price });
    await call('cancelAllFuturesOrders', where, (rows) => rows.length === 1);
    await call('setFuturesOrderCancelCountdown', { ...where, timeout: 0 });
});

await scenario.step('market', async () => {
    const market = { ...where, size: 20, price: '0', tif: 'ioc' };
    await call('submitFuturesOrder', market, (row) => row.finish_as === 'filled');
    await call('getFuturesTradingHistory', where, (rows) => rows.length > 0);
    await call('getFuturesTradingHistoryByTimeRange', where, (rows) => rows.length > 0);
});

await scenario.step('stop', async () => {
    const initial = { contract, size: -10, price: '0', tif: 'ioc', reduce_only: true };
    const trigger = { strategy_type: 0, price_type: 0, price: below(price, 0.1, 0.02), rule: 2 };
    const { id } = await call('submitFuturesPriceTriggeredOrder', { settle, initial, trigger });
    await call('getFuturesAutoOrders', { settle, status: 'open' }, (rows) => rows.length === 1);
    await call('getFuturesPriceTriggeredOrder', { settle, order_id: id }, (row) => row.status === 'open');
    await call('cancelFuturesPriceTriggeredOrder', { settle, order_id: id });
    await call('cancelAllOpenFuturesOrders', where);
});

await scenario.step('position', async () => {
    await call('getFuturesPosition', where, (row) => Number(row.size) === 20);
    await call('getFuturesPositions', { settle, holding: true }, (rows) => rows.length === 1);
});

await scenario.step('balance', async () => {
    await call('getFuturesAccount', { settle }, (row) => Number(row.total) > 9000);
    await call('getFuturesAccountBook', { settle }, (rows) => rows.length > 0);
});

const channel = (name, matches = () => true) => (message) =>
    message.channel === name && ['update', 'all'].includes(message.event) && matches(message);
await scenario.step('private stream', async () => {
    await scenario.frame(messages, 'orders', channel('futures.orders', (one) => one.result[0].finish_as === 'filled'));
    await scenario.frame(messages, 'usertrades', channel('futures.usertrades'));
    await scenario.frame(messages, 'positions', channel('futures.positions'));
    await scenario.frame(messages, 'balances', channel('futures.balances'));
    await scenario.frame(messages, 'autoorders', channel('futures.autoorders'));
});

await scenario.step('public stream', async () => {
    for (const name of ['book_ticker', 'tickers', 'trades', 'candlesticks', 'order_book_update']) {
        await scenario.frame(messages, name, channel(`futures.${name}`));
    }
});

await scenario.step('batch', async () => {
    const one = { contract, size: 10, price, tif: 'gtc' };
    const placed = await call('submitFuturesBatchOrders', { settle, orders: [one, { ...one, price: '1.001' }, one] },
        (rows) => rows.map((row) => row.succeeded).join() === 'true,false,true');
    const ids = placed.filter((row) => row.succeeded).map((row) => String(row.id));
    await call('batchUpdateFuturesOrders', { settle, orders: ids.map((id) => ({ order_id: Number(id), size: 20 })) },
        (rows) => rows.every((row) => row.succeeded));
    await call('batchCancelFuturesOrders', { settle, orderIds: ids }, (rows) => rows.every((row) => row.succeeded));
});

await scenario.step('socket orders', async () => {
    const wsUrl = `${scenario.sockets}/v4/ws/usdt`;
    const entry = new WebsocketAPIClient({ ...key, wsUrl, attachEventListeners: false }, logger);
    const ask = (method, args, check = () => true) =>
        scenario.call(entry, method, [args], { check: (answer) => answer.header.status === '200' && check(answer.data.result) });
    // The package takes the acknowledgement of an order for its result: what became of it is asked by the order's own text.
    const named = { order_id: 't-socket' };
    await ask('submitNewFuturesOrder', { contract, size: 10, price, tif: 'gtc', text: 't-socket' });
    await ask('getFuturesOrders', { contract, status: 'open' }, (rows) => rows.length === 1);
    await ask('getFuturesOrderStatus', named, (one) => one.status === 'open');
    await ask('updateFuturesOrder', { ...named, size: 20 }, (one) => one.size === 20);
    await ask('cancelFuturesOrder', named, (one) => one.finish_as === 'cancelled');
    await ask('submitNewFuturesBatchOrder', ['a', 'b'].map((text) => ({ contract, size: 10, price, tif: 'gtc', text: `t-${text}` })));
    await ask('cancelFuturesOrderById', ['t-a'], (rows) => rows[0].succeeded);
    await ask('cancelFuturesAllOpenOrders', { contract, side: 'bid' }, (rows) => rows.length === 1);
    await scenario.call(entry.getWSClient(), 'closeAll', [true]);
});

await scenario.step('close', async () => {
    await call('submitFuturesOrder', { ...where, size: 0, price: '0', tif: 'ioc', close: true });
    await call('getFuturesPosition', where, (row) => Number(row.size) === 0);
    await call('getFuturesPositionHistory', where, (rows) => rows.length === 1);
    await scenario.call(socket, 'closeAll', [true]);
});

scenario.finish();
