"""One call, carried well."""
