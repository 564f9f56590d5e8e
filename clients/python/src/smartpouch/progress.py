"""A progress bar on standard error: tqdm's if it is installed, else a line that rewrites itself."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Protocol


class Progress(Protocol):
    """What an upload needs of a progress bar."""

    def update(self, n: int) -> Any:
        """Advance by n bytes."""

    def close(self) -> None:
        """Finish the line."""


class _Silent:
    def update(self, n: int) -> None:
        pass

    def close(self) -> None:
        pass


class _Line:
    """Percent and bytes on one line, only where a person looks at it."""

    def __init__(self, title: str, total: int) -> None:
        self._title, self._total, self._done = title, total, 0
        self._shown = sys.stderr.isatty()

    def update(self, n: int) -> None:
        self._done += n
        if self._shown:
            percent = 100 * self._done // max(1, self._total)
            sys.stderr.write(f"\r{self._title}: {percent:3d}% of {self._total / 1e6:.1f} MB")
            sys.stderr.flush()

    def close(self) -> None:
        if self._shown:
            sys.stderr.write("\n")


def bar(title: str, total: int, *, wanted: bool) -> Progress:
    """A progress bar for ``total`` bytes."""
    if not wanted:
        return _Silent()
    try:
        from tqdm import tqdm
    except ImportError:
        return _Line(title, total)
    made: Progress = tqdm(total=total, desc=title, unit="B", unit_scale=True, disable=None)
    return made


class Bar:
    """A progress bar that is closed whatever happens."""

    def __init__(self, title: str, total: int, *, wanted: bool) -> None:
        self._bar = bar(title, total, wanted=wanted)

    def __enter__(self) -> Progress:
        return self._bar

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.close()
