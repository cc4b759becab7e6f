"""Adapters through which requests reach the sandbox: in process, and on a socket."""
