"""The namespaces that a user sees: one for each noun of Upbit's."""
