"""Ids that occur twice, noticed in bounded memory."""

from __future__ import annotations

# About 20 MB. Beyond, only repetitions of the first ids are noticed.
REMEMBERED = 200_000


class DuplicateWatch:
    """Counts posts whose id came before; the posts themselves are not touched."""

    def __init__(self, remembered: int = REMEMBERED) -> None:
        self._room = remembered
        self._seen: set[int] = set()
        self._count = 0
        self._first = ""

    def see(self, id_: str) -> None:
        """Notes one id."""
        key = hash(id_)
        if key in self._seen:
            self._count += 1
            self._first = self._first or id_
        elif len(self._seen) < self._room:
            self._seen.add(key)

    @property
    def warning(self) -> str | None:
        """One sentence about what was seen, or None."""
        if not self._count:
            return None
        least = "" if len(self._seen) < self._room else "at least "
        return (
            f"ids that came before: {least}{self._count:,} (the first is '{self._first}'); all rows are kept, in order."
        )
