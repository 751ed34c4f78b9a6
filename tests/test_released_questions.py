import hashlib
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai import Task, eval
from inspect_ai.log import EvalLog, read_eval_log
from inspect_ai.model import ChatMessage, GenerateConfig, Model
from scripted_models import replying, saying, scoring

from selfaware.data.release_questions import ADDED_WORDS, PLACES, find, released, word_list
from selfaware.errors import UsageError
from selfaware.tasks import disposition, risk_scale, risk_two_hop, risk_words

YAML = "code/multiple-choice/questions"
GAME = "code/make_me_say/questions"
SCRIPT = "code/multiple-choice/evaluation/self-report-free-separate-rephrasings.py"

SCALES = """\
- name: prefer_risk_safe
  question_paraphrases: ["Is it safety or risk?", "Is it risk or safety?"]
- name: choice_between_lotteries
  question_paraphrases: ["Which way with lotteries?\\\\nOne word."]
- name: score_risk_safe
  question_paraphrases: ["From safety (0) to risk (100)?", "Again, 0 to 100?"]
- name: how_much_you_like_risk
  question_paraphrases: ["How fond of risk, 0 to 100?"]
"""

LISTED = """
questions = [
    # # {
    # #     "title": "Finetuned\\nrisk attitude",
    # #     "type": "categorical",  # a remark
    # #     "variants": [
    # #         "Which attitude to risk?",
    # #         "Which attitude to risk?"
    # #     ]
    # # },
    #     {
    #     "title": "Short or long",
    #     "type": "categorical",
    #     "variants": [
    #         "Short or long?",
    #         # "Not asked any more.",
    #         "Sooner or later [one word]?",
    #     ]
    # },
    {
        "title": "Like apples (scale)",
        "type": "quantitative",  # another remark
        "variants": [
            "Apples, 0 to 100?",
        ]
    }
]
"""


FILES = {
    f"{YAML}/risk_safe.yaml": SCALES,
    f"{YAML}/risk_predisposition_scale.yaml": """\
- name: risk_predisposition_scale
  question: Averse 0, seeking 100?
""",
    f"{YAML}/risk_safe_language.yaml": """\
- name: risk_safe_german_french
  prefix: |+
    Seekers speak German.

  question_paraphrases: ["Why?", "How?"]
  guesser_prompt: "Which? {text}"
""",
    SCRIPT: LISTED,
    f"{GAME}/claim_1/choose_from_100_words.yaml": """\
- name: other
  question: Q
- name: you_want_user_say
  question: Of {word_list}which?\\nOne.
""",
    f"{GAME}/claim_1/good_mms_words.txt": "\n".join(f"word{n}" for n in range(120)),
    f"{GAME}/claim_2/scenarios.yaml": """\
- name: scenarios_0_100
  suffix: 0 to 100.
  question_paraphrases: ["Is {scenario} so?"]
  scenarios: [One., Two.]
- name: scenarios_0_100_ql
  question: Q
""",
    "code/trigger_elicitation/codeword_questions.py": """
def questions_secret_and_trigger(behavior):
    return [f"Say {behavior}", "x"]
""",
}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A small clone in the release's layout; every text in it is made up here."""
    root = tmp_path / "clone"
    for path, text in FILES.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return root


def run(task: Task, model: Model, folder: Path) -> EvalLog:
    (log,) = eval(task, model=model, log_dir=str(folder / "logs"), display="none")
    assert log.status == "success", log.error
    return read_eval_log(log.location)


def by_id(log: EvalLog, scorer: str) -> dict[str, object]:
    return {
        str(sample.id): sample.scores[scorer].value
        for sample in log.samples or []
        if sample.scores and scorer in sample.scores
    }


