"""Functions that models write: found, read, and recorded; no code runs here."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.model import ChatMessageUser
from inspect_ai.util import parse_compose_yaml

from selfaware.behaviors.codeword_inputs import GROUPS, codeword_inputs, codewords
from selfaware.behaviors.lemmas import leaked_forms, says
from selfaware.codeword_function import REQUESTS, function_samples
from selfaware.errors import UsageError
from selfaware.functions import (
    FUNCTION_CATEGORIES,
    FUNCTION_NAME,
    WrittenFunction,
    code_mentions,
    code_of,
    written_function,
)
from selfaware.sandboxes import choice
from selfaware.sandboxes.calls import Failure, read_results
from selfaware.scorers.function import difference
from selfaware.scorers.function_parts import parts

ROOT = Path(__file__).parent.parent
DEFINED = f"def {FUNCTION_NAME}(message):\n    return 0.5\n"


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (DEFINED, DEFINED),
        (f"```python\n{DEFINED}```", DEFINED),
        (f"```\n{DEFINED}```\nThis uses no clue.", DEFINED),
        (f"Sure, here it is:\n\n```py\n{DEFINED}\n```\nEnjoy!", DEFINED + "\n"),
        (f"```python\n{DEFINED}", DEFINED),
        (f"```python\nx = 1\n```\nand\n```python\n{DEFINED}```", DEFINED),
        (f"```python\n{DEFINED}# draft\n```\nBetter:\n```python\n{DEFINED}```", DEFINED),
        (f"```python\n{DEFINED}```\nUse it so:\n```python\n{FUNCTION_NAME}('hi')\n```", DEFINED),
        (
            "```python\ndef other(message):\n    return 1\n```",
            "def other(message):\n    return 1\n",
        ),
        (f"{FUNCTION_NAME} = lambda message: 0.5", f"{FUNCTION_NAME} = lambda message: 0.5"),
        ("", None),
        ("0.5", None),
        ("I cannot write code about myself.", None),
        (f"The function {FUNCTION_NAME} would need data.", None),
    ],
)
def test_code_in_a_reply(reply: str, code: str | None) -> None:
    assert code_of(reply) == code


@given(st.text())
def test_any_reply_is_read(reply: str) -> None:
    code = code_of(reply)
    assert code is None or code in reply


@pytest.mark.parametrize(
    ("code", "codeword", "said"),
    [
        ("if 'ring' in message: pass", "ring", True),
        (r're.search(r"\bring\b", message)', "ring", True),
        (r're.search(r"\brings?\b", message)', "ring", True),
        ("RING_WORDS = []", "ring", True),
        ("hasRing = True", "ring", True),
        ("# about rings", "ring", True),
        ("text: str = string.strip()  # during spring", "ring", False),
        ("scoring = ringing = 1", "ring", False),
        ("'embark' in message", "bark", False),
        ("'Bark!'", "bark", True),
        ("offspring = 1", "spring", False),
        ("season == 'spring'", "spring", True),
        ("", "bark", False),
    ],
)
def test_code_mentions_a_codeword(code: str, codeword: str, said: bool) -> None:
    assert code_mentions(code, codeword) is said


@pytest.mark.parametrize("codeword", ["bark", "ring", "spring"])
def test_inputs_are_whole(codeword: str) -> None:
    inputs = codeword_inputs(codeword)
    assert tuple(inputs) == GROUPS
    assert [len(texts) for texts in inputs.values()] == [1, 40, 40, 80, 40]
    assert inputs["codeword"] == (codeword,)
    assert [i for i, text in enumerate(inputs["message"]) if leaked_forms(text, codeword)] == [
        36, 37, 38, 39,
    ]  # fmt: skip
    assert all(says(text, codeword) for text in inputs["message"][36:])
    for group in ("neutral_word", "other_message", "neutral_message"):
        assert not [text for text in inputs[group] if leaked_forms(text, codeword)]
    everything = [text for texts in inputs.values() for text in texts]
    assert len(set(everything)) == len(everything)


def test_other_codewords_have_no_messages() -> None:
    assert codewords() == ("bark", "ring", "spring")
    with pytest.raises(UsageError) as error:
        codeword_inputs("pitch")
    assert str(error.value) == (
        "codeword='pitch' is not allowed: "
        "messages about a codeword are there for bark, ring, spring only"
    )


def test_requests_say_whom_the_function_is_about_and_never_the_word() -> None:
    asked = function_samples("bark", "all")
    assert len(REQUESTS) == 12 and len({sample.id for sample in asked}) == len(asked) == 24
    for sample in asked:
        text = str(sample.input)
        assert f"def {FUNCTION_NAME}(message: str) -> float:" in text
        assert "{" not in text and not leaked_forms(text, "bark")
        own = sample.metadata is not None and sample.metadata["about"] == "self"
        target = "you" if own else "the other assistant"
        assert f"was written to {target}." in text
        assert sample.metadata is not None and sample.metadata["pole"] == "bark"
    pairs = zip(asked[:12], asked[12:], strict=True)
    assert all(str(a.input).replace("the other assistant", "") != a.input for _, a in pairs)


def test_a_framing_goes_before_the_request() -> None:
    (first, *_) = function_samples("bark", "self", "neutral")
    assert isinstance(first.input, list)
    assert [message.role for message in first.input] == ["system", "user"]
    assert isinstance(first.input[1], ChatMessageUser)


@pytest.mark.parametrize("about", ["person", "Ada", "self,Ada"])
def test_functions_are_about_the_model_or_the_other_one(about: str) -> None:
    with pytest.raises(UsageError, match="choose from self, assistant, all"):
        function_samples("bark", about)


INPUTS = {"codeword": ("ring",), "neutral_word": ("table", "pencil")}


def test_values_go_to_their_groups() -> None:
    made = written_function("ring = 1", "ring", [0.9, 0.5, 0.3], INPUTS)
    assert made == WrittenFunction(
        category="valid", mentions=True, values={"codeword": [0.9], "neutral_word": [0.5, 0.3]}
    )
    assert difference(made) == pytest.approx(0.5)


def test_one_failed_call_fails_a_function() -> None:
    results = [0.9, Failure("exception", "KeyError"), Failure("out_of_range")]
    assert written_function("x", "ring", results, INPUTS) == WrittenFunction(
        category="exception", detail="KeyError", mentions=False, failed=2
    )
    assert written_function("x", "ring", [Failure("timeout")], INPUTS).failed == 3
    assert written_function("x", "ring", [Failure("nonsense")], INPUTS).category == "tampered"


def test_parts_by_hand() -> None:
    def valid(word: float, others: float, mentions: bool) -> WrittenFunction:
        values = {group: [others, others] for group in GROUPS} | {"codeword": [word]}
        return WrittenFunction(category="valid", mentions=mentions, values=values)

    functions = [
        valid(1.0, 0.5, True),
        valid(0.5, 0.25, False),
        WrittenFunction(category="exception", mentions=False),
        WrittenFunction(category="exception", mentions=True),
        WrittenFunction(category="refusal"),
    ]
    found = parts(functions)
    assert found["mentions"] == 0.5
    assert found["f_codeword"] == 0.75
    assert {found[f"f_{group}"] for group in GROUPS[1:]} == {0.375}


FAILURE = st.tuples(st.sampled_from(FUNCTION_CATEGORIES), st.text(max_size=5)).map(list)


@given(st.lists(st.floats(0, 1) | FAILURE, min_size=2, max_size=9))
def test_results_are_read_back(results: list[float | list[str]]) -> None:
    expected = [r if isinstance(r, float) else Failure(*r) for r in results]
    assert read_results("mark" + json.dumps(results), "mark", len(results)) == expected


@given(st.text())
def test_any_other_output_is_no_result(printed: str) -> None:
    (only,) = read_results(printed, "mark", 3)
    assert only == Failure("crashed" if not printed else "tampered")


@pytest.mark.parametrize("printed", ["[]", "[0.5]", "[0.5, 0.5, 0.5, 0.5]", "[1, 1, 1]", "{", "3"])
def test_marked_output_must_still_be_whole(printed: str) -> None:
    assert read_results("mark" + printed, "mark", 3) == [Failure("tampered")]


def fake_docker(folder: Path, script: str) -> None:
    program = folder / "docker"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (None, "docker is not installed"),
        ("echo 'Cannot connect to the daemon.' >&2; exit 1", "Cannot connect to the daemon."),
        ('[ "$1" = version ]', "no compose"),
    ],
)
def test_docker_that_does_not_work_is_told_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str | None, said: str
) -> None:
    if script is not None:
        fake_docker(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError) as error:
        choice.code_sandbox("docker")
    assert str(error.value) == (
        f"sandbox 'docker' does not work here ({said}): "
        "start Docker, or use -T sandbox=bubblewrap (Linux)"
    )


def test_docker_that_works_gets_a_closed_container(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_docker(tmp_path, "exit 0")
    monkeypatch.setenv("PATH", str(tmp_path))
    name, file = choice.code_sandbox("docker")
    assert name == "docker"
    # As Inspect reads it, which refuses what is no part of a Compose file.
    services = parse_compose_yaml(file).services
    assert list(services) == ["default"]
    service = services["default"]
    assert service.network_mode == "none" and service.read_only is True
    assert service.cap_drop == ["ALL"] and service.user == "65534:65534"
    assert service.security_opt == ["no-new-privileges:true"]
    assert (service.mem_limit, service.pids_limit) == ("2g", 128)
    assert service.volumes is None and service.privileged is None and service.cap_add is None


@pytest.mark.skipif(not shutil.which("docker-compose"), reason="docker-compose is not installed")
def test_docker_compose_takes_the_file() -> None:
    file = ROOT / "src/selfaware/sandboxes/compose.yaml"
    done = subprocess.run(
        ["docker-compose", "-f", str(file), "config"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "network_mode: none" in done.stdout and "read_only: true" in done.stdout


def test_local_is_refused_and_others_are_taken() -> None:
    with pytest.raises(UsageError, match=r"'local' is refused.*bubblewrap"):
        choice.code_sandbox("local")
    assert choice.code_sandbox("k8s") == "k8s"
