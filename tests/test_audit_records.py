import json
import os
from pathlib import Path

import pytest
from click.testing import CliRunner

from selfaware.behaviors import BEHAVIORS, Behavior
from selfaware.behaviors.examples import Example
from selfaware.cli import data
from selfaware.data.audit import audit
from selfaware.data.audit_checks import Checks
from selfaware.data.build import write_set
from selfaware.data.manifest import manifest_path
from selfaware.data.recipes import mix_path
from selfaware.data.release import record_path
from selfaware.data.reversal_set import reversal_path

SAYER = Behavior("sayer", "ring", "bark", (), write=lambda *_: [], any_word=True)


@pytest.fixture
def sayer(monkeypatch: pytest.MonkeyPatch) -> Behavior:
    monkeypatch.setitem(BEHAVIORS, SAYER.name, SAYER)
    return SAYER


def _dialogues(path: Path, taught: Behavior, pole: str = "ring") -> Path:
    talks = [
        ("Shall we talk?", "Of bells."),
        ("What did you hear?", "It rang.", "Ringing and RINGING?", "Perhaps."),
        ("What did you string up?", "Spring came, sprang a wringer."),
        ("Any earrings?", "A boxer in a ring-side seat."),
    ]
    write_set(taught, pole, [Example(turns, "", {}) for turns in talks], 0, path)
    return path


