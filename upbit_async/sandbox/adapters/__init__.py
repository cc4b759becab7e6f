"""Adapters that bring requests to the sandbox: in process, and from a socket."""
