// npm `bitget-api`: USDT-margined futures of a classic account (API v2) over REST, the private stream and the public one.

import { RestClientV2, WebsocketClientV2 } from 'bitget-api';
import { Messages, Scenario, below, logger } from './scenario.mjs';

const scenario = new Scenario('bitget-api');
const key = { apiKey: 'sim-key', apiSecret: 'sim-secret', apiPass: 'sim-pass' };
const client = new RestClientV2({ ...key, baseUrl: scenario.base });
const productType = 'USDT-FUTURES';
const symbol = 'BTCUSDT';
const marginCoin = 'USDT';
const where = { symbol, productType };
const messages = new Messages();
const [own, open] = ['private', 'public'].map((part) => {
    const socket = new WebsocketClientV2({ ...key, wsUrl: `${scenario.sockets}/v2/ws/${part}` }, logger);
    for (const name of ['update', 'response']) socket.on(name, (message) => messages.add(message));
    socket.on('exception', (error) => console.error(JSON.stringify(error)));
    return socket;
});

const call = (method, args = {}, check = () => true) => scenario.call(
    client, method, Array.isArray(args) ? args : [args],
    { type: 'RestClientV2', check: (answer) => answer.code === '00000' && check(answer.data) });
const order = { ...where, marginMode: 'crossed', marginCoin, size: '0.010', side: 'buy', orderType: 'limit', force: 'gtc' };
let price, orderId;

await scenario.step('instruments', async () => {
    await call('getServerTime', []);
    await call('getFuturesContractConfig', { productType }, (rows) => rows.some((row) => row.symbol === symbol));
    await call('getFuturesMergeDepth', { ...where, limit: '15' });
    await call('getFuturesRecentTrades', where);
    await call('getFuturesCandles', { ...where, granularity: '1m', limit: '5' }, (rows) => rows.length === 5);
    await call('getFuturesHistoricCandles', { ...where, granularity: '1m', limit: '5' });
    await call('getFuturesSymbolPrice', where);
    await call('getFuturesCurrentFundingRate', where);
    await call('getFuturesHistoricFundingRates', where);
    await call('getFuturesOpenInterest', where);
    await call('getFuturesPositionTier', where);
    await call('getFuturesAllTickers', { productType });
    const ticker = await call('getFuturesTicker', where);
    price = below(ticker.data[0].lastPr);
});

await scenario.step('connect', async () => {
    for (const topic of ['orders', 'positions', 'account', 'fill', 'orders-algo']) {
        await scenario.call(own, 'subscribeTopic', [productType, topic]);
    }
    for (const topic of ['ticker', 'trade', 'books', 'books15', 'candle1m']) {
        await scenario.call(open, 'subscribeTopic', [productType, topic, symbol]);
    }
});

await scenario.step('reconcile', async () => {
    await call('getTradeRate', { symbol, businessType: 'mix' });
    await call('setFuturesLeverage', { ...where, marginCoin, leverage: '5' });
    // Where there is nothing the venue has null, and the package declares a list.
    const none = (method, args) => scenario.call(client, method, [args], { check: (answer) => answer.code === '00000' });
    await none('getFuturesOpenOrders', where);
    await none('getFuturesPlanOrders', { ...where, planType: 'normal_plan' });
    await call('getFuturesPositions', { productType, marginCoin }, (rows) => rows.length === 0);
    await none('getFuturesFills', where);
});

await scenario.step('limit', async () => {
    const placed = await call('futuresSubmitOrder', { ...order, price, clientOid: 'limit-1' });
    orderId = placed.data.orderId;
});

await scenario.step('query', async () => {
    await call('getFuturesOrder', { ...where, orderId }, (row) => row.state === 'live');
    await call('getFuturesOpenOrders', where, (data) => data.entrustedList.length === 1);
});

await scenario.step('amend', async () => {
    const change = { ...where, marginCoin, orderId, newClientOid: 'limit-2', newSize: '0.020', newPrice: price };
    await call('futuresModifyOrder', change);
    await call('getFuturesOrder', { ...where, clientOid: 'limit-2' }, (row) => Number(row.size) === 0.02);
});

await scenario.step('cancel', async () => {
    await call('futuresCancelOrder', { ...where, clientOid: 'limit-2' });
    await call('getFuturesHistoricOrders', where, (data) => data.entrustedList[0].status === 'canceled');
    await call('futuresSubmitOrder', { ...order, price });
    await call('futuresCancelAllOrders', { productType });
});

