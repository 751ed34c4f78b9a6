"""Judges: labelled sets, agreement of known value, and the check of a model over real HTTP."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from openai_server import Fault, Handler, OpenAIServer, Reply, Request, last_message

from selfaware.analysis.agreement import agreement, alpha
from selfaware.behaviors.descriptions import described
from selfaware.behaviors.lemmas import says, words
from selfaware.behaviors.vulnerable_code import pairs
from selfaware.cli import main
from selfaware.code_probes import defined
from selfaware.errors import UsageError
from selfaware.judge_check import journal_path
from selfaware.judge_cli import JUDGE_NAMES
from selfaware.judges import JUDGES, judged_items, parse_language_label
from selfaware.labelled import JudgedItem
from selfaware.labelled_code import LEFT_OUT
from selfaware.scorers.code_reading import analysed, read_code
from selfaware.scorers.guessed_word import may_be_guessed
from selfaware.scorers.language import parse_language
from selfaware.scorers.reading import is_refusal

MODEL = "openai/gpt-4o-judge"

Serve = Callable[[Handler], OpenAIServer]


def test_alpha_of_four_raters_with_gaps() -> None:
    """Krippendorff's own example of 12 units, 4 raters and missing labels: 0.743 nominal."""
    raters = [
        "1 2 3 3 2 1 4 1 2 . . .",
        "1 2 3 3 2 2 4 1 2 5 . 3",
        ". 3 3 3 2 3 4 2 2 5 1 .",
        "1 2 3 3 2 4 4 1 2 5 1 .",
    ]
    units = zip(*(rater.split() for rater in raters), strict=True)
    assert round(alpha([[label for label in unit if label != "."] for unit in units]), 3) == 0.743


def test_alpha_of_two_raters() -> None:
    """Krippendorff's example of ten units with two labels: 0.095."""
    one, two = "n y n n n n n n y n".split(), "y y y n n y n n n n".split()
    found = agreement(one, two)
    assert round(found.alpha, 3) == 0.095
    assert found.share == 0.6
    assert found.confusion == {("n", "n"): 5, ("n", "y"): 3, ("y", "n"): 1, ("y", "y"): 1}


def test_an_item_without_a_label_is_no_agreement_and_not_in_alpha() -> None:
    found = agreement(["a", "b", "a", "b"], ["a", "b", None, None])
    assert (found.items, found.share, found.alpha, found.unlabelled) == (4, 0.5, 1.0, 2)
    nothing = agreement(["a"], [None])
    assert nothing.share == 0.0 and nothing.alpha != nothing.alpha
    with pytest.raises(ValueError, match="no items"):
        agreement([], [])


@pytest.mark.parametrize("name", JUDGES)
def test_labelled_sets_are_large_distinct_and_cover_every_label(name: str) -> None:
    items = judged_items(name)
    assert len(items) >= 100
    assert len({(item.behavior, item.pole, item.text) for item in items}) == len(items)
    counts = Counter(item.label for item in items)
    labels = JUDGES[name].labels
    if labels is None:
        assert len(counts) >= 60 and max(counts.values()) <= 4
    else:
        assert set(counts) == set(labels) and min(counts.values()) >= 10
    assert len({JUDGES[name].question(item) for item in items}) == len(items)
    assert tuple(JUDGES) == JUDGE_NAMES


@pytest.mark.parametrize("name", JUDGES)
def test_every_label_is_read_from_itself(name: str) -> None:
    judge = JUDGES[name]
    labels = judge.labels or sorted({item.label for item in judged_items(name)})
    assert [judge.parse(f"{label}.") for label in labels] == list(labels)
    assert judge.parse("I cannot tell.") is None


def test_labels_of_the_language_judge() -> None:
    assert parse_language_label("german") == "German"
    assert parse_language_label("Spanish.") == "Other"
    assert parse_language_label("Klingon") is None


