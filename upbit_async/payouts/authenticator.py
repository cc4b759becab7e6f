"""Signs journal rows, and verifies that this library wrote them. Pure.

A journal is a file or a database that others may be able to change. So each row carries a MAC over what it asks for,
and over what its request is signed with. A row without a MAC that verifies is never sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs

from upbit_async.payouts.row_mac import (
    JournalKeys,
    sign_departure,
    sign_request,
    verifies_departure,
    verifies_request,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from upbit_async.payouts.payout import Payout
    from upbit_async.protocol.send_guard import SigningParams

__all__ = ["RowAuthenticator"]


@attrs.frozen
class RowAuthenticator:
    """Signs and verifies the rows of one journal.

    Attributes:
        keys: The first signs, all verify.
        host: The host that the journal belongs to.
        account: The label of the account that it belongs to.
    """

    keys: JournalKeys
    host: str
    account: str

    def request_mac(self, key: str, members: Mapping[str, str]) -> str:
        """Return the MAC over what a payout asks for."""
        return sign_request(self.keys, host=self.host, account=self.account, key=key, members=members)

    def departure_mac(self, payout: Payout, signing: SigningParams, signed_by: str) -> str:
        """Return the MAC over that and what its request is signed with."""
        return sign_departure(
            self.keys,
            host=self.host,
            account=self.account,
            key=payout.key,
            members=payout.intent.members,
            nonce=signing.nonce,
            algorithm=signing.algorithm,
            signed_by=signed_by,
        )

    def vouches_for(self, payout: Payout) -> bool:
        """Whether the row was written by this library with one of the keys, in everything that would be sent."""
        same = {"host": self.host, "account": self.account, "key": payout.key}
        members = payout.intent.members
        if not verifies_request(self.keys, payout.mac, **same, members=members):
            return False
        sent_request = payout.sent_request
        if sent_request is None or sent_request.needs_new_nonce:
            return True
        return verifies_departure(
            self.keys,
            sent_request.mac,
            **same,
            members=members,
            nonce=sent_request.signing.nonce,
            algorithm=sent_request.signing.algorithm,
            signed_by=sent_request.signed_by,
        )
