"""Namespaces of the client, such as `client.withdraws`, and the procedures behind them."""
