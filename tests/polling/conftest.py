"""Fixtures for the tests of polling: a schedule without jitter, and a list that is polled by it."""

from __future__ import annotations

import pytest
from transfer_list import FakeTransferList

from upbit_async.policy import PollSchedule


@pytest.fixture
def plain() -> PollSchedule:
    """1, 1.5, 2.25 and so on, exactly."""
    return PollSchedule(jitter=0)


@pytest.fixture
def transfers(plain: PollSchedule) -> FakeTransferList:
    return FakeTransferList(plain)
