"""Rows of features in the shapes people have them, as JSON for the server.

numpy, pandas and polars objects are recognised by their methods, so that none
of them has to be installed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from smartpouch.errors import InvalidRows

Row = list[Any] | dict[str, Any]

# Below the 256 MB a jsonb value may have, for rows of thousands of features too.
CELLS_PER_REQUEST = 500_000


def column_names(rows: Any) -> list[str] | None:
    """Names of the columns of a data frame; None for rows without names."""
    columns = getattr(rows, "columns", None)
    return None if columns is None else [str(name) for name in columns]


def table(rows: Any) -> Any:
    """The same rows; a Series of pandas or polars, which is one column, as a data frame.

    Raises InvalidRows for a data frame with two columns of one name, which no feature could be told by.
    """
    if hasattr(rows, "to_frame") and not hasattr(rows, "columns"):
        return rows.to_frame()
    names = column_names(rows) or []
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise InvalidRows(
            f"the data frame has several columns named {', '.join(map(repr, twice))}; "
            "give each column a name of its own, as text (1 and '1' are one name), or pass an array"
        )
    return rows


def is_polars(rows: Any) -> bool:
    """True for a data frame of polars."""
    return hasattr(rows, "iter_rows") and hasattr(rows, "columns")


def numeric(rows: Any) -> Any:
    """Rows for a library that does not take polars: its data frames as numpy arrays of numbers."""
    if not is_polars(rows):
        return rows
    for name, dtype in zip(rows.columns, rows.dtypes, strict=True):
        if polars_kind(dtype) == "string":
            raise InvalidRows(
                f"column {name} of the polars data frame is {dtype}, not a number; "
                "pass a pandas data frame with the categories of the training data, or their codes"
            )
    return rows.to_numpy()


def polars_kind(dtype: Any) -> str:
    """What a column of polars holds: integer, float or string."""
    if dtype.is_float():
        return "float"
    return "integer" if dtype.is_numeric() or str(dtype) == "Boolean" else "string"


def category_codes(frame: Any, keep: Collection[int] = ()) -> Any:
    """A pandas data frame whose columns of categories hold their codes, NaN where a category is missing.

    Some model files of XGBoost and LightGBM know categories by these codes alone. They are the positions
    among the categories of each column, so these must be those of the training data, in that order.
    Rows that are no pandas data frame, or have no such column, are given back as they are, and so are
    the columns at the positions ``keep``.
    """
    if not hasattr(frame, "iloc") or column_names(frame) is None:
        return frame
    positions = [at for at, dtype in enumerate(frame.dtypes) if str(dtype) == "category" and at not in keep]
    if not positions:
        return frame
    coded = frame.copy()
    for at in positions:
        codes = frame.iloc[:, at].cat.codes.astype("float64")
        coded.isetitem(at, codes.where(codes >= 0))
    return coded


def take(rows: Any, positions: Sequence[int]) -> Any:
    """The rows at these positions, in the container they came in: the live model wants that."""
    if hasattr(rows, "iloc"):
        return rows.iloc[list(positions)]
    if hasattr(rows, "shape") or hasattr(rows, "columns"):
        return rows[list(positions)]
    return [rows[position] for position in positions]


def spread(total: int, wanted: int) -> list[int]:
    """Up to ``wanted`` positions spread over ``total`` rows: neighbours are often alike."""
    if wanted >= total:
        return list(range(total))
    return [position * total // wanted for position in range(wanted)]


def to_rows(rows: Any, *, by_name: bool = True) -> list[Row]:
    """Rows as lists, or as dictionaries where the columns have names and ``by_name`` is wanted."""
    rows = table(rows)
    names = column_names(rows)
    cells = _cells(rows)
    if names is not None and by_name:
        return [dict(zip(names, _numbers(row, at), strict=True)) for at, row in enumerate(cells)]
    return [_one(row, at) for at, row in enumerate(cells)]


def requests(rows: list[Row]) -> Iterator[str]:
    """The rows as JSON arrays of rows, each small enough for one request."""
    if not rows:
        return
    step = max(1, CELLS_PER_REQUEST // max(1, len(rows[0])))
    for start in range(0, len(rows), step):
        # Not a number has no JSON form; plain() made it null, so anything left is an error.
        yield json.dumps(rows[start : start + step], allow_nan=False)


def _cells(rows: Any) -> list[Any]:
    if hasattr(rows, "itertuples"):  # pandas
        return list(rows.itertuples(index=False, name=None))
    if hasattr(rows, "iter_rows"):  # polars
        return list(rows.iter_rows())
    if hasattr(rows, "toarray"):  # scipy.sparse
        rows = rows.toarray()
    if hasattr(rows, "detach"):  # torch
        rows = rows.detach().cpu().numpy()
    if hasattr(rows, "tolist"):
        rows = rows.tolist()
    if not isinstance(rows, Sequence) or isinstance(rows, (str, bytes)):
        raise InvalidRows(f"rows cannot be taken from a {type(rows).__name__}; pass a data frame, array or list")
    return list(rows)


def _one(row: Any, at: int) -> Row:
    if isinstance(row, Mapping):
        return dict(zip(map(str, row), _numbers(row.values(), at), strict=True))
    if hasattr(row, "tolist"):
        row = row.tolist()
    if isinstance(row, (str, bytes)) or not hasattr(row, "__iter__"):
        raise InvalidRows(f"row {at} is {row!r}, not a list of features; a single row is passed as [row]")
    return _numbers(row, at)


def _numbers(cells: Any, at: int) -> list[Any]:
    flat: list[Any] = []
    for cell in cells:
        if isinstance(cell, (list, tuple)):  # windows: channels after one another
            flat.extend(_numbers(cell, at))
        else:
            flat.append(_plain(cell, at, len(flat)))
    return flat


def _plain(cell: Any, at: int, column: int) -> Any:
    if hasattr(cell, "item"):
        cell = cell.item()
    if cell is None or isinstance(cell, (bool, int, str)):
        return cell
    # pandas.NA and NaT have no truth value: they are known by not being equal to themselves.
    if type(cell).__name__ in ("NAType", "NaTType"):
        return None
    try:
        number = float(cell)
    except (TypeError, ValueError):
        raise InvalidRows(f"row {at}, column {column}: {cell!r} is neither a number nor a string") from None
    if math.isinf(number):
        raise InvalidRows(f"row {at}, column {column}: an infinite value cannot be sent")
    return None if math.isnan(number) else number
