"""A pure exchange in memory: time, ids and keys come in as arguments."""
