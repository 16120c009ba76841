"""The live server: what one account does on one symbol, on a page and over a WebSocket. It only reads."""
