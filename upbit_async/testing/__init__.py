"""Helpers for users' own tests. They need pytest and anyio's pytest plugin."""

import pytest

pytest.register_assert_rewrite("upbit_async.testing.journal_contract")