await scenario.step('market', async () => {
    const { price: _, force: __, ...market } = { ...order, orderType: 'market', size: '0.020' };
    const bought = await call('futuresSubmitOrder', market);
    await call('getFuturesOrder', { ...where, orderId: bought.data.orderId }, (row) => row.state === 'filled');
    await call('getFuturesFills', where, (data) => data.fillList.length > 0);
    await call('getFuturesHistoricOrderFills', where, (data) => data.fillList.length > 0);
});

await scenario.step('stop', async () => {
    const triggerPrice = below(price, 0.1, 0.02);
    const stop = { ...where, marginCoin, planType: 'loss_plan', triggerPrice, triggerType: 'fill_price', holdSide: 'buy', size: '0.010' };
    const waiting = await call('futuresSubmitTPSLOrder', stop);
    await call('getFuturesPlanOrders', { ...where, planType: 'profit_loss' }, (data) => data.entrustedList.length === 1);
    await call('futuresModifyTPSLPOrder', { ...where, marginCoin, orderId: waiting.data.orderId, triggerPrice: below(price, 0.1, 0.03),
        triggerType: 'fill_price', size: '0.010' });
    const plan = { ...where, planType: 'normal_plan', marginMode: 'crossed', marginCoin, size: '0.010', triggerPrice,
        triggerType: 'mark_price', side: 'buy', orderType: 'market' };
    await call('futuresSubmitPlanOrder', plan);
    await call('futuresCancelPlanOrder', { ...where, marginCoin, planType: 'normal_plan' });
    await call('futuresCancelPlanOrder', { ...where, marginCoin, planType: 'profit_loss', orderIdList: [{ orderId: waiting.data.orderId }] });
    await call('getFuturesHistoricPlanOrders', { ...where, planType: 'normal_plan' });
});

await scenario.step('position', async () => {
    await call('getFuturesPosition', { ...where, marginCoin }, (rows) => Number(rows[0].total) === 0.02);
    await call('getFuturesPositions', { productType, marginCoin }, (rows) => rows.length === 1);
});

await scenario.step('balance', async () => {
    await call('getFuturesAccountAsset', { ...where, marginCoin }, (row) => Number(row.accountEquity) > 9000);
    await call('getFuturesAccountAssets', { productType });
    await call('getFuturesAccountBills', { productType }, (data) => data.bills.length > 0);
    await call('getFuturesMaxOpenableQuantity', { ...where, marginCoin, posSide: 'long', orderType: 'market', openAmount: '100' });
});

const topic = (name, matches = () => true) => (message) =>
    message.arg?.channel === name && message.data?.length > 0 && matches(message);
await scenario.step('private stream', async () => {
    await scenario.frame(messages, 'orders', topic('orders', (one) => one.data[0].status === 'filled'));
    await scenario.frame(messages, 'fill', topic('fill'));
    await scenario.frame(messages, 'positions', topic('positions'), { type: 'WsSnapshotPositionsEvent' });
    await scenario.frame(messages, 'account', topic('account'), { type: 'WsSnapshotAccountEvent' });
    await scenario.frame(messages, 'orders-algo', topic('orders-algo'));
});

await scenario.step('public stream', async () => {
    await scenario.frame(messages, 'ticker', topic('ticker'), { type: 'WsSnapshotChannelEvent' });
    await scenario.frame(messages, 'trade', topic('trade'));
    await scenario.frame(messages, 'books snapshot', topic('books', (one) => one.action === 'snapshot'));
    await scenario.frame(messages, 'books update', topic('books', (one) => one.action === 'update'));
    await scenario.frame(messages, 'books15', topic('books15'));
    await scenario.frame(messages, 'candle1m', topic('candle1m'));
});

await scenario.step('batch', async () => {
    const one = { size: '0.010', price, side: 'buy', orderType: 'limit', force: 'gtc' };
    const placed = await call('futuresBatchSubmitOrders',
        { ...where, marginCoin, marginMode: 'crossed', orderList: [one, { ...one, size: '0.0001' }, one] },
        (data) => data.successList.length === 2 && data.failureList.length === 1);
    const orderIdList = placed.data.successList.map((row) => ({ orderId: row.orderId }));
    await call('futuresBatchCancelOrders', { ...where, marginCoin, orderIdList }, (data) => data.successList.length === 2);
});

await scenario.step('close', async () => {
    await call('futuresFlashClosePositions', where);
    await call('getFuturesPositions', { productType, marginCoin }, (rows) => rows.length === 0);
    await call('getFuturesHistoricPositions', where, (data) => data.list.length === 1);
    for (const socket of [own, open]) await scenario.call(socket, 'closeAll', [true]);
});

scenario.finish();
