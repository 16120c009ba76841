// npm `binance`: USDT-margined futures over REST, the private stream by listen key, and market streams.

import { USDMClient, WebsocketAPIClient, WebsocketClient } from 'binance';
import { Messages, Scenario, below, logger } from './scenario.mjs';

const scenario = new Scenario('binance');
const key = { api_key: 'sim-key', api_secret: 'sim-secret' };
const client = new USDMClient({ ...key, baseUrl: scenario.base });
const symbol = 'BTCUSDT';
const messages = new Messages();
const socket = new WebsocketClient(
    { ...key, beautify: false, wsUrl: scenario.sockets, restOptions: { ...key, baseUrl: scenario.base } }, logger);
socket.on('message', (message) => messages.add(message));
socket.on('exception', (error) => console.error(JSON.stringify(error)));

const call = (method, args = {}, check = undefined) =>
    scenario.call(client, method, Array.isArray(args) ? args : [args], { type: 'USDMClient', check });
const order = { symbol, side: 'BUY', type: 'LIMIT', timeInForce: 'GTC', quantity: 0.01 };
let price, placed;

await scenario.step('instruments', async () => {
    await call('testConnectivity', []);
    await call('getServerTime', []);
    await call('getExchangeInfo', [], (info) => info.symbols.some((one) => one.symbol === symbol));
    await call('getOrderBook', { symbol, limit: 20 });
    await call('getRecentTrades', { symbol });
    await call('getAggregateTrades', { symbol });
    await call('getKlines', { symbol, interval: '1m', limit: 5 }, (rows) => rows.length === 5);
    await call('getMarkPrice', []);
    await call('getFundingRateHistory', { symbol });
    await call('get24hrChangeStatistics', []);
    await call('getSymbolOrderBookTicker', []);
    const tickers = await call('getSymbolPriceTicker', []);
    price = below(tickers.find((one) => one.symbol === symbol).price);
});

await scenario.step('connect', async () => {
    await scenario.call(socket, 'subscribeUsdFuturesUserDataStream');
    await scenario.call(socket, 'subscribe', [['btcusdt@bookTicker', 'btcusdt@depth@100ms'], 'usdmPublic']);
    await scenario.call(socket, 'subscribe', [['btcusdt@aggTrade', 'btcusdt@markPrice@1s', 'btcusdt@kline_1m'], 'usdmMarket']);
});

await scenario.step('reconcile', async () => {
    await call('getFuturesAccountConfig', []);
    await call('getCurrentPositionMode', []);
    await call('getMultiAssetsMode', []);
    await call('setLeverage', { symbol, leverage: 5 }, (answer) => answer.leverage === 5);
    await call('getAllOpenOrders', { symbol }, (rows) => rows.length === 0);
    await call('getPositionsV3', [], (rows) => rows.length === 0);
    await call('getAccountTrades', { symbol }, (rows) => rows.length === 0);
    await call('getOpenAlgoOrders', { symbol }, (rows) => rows.length === 0);
});

await scenario.step('limit', async () => {
    placed = await call('submitNewOrder', { ...order, price, newClientOrderId: 'x-15PC4ZJy-limit' }, (one) => one.status === 'NEW');
});

await scenario.step('query', async () => {
    const orderId = placed.orderId;
    await call('getOrder', { symbol, orderId }, (one) => one.orderId === orderId);
    await call('getCurrentOpenOrder', { symbol, orderId });
    await call('getAllOpenOrders', { symbol }, (rows) => rows.length === 1);
    await call('getAllOrders', { symbol }, (rows) => rows.length === 1);
});

await scenario.step('amend', async () => {
    const change = { symbol, side: 'BUY', orderId: placed.orderId, quantity: 0.02, price };
    await call('modifyOrder', change, (one) => Number(one.origQty) === 0.02);
    await call('getOrderModifyHistory', { symbol, orderId: placed.orderId }, (rows) => rows.length === 1);
});

await scenario.step('cancel', async () => {
    await call('cancelOrder', { symbol, orderId: placed.orderId }, (one) => one.status === 'CANCELED');
    await call('submitNewOrder', { ...order, price });
    await call('cancelAllOpenOrders', { symbol });
    await call('setCancelOrdersOnTimeout', { symbol, countdownTime: 0 });
});

await scenario.step('market', async () => {
    const bought = { symbol, side: 'BUY', type: 'MARKET', quantity: 0.02, newOrderRespType: 'RESULT' };
    await call('submitNewOrder', bought, (one) => one.status === 'FILLED');
    await call('getAccountTrades', { symbol }, (rows) => rows.length > 0);
});

await scenario.step('stop', async () => {
    const stop = { algoType: 'CONDITIONAL', symbol, side: 'SELL', type: 'STOP_MARKET', quantity: '0.01',
        triggerPrice: below(price, 0.1, 0.02), reduceOnly: 'true' };
    const waiting = await call('submitNewAlgoOrder', stop, (one) => one.algoStatus === 'NEW');
    await call('getAlgoOrder', { algoId: waiting.algoId });
    await call('getOpenAlgoOrders', { symbol }, (rows) => rows.length === 1);
    await call('getAllAlgoOrders', { symbol });
    await call('cancelAlgoOrder', { algoId: waiting.algoId });
    await call('submitNewAlgoOrder', { ...stop, type: 'TAKE_PROFIT_MARKET', triggerPrice: below(price, 0.1, -0.03) });
    await call('cancelAllAlgoOpenOrders', { symbol });
});