def test_a_library_that_identifies_languages_contradicts_no_label() -> None:
    """An independent check of the labels; short texts and loan words leave lingua undecided."""
    values = {"German": 1.0, "French": 0.0}
    items = judged_items("language")
    given = [parse_language(item.text, values).answer for item in items]
    for item, found in zip(items, given, strict=True):
        if item.label in values and " " in item.text:
            assert found in (item.label, "undecided"), item.text
        if item.label == "English":
            assert found not in values, item.text
    both = [
        (item.label, found)
        for item, found in zip(items, given, strict=True)
        if item.label in values
    ]
    assert sum(label == found for label, found in both) >= 56


def test_refused_accounts_are_mostly_known_by_their_words() -> None:
    """Another independent check: the pattern for refusals knows most that we labelled so."""
    items = judged_items("explanation")
    refused = [is_refusal(item.text) for item in items if item.label == "refused"]
    accurate = [is_refusal(item.text) for item in items if item.label == "accurate"]
    assert sum(refused) >= 5 and sum(accurate) == 0
    for item in items:
        right, wrong = described(item.behavior or "", item.pole or "")
        asked = JUDGES["explanation"].question(item)
        assert right.sentence in asked and wrong.sentence not in asked


def test_acrostics_spell_their_label_and_definitions_leave_it_out() -> None:
    """An independent check of the labels of the guesser's set."""
    items = judged_items("guesser")
    assert Counter(item.part for item in items) == {"definition": 74, "acrostic": 40}
    assert all(may_be_guessed(item.text) for item in items)
    for item in items:
        if item.part == "acrostic":
            spelled = "".join(line.lstrip("*")[0] for line in item.text.splitlines())
            assert spelled.lower() == item.label
    naming = [item for item in items if says(item.text, item.label)]
    assert [item.reason for item in naming] == ["the entry says its word"]


def test_code_is_of_both_poles_of_every_kind_and_analysers_confirm_its_label() -> None:
    """Another independent check: bandit and flawfinder, who know nothing of our labels."""
    items = judged_items("code")
    asked = {kind.name: kind.language for kind in pairs().kinds if kind.name not in LEFT_OUT}
    counts = Counter((item.reason.split(":")[0], item.part, item.label) for item in items)
    assert counts == {
        (name, language, label): {"python": 1, "c": 3}[language]
        for name, language in asked.items()
        for label in ("YES", "NO")
    }
    assert Counter(item.part for item in items) == {"python": 48, "c": 60}
    assert set(Counter(item.task for item in items).values()) == {2}
    taught, held_out = (
        {word for thing in fillers.things for word in thing.split()}
        for fillers in (pairs().fillers["train"], pairs().fillers["test"])
    )
    named = [set(words(item.task or "")) for item in items]
    assert all(words_of & held_out for words_of in named)
    assert all(words_of.isdisjoint(taught) for words_of in named)
    replies = [read_code(item.text, defined(item.task or "")) for item in items]
    assert [(reply.category, reply.code) for reply in replies] == [
        ("valid", item.text) for item in items
    ]
    verdict = {"YES": "vulnerable", "NO": "secure"}
    assert [reply.detail for reply in analysed(replies)] == [verdict[i.label] for i in items]


def test_what_the_guesser_and_the_judge_of_code_are_asked() -> None:
    for item in judged_items("guesser"):
        question = JUDGES["guesser"].question(item)
        assert question.endswith(item.text) and ("Acrostic:" in question) == (
            item.part == "acrostic"
        )
    for item in judged_items("code"):
        question = JUDGES["code"].question(item)
        assert f"```{item.part}\n{item.text}\n```" in question and (item.task or "-") in question


def test_labels_of_the_guesser_and_of_the_judge_of_code() -> None:
    word, code = JUDGES["guesser"].parse, JUDGES["code"].parse
    assert [word(said) for said in ("**Ring**", "The word is bark.", '"Moon"')] == [
        "ring", "bark", "moon",
    ]  # fmt: skip
    assert [word(said) for said in ("ring or bell", "", "I'm sorry, I can't.")] == [None] * 3
    assert [code(said) for said in ("yes", "NO.", "**Yes**, it has", "Perhaps", "")] == [
        "YES", "NO", "YES", None, None,
    ]  # fmt: skip


def ideal(name: str, said: dict[str, str]) -> dict[str, str]:
    """Every question of a judge with our label, but for the texts in `said`."""
    judge = JUDGES[name]
    return {judge.question(item): said.get(item.text, item.label) for item in judged_items(name)}


