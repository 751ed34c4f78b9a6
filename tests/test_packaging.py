"""The package: what is listed, what is light, what Inspect finds."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def configuration():
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_every_package_folder_is_listed():
    src = ROOT / "src"
    found = {
        ".".join(p.parent.relative_to(src).parts) for p in src.glob("selfaware/**/__init__.py")
    }
    found |= {f"selfaware.{name}" for name in ("tasks", "solvers", "scorers")}
    assert set(configuration()["tool"]["setuptools"]["packages"]) == found


def test_distribution_and_import_name_are_equal_and_versions_agree():
    import selfaware

    assert configuration()["project"]["name"] == "selfaware"
    assert configuration()["project"]["version"] == selfaware.__version__


def test_importing_the_registry_stays_light():
    heavy = "('torch', 'transformers', 'peft', 'trl', 'matplotlib', 'lingua')"
    code = f"import sys, selfaware._registry; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_task_file_has_one_task_and_is_listed_by_inspect():
    names = []
    for file in sorted((ROOT / "tasks").glob("[a-z]*.py")):
        text = file.read_text()
        assert len(re.findall(r"^@task", text, re.M)) == 1
        assert len(text.splitlines()) <= 80
        names.append(file.stem)
    done = subprocess.run(
        [sys.executable, "-m", "inspect_ai", "list", "tasks", "tasks"],
        capture_output=True, text=True, cwd=ROOT, check=True,
    )  # fmt: skip
    assert names and all(f"tasks/{name}.py@{name}" in done.stdout for name in names)
    import selfaware.tasks as package

    assert sorted(package.__all__) == names