await scenario.step('position', async () => {
    await call('getPositionsV3', { symbol }, (rows) => Number(rows[0].positionAmt) === 0.02);
    await call('getPositions', { symbol }, (rows) => Number(rows[0].positionAmt) === 0.02);
    await call('getNotionalAndLeverageBrackets', { symbol });
    await call('getADLQuantileEstimation', { symbol });
});

await scenario.step('balance', async () => {
    await call('getBalanceV3', []);
    await call('getBalance', []);
    await call('getAccountInformationV3', [], (account) => Number(account.totalWalletBalance) > 9000);
    await call('getAccountInformation', []);
    await call('getIncomeHistory', {}, (rows) => rows.some((row) => row.incomeType === 'COMMISSION'));
    await call('getAccountCommissionRate', { symbol });
});

const event = (name) => (message) => message.e === name || message.data?.e === name;
const raw = (name) => ({ type: `WsMessageFuturesUserData${name}Raw` });
await scenario.step('private stream', async () => {
    await scenario.frame(messages, 'ORDER_TRADE_UPDATE', (one) => event('ORDER_TRADE_UPDATE')(one) && one.o.X === 'FILLED',
        raw('OrderTradeUpdateEvent'));
    await scenario.frame(messages, 'ACCOUNT_UPDATE', event('ACCOUNT_UPDATE'), raw('AccountUpdate'));
    await scenario.frame(messages, 'ACCOUNT_CONFIG_UPDATE', event('ACCOUNT_CONFIG_UPDATE'), raw('AccountConfigUpdateEvent'));
    await scenario.frame(messages, 'TRADE_LITE', event('TRADE_LITE'), raw('TradeLiteEvent'));
    await scenario.frame(messages, 'ALGO_UPDATE', event('ALGO_UPDATE'), raw('AlgoUpdate'));
});

await scenario.step('public stream', async () => {
    await scenario.frame(messages, 'bookTicker', event('bookTicker'));
    await scenario.frame(messages, 'depthUpdate', event('depthUpdate'));
    await scenario.frame(messages, 'aggTrade', event('aggTrade'));
    await scenario.frame(messages, 'markPriceUpdate', event('markPriceUpdate'));
    await scenario.frame(messages, 'kline', event('kline'));
});

await scenario.step('batch', async () => {
    const text = { ...order, quantity: '0.010', price };
    const rows = await call('submitMultipleOrders', [[text, { ...text, price: '-1' }, text]],
        (answer) => answer.length === 3 && answer[1].code < 0);
    const ids = [rows[0].orderId, rows[2].orderId];
    const amended = ids.map((orderId) => ({ symbol, side: 'BUY', orderId, quantity: '0.020', price }));
    await call('modifyMultipleOrders', [amended], (answer) => answer.every((row) => Number(row.origQty) === 0.02));
    await call('cancelMultipleOrders', { symbol, orderIdList: ids }, (answer) => answer.every((row) => row.status === 'CANCELED'));
});

await scenario.step('socket orders', async () => {
    const entry = new WebsocketAPIClient({ ...key, wsUrl: scenario.sockets, attachEventListeners: false, beautify: false }, logger);
    const ask = (method, args, check = () => true) =>
        scenario.call(entry, method, args, { check: (answer) => answer.status === 200 && check(answer.result) });
    const now = () => ({ timestamp: Date.now() });
    const text = { symbol, side: 'BUY', quantity: '0.010', price };
    const one = await ask('submitNewFuturesOrder', ['usdm', { ...order, ...text, ...now() }]);
    const { orderId } = one.result;
    await ask('modifyFuturesOrder', ['usdm', { ...text, orderId, quantity: '0.020', ...now() }], (row) => Number(row.origQty) === 0.02);
    await ask('getFuturesOrderStatus', ['usdm', { symbol, orderId, ...now() }], (row) => row.status === 'NEW');
    await ask('cancelFuturesOrder', ['usdm', { symbol, orderId, ...now() }], (row) => row.status === 'CANCELED');
    const stop = { algoType: 'CONDITIONAL', symbol, side: 'SELL', type: 'STOP_MARKET', quantity: '0.010', triggerPrice: below(price) };
    const placed = await ask('submitNewFuturesAlgoOrder', [{ ...stop, ...now() }]);
    await ask('cancelFuturesAlgoOrder', [{ algoId: placed.result.algoId, ...now() }]);
    await ask('getFuturesPosition', ['usdm', now()], (rows) => rows.some((row) => Number(row.positionAmt) !== 0));
    await ask('getFuturesAccountBalance', ['usdm', now()]);
    await ask('getFuturesAccountStatus', ['usdm', now()]);
    await ask('getFuturesOrderBook', [{ symbol, limit: 20 }]);
    await ask('getFuturesSymbolPriceTicker', [{ symbol }]);
    await scenario.call(entry.getWSClient(), 'closeAll', [true]);
});

await scenario.step('close', async () => {
    const sold = { symbol, side: 'SELL', type: 'MARKET', quantity: 0.02, reduceOnly: 'true', newOrderRespType: 'RESULT' };
    await call('submitNewOrder', sold, (one) => one.status === 'FILLED');
    await call('getPositionsV3', [], (rows) => rows.length === 0);
    await call('closeFuturesUserDataListenKey', []);
    await scenario.call(socket, 'closeAll', [true]);
});

scenario.finish();
