"""Transport: carries one call over HTTP, with limits, retries and cancellation."""
