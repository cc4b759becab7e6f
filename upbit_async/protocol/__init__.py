"""Upbit's protocol: endpoints, messages, tokens, answers and limits. Pure: time and randomness are arguments."""
