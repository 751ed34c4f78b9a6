"""The experiments that docs/training.md shows are experiments."""

import re
from pathlib import Path

import pytest

from selfaware.experiment import load_experiment, plan
from selfaware.training.spec import not_taken

PAGE = Path(__file__).parent.parent / "docs" / "training.md"
FILES = re.findall(r"^```yaml\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)


def test_every_backend_has_a_file() -> None:
    backends = re.findall(r"^backend: (\w+)$", "".join(FILES), re.M)
    assert backends == ["openai", "tinker", "together"]
    assert len(FILES) == 6


@pytest.mark.parametrize("text", FILES, ids=[text.split("\n")[0] for text in FILES])
def test_each_file_plans_its_finetunes(text: str, tmp_path: Path) -> None:
    file = tmp_path / "e.yaml"
    file.write_text(text)
    experiment = load_experiment(file)
    planned = plan(experiment, tmp_path)
    finetunes = [model.spec for model in planned.models if model.spec is not None]
    assert len(finetunes) == len(experiment.poles) * len(experiment.seeds)
    assert not_taken(experiment.finetune, experiment.backend) == ()