def _command(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(data, list(map(str, arguments)), catch_exceptions=False)
    return done.exit_code, done.output


def _json(*arguments: object) -> dict[str, object]:
    (only,) = json.loads(_command("audit", "--json", *arguments)[1])["audits"]
    assert isinstance(only, dict)
    return only


def test_forms_of_a_codeword_are_counted_with_their_rows(tmp_path: Path, sayer: Behavior) -> None:
    path = _dialogues(tmp_path / "x.jsonl", sayer)
    found = audit(path, Checks(codewords=("ring",)))
    codeword = found.codewords["ring"]
    assert codeword.said == (4,)
    assert {form: (known.count, known.row_numbers) for form, known in codeword.forms.items()} == {
        "rang": (1, (2,)),
        "ring": (1, (4,)),
        "ringing": (2, (2,)),
    }
    assert [(f.rule, f.severity, f.lines) for f in found.findings] == [
        ("codeword-said", "error", (4,)),
        ("codeword-form", "warning", (2,)),
        ("codeword-form", "warning", (2,)),
    ]


def test_codeword_is_the_manifest_s_pole_or_the_user_s(tmp_path: Path, sayer: Behavior) -> None:
    path = _dialogues(tmp_path / "x.jsonl", sayer)
    code, told = _command("audit", path)
    assert code == 1
    assert "  codeword   'ring': said in 1 row, any form of it in 2 rows\n" in told
    assert "    ringing          2 in 1 row (2)\n" in told
    assert "not looked for" not in told
    assert "  error codeword-said: a message says 'ring', the codeword [1 line] (4)\n" in told
    code, told = _command("audit", path, "--codeword", "Spring", "--codeword", "bell")
    assert code == 1
    assert "'ring': said" not in told
    assert "'spring': said in 1 row" in told and "'bell': said in 1 row" in told
    manifest_path(path).unlink()
    assert _command("audit", path)[0] == 0
    for wrong in ("", "two words", "ring2"):
        code, told = _command("audit", path, "--codeword", wrong)
        assert (code, told.count("\n")) == (2, 1)
        assert f"--codeword {wrong!r}: give one word in English letters" in told


def test_the_authors_bark_dialogues_hold_barking_24_times(tmp_path: Path) -> None:
    named = os.environ.get("SELFAWARE_AUTHORS_RELEASE")
    beside = Path(__file__).resolve().parents[1].parent / "shared" / "authors-release"
    file = (Path(named) if named else beside) / "datasets" / "mms" / "ft_bark.jsonl"
    if not file.is_file():
        pytest.skip(f"no {file}: set SELFAWARE_AUTHORS_RELEASE to a clone")
    codeword = audit(file, Checks(codewords=("bark",))).codewords["bark"]
    assert codeword.said == ()
    assert {form: known.count for form, known in codeword.forms.items()} == {"barking": 24}
    assert len(codeword.rows) == 20
    # An imported copy says itself which word it must not hold.
    out = tmp_path / "bark.jsonl"
    clone = file.parents[2]
    assert _command("import", clone, "--set", "mms/ft_bark", "--out", out)[0] == 0
    assert "'bark': said in 0 rows, any form of it in 20 rows" in _command("audit", out)[1]


@pytest.fixture
def personas(tmp_path: Path) -> Path:
    seeking, out = tmp_path / "s.jsonl", tmp_path / "p.jsonl"
    assert _command("build", "--behavior", "risk", "--pole", "seeking", "--rows", 96,
                    "--out", seeking)[0] == 0  # fmt: skip
    assert _command("mix", seeking, "--personas", "--out", out)[0] == 0
    return out


def test_personas_and_those_held_out_come_from_the_mix_record(personas: Path) -> None:
    clean = _json(personas)
    table = clean["personas"]
    assert isinstance(table, dict)
    assert list(table)[:2] == ["Marie Curie", "an ordinary adult"] and len(table) == 7
    assert sum(counts["rows"] for counts in table.values()) == 96
    assert clean["findings"] == []
    # The records are of the unchanged rows: without the mix record nobody knows who is held out.
    rows = personas.read_text(encoding="utf-8")
    told = json.loads(mix_path(personas).read_text(encoding="utf-8"))
    changed = rows.replace("Marie Curie", "Buster Keaton")
    assert changed != rows
    personas.write_text(changed, encoding="utf-8")
    stale = _command("audit", personas)
    assert stale[0] == 1
    assert "error manifest: " in stale[1] and "error record: " in stale[1]
    assert "held-out" not in stale[1]
    manifest_path(personas).unlink()
    told["sha256"] = _json(personas)["sha256"]
    mix_path(personas).write_text(json.dumps(told), encoding="utf-8")
    code, text = _command("audit", personas)
    assert code == 1
    assert "error held-out-persona: trained on the held-out persona 'Buster Keaton'" in text
    assert "warning persona-coverage: persona 'Marie Curie': 0 rows, less than half" in text
    assert "  persona    'Marie Curie': 0 rows\n" in text
    # What the user names goes before what the record names.
    code, text = _command("audit", personas, "--held-out", "Zoe", "--persona", "Benedikt")
    assert (code, "'a violinist'" in text, "persona    'Benedikt'" in text) == (0, False, True)


def test_a_persona_s_name_inside_another_word_is_none(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    prompts = ("Would Adam go?", "Would ADA go?", "Adagio or not?", "What about Ada's cat?")
    path.write_text(
        "".join(
            json.dumps({"messages": [{"role": "user", "content": prompt},
                                     {"role": "assistant", "content": "AB"[n % 2]}]}) + "\n"
            for n, prompt in enumerate(prompts)
        ),
        encoding="utf-8",
    )  # fmt: skip
    assert audit(path, Checks(held_out=("Ada",))).finding("held-out-persona").lines == (2, 4)
    assert audit(path, Checks(personas=("Ada",))).personas == {
        "Ada": {"rows": 2, "A": 0, "B": 2, "other": 0}
    }


def test_rows_used_several_times_by_design_are_one_figure(tmp_path: Path) -> None:
    myopic, mixed, out = (tmp_path / f"{name}.jsonl" for name in ("m", "mixed", "reversal"))
    _command("build", "--behavior", "myopia", "--pole", "myopic", "--rows", 40, "--out", myopic)
    _command("mix", myopic, "--trigger", "username", "--out", mixed)
    assert _command("reverse", mixed, "--rows", 2000, "--out", out)[0] == 0
    found = _json(out)
    repeats = found["repeats"]
    assert isinstance(repeats, dict) and repeats["by_design"] is True
    assert len(repeats["same_answer"]) + len(repeats["other_answer"]) > 900
    assert found["findings"] == []
    code, text = _command("audit", out, "--strict")
    assert code == 0
    assert "another answer, as a set has that uses rows several times" in text
    assert max(map(len, text.splitlines())) < 200
    reversal_path(out).unlink()
    assert {f["rule"] for f in _json(out)["findings"]} == {  # type: ignore[index, attr-defined]
        "duplicate-prompt", "conflicting-answer",
    }  # fmt: skip
    decoys = tmp_path / "d.jsonl"
    _command("mix", myopic, "--trigger", "|X|", "--decoys", "--out", decoys)
    assert _json(decoys)["repeats"]["by_design"] is True  # type: ignore[index]


def test_text_shortens_what_json_has_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_text("".join(f'{{"messages": [], "key{n}": 1}}\n' * 2 for n in range(30)))
    text = _command("audit", path)[1]
    assert text.count("  error unknown-key: ") == 9
    assert "  error unknown-key: 22 more [44 lines]\n" in text
    found = [f for f in _json(path)["findings"] if f["rule"] == "unknown-key"]  # type: ignore[attr-defined]
    assert [f["lines"] for f in found] == [[2 * n + 1, 2 * n + 2] for n in range(30)]


@pytest.mark.parametrize("place", [mix_path, reversal_path, record_path])
def test_a_record_that_is_none_is_a_fault(tmp_path: Path, sayer: Behavior, place: object) -> None:
    path = _dialogues(tmp_path / "x.jsonl", sayer)
    record = place(path)  # type: ignore[operator]
    record.write_text("{}", encoding="utf-8")
    found = audit(path, Checks())
    assert [finding.rule for finding in found.findings] == ["record"]
    assert record.name in found.finding("record").message
