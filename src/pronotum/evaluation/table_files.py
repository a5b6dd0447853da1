"""Tables as files for spreadsheets (CSV) and for reading (HTML)."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

import pandas as pd

from pronotum import files
from pronotum.errors import UserError

HTML = (".html", ".htm")
STYLE = (
    "body{font-family:sans-serif}table{border-collapse:collapse}td,th{padding:.2em .7em;text-align:right}"
    "tr:nth-child(even){background:#eee}"
)


def write(table: pd.DataFrame, path: Path, *, title: str = "", remarks: Sequence[str] = (), digits: int = 4) -> None:
    """Write a table in one step, as CSV or HTML by the file's suffix.

    Args:
        table: without a meaningful index.
        path: ending in .csv, .html or .htm.
        title: heading, HTML only.
        remarks: sentences under the heading, HTML only; `Part.remarks` names contaminated methods.
        digits: decimals of numbers, HTML only; CSV has all of them.

    Raises:
        UserError: another suffix.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", *HTML):
        raise UserError(path, found=f"unknown kind of table '{suffix}'", expected="a name ending in .csv or .html")
    if suffix == ".csv":
        files.write_text(path, table.to_csv(index=False, lineterminator="\n"))
        return
    body = table.to_html(index=False, border=0, na_rep="", float_format=lambda value: f"{value:.{digits}f}")
    notes = "".join(f"<p><strong>{escape(remark)}</strong></p>\n" for remark in remarks)
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    page = f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head><body>\n<h1>{escape(title)}</h1>\n{notes}{body}\n'
    files.write_text(path, page + "</body></html>\n")
