"""Upbit's protocol: messages, tokens, answers and limits. Pure: time, nonces and randomness are arguments."""
