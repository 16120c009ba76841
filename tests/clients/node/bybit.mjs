// npm `bybit-api`: linear contracts of API v5 over REST, the private stream and the public one.

import { RestClientV5, WebsocketAPIClient, WebsocketClient } from 'bybit-api';
import { Messages, Scenario, below, logger } from './scenario.mjs';

const scenario = new Scenario('bybit-api');
const key = { key: 'sim-key', secret: 'sim-secret' };
const client = new RestClientV5({ ...key, baseUrl: scenario.base });
const category = 'linear';
const symbol = 'BTCUSDT';
const where = { category, symbol };
const messages = new Messages();
const sockets = ['/v5/private', '/v5/public/linear'].map((path) => {
    const socket = new WebsocketClient({ ...key, wsUrl: scenario.sockets + path }, logger);
    socket.on('update', (message) => messages.add(message));
    socket.on('response', (message) => messages.add(message));
    socket.on('exception', (error) => console.error(JSON.stringify(error)));
    return socket;
});

const call = (method, args = {}, check = () => true) => scenario.call(
    client, method, Array.isArray(args) ? args : [args],
    { type: 'RestClientV5', check: (answer) => answer.retCode === 0 && check(answer.result) });
const order = { ...where, side: 'Buy', orderType: 'Limit', qty: '0.010' };
let price, orderId;

await scenario.step('instruments', async () => {
    await call('getServerTime', []);
    await call('getInstrumentsInfo', where, (result) => result.list[0].symbol === symbol);
    await call('getOrderbook', { ...where, limit: 50 });
    await call('getPublicTradingHistory', where);
    await call('getKline', { ...where, interval: '1', limit: 5 }, (result) => result.list.length === 5);
    await call('getFundingRateHistory', where);
    await call('getRiskLimit', where);
    const tickers = await call('getTickers', where);
    price = below(tickers.result.list[0].lastPrice);
});

await scenario.step('connect', async () => {
    await scenario.call(sockets[0], 'subscribeV5', [['order', 'execution', 'position', 'wallet'], category]);
    const topics = ['orderbook.50.BTCUSDT', 'publicTrade.BTCUSDT', 'tickers.BTCUSDT', 'kline.1.BTCUSDT'];
    await scenario.call(sockets[1], 'subscribeV5', [topics, category]);
    await scenario.frame(messages, 'subscribed', (message) => message.op === 'subscribe' && message.success);
});

await scenario.step('reconcile', async () => {
    await call('getQueryApiKey', []);
    await call('getAccountInfo', []);
    await call('getFeeRate', where);
    await call('setLeverage', { ...where, buyLeverage: '5', sellLeverage: '5' });
    await call('getActiveOrders', where, (result) => result.list.length === 0);
    await call('getPositionInfo', where);
    await call('getExecutionList', where, (result) => result.list.length === 0);
});

await scenario.step('limit', async () => {
    const placed = await call('submitOrder', { ...order, price, orderLinkId: 'limit-1', timeInForce: 'PostOnly' });
    orderId = placed.result.orderId;
});

await scenario.step('query', async () => {
    await call('getActiveOrders', { ...where, orderId }, (result) => result.list[0].orderStatus === 'New');
});

await scenario.step('amend', async () => {
    await call('amendOrder', { ...where, orderId, qty: '0.020' });
    await call('getActiveOrders', { ...where, orderId }, (result) => result.list[0].qty === '0.020');
});

await scenario.step('cancel', async () => {
    await call('cancelOrder', { ...where, orderId });
    await call('getHistoricOrders', { ...where, orderId }, (result) => result.list[0].orderStatus === 'Cancelled');
    await call('submitOrder', { ...order, price });
    await call('cancelAllOrders', where, (result) => result.list.length === 1);
});

await scenario.step('market', async () => {
    const bought = await call('submitOrder', { ...where, side: 'Buy', orderType: 'Market', qty: '0.020' });
    await call('getHistoricOrders', { ...where, orderId: bought.result.orderId },
        (result) => result.list[0].orderStatus === 'Filled');
    await call('getExecutionList', where, (result) => result.list.length > 0);
});

await scenario.step('stop', async () => {
    const stop = { ...where, side: 'Sell', orderType: 'Market', qty: '0.010', triggerPrice: below(price, 0.1, 0.02),
        triggerDirection: 2, reduceOnly: true };
    const waiting = await call('submitOrder', stop);
    await call('getActiveOrders', { ...where, orderFilter: 'StopOrder' }, (result) => result.list[0].orderStatus === 'Untriggered');
    await call('cancelOrder', { ...where, orderId: waiting.result.orderId });
    await call('setTradingStop', { ...where, stopLoss: below(price, 0.1, 0.03), positionIdx: 0, tpslMode: 'Full' });
    await call('setTradingStop', { ...where, stopLoss: '0', positionIdx: 0, tpslMode: 'Full' });
});

