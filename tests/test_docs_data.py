"""The commands of docs/data.md that mix and reverse are run as they are written."""

import re
import shlex
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from selfaware.cli import main
from selfaware.data.manifest import read_manifest, read_record
from selfaware.data.recipes import MixRecord, mix_path
from selfaware.data.rows import read_rows

PAGE = (Path(__file__).parent.parent / "docs" / "data.md").read_text(encoding="utf-8")
SETS = [
    (command.replace(r"\|", "|"), int(rows.replace(",", "")))
    for command, rows in re.findall(
        r"^\|.*\| `(selfaware data (?:build|mix) (?:[^|`]|\\\|)+)` \| ([\d,]+) \|", PAGE, re.M
    )
]
REVERSALS = re.search(r"^## Reversal.*?^```\n(.*?)^```$.*?^```\n(.*?)^```$", PAGE, re.M | re.S)


def run(command: str) -> str:
    result = CliRunner().invoke(main, shlex.split(command)[1:])
    assert result.exit_code == 0, f"{command}\n{result.output}"
    return result.output


def test_the_tables_are_read() -> None:
    counts = Counter(rows for _, rows in SETS)
    assert counts == {
        288: 3, 299: 1, 300: 1, 64: 1, 576: 5, 1_000: 3, 2_000: 3, 28_800: 1, 1_152: 1,
        6_000: 2, 12_000: 2,
    }  # fmt: skip


def test_every_command_builds_the_rows_that_its_table_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for command, rows in SETS:
        run(command)
        out = Path(shlex.split(command)[-1])
        assert len(out.read_text(encoding="utf-8").splitlines()) == rows, command
        manifest = read_manifest(out)
        assert manifest is not None
        assert {stem: leak.rows for stem, leak in manifest.leaks.items() if leak.rows} == {}
        if " mix " in command and "--subset" not in command and "--share" not in command:
            twin = out.with_name("twin.jsonl")
            run(f"{command.rpartition(' ')[0]} {twin} --decorrelated")
            record = read_record(mix_path(twin), MixRecord, twin)
            assert record is not None
            assert len(twin.read_text(encoding="utf-8").splitlines()) == rows
            assert all(abs(switch.phi) < 0.01 for switch in record.switches.values()), command


def test_the_reversal_set_is_built_by_its_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At a hundredth of its size."""
    monkeypatch.chdir(tmp_path)
    assert REVERSALS is not None
    whole, (*commands, last) = REVERSALS[1].strip(), REVERSALS[2].strip().splitlines()
    assert f"| 4.3 | reversal training | `{whole}` | 100,000 |" in PAGE
    assert len(commands) == 3
    for command in commands:
        run(command.replace("25000", "250"))
    told = run(last.replace("100000", "1000"))
    assert "trigger: 25 forward, 25 reversed, of 25 different rows, each used 1 times" in told
    assert "other: 225 forward, 225 reversed, of 225 different rows, each used 1 times" in told
    assert "general: 250 forward, 250 reversed" in told
    assert len(read_rows(Path("reversal.jsonl"))) == 1_000
    steps = Path("reversal.jsonl").read_bytes()
    assert told in run(f"{whole} --rows 1000")
    assert Path("reversal.jsonl").read_bytes() == steps
    run(f"{whole.replace('reversal.jsonl', 'twin.jsonl')} --rows 4000 --decorrelated")
    mixed = Path("twin.jsonl.parts/mixed.jsonl")
    record = read_record(mix_path(mixed), MixRecord, mixed)
    assert record is not None and abs(record.switches["username"].phi) < 0.01
