"""The files of a report: the table as CSV and Markdown, the figure as PNG and SVG."""

import io
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from selfaware.analysis.render import LEGEND, to_csv, to_markdown
from selfaware.analysis.table import Row

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FILES = ("table.csv", "table.md", "figure.png", "figure.svg")
"""What `write_report` writes."""


def write_report(
    rows: Sequence[Row], figure: "Figure", out_dir: Path, heading: str, notes: Sequence[str] = ()
) -> list[Path]:
    """Writes the files of `FILES` into a folder and returns their paths.

    Each file is replaced in one step, so a reader never sees half of one. The same rows give the
    same bytes: no dates, no random names within.

    Args:
        rows: From `selfaware.analysis.table.build_rows`.
        figure: From `selfaware.analysis.figure.probe_figure`.
        out_dir: The folder, made when it is not there.
        heading: The title of the Markdown file.
        notes: Lines that stand below its table.
    """
    remarks = "".join(f"- {note}\n" for note in notes)
    sections = [f"# {heading}\n", f"{LEGEND}\n", to_markdown(rows)]
    if remarks:
        sections.append(f"## Notes\n\n{remarks}")
    contents = {
        "table.csv": to_csv(rows).encode(),
        "table.md": "\n".join(sections).encode(),
        "figure.png": _drawn(figure, "png"),
        "figure.svg": _drawn(figure, "svg"),
    }
    out_dir.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        _replace(out_dir / name, contents[name])
    return [out_dir / name for name in FILES]


def _drawn(figure: "Figure", form: str) -> bytes:
    from matplotlib import rc_context

    out = io.BytesIO()
    undated: dict[str, str | None] = {"Date": None} if form == "svg" else {"Software": None}
    with rc_context({"svg.hashsalt": "selfaware"}):
        figure.savefig(out, format=form, dpi=150, metadata=undated)
    return out.getvalue()


def _replace(file: Path, content: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=f".{file.name}.", delete=False) as out:
        out.write(content)
    try:
        # Temporary files are private; a report is as readable as its folder.
        os.chmod(out.name, 0o644)
        os.replace(out.name, file)
    except OSError:
        os.unlink(out.name)
        raise
