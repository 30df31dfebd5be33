"""Actions: what a plan does at an address."""

from __future__ import annotations

from enum import StrEnum


class Action(StrEnum):
    """What a change does; the value is the word that users read, the sign what a plan shows."""

    CREATE = "create"
    UPDATE = "update"
    REPLACE = "replace"
    RENEW = "renew"
    MOVE = "move"
    IMPORT = "import"
    CLEAR = "clear"
    FORGET = "forget"
    RECORD = "record"
    NO_OP = "no-op"

    @property
    def sign(self) -> str:
        return _SIGNS[self]

    @property
    def clears(self) -> bool:
        """Whether it clears an alarm that is active now (what prevent_clear forbids)."""
        return self in (Action.CLEAR, Action.REPLACE)


_SIGNS = {
    Action.CREATE: "+",
    Action.UPDATE: "~",
    Action.REPLACE: "-/+",
    Action.RENEW: "^",
    Action.MOVE: ">",
    Action.IMPORT: "<",
    Action.CLEAR: "-",
    Action.FORGET: ".",
    Action.RECORD: "*",
    Action.NO_OP: " ",
}
