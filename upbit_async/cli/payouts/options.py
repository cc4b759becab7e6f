"""Options that the commands on payouts share."""

from __future__ import annotations

import getpass
import os
from typing import Annotated, Final

import attrs
from cyclopts import Parameter

from upbit_async.region import Region

__all__ = ["Decision", "DecisionOptions", "Flag", "JournalOptions", "Options", "actor_name"]

Flag = Annotated[bool, Parameter(negative="", show_default=False)]
"""Option that is either given or not."""

_CALLER_OF_SUDO: Final = "SUDO_USER"


def actor_name() -> str:
    """Return the name of the user who runs the command; under sudo, of the user who called sudo."""
    if caller := os.environ.get(_CALLER_OF_SUDO):
        return caller
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container may run as a user without a name
        return f"uid {os.getuid()}"


@attrs.frozen(kw_only=True)
class JournalOptions:
    """Options of every command on payouts.

    Attributes:
        journal: Path of the journal's file.
        region: The exchange that the journal belongs to.
        json: Print JSON, one object per line.
        full_addresses: Print addresses in full instead of shortened.
        group_shared: Accept a journal whose group can write to it, as SqliteJournal(group_shared=True) does.
    """

    journal: str
    region: Region
    json: Flag = False
    full_addresses: Flag = False
    group_shared: Flag = False


@attrs.frozen(kw_only=True)
class DecisionOptions(JournalOptions):
    """Options of every command that records a manual decision.

    Attributes:
        note: Reason for the decision, for the history.
        actor: Who decides, for the history. Default: your user name, also under sudo.
        yes: Do not ask for a confirmation. Required without a terminal.
    """

    note: str = ""
    actor: str = attrs.field(factory=actor_name)
    yes: Flag = False


Options = Annotated[JournalOptions, Parameter(name="*")]
"""The options of a command, on its command line."""
Decision = Annotated[DecisionOptions, Parameter(name="*")]
"""The options of a command that records a decision, on its command line."""
