"""What can go wrong, beside the errors of psycopg, which pass through unchanged."""

from __future__ import annotations


class SmartpouchError(Exception):
    """Base of all errors of this package."""


class UnsupportedModel(SmartpouchError):  # noqa: N818 - reads as what it says
    """This object or file cannot be turned into a model file; ``mend`` says what to do."""

    def __init__(self, what: str, mend: str) -> None:
        super().__init__(f"{what}. {mend}")
        self.what = what
        self.mend = mend


class InvalidRows(SmartpouchError, ValueError):  # noqa: N818
    """Rows that cannot be sent to the server."""


class ModelRefused(SmartpouchError):  # noqa: N818
    """The server read the model file and refused it; nothing was stored."""

    def __init__(self, message: str, sqlstate: str | None, detail: str | None, hint: str | None) -> None:
        super().__init__(" ".join(part for part in (message, detail, hint) if part))
        self.message = message
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint


class ParityError(SmartpouchError):
    """The server answers a golden row differently from the live model; the push was rolled back."""

    def __init__(self, row: int, output: str, expected: object, got: object, tolerance: float) -> None:
        super().__init__(
            f"golden row {row}: {output} is {got!r} on the server, {expected!r} in the library "
            f"(tolerance {tolerance:g})"
        )
        self.row = row
        self.output = output
        self.expected = expected
        self.got = got
        self.tolerance = tolerance
