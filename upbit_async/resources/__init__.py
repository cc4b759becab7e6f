"""Namespaces of the client, one for each kind of Upbit's resources."""
