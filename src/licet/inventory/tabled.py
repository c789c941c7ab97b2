"""A CSV file of rows of identities and credentials, and the other way.

A cell that begins with `=`, `+`, `-`, `@`, a tab or a line end would be a formula to a spreadsheet: it gets an apostrophe before it, which
is taken away again when it is read (https://owasp.org/www-community/attacks/CSV_Injection).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from licet.inventory.said import CREDENTIAL_KEYS, IDENTITY_KEYS, Wrong

COLUMNS: Final = tuple(dict.fromkeys(("identity", "credential", *IDENTITY_KEYS, *CREDENTIAL_KEYS)))
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")
_LISTS: Final = ("uses", "regions", "networks")
_FLAGS: Final = ("third_party", "canary")
_YES: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LONGEST: Final = 1024 * 1024  # characters of a cell


class Line(NamedTuple):
    """One row: on which line it begins, its cells by column, and the number of each column, from 1.

    `wrong`: why the line is none, and the column.
    """

    number: int
    cells: dict[str, str]
    columns: dict[str, int]
    wrong: str = ""
    column: int = 1


def lines(file: Iterable[str]) -> Iterator[Line]:
    """The rows of a CSV file. The first line names the columns; they stand between commas, or else between semicolons.

    A line that is none is given with what is wrong, and the rest goes on.
    """
    source = _Counted(file)
    first = next(source, "").removeprefix("\ufeff")
    header = [name.strip() for name in next(csv.reader([first], delimiter=_sign(first)), [])]
    columns: dict[str, int] = {}
    for number, name in enumerate(header, 1):
        if name in columns or name not in COLUMNS:
            yield Line(1, {}, {}, f"`{name[:80]}`: {'stands there twice' if name in columns else 'is no column here'}", number)
        else:
            columns[name] = number
    if not columns.keys() & {"identity", "credential"}:
        yield Line(1, {}, {}, f"there is no column `identity` and no `credential`; there are {', '.join(COLUMNS)}")
        return
    csv.field_size_limit(_LONGEST)
    reader = csv.reader(source, delimiter=_sign(first), strict=True)
    while True:
        begin = source.number + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Line(begin, {}, columns, f"is no row of CSV: {error}")
            continue
        if len(cells) > len(header):
            yield Line(begin, {}, columns, f"has {len(cells)} cells, and there are {len(header)} columns", len(header) + 1)
        elif any(cells):
            yield Line(begin, {name: _harmful(cells[at - 1]) for name, at in columns.items() if at <= len(cells)}, columns)


def row_of(line: Line) -> dict[str, Any]:
    """The row with values in place of cells: lists, flags, numbers.

    Raises:
        Wrong: a cell holds something else.
    """
    row: dict[str, Any] = {}
    for key, cell in line.cells.items():
        if not cell:
            continue
        if key in _LISTS:
            row[key] = _words(key, cell)
        elif key in _FLAGS:
            if cell.strip().lower() not in _YES:
                raise Wrong(key, "must be true or false")
            row[key] = _YES[cell.strip().lower()]
        elif key == "owner_confidence":
            try:
                row[key] = float(cell)
            except ValueError as error:
                raise Wrong(key, "must be a number above 0, and at most 1") from error
        else:
            row[key] = cell
    return row


def header() -> str:
    """The first line."""
    return _line(COLUMNS)


def line_of(row: dict[str, Any]) -> str:
    """The line of a row."""
    return _line([_harmless(_cell(row.get(key))) for key in COLUMNS])


def _cell(value: Any) -> str:
    if value is None or value is False:
        return ""
    if isinstance(value, list):
        return " ".join(f'"{each.replace(chr(34), chr(34) * 2)}"' if set(each) & set(' "\t\r\n') else each for each in value)
    return "true" if value is True else repr(value) if isinstance(value, float) else str(value)


def _words(key: str, cell: str) -> list[str]:
    """What stands between blanks; what holds blanks itself stands in quotes."""
    try:
        return [word for line in csv.reader(io.StringIO(cell, newline=""), delimiter=" ", strict=True) for word in line if word]
    except csv.Error as error:
        raise Wrong(key, "has a quote that is not closed") from error


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith((*_FORMULA, "'")) else cell


def _harmful(cell: str) -> str:
    return cell[1:] if cell.startswith("'") and cell[1:].startswith((*_FORMULA, "'")) else cell


def _line(cells: Sequence[str]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow(cells)  # RFC 4180; and each of the two in a cell is quoted because of it
    return out.getvalue()


def _sign(first: str) -> str:
    return ";" if ";" in first and "," not in first else ","


class _Counted:
    """Lines, and how many were taken: a row with line ends in its cells takes several."""

    def __init__(self, file: Iterable[str]) -> None:
        self._lines = iter(file)
        self.number = 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.number += 1
        return line
