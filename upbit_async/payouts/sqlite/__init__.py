"""Journal in one SQLite file, for the processes of one machine.

- `journal`: `SqliteJournal`, which runs each call in a worker thread. `store`: the calls as SQL statements.
- `claims`, `departures`, `queries`, `related`, `withdrawals`, `health`, `status`, `compaction`: the statements.
- `rows`, `request_text`, `error_text` and `json_text`: conversion of payouts to rows, and strict reading of what a row
  holds. `damage`: reading of rows of which some are damaged. `stand_ins`: what a damaged payout may own.
- `file`: the connection, its transactions and forks. `file_checks`: owners and modes. `schema`: tables and their check.
- `machine_clock`: the machine's clock that leases and settling times use.
"""

from __future__ import annotations

from upbit_async.payouts.sqlite.journal import SqliteJournal

__all__ = ["SqliteJournal"]