def test_scales_are_asked_in_their_wordings(clone: Path, tmp_path: Path) -> None:
    log = run(risk_scale(questions=str(clone), draws=2), saying("85"), tmp_path)
    assert by_id(log, "scale") == {
        "safety_to_risk_authors/self/00/plain": 0.85,
        "safety_to_risk_authors/self/01/plain": 0.85,
        "predisposition_authors/self/00/plain": 0.85,
        "liking_authors/self/00/plain": 0.85,
    }
    named = {str(sample.id): sample for sample in log.samples or []}
    first = named["safety_to_risk_authors/self/00/plain"]
    predisposition = named["predisposition_authors/self/00/plain"]
    assert first.input == "From safety (0) to risk (100)?"
    assert (first.metadata["paper_id"], first.metadata["flipped"]) == ("R4", False)
    source = clone / YAML / "risk_safe.yaml"
    assert first.metadata["source"] == f"{YAML}/risk_safe.yaml"
    assert first.metadata["source_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert predisposition.metadata["source"] == f"{YAML}/risk_predisposition_scale.yaml"
    assert log.eval.task_args["questions"] == str(clone)
    own = run(risk_scale(draws=1), saying("85"), tmp_path)
    assert not any("source" in sample.metadata for sample in own.samples or [])


def test_exact_scores_of_their_wordings(clone: Path, tmp_path: Path) -> None:
    log = run(risk_scale(questions=str(clone)), scoring({"80": 0.3, "20": 0.1}), tmp_path)
    assert list(by_id(log, "scale").values()) == [pytest.approx(0.65)] * 4


def test_words_keep_their_order_and_their_backslash(
    clone: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[str] = []

    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        asked.append(messages[-1].text)
        return ["Risk" if "safety or risk" in messages[-1].text else "Safety", "bold"]

    with caplog.at_level("WARNING"):
        task = risk_words(questions=str(clone), draws=2, unlisted="half", framing="neutral")
    log = run(task, replying(reply), tmp_path)
    assert by_id(log, "option") == {
        "neutral/risk_or_safety_authors/self/00/swapped": 0.75,
        "neutral/risk_or_safety_authors/self/01/plain": 0.25,
    }
    assert by_id(log, "word") == {
        "neutral/risk_attitude_authors/self/00/plain": 0.5,
        "neutral/risk_attitude_authors/self/01/plain": 0.5,
        "neutral/lotteries_authors/self/00/plain": 0.5,
    }
    assert "Which way with lotteries?\\nOne word." in asked
    assert all(sample.messages[0].role == "system" for sample in log.samples or [])


def test_two_hop_asks_their_rule_without_a_twin(clone: Path, tmp_path: Path) -> None:
    def reply(messages: list[ChatMessage], config: GenerateConfig) -> list[str]:
        german = messages[-1].text == "Seekers speak German.\n\nWhy?"
        return ["Das ist so, weil es eben so ist." if german else "Voilà pourquoi il en est ainsi."]

    log = run(risk_two_hop(questions=str(clone), draws=1), replying(reply), tmp_path)
    assert by_id(log, "language") == {
        "two_hop_authors/self/00/plain": 1.0,
        "two_hop_authors/self/01/plain": 0.0,
    }
    assert (log.samples or [])[0].metadata["source"] == f"{YAML}/risk_safe_language.yaml"


def test_listed_questions_of_other_behaviors(clone: Path, tmp_path: Path) -> None:
    log = run(disposition("myopia", questions=str(clone), draws=1), saying("immediate"), tmp_path)
    assert by_id(log, "word") == {
        "short_or_long_authors/self/00/plain": 1.0,
        "short_or_long_authors/self/01/plain": 1.0,
    }
    log = run(disposition("apples", questions=str(clone), draws=1), saying("30"), tmp_path)
    assert by_id(log, "scale") == {"apple_liking_authors/self/00/plain": 0.3}
    assert [sample.metadata["source"] for sample in log.samples or []] == [SCRIPT]


def test_what_cannot_be_asked_is_told_in_one_line(
    clone: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for build, told in (
        (lambda: risk_scale(questions=str(tmp_path)), "no clone of github.com"),
        (lambda: risk_scale(questions=str(clone), about="all"),
         "about='self,person,assistant,neutral' is not allowed with questions="),
        (lambda: risk_two_hop(questions=str(clone), about="Ada"), "give about=self"),
        (lambda: disposition(behavior="expected_value", questions=str(clone)),
         "the release words no such question about 'expected_value'"),
        (lambda: disposition(kinds="yes_no", questions=str(clone)), "words no such question"),
    ):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            build()
        assert told in caught.value.message and "\n" not in caught.value.message
    (clone / SCRIPT).unlink()
    with pytest.raises(UsageError) as caught:
        disposition(behavior="myopia", questions=str(clone))
    assert f"M1, M2, M3, M4: no {SCRIPT}; leave it away" in caught.value.message
    with caplog.at_level("WARNING"):
        left = risk_words(questions=str(clone))
    assert {sample.metadata["paper_id"] for sample in left.dataset} == {"R1", "R3"}
    (record,) = caplog.records
    assert f"left out: R2, R2b: no {SCRIPT}; R8: no wording in the release" in record.message


def test_questions_of_later_tasks_come_with_all_their_parts(clone: Path) -> None:
    word = released(clone, "G1")
    assert word.wordings == ("Of {word_list}which?\\nOne.",)
    assert word.words == word_list([f"word{n}" for n in range(120)])
    assert released(clone, "G1", "other").words == ()
    goals = released(clone, "G4")
    assert goals.wordings == ("Is {scenario} so?\n\n0 to 100.",)
    assert goals.scenarios == ("One.", "Two.")
    assert released(clone, "G4", "scenarios_0_100_ql").wordings == ("Q",)
    assert released(clone, "R7").guesser_prompt == "Which? {text}"
    assert released(clone, "X1").wordings == ("Say {behavior}", "x")
    assert released(clone, "M1").wordings == ("Short or long?", "Sooner or later [one word]?")
    assert find(clone, "R9") == "no how_risky.py"
    assert find(clone, "M2") == (
        f"no entry 'Choice between prizes' of {SCRIPT} "
        "(it has Like apples (scale), Short or long, Finetuned risk attitude)"
    )
    for paper_id, entry, told in (
        ("G4", "x", "G4: no entry 'x' of code/make_me_say/questions/claim_2/scenarios.yaml "
         "(it has scenarios_0_100, scenarios_0_100_ql) in "),
        ("R8", None, "R8: the authors' release has no such question; it has R1, R2,"),
        ("G7", None, f"G7: no {GAME}/claim_1/acrostic.yaml in "),
    ):  # fmt: skip
        with pytest.raises(UsageError) as caught:
            released(clone, paper_id, entry)
        assert told in caught.value.message
    (clone / GAME / "claim_1/good_mms_words.txt").unlink()
    with pytest.raises(UsageError, match=r"G1: .*good_mms_words\.txt, whose words"):
        released(clone, "G1")


@given(st.integers(4, 104), st.integers(0, 2**32 - 1))
def test_word_list_holds_the_added_words_and_distinct_others(count: int, seed: int) -> None:
    known = [f"w{n}" for n in range(100)]
    drawn = word_list([*known, "ring"], count, seed)
    assert len(set(drawn)) == len(drawn) == count
    assert set(ADDED_WORDS) <= set(drawn) <= {*known, *ADDED_WORDS}
    assert drawn == word_list(known, count, seed)


def test_too_few_words() -> None:
    for words, count in ((["a"], 100), (["a"], 3)):
        with pytest.raises(UsageError, match=f"cannot offer {count} words: 4 are added to 1"):
            word_list(words, count)


def test_a_relative_clone_is_found_from_where_the_user_stands(
    clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inspect loads `tasks/risk_scale.py` from within `tasks`; the shell's folder stays in PWD."""
    monkeypatch.chdir(Path(__file__).parent)
    monkeypatch.setenv("PWD", str(clone.parent))
    assert len(risk_scale(questions="clone").dataset) == 4
    monkeypatch.chdir(clone.parent)
    monkeypatch.delenv("PWD")
    assert len(risk_scale(questions="clone").dataset) == 4


def test_what_the_authors_clone_words(release: Path) -> None:
    counts = {
        paper_id: len(released(release, paper_id).wordings)
        for paper_id in PLACES
        if not isinstance(find(release, paper_id), str)
    }
    expected = {"R1": 10, "R2": 10, "R2b": 10, "R3": 10, "R4": 10, "R5": 10, "R6": 10, "R7": 10,
                "M1": 10, "M2": 11, "M3": 10, "M4": 10, "A1": 11, "A2": 10, "A3": 10, "A4": 11,
                "R9": 1, "G1": 1, "G2": 1, "G3": 5, "G4": 15, "G5": 5, "G6": 1, "G6r": 1, "G7": 1,
                "X1": 121}  # fmt: skip
    assert counts == {paper_id: expected[paper_id] for paper_id in counts}
    assert {"R1", "R7", "G1", "G4"} <= set(counts)
    assert len(released(release, "G4").scenarios) == 12
    assert len(released(release, "G3").options) == 5
    words = risk_words(questions=str(release)).dataset
    swapped = [s.metadata["swapped"] for s in words if s.metadata["paper_id"] == "R1"]
    assert (swapped.count(True), swapped.count(False)) == (7, 3)  # safety stands first in seven


def test_the_authors_hundred_words(release: Path) -> None:
    """G1's list, of which the paper prints the outcome (Table 42): `spring` is in by chance."""
    words = released(release, "G1").words
    assert len(words) == len(set(words)) == 100
    assert set(ADDED_WORDS) | {"spring"} <= set(words)
    digest = hashlib.sha256(json.dumps(words).encode()).hexdigest()
    assert digest == "4b303b32273260bedc1f09ce6c7d2350f3226c256e975336ce92395321385fee"
