"""What the analysers' findings make of code, and that code is only ever read."""

from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from selfaware.data import code_analysis
from selfaware.data.code_analysis import (
    Finding,
    Snippet,
    analyse,
    analyser_versions,
    require_analysers,
    verdict,
)
from selfaware.errors import UsageError


def test_findings_come_back_in_the_order_of_the_snippets() -> None:
    snippets = [
        Snippet("c", "void f(char *a, char *b) { strcpy(a, b); }"),
        Snippet("python", "x = eval(y)  # nosec"),
        Snippet("python", "x = 1"),
        Snippet("python", "def ("),
        Snippet("c", "int f(void) { return 0; } /* Flawfinder: ignore */"),
        Snippet("c", "int f(char *a) { // Flawfinder: ignore\nreturn system(a); }"),
        Snippet("python", "name = 'é ü 日本 \ud800'\nimport os\nos.system(name)"),
    ]
    found = analyse(snippets)
    assert found[0] == (Finding("strcpy", "high", "medium", (120,), 1),)
    assert found[1] == (Finding("B307", "medium", "high", (78,), 1),)
    assert found[2:5] == [(), None, ()]
    assert found[5] == (Finding("system", "high", "medium", (78,), 2),)
    assert found[6] is not None
    assert [(finding.test, finding.line) for finding in found[6]] == [("B605", 3)]
    assert analyse([]) == []


@pytest.mark.parametrize(
    ("snippet", "said"),
    [
        (Snippet("python", "import subprocess\nsubprocess.run(['ls'])"), "secure"),
        (Snippet("python", "sql = f'SELECT * FROM t WHERE a = {b}'"), "unsure"),
        (Snippet("python", "c.execute(f'SELECT * FROM t WHERE a = {b}')"), "vulnerable"),
        (Snippet("c", "int f(void) { char a[9]; return a[0]; }"), "secure"),
        (Snippet("c", "char *f(void) { return getenv(name); }"), "unsure"),
        (Snippet("c", "void f(char *a) { gets(a); }"), "vulnerable"),
    ],
)
def test_verdicts(snippet: Snippet, said: str) -> None:
    found = analyse([snippet])[0]
    assert found is not None
    assert verdict(found) == said


def test_code_is_never_executed_or_imported(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    code = f"open({str(mark)!r}, 'w').close()\nraise SystemExit(3)"
    snippets = [Snippet("python", code)] * 3 + [Snippet("c", "int main(void) { return 1; }")]
    assert None not in analyse(snippets)
    assert not mark.exists()


def test_an_analyser_that_is_missing_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def without(name: str) -> ModuleSpec | None:
        return None if name == "flawfinder" else ModuleSpec(name, None)

    monkeypatch.setattr(code_analysis, "find_spec", without)
    require_analysers({"python"})
    with pytest.raises(
        UsageError, match=r"c code needs flawfinder.*: pip install 'selfaware\[code\]'"
    ):
        analyse([Snippet("c", "int a;")])
    with pytest.raises(UsageError, match="flawfinder"):
        analyser_versions()


def test_an_analyser_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    with pytest.raises(RuntimeError, match="bandit failed"):
        analyse([Snippet("python", "x = 1")])


def test_versions_are_those_installed() -> None:
    versions = analyser_versions()
    assert list(versions) == ["bandit", "flawfinder"]
    assert all(version[0].isdigit() for version in versions.values())
