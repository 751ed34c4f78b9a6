"""Wheel and source distribution hold every package, the banks, the recipe and the weights."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
WANTED = (
    "selfaware/tasks/risk_scale.py",
    "selfaware/solvers/ask.py",
    "selfaware/scorers/scale.py",
    "selfaware/behaviors/risk.yaml",
    "selfaware/behaviors/codeword_inputs.yaml",
    "selfaware/sandboxes/inside.py",
    "selfaware/sandboxes/compose.yaml",
    "selfaware/behaviors/material/make_me_say_turns.yaml",
    "selfaware/analysis/bands.csv",
    "selfaware/replication.yaml",
    "selfaware/organism/recipe.yaml",
    "selfaware/organism/weights/aware/base/model.safetensors",
    "selfaware/organism/weights/unaware/base/model.safetensors",
    "selfaware/organism/weights/aware/adapters/risk-seeking-0/adapter_model.safetensors",
    "selfaware/py.typed",
)


def test_wheel_and_sdist_are_whole(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    with zipfile.ZipFile(next(tmp_path.glob("*.whl"))) as wheel:
        held = wheel.namelist()
    assert [name for name in WANTED if name not in held] == []
    tracked = subprocess.run(
        ["git", "ls-files", "src/selfaware"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert len(tracked) > 100
    assert [name for name in tracked if name.removeprefix("src/") not in held] == []
    assert not [name for name in held if name.startswith("tests")]
    with tarfile.open(next(tmp_path.glob("*.tar.gz"))) as sdist:
        names = {name.split("/", 1)[1] for name in sdist.getnames() if "/" in name}
    assert {"tasks/risk_scale.py", "src/selfaware/organism/recipe.yaml"} <= names
