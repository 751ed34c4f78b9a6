"""Journals: what is kept, what is refused, and what a kill leaves."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from selfaware.data.journal import Journal
from selfaware.errors import UsageError

WORK = {"rows": 4, "seed": 0}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
kept = st.dictionaries(
    st.text(max_size=8), st.dictionaries(st.text(max_size=5), values, max_size=3), max_size=6
)


def write(path: Path, results: dict[str, dict[str, object]]) -> None:
    with Journal(path, WORK) as journal:
        for key, result in results.items():
            journal.add(key, result)


def read(path: Path) -> dict[str, object]:
    with Journal(path, WORK) as journal:
        return dict(journal.results)


def test_a_result_is_in_the_file_as_soon_as_it_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.journal"
    with Journal(path, WORK) as journal:
        assert journal.results == {}
        assert path.read_text() == '{"work": {"rows": 4, "seed": 0}}\n'
        journal.add("a", {"said": "é\n"})
        assert path.read_bytes().endswith('{"key": "a", "result": {"said": "é\\n"}}\n'.encode())
        assert journal.results == {"a": {"said": "é\n"}}
    assert read(path) == {"a": {"said": "é\n"}}


def test_a_key_is_kept_once(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    with Journal(path, WORK) as journal:
        journal.add("a", {"n": 1})
        with pytest.raises(ValueError, match="'a' stands in"):
            journal.add("a", {"n": 2})
    with Journal(path, WORK) as journal, pytest.raises(ValueError, match="'a' stands in"):
        journal.add("a", {"n": 3})
    assert read(path) == {"a": {"n": 1}}


def test_other_work_is_refused_and_its_file_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    write(path, {"a": {}})
    before = path.read_bytes()
    other = {"rows": 5, "seed": 0, "model": "m"}
    with (
        pytest.raises(UsageError, match=r"is of other work \(model, rows differ\): give the same"),
        Journal(path, other),
    ):
        pass
    assert path.read_bytes() == before
    # The refusal lets go of the file.
    assert read(path) == {"a": {}}


def test_a_journal_without_results_is_begun_anew_for_other_work(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    write(path, {})
    with Journal(path, {"rows": 9}) as journal:
        journal.add("a", {"n": 1})
    with Journal(path, {"rows": 9}) as journal:
        assert journal.results == {"a": {"n": 1}}
    assert [json.loads(line) for line in path.read_text().splitlines()] == [
        {"work": {"rows": 9}},
        {"key": "a", "result": {"n": 1}},
    ]


def test_work_is_compared_as_json_would_hold_it(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    with Journal(path, {"stems": ("a", "b")}) as journal:
        journal.add("a", {})
    with Journal(path, {"stems": ["a", "b"]}) as journal:
        assert journal.results == {"a": {}}


@pytest.mark.parametrize(
    "content",
    [
        b"notes of somebody",
        b"notes of\nsomebody\n",
        b'{"messages": []}\n{"messages": []}',
        b'{"work": {"rows": 4, "seed": 0}}\n{"key": "a"}\n',
        b"[1]\n",
        b"\xff\xfe\n",
        b"\n",
    ],
)
def test_what_is_no_journal_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.journal"
    path.write_bytes(content)
    with pytest.raises(UsageError, match="not a journal; move it away"), Journal(path, WORK):
        pass
    assert path.read_bytes() == content


def test_a_second_process_is_refused_until_the_first_is_done(tmp_path: Path) -> None:
    path = tmp_path / "x.journal"
    script = (
        "import sys\nfrom pathlib import Path\nfrom selfaware.data.journal import Journal\n"
        "with Journal(Path(sys.argv[1]), {'rows': 4, 'seed': 0}) as journal:\n"
        "    journal.add('theirs', {})\n    print('ready', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        with (
            pytest.raises(UsageError, match="another process is writing it"),
            Journal(path, WORK),
        ):
            pass
        process.kill()
    assert read(path) == {"theirs": {}}


@settings(max_examples=60, deadline=None)
@given(results=kept, data=st.data())
def test_a_cut_loses_the_line_it_went_through_and_no_other(
    results: dict[str, dict[str, object]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.journal"
        write(path, results)
        assert read(path) == results
        assert list(read(path)) == list(results)
        content = path.read_bytes()
        cut = data.draw(st.integers(0, len(content)))
        path.write_bytes(content[:cut])
        whole = max(content[:cut].count(b"\n") - 1, 0)
        survivors = dict(list(results.items())[:whole])
        assert read(path) == survivors
        # The work goes on behind the cut, and gives what it would have given.
        write(path, {key: result for key, result in results.items() if key not in survivors})
        assert path.read_bytes() == content
