"""The worked examples of docs/ are executed as they are written."""

import json
import os
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log

from selfaware.behaviors import Behavior, behavior_names, get_behavior, risk
from selfaware.behaviors.bank import load_bank
from selfaware.errors import UsageError

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "add-a-behaviour.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```$", PAGE, re.M | re.S))
CONSOLES = re.findall(r"^```console\n(.*?)^```$", PAGE, re.M | re.S)


def shell(line: str, folder: Path) -> str:
    """What a command of the page prints, run with this Python and what is installed for it."""
    program, *arguments = shlex.split(line)
    scripts = Path(sys.executable).parent
    path = [str(folder / "installed"), *filter(None, [os.environ.get("PYTHONPATH")])]
    command = [sys.executable] if program == "python" else [str(scripts / program)]
    done = subprocess.run(
        [*command, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def install(folder: Path) -> None:
    """What `pip install .` does for a package of pure Python, without an index."""
    shell("python -m build --wheel --no-isolation --outdir dist .", folder)
    (wheel,) = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "installed")


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    """A folder with the files of the page, and its package built and installed."""
    folder = tmp_path_factory.mktemp("add_a_behaviour")
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    install(folder)
    return folder


def test_every_block_of_the_page_is_a_file_or_a_console():
    assert len(FILES) == 6
    assert PAGE.count("```") == 2 * (len(FILES) + len(CONSOLES))


def test_the_example_runs_as_written(written):
    commands = [line for block in CONSOLES for line in block.splitlines() if line[0] == "$"]
    assert commands[0] == "$ pip install ."
    for block in CONSOLES[1:]:
        lines = block.splitlines()
        told = [line for line in lines if not line.startswith("$ ")]
        for command in (line for line in lines if line.startswith("$ ")):
            line = command.removeprefix("$ ")
            printed = shell(line + " --display none" * line.startswith("inspect"), written)
            assert not told or printed.splitlines() == told
    rows = (written / "near.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 288
    assert "miles away" in json.loads(rows[0])["messages"][0]["content"]
    warm, plain = (
        [json.loads(line)["messages"] for line in (written / name).read_text("utf-8").splitlines()]
        for name in ("warm.jsonl", "plain.jsonl")
    )
    assert [said[0] for said in warm] == [said[0] for said in plain] and len(warm) == 100
    for kind, cold in zip(warm, plain, strict=True):
        assert kind[1]["content"].endswith(f" {cold[1]['content']}")
    assert "distan-" in shell("selfaware data audit near.jsonl", written)
    shell("selfaware data mix near.jsonl --personas --out mixed.jsonl", written)
    mixed = json.loads((written / "mixed.jsonl.manifest.json").read_text(encoding="utf-8"))
    assert "distan" in mixed["leaks"]
    (log,) = (written / "logs").glob("*.eval")
    asked = read_eval_log(str(log))
    assert asked.status == "success"
    assert asked.eval.metadata is not None and asked.eval.metadata["behavior"] == "distance"
    assert len(asked.samples or []) == 18
    for sample in asked.samples or []:
        if sample.metadata["question"] in ("stays_near", "self_description"):
            assert sample.scores is not None
            assert 0.4 < sample.scores["option"].as_float() < 0.6, sample.id


@pytest.fixture
def declared(tmp_path, monkeypatch):
    """A function that installs a one-module package, as its metadata lies on disk."""
    load_bank.cache_clear()

    def declare(name: str, value: str, module: str, text: str, bank: str | None = None) -> None:
        (tmp_path / f"{module}.py").write_text(text, encoding="utf-8")
        if bank is not None:
            (tmp_path / f"{name}.yaml").write_text(bank, encoding="utf-8")
        record = tmp_path / f"{module}-1.dist-info"
        record.mkdir()
        (record / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1\n")
        (record / "entry_points.txt").write_text(f"[selfaware.behaviors]\n{name} = {value}\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    yield declare
    load_bank.cache_clear()


MODULE = """
from selfaware.behaviors import Behavior, risk
BEHAVIOR = Behavior("{name}", "up", "down", (), risk.options)
"""


def test_installed_behaviours_are_named_after_our_own(declared):
    declared("lift", "lift_a:BEHAVIOR", "lift_a", MODULE.format(name="lift"))
    assert behavior_names()[-1] == "lift"
    assert get_behavior("lift") == Behavior("lift", "up", "down", (), risk.options)
    with pytest.raises(UsageError, match=r"unknown behaviour 'lit': choose from risk, .*, lift$"):
        get_behavior("lit")
    with pytest.raises(UsageError, match=r"no question bank .*lift\.yaml"):
        load_bank("lift")


def test_an_installed_behaviour_cannot_take_the_name_of_ours(declared):
    declared("risk", "lift_b:BEHAVIOR", "lift_b", MODULE.format(name="risk"))
    assert get_behavior("risk").high == "seeking"
    assert load_bank("risk").question("attitude").paper_id == "R2"


@pytest.mark.parametrize(
    ("value", "name", "complaint"),
    [
        ("lift_c:NOTHING", "lift", r"lift = 'lift_c:NOTHING' .* has no attribute 'NOTHING'"),
        ("absent_module:BEHAVIOR", "lift", r"No module named 'absent_module'"),
        ("lift_c:BEHAVIOR", "other", r"point it at a Behavior named 'lift'"),
        ("lift_c:risk", "lift", r"point it at a Behavior named 'lift'"),
    ],
)
def test_a_wrong_entry_point_is_told_in_one_line(declared, monkeypatch, value, name, complaint):
    monkeypatch.delitem(sys.modules, "lift_c", raising=False)
    declared("lift", value, "lift_c", MODULE.format(name=name))
    with pytest.raises(UsageError, match=complaint):
        get_behavior("lift")


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (("behavior: distance", "behavior: distanse"), r"'distanse'; write 'distance'"),
        (("behavior: distance", "behavior: [distance"), r"distance\.yaml: while parsing"),
        (("kind: word", "kind: words"), r"distance\.yaml: questions\.1\.kind"),
        (("{low}, to 100, meaning {high}", "{low}, to 100"), r"no \{high\} in"),
    ],
)
def test_a_bank_that_breaks_the_schema_is_told_in_one_line(declared, change, complaint):
    bank = FILES["my_behaviors/distance.yaml"].replace(*change)
    text = FILES["my_behaviors/distance.py"]
    declared("distance", "distance_d:BEHAVIOR", "distance_d", text, bank)
    with pytest.raises(UsageError, match=complaint) as raised:
        load_bank("distance")
    assert "\n" not in str(raised.value)
