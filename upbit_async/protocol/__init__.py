"""How Upbit is spoken to. Pure: time, nonces and randomness come in as arguments."""