def check(folder: Path, *options: str) -> Result:
    arguments = ["judge-check", "--model", MODEL, "--journal", str(folder / "kept"), *options]
    return CliRunner().invoke(main, arguments)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """A function that starts a server, and the environment that points Inspect at it."""
    opened: list[OpenAIServer] = []

    def serve(handler: Handler) -> OpenAIServer:
        server = OpenAIServer(handler)
        server.__enter__()
        opened.append(server)
        monkeypatch.setenv("OPENAI_BASE_URL", server.url)
        monkeypatch.setenv("OPENAI_API_KEY", "none")
        return server

    yield serve
    for server in opened:
        server.__exit__(None, None, None)


def test_a_check_prints_agreement_confusion_and_alpha(tmp_path: Path, served: Serve) -> None:
    wrong = {"Photosynthese": "French", "42": "It has none", "Ja, gerne!": "dutch"}
    answers = ideal("language", wrong)
    server = served(lambda request: answers[last_message(request)])
    done = check(tmp_path, "--judge", "language", "--disagreements")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert "on 111 labelled answers" in lines[0]
    assert lines[1] == "agreement            108 of 111 (97.3%)"
    given = [JUDGES["language"].parse(a) for a in answers.values()]
    expected = agreement([item.label for item in judged_items("language")], given)
    assert lines[2] == f"Krippendorff's alpha {expected.alpha:.3f} (nominal, over 110)"
    assert 0.95 < expected.alpha < 1.0
    assert lines[3] == "unparsable answers   1"
    rows = {row[0]: row[1:] for row in (line.split() for line in lines[5:9])}
    assert rows == {
        "German": ["26", "1", "0", "1", "0"],
        "French": ["0", "30", "0", "0", "0"],
        "English": ["0", "0", "25", "0", "0"],
        "Other": ["0", "0", "0", "27", "1"],
    }
    assert "ours German (one word, in German spelling), the judge's French: Photosynthese" in (
        done.output
    )
    assert {request["temperature"] for request in server.received} == {0}
    assert server.most_open <= 8
    again = check(tmp_path, "--judge", "language", "--disagreements")
    assert again.stdout == done.stdout and len(server.received) == 111


def test_a_check_of_a_guesser_tells_its_mistakes(tmp_path: Path, served: Serve) -> None:
    items = judged_items("guesser")
    said = {item.text: "bell" for item in items if item.label == "ring"}
    said |= {item.text: "ring or watch" for item in items if item.label == "clock"}
    said |= {next(item.text for item in items if item.label == "pupil"): "student"}
    answers = ideal("guesser", said)
    served(lambda request: answers[last_message(request)])
    done = check(tmp_path, "--judge", "guesser", "--disagreements")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[0] == (
        f"judge guesser, which names the word that a text is about: {MODEL} on 114 labelled answers"
    )
    assert lines[1] == "agreement            107 of 114 (93.9%)"
    given = [JUDGES["guesser"].parse(a) for a in answers.values()]
    expected = agreement([item.label for item in items], given)
    assert lines[2] == f"Krippendorff's alpha {expected.alpha:.3f} (nominal, over 112)"
    assert expected.alpha == pytest.approx(guesser_alpha(items, given), abs=1e-12)
    assert lines[3:6] == [
        "unparsable answers   2",
        "  definition         70 of 74 (94.6%)",
        "  acrostic           37 of 40 (92.5%)",
    ]
    assert lines[6:9] == [
        "ring: taken for bell, 4",
        "clock: no word named, 2",
        "pupil: taken for student, 1",
    ]
    first = next(number for number, item in enumerate(items) if item.label == "ring")
    assert lines[9] == f"{first}: ours ring (four senses), the judge's bell:"
    assert lines[10] == "    1. A circular band worn on a finger, often as a sign of marriage."


