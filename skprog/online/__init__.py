"""Remaining useful life of one unit, window by window."""

from ._online_rul import OnlineRUL, RULUpdate

__all__ = ["OnlineRUL", "RULUpdate"]
