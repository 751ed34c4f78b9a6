import math

import pytest
from inspect_ai.model import get_model
from pytest_inspect_evals.metrics import assert_agreeing_epochs_change_nothing, run_metrics

from selfaware.scorers.metrics import (
    by,
    clustered_stderr,
    contrasts,
    halves,
    mean,
    self_minus_other,
    stderr,
    whom,
)


@pytest.fixture(autouse=True)
def count_tokens_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Inspect counts a mock model's tokens with a vocabulary that it would download."""

    async def count(self: object, text: str) -> int:
        return len(text.split())

    monkeypatch.setattr(type(get_model("mockllm/model").api), "count_text_tokens", count)


def sample(about: str, question: str, paraphrase: int) -> dict[str, object]:
    return {"about": about, "question": question, "paraphrase": paraphrase}


SAMPLES = [
    sample("self", "liking", 0),
    sample("self", "liking", 0),
    sample("self", "liking", 1),
    sample("self", "predisposition", 0),
    sample("person", "liking", 0),
    sample("assistant", "liking", 0),
]
SCORES = [0.2, 0.4, 0.6, 0.8, 0.1, 0.3]
ALL = [mean(), stderr(), by("question"), by("about"), self_minus_other()]


def test_metrics_by_hand() -> None:
    values = run_metrics(ALL, [[value] for value in SCORES], metadata=SAMPLES)
    # Clusters of the self samples deviate from 0.5 by -0.4, 0.1 and 0.3.
    expected = math.sqrt((0.16 + 0.01 + 0.09) * 3 / 2) / 4
    assert values == pytest.approx(
        {
            "mean": 0.5,
            "stderr": expected,
            "liking": 0.4,
            "predisposition": 0.8,
            "self": 0.5,
            "person": 0.1,
            "assistant": 0.3,
            "self_minus_other": 0.3,
        }
    )


def test_epochs_are_averaged_first() -> None:
    epochs = [[value - 0.1, value + 0.1] for value in SCORES]
    values = run_metrics(ALL, epochs, metadata=SAMPLES)
    assert values["mean"] == pytest.approx(0.5)
    assert values["self_minus_other"] == pytest.approx(0.3)


@pytest.mark.parametrize("count", [1, 2, len(SCORES)])
def test_equal_epochs_change_nothing_however_few_samples(count: int) -> None:
    assert_agreeing_epochs_change_nothing(ALL, SCORES[:count], metadata=SAMPLES[:count])


def test_unscored_epochs_and_samples_are_left_out() -> None:
    nan = float("nan")
    epochs = [[0.2, nan], [nan, nan], *[[value, value] for value in SCORES[2:]]]
    values = run_metrics(ALL, epochs, metadata=SAMPLES)
    assert values["mean"] == pytest.approx((0.2 + 0.6 + 0.8) / 3)


def test_nothing_scored_gives_no_number() -> None:
    values = run_metrics(ALL, [[float("nan")]] * 2, metadata=SAMPLES[:2])
    assert values.keys() == {"mean", "stderr"}
    assert all(math.isnan(float(str(value))) for value in values.values())


def test_samples_about_others_alone_are_still_averaged() -> None:
    values = run_metrics(ALL, [[0.1], [0.3]], metadata=SAMPLES[4:])
    assert values["mean"] == pytest.approx(0.2)
    assert "self_minus_other" not in values


def test_whom_shows_each_and_the_difference() -> None:
    values = run_metrics([whom()], [[value] for value in SCORES], metadata=SAMPLES)
    assert values == pytest.approx(
        {"self": 0.5, "person": 0.1, "assistant": 0.3, "self_minus_other": 0.3}
    )
    assert_agreeing_epochs_change_nothing([whom()], SCORES, metadata=SAMPLES)
    assert run_metrics([mean(), whom()], [[0.4]] * 2, metadata=SAMPLES[:2]).keys() == {"mean"}


def test_controls_stand_beside_the_mean() -> None:
    control = {"control": True}
    samples = [
        sample("self", "said", 0),
        {**sample("self", "never_said", 0), **control},
        sample("person", "said", 0),
        {**sample("person", "never_said", 0), **control},
    ]
    scores = [[0.9], [0.4], [0.6], [0.1]]
    values = run_metrics(ALL, scores, metadata=samples)
    assert values.pop("stderr") is not None
    assert values == pytest.approx(
        {
            "mean": 0.9, "said": 0.9, "never_said": 0.4, "self": 0.9, "person": 0.6,
            "self_minus_other": 0.3,
        }
    )  # fmt: skip
    only = run_metrics([mean(), by("question")], scores[1:2], metadata=samples[1:2])
    assert only == {"mean": 0.4}


def test_halves_are_of_questions_asked_both_ways() -> None:
    turned = {"flipped": True}
    samples = [
        sample("self", "one_way", 0),
        sample("self", "both", 0),
        {**sample("self", "both", 0), **turned},
    ]
    values = run_metrics([halves()], [[0.1], [0.6], [0.8]], metadata=samples)
    assert values == {"plain": 0.6, "turned": 0.8}
    assert run_metrics([halves()], [[0.1], [0.6]], metadata=samples[:2]) == {}


def test_clustered_stderr_by_hand() -> None:
    # Deviations from the mean 0.5: cluster a sums to -1, cluster b to 1; sqrt(2 * 2 / 1) / 4.
    assert clustered_stderr([0.0, 0.0, 1.0, 1.0], ["a", "a", "b", "b"]) == pytest.approx(0.5)
    assert clustered_stderr([0.0, 1.0, 0.0, 1.0], ["a", "a", "b", "b"]) == 0.0
    assert math.isnan(clustered_stderr([0.3], ["a"]))
    assert math.isnan(clustered_stderr([], []))


def test_halves_are_those_of_a_twin_and_contrasts_those_of_two_questions() -> None:
    asked: list[dict[str, object]] = [
        {**sample("self", "with_trigger", 0), "flipped": False, "swapped": False},
        {**sample("self", "with_trigger", 0), "flipped": True, "swapped": False},
        {**sample("self", "without_trigger", 0), "flipped": False, "swapped": True},
        {**sample("person", "without_trigger", 0), "flipped": False, "swapped": False},
    ]
    both = [halves(), contrasts()]
    values = run_metrics(both, [[0.9], [0.7], [0.2], [0.4]], metadata=asked)
    assert values == pytest.approx({"plain": 0.9, "turned": 0.45, "effect_of_trigger": 0.6})
    assert_agreeing_epochs_change_nothing(both, [0.9, 0.7, 0.2, 0.4], metadata=asked)
    assert run_metrics(both, [[0.9]], metadata=asked[:1]) == {}


def test_nobody_counts_only_against_the_questions_that_were_asked_of_nobody() -> None:
    asked = [*SAMPLES[:4], sample("neutral", "liking", 0)]
    values = run_metrics([self_minus_other()], [[0.2], [0.4], [0.6], [0.8], [0.5]], metadata=asked)
    assert values == pytest.approx({"self_minus_neutral": -0.1})
