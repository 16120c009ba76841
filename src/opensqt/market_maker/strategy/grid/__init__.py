"""The grid: levels at a fixed distance, a buy below and a sell above each."""
