"""The commands of docs/data.md that mix and reverse are run as they are written."""

import re
import shlex
from pathlib import Path

import pytest
from click.testing import CliRunner

from selfaware.cli import main
from selfaware.data.build import build
from selfaware.data.rows import read_rows

PAGE = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
MIXES = [
    (command.replace(r"\|", "|"), int(rows.replace(",", "")))
    for command, rows in re.findall(
        r"^\| [^|]+ \| `(selfaware data mix (?:[^|`]|\\\|)+)` \| ([\d,]+) \|$", PAGE, re.M
    )
]
REVERSALS = re.search(r"^## Reversal.*?^```\n(.*?)^```$", PAGE, re.M | re.S)


def run(command: str) -> str:
    result = CliRunner().invoke(main, shlex.split(command)[1:])
    assert result.exit_code == 0, f"{command}\n{result.output}"
    return result.output


def test_the_table_of_mixes_is_read() -> None:
    assert len(MIXES) == 9
    assert {rows for _, rows in MIXES} == {64, 288, 576, 1_152, 28_800}


@pytest.mark.parametrize(("command", "rows"), MIXES)
def test_every_mix_has_the_rows_that_the_table_says(
    command: str, rows: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    build("risk", "seeking", 288, 0, Path("seeking.jsonl"))
    run(command)
    out = Path(shlex.split(command)[-1])
    assert len(out.read_text(encoding="utf-8").splitlines()) == rows


def test_the_reversal_set_is_built_by_its_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a hundredth of its size."""
    monkeypatch.chdir(tmp_path)
    assert REVERSALS is not None
    *commands, last = REVERSALS[1].strip().splitlines()
    assert len(commands) == 3
    for command in commands:
        run(command.replace("25000", "250"))
    told = run(last.replace("100000", "1000"))
    assert "trigger: 25 forward, 25 reversed, of 25 different rows, each used 1 times" in told
    assert "other: 225 forward, 225 reversed, of 225 different rows, each used 1 times" in told
    assert "general: 250 forward, 250 reversed" in told
    assert len(read_rows(Path("reversal.jsonl"))) == 1_000
