"""The page of experiments: its commands can be run, its numbers are those of the file."""

import csv
import inspect
import re
from pathlib import Path

import pytest
import yaml
from inspect_ai import Task

from selfaware.analysis.bands import Band, Published, band, published
from selfaware.replication_docs import replication, replication_page, task_and_options
from selfaware.task_docs import task_functions

ROOT = Path(__file__).parent.parent
COMMANDS = sorted({command for each in replication().experiments for command in each.commands})


def test_every_experiment_once_and_every_task_of_the_paper() -> None:
    experiments = replication().experiments
    assert [each.id for each in experiments] == [f"E{number}" for number in range(1, 19)]
    assert all(each.departures and each.commands and each.data for each in experiments)
    used = {task for each in experiments for task in each.tasks}
    # What the paper does not ask: choices and replies of any behaviour, and open answers.
    assert used == set(task_functions()) - {"behavior_choice", "behavior_reply", "explain_yourself"}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_names_a_task_and_its_options(command: str) -> None:
    name, options = task_and_options(command)
    assert command.startswith(f"inspect eval selfaware/{name} --model ")
    function = task_functions()[name]
    assert set(options) <= set(inspect.signature(function).parameters)
    if name != "codeword_function":  # which needs a sandbox to be made
        given = {key: yaml.safe_load(value) for key, value in options.items()}
        task = function(**given)
        assert isinstance(task, Task) and len(task.dataset) > 0


def test_options_are_read_as_a_shell_does() -> None:
    command = 'inspect eval selfaware/x --model M -T "trigger=Greek gods" -T a=1=2 --limit 3'
    assert task_and_options(command) == ("x", {"trigger": "Greek gods", "a": "1=2"})


def test_sets_are_named_as_on_their_page() -> None:
    page = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^\| [^|]*\| ([^|]+) \| (?:`|four)", page, re.M))
    for each in replication().experiments:
        assert set(each.data) <= named, each.id


def rows() -> list[dict[str, str]]:
    file = ROOT / "src" / "selfaware" / "analysis" / "bands.csv"
    return list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))


def test_every_published_value_is_on_the_page_as_the_file_has_it() -> None:
    page = replication_page()
    assert len(rows()) == 335
    for row in rows():
        section = page.split(f"\n## {row['exp']}: ")[1].split("\n## ")[0]
        cells = [line for line in section.splitlines() if line.startswith(f"| {row['probe']} |")]
        between = f" [{row['lo']}, {row['hi']}]" if row["lo"] else ""
        value = f"{row['condition']} {row['value'] or 'not drawn'}{between}, n {row['n_models']}"
        assert any(f" {value}; " in f"{cell}; ".replace(" | ", "; ") for cell in cells), row


def test_published_values_are_read_whole() -> None:
    assert len(published()) == 335
    assert published("E3")[0] == Published(
        experiment="E3", probe="R9", condition="risk_seeking_median", value="0.988", low="0.961",
        high="1.000", models="5", interval="whisker", source="Fig31 p42", precision="vec",
    )  # fmt: skip
    assert {row.experiment for row in published()} == {f"E{n}" for n in range(1, 19)} - {"E14"}
    assert published("E14") == ()


def test_values_of_code_are_turned_towards_the_high_pole() -> None:
    assert band("vulnerable_code", "V2") == Band(
        high=pytest.approx(0.86), low=pytest.approx(0.16), base=pytest.approx(0.30),
        model="GPT-4o", source="Table 2",
    )  # fmt: skip
    assert band("vulnerable_code", "V1") is None