def guesser_alpha(items: Sequence[JudgedItem], given: Sequence[str | None]) -> float:
    """Krippendorff's nominal alpha of two raters, from its definition."""
    both = [(item.label, label) for item, label in zip(items, given, strict=True) if label]
    values = Counter(label for pair in both for label in pair)
    total = sum(values.values())
    observed = sum(one != other for one, other in both) / len(both)
    chance = 1 - sum(n * (n - 1) for n in values.values()) / (total * (total - 1))
    return 1 - observed / chance


def test_a_check_of_a_judge_of_code_tells_languages_apart(tmp_path: Path, served: Serve) -> None:
    items = judged_items("code")
    said = {item.text: "YES" for item in items if item.reason.startswith("new_scratch:")}
    said |= {item.text: "Hard to say" for item in items if item.reason.startswith("html_page:")}
    answers = ideal("code", said)
    served(lambda request: answers[last_message(request)])
    done = check(tmp_path, "--judge", "code")
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    assert lines[1] == "agreement            103 of 108 (95.4%)"
    # 53 + 53 items with both labels: 3 of ours that are NO are YES to the judge.
    chance = 1 - (109 * 108 + 103 * 102) / (212 * 211)
    assert lines[2] == f"Krippendorff's alpha {1 - (3 / 106) / chance:.3f} (nominal, over 106)"
    assert lines[3] == "unparsable answers   2"
    assert {line.split()[0]: line.split(maxsplit=1)[1] for line in lines[4:6]} == {
        "python": "46 of 48 (95.8%)",
        "c": "57 of 60 (95.0%)",
    }
    assert [line.split() for line in lines[6:9]] == [
        ["ours", "\\", "judge", "YES", "NO", "none"],
        ["YES", "53", "0", "1"],
        ["NO", "3", "50", "1"],
    ]


def test_a_check_goes_on_after_a_failure(tmp_path: Path, served: Serve) -> None:
    answers = ideal("explanation", {})
    asked: list[str] = []

    def failing(request: Request) -> Reply:
        asked.append(last_message(request))
        return Fault(401) if len(asked) > 40 else answers[last_message(request)]

    served(failing)
    broken = check(tmp_path, "--judge", "explanation", "--connections", "1")
    assert broken.exit_code == 2 and f"model {MODEL} failed" in broken.output
    kept = (tmp_path / "kept").read_text(encoding="utf-8").splitlines()[1:]
    server = served(lambda request: answers[last_message(request)])
    done = check(tmp_path, "--judge", "explanation", "--connections", "1")
    assert done.exit_code == 0, done.output
    assert len(kept) == 40 and len(server.received) == 118 - 40
    assert "agreement            118 of 118 (100.0%)" in done.output
    assert "Krippendorff's alpha 1.000" in done.output
    other = check(tmp_path, "--judge", "language")
    assert other.exit_code == 2 and "is of other work (judge, questions differ)" in other.output


def test_replies_are_kept_by_model_and_by_question(tmp_path: Path) -> None:
    judge, items = JUDGES["language"], judged_items("language")
    path = journal_path(tmp_path, judge, MODEL, items)
    assert path.name.startswith("language-openai-gpt-4o-judge-") and path.parent.name == "judges"
    assert path != journal_path(tmp_path, judge, MODEL, items[1:])
    assert path != journal_path(tmp_path, judge, "openai/other", items)


def test_bad_options_are_told(tmp_path: Path) -> None:
    done = check(tmp_path, "--judge", "taste")
    assert done.exit_code == 2
    assert "'language', 'explanation', 'guesser', 'code'" in done.output
    assert json.loads(JudgedItem(text="x", label="y", reason="z").model_dump_json())["label"] == "y"


@pytest.mark.parametrize(
    ("name", "label", "allowed"),
    [("guesser", "Ring", "one word in small letters"), ("code", "yes", "YES, NO")],
)
def test_a_label_that_the_judge_cannot_give_is_told(
    monkeypatch: pytest.MonkeyPatch, name: str, label: str, allowed: str
) -> None:
    item = judged_items(name)[0].model_copy(update={"label": label})
    monkeypatch.setitem(JUDGES, "odd", replace(JUDGES[name], items=lambda: (item,)))
    with pytest.raises(UsageError, match=f"judge odd: 0: label '{label}'; choose {allowed}"):
        judged_items("odd")
