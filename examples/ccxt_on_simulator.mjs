// A ccxt client in JavaScript on the simulator: its addresses, and the venue's own classes of errors.
//
//   exchange-simulator --exchange okx --port 9400
//
//   import { onSimulator } from './ccxt_on_simulator.mjs';
//   const keys = { apiKey: 'sim-key', secret: 'sim-secret', password: 'sim-pass', uid: '20000001' };
//   const exchange = await onSimulator(new ccxt.pro.okx({ ...keys, options: { defaultType: 'swap' } }), 'http://127.0.0.1:9400');

const ADDRESSES = {
    binanceusdm(exchange, http, ws) {
        const api = exchange.urls.api;
        for (const version of ['', 'V2', 'V3']) {
            for (const access of ['Public', 'Private']) {
                api[`fapi${access}${version}`] = `${http}/fapi/v${version.slice(1) || 1}`;
            }
        }
        api.sapi = `${http}/sapi/v1`;
        const kind = 'linear' in api.ws ? 'linear' : 'future';
        api.ws[kind] = `${ws}/ws`;
        api.ws['ws-api'] = { ...api.ws['ws-api'], [kind]: `${ws}/ws-fapi/v1` };
        exchange.options.fetchMarkets = { types: ['linear'] };
        // ccxt chooses the table of errors by the host's name: at another address -2019, -4164 and others have no class.
        exchange.exceptions.exact = { ...exchange.exceptions.exact, ...exchange.exceptions.linear.exact };
    },
    bybit(exchange, http, ws) {
        Object.assign(exchange.urls.api, { public: http, private: http });
        exchange.urls.api.ws.public.linear = `${ws}/v5/public/linear`;
        exchange.urls.api.ws.private.contract = `${ws}/v5/private`;
        exchange.urls.api.ws.private.trade = `${ws}/v5/trade`;
        exchange.options.fetchMarkets = { types: ['linear'] };
        exchange.has.fetchCurrencies = false;
    },
    okx(exchange, http, ws) {
        Object.assign(exchange.urls.api, { rest: http, ws: `${ws}/ws/v5` });
        exchange.options.fetchMarkets = { types: ['swap'] };
        exchange.has.fetchCurrencies = false;
    },
    bitget(exchange, http, ws) {
        const api = exchange.urls.api;
        for (const name of Object.keys(api).filter((one) => !['ws', 'demo'].includes(one))) api[name] = http;
        for (const kind of ['ws', 'demo']) {
            for (const access of ['public', 'private']) api[kind][access] = `${ws}/v2/ws/${access}`;
            api[kind].utaPrivate = `${ws}/v3/ws/private`;
        }
        Object.assign(exchange.options, { defaultSubType: 'linear', fetchMarkets: { types: ['swap'] } });
        exchange.has.fetchCurrencies = false;
    },
    gate(exchange, http, ws) {
        for (const access of ['public', 'private']) {
            const urls = exchange.urls.api[access];
            for (const name of Object.keys(urls)) urls[name] = `${http}/api/v4`;
        }
        exchange.urls.api.swap.usdt = `${ws}/v4/ws/futures/usdt`;
        exchange.options.fetchMarkets = { types: ['swap'] };
        exchange.has.fetchCurrencies = false;
    },
};

/** Give a client of ccxt or ccxt.pro the addresses of the simulator at `http`, and return it. */
export async function onSimulator(exchange, http = 'http://127.0.0.1:9400') {
    ADDRESSES[exchange.id](exchange, http, http.replace('http', 'ws'));
    // Without TLS ccxt needs an agent for ws:// that it loads on demand only.
    await exchange.loadHttpProxyAgent();
    return exchange;
}