await scenario.step('position', async () => {
    await call('getPositionInfo', where, (result) => result.list[0].size === '0.020');
    await call('getPositionInfo', { category, settleCoin: 'USDT' }, (result) => result.list.length === 1);
});

await scenario.step('balance', async () => {
    await call('getWalletBalance', { accountType: 'UNIFIED' }, (result) => Number(result.list[0].totalEquity) > 9000);
    await call('getTransactionLog', { accountType: 'UNIFIED' }, (result) => result.list.length > 0);
    await call('getCoinInfo', ['USDT'], (result) => result.rows[0].coin === 'USDT');
});

const topic = (name, matches = () => true) => (message) => message.topic?.startsWith(name) && matches(message);
await scenario.step('private stream', async () => {
    await scenario.frame(messages, 'order', topic('order', (one) => one.topic === 'order'), { type: 'WSAccountOrderEventV5' });
    await scenario.frame(messages, 'execution', topic('execution'), { type: 'WSExecutionEventV5' });
    await scenario.frame(messages, 'position', topic('position'), { type: 'WSPositionEventV5' });
    await scenario.frame(messages, 'wallet', topic('wallet'), { type: "WSPrivateTopicEventV5<'wallet', sdk.WSWalletV5[]>" });
});

await scenario.step('public stream', async () => {
    await scenario.frame(messages, 'orderbook snapshot', topic('orderbook', (one) => one.type === 'snapshot'),
        { type: 'WSOrderbookEventV5' });
    await scenario.frame(messages, 'orderbook delta', topic('orderbook', (one) => one.type === 'delta'));
    await scenario.frame(messages, 'publicTrade', topic('publicTrade'), { type: 'WSTradeEventV5' });
    await scenario.frame(messages, 'tickers', topic('tickers'),
        { type: "WSPublicTopicEventV5<string, 'snapshot' | 'delta', sdk.WSTickerV5>" });
    await scenario.frame(messages, 'kline', topic('kline'),
        { type: "WSPublicTopicEventV5<string, 'snapshot', sdk.WSKlineV5[]>" });
});

await scenario.step('batch', async () => {
    const one = { symbol, side: 'Buy', orderType: 'Limit', qty: '0.010', price };
    const placed = await call('batchSubmitOrders', [category, [one, { ...one, qty: '0.0001' }, one]],
        (result) => result.list.filter((row) => row.orderId).length === 2);
    const ids = placed.result.list.map((row) => row.orderId).filter(Boolean);
    await call('batchAmendOrders', [category, ids.map((id) => ({ symbol, orderId: id, qty: '0.020' }))],
        (result) => result.list.length === 2);
    await call('batchCancelOrders', [category, ids.map((id) => ({ symbol, orderId: id }))],
        (result) => result.list.length === 2);
});

await scenario.step('socket orders', async () => {
    const entry = new WebsocketAPIClient({ ...key, wsUrl: `${scenario.sockets}/v5/trade`, attachEventListeners: false }, logger);
    const ask = (method, args, check = () => true) =>
        scenario.call(entry, method, args, { check: (answer) => answer.retCode === 0 && check(answer.data) });
    const one = { ...order, price };
    const { data: { orderId } } = await ask('submitNewOrder', [one]);
    await ask('amendOrder', [{ ...where, orderId, qty: '0.020' }], (data) => data.orderId === orderId);
    await ask('cancelOrder', [{ ...where, orderId }], (data) => data.orderId === orderId);
    const placed = await ask('batchSubmitOrders', [category, [one, { ...one, qty: '0.0001' }]], (data) => data.list.length === 2);
    const ids = placed.data.list.filter((row) => row.orderId).map((row) => ({ symbol, orderId: row.orderId }));
    await ask('batchAmendOrder', [category, ids.map((id) => ({ ...id, qty: '0.020' }))]);
    await ask('batchCancelOrder', [category, ids]);
    await scenario.call(entry.getWSClient(), 'closeAll', [true]);
});

await scenario.step('close', async () => {
    await call('submitOrder', { ...where, side: 'Sell', orderType: 'Market', qty: '0.020', reduceOnly: true });
    await call('getPositionInfo', where, (result) => Number(result.list[0].size) === 0);
    await call('getClosedPnL', where, (result) => result.list.length === 1);
    for (const socket of sockets) await scenario.call(socket, 'closeAll', [true]);
});

scenario.finish();
