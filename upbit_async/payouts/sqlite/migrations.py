"""Migrations of a journal's file: the steps from an empty file to the newest version.

A step may not fail because a single row is damaged: the other payouts must stay usable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["MIGRATIONS"]

_FIRST: Final = """
    CREATE TABLE binding (host TEXT NOT NULL, region TEXT NOT NULL);

    CREATE TABLE payouts (
        number INTEGER PRIMARY KEY,
        key TEXT NOT NULL UNIQUE,
        revision INTEGER NOT NULL,
        state TEXT NOT NULL,
        is_open INTEGER NOT NULL,
        holds_up_equals INTEGER NOT NULL,
        may_be_unseen INTEGER NOT NULL,
        currency TEXT NOT NULL,
        net_type TEXT NOT NULL,
        amount TEXT NOT NULL,
        intent TEXT NOT NULL,
        uuid TEXT,
        evidence TEXT,
        record TEXT,
        error TEXT,
        sent_request TEXT,
        mac TEXT NOT NULL
    );
    -- Of payouts of one amount, currency and network, only one at a time may have a withdrawal of unknown id.
    CREATE UNIQUE INDEX one_unsettled ON payouts (currency, net_type, amount)
        WHERE state IN ('sending', 'unknown');
    CREATE UNIQUE INDEX one_owner ON payouts (uuid COLLATE NOCASE);
    CREATE INDEX by_state ON payouts (state, currency);
    CREATE INDEX open_ones ON payouts (number) WHERE is_open;
    CREATE INDEX unseen_ones ON payouts (currency) WHERE may_be_unseen;
    CREATE INDEX named_by_answers ON payouts (number) WHERE evidence = 'answer' AND uuid IS NOT NULL;

    CREATE TABLE history (
        key TEXT NOT NULL,
        number INTEGER NOT NULL,
        at TEXT NOT NULL,
        state TEXT NOT NULL,
        note TEXT NOT NULL,
        actor TEXT,
        PRIMARY KEY (key, number)
    ) WITHOUT ROWID;

    -- The withdrawal of each currency up to which all are accounted for.
    CREATE TABLE marks (currency TEXT PRIMARY KEY, uuid TEXT NOT NULL) WITHOUT ROWID;

    -- Withdrawals that belong to no payout; record is NULL for those that were acknowledged before they were listed.
    CREATE TABLE unowned (
        uuid TEXT PRIMARY KEY COLLATE NOCASE,
        currency TEXT NOT NULL,
        is_acknowledged INTEGER NOT NULL,
        record TEXT,
        at TEXT,
        note TEXT NOT NULL DEFAULT '',
        actor TEXT
    ) WITHOUT ROWID;
    CREATE INDEX not_acknowledged ON unowned (currency) WHERE NOT is_acknowledged;
    """

_SECOND: Final = """
    ALTER TABLE payouts ADD COLUMN is_enqueued INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE payouts ADD COLUMN not_after TEXT;
    ALTER TABLE payouts ADD COLUMN created_at TEXT NOT NULL DEFAULT '';
    -- Time of the last entry in the history.
    ALTER TABLE payouts ADD COLUMN updated_at TEXT NOT NULL DEFAULT '';
    -- Position of the last entry in the history.
    ALTER TABLE payouts ADD COLUMN position INTEGER NOT NULL DEFAULT 0;
    -- When the last copy was recorded, by both clocks; NULL if there is none.
    ALTER TABLE payouts ADD COLUMN left_utc TEXT;
    ALTER TABLE payouts ADD COLUMN left_epoch TEXT;
    ALTER TABLE payouts ADD COLUMN left_seconds REAL;
    ALTER TABLE payouts ADD COLUMN claimed_by TEXT;
    UPDATE payouts SET created_at = coalesce(json_extract(intent, '$.started_at'), '')
        WHERE CASE typeof(intent) WHEN 'text' THEN json_valid(intent) END;
    UPDATE payouts SET
        left_utc = json_extract(sent_request, '$.left_utc'),
        left_epoch = json_extract(sent_request, '$.left_at.readings[#-1][0]'),
        left_seconds = json_extract(sent_request, '$.left_at.readings[#-1][1]')
        WHERE CASE typeof(sent_request) WHEN 'text' THEN json_valid(sent_request) END;

    -- The entries of all histories. Their positions order the changes of all payouts, and are never used again.
    ALTER TABLE history RENAME TO former_history;
    CREATE TABLE history (
        position INTEGER PRIMARY KEY AUTOINCREMENT,
        key TEXT NOT NULL,
        previous TEXT,
        state TEXT NOT NULL,
        at TEXT NOT NULL,
        note TEXT NOT NULL,
        actor TEXT
    );
    -- By time, but the entries of each payout in their own order, also if its clock was set back.
    INSERT INTO history (key, previous, state, at, note, actor)
        SELECT key, lag(state) OVER entries, state, at, note, actor FROM former_history
        WINDOW entries AS (PARTITION BY key ORDER BY number)
        ORDER BY max(at) OVER entries, key, number;
    DROP TABLE former_history;
    CREATE INDEX history_by_key ON history (key);
    UPDATE payouts SET
        position = coalesce((SELECT max(position) FROM history WHERE history.key = payouts.key), 0);
    UPDATE payouts SET
        updated_at = coalesce((SELECT at FROM history WHERE history.position = payouts.position), created_at);

    DROP INDEX by_state;
    DROP INDEX open_ones;
    CREATE INDEX by_state ON payouts (state, created_at, currency);
    CREATE INDEX by_time ON payouts (created_at, currency);
    CREATE INDEX unidentified ON payouts (currency, net_type, amount)
        WHERE state IN ('sending', 'unknown', 'needs_review');
    CREATE INDEX equal_ones ON payouts (currency, net_type, amount, position);
    CREATE INDEX matched_ones ON payouts (currency) WHERE evidence = 'match' AND uuid IS NOT NULL;
    CREATE INDEX unclaimed ON payouts (state) WHERE is_open AND claimed_by IS NULL;
    CREATE INDEX claimed ON payouts (claimed_by) WHERE claimed_by IS NOT NULL;
    CREATE INDEX departed_by_utc ON payouts (currency, left_utc, amount) WHERE left_utc IS NOT NULL;
    CREATE INDEX departed_by_journal_time ON payouts (currency, left_epoch, left_seconds, left_utc, amount)
        WHERE left_utc IS NOT NULL;
    CREATE INDEX compactable ON payouts (updated_at) WHERE NOT is_open;

    -- What remains of compacted payouts; created_at in microseconds since 1970, so that a row stays small.
    CREATE TABLE compacted (
        key TEXT PRIMARY KEY,
        number INTEGER NOT NULL,
        state TEXT NOT NULL,
        uuid TEXT,
        evidence TEXT,
        created_at INTEGER NOT NULL,
        digest BLOB NOT NULL
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX one_compacted_owner ON compacted (uuid COLLATE NOCASE) WHERE uuid IS NOT NULL;

    -- Processes that claim payouts; called_at has the readings of the last call's time, as JSON.
    CREATE TABLE runners (name TEXT PRIMARY KEY, called_at TEXT NOT NULL, lease REAL NOT NULL) WITHOUT ROWID;

    -- Every decision to pause and to resume; the last one is in force.
    CREATE TABLE pauses (
        number INTEGER PRIMARY KEY,
        is_paused INTEGER NOT NULL,
        at TEXT NOT NULL,
        note TEXT NOT NULL,
        actor TEXT
    );

    CREATE TABLE status (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

    ALTER TABLE unowned ADD COLUMN stored_at TEXT NOT NULL DEFAULT '';
    ALTER TABLE unowned ADD COLUMN is_reported INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX not_reported ON unowned (stored_at) WHERE NOT is_acknowledged AND NOT is_reported
    """

MIGRATIONS: Final[Sequence[str]] = (_FIRST, _SECOND)
"""The steps from an empty file to the newest version. Once released, a step never changes."""
