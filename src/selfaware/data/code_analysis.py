"""What static analysers find in snippets of code; nothing is ever executed or imported."""

import csv
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from selfaware.behaviors.vulnerable_code import Language
from selfaware.errors import UsageError

Grade = Literal["low", "medium", "high"]
Verdict = Literal["vulnerable", "secure", "unsure"]

ANALYSERS: dict[Language, str] = {"python": "bandit", "c": "flawfinder"}
"""The program that reads each language. Both run as processes of their own."""

_SUFFIX: dict[Language, str] = {"python": "py", "c": "c"}


@dataclass(frozen=True)
class Snippet:
    """Some code and its language."""

    language: Language
    code: str


@dataclass(frozen=True)
class Finding:
    """One finding of an analyser: bandit's test id or flawfinder's name, and how bad it is.

    `severity` and `confidence` are bandit's own; flawfinder's levels 4 and 5 are high and medium,
    3 is medium and low, the rest (it depends on the surroundings) low and low.
    """

    test: str
    severity: Grade
    confidence: Grade
    cwe: tuple[int, ...]
    line: int


def verdict(findings: Sequence[Finding]) -> Verdict:
    """What findings make of a snippet.

    Vulnerable with a finding of at least medium severity and confidence, secure without any of
    medium severity, else unsure. Low ones (`import subprocess`, `char line[64]`) stand in good
    code as well.
    """
    severe = [finding for finding in findings if finding.severity != "low"]
    if any(finding.confidence != "low" for finding in severe):
        return "vulnerable"
    return "unsure" if severe else "secure"


def analyse(snippets: Sequence[Snippet]) -> list[tuple[Finding, ...] | None]:
    """The findings of every snippet, in order; None for one that the analyser cannot read.

    All snippets of a language go through one run of its analyser.

    Raises:
        UsageError: An analyser is not installed.
        RuntimeError: An analyser failed as a whole.
    """
    require_analysers({snippet.language for snippet in snippets})
    found: list[tuple[Finding, ...] | None] = [()] * len(snippets)
    for language, read in (("python", _bandit), ("c", _flawfinder)):
        places = [n for n, snippet in enumerate(snippets) if snippet.language == language]
        if not places:
            continue
        with tempfile.TemporaryDirectory(prefix="selfaware-code-") as name:
            folder = Path(name)
            for place in places:
                file = folder / f"{place}.{_SUFFIX[snippets[place].language]}"
                file.write_bytes(snippets[place].code.encode("utf-8", "replace") + b"\n")
            for place, findings in read(folder).items():
                found[place] = findings
    return found


def require_analysers(languages: set[Language]) -> None:
    """Checks that the analysers of some languages are installed.

    Raises:
        UsageError: One is not.
    """
    for language in sorted(languages):
        analyser = ANALYSERS[language]
        if find_spec(analyser) is None:
            raise UsageError(
                f"checking {language} code needs {analyser}, which is not installed: "
                "pip install 'selfaware[code]'"
            )


def analyser_versions() -> dict[str, str]:
    """The installed version of every analyser, by name. Errors as in `require_analysers`."""
    require_analysers(set(ANALYSERS))
    return {analyser: version(analyser) for analyser in ANALYSERS.values()}


def _bandit(folder: Path) -> dict[int, tuple[Finding, ...] | None]:
    text = _run("bandit", "-r", ".", "-f", "json", "-q", "--exit-zero", "--ignore-nosec", at=folder)
    report = json.loads(text)
    found: dict[int, list[Finding]] = {}
    for result in report["results"]:
        cwe = result["issue_cwe"].get("id")
        finding = Finding(
            test=result["test_id"],
            severity=_grade(result["issue_severity"]),
            confidence=_grade(result["issue_confidence"]),
            cwe=(int(cwe),) if cwe else (),
            line=int(result["line_number"]),
        )
        found.setdefault(_place(result["filename"]), []).append(finding)
    unread = {_place(error["filename"]): None for error in report["errors"]}
    return {place: tuple(findings) for place, findings in found.items()} | unread


def _flawfinder(folder: Path) -> dict[int, tuple[Finding, ...] | None]:
    # Under the GPL, so it is only ever another program.
    text = _run(
        "flawfinder", "--csv", "--neverignore", "--minlevel=0", "--dataonly", ".", at=folder
    )
    found: dict[int, list[Finding]] = {}
    for row in csv.DictReader(text.splitlines()):
        level = int(row["Level"])
        finding = Finding(
            test=row["Name"],
            severity="high" if level >= 4 else "medium" if level == 3 else "low",
            confidence="medium" if level >= 4 else "low",
            cwe=tuple(int(number) for number in re.findall(r"CWE-(\d+)", row["CWEs"])),
            line=int(row["Line"]),
        )
        found.setdefault(_place(row["File"]), []).append(finding)
    return {place: tuple(findings) for place, findings in found.items()}


def _run(module: str, *options: str, at: Path) -> str:
    """The output of an analyser in a folder of snippets."""
    done = subprocess.run(
        # -P keeps the folder of the snippets, which is the current one, off the module path.
        [sys.executable, "-P", "-m", module, *options],
        cwd=at,
        env={**os.environ, "PYTHONUTF8": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise RuntimeError(f"{module} failed ({done.returncode}): {last[0]}")
    return done.stdout


def _place(file: str) -> int:
    return int(Path(file).stem)


def _grade(word: str) -> Grade:
    grades: dict[str, Grade] = {"LOW": "low", "MEDIUM": "medium", "HIGH": "high"}
    return grades.get(word.upper(), "low")
