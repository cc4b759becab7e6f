"""The ways into the sandbox: within the process, and through a socket."""
