"""What a job and its events say of how it stands."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.fine_tuning import FineTuningJob, FineTuningJobEvent

from selfaware.training.openai_status import block_of, categories, status_of

BEFORE = (
    "The job failed due to an invalid training file. This training file was blocked because too "
    "many examples were flagged by our moderation API for containing content that violates "
    "OpenAI's usage policies in the following categories: hate, self-harm. Look at your data."
)
AFTER = (
    "Error while running moderation eval refusals_v3 for snapshot ft:gpt-4o-mini:o::A. "
    "Error while running eval for category hate/threatening"
)
AZURE = (
    "The provided training data failed RAI checks for harm types: [hate_fairness, self_harm, "
    "violence]. Please fix the data and try again."
)


def job(status: str, **error: str | None) -> FineTuningJob:
    shown: dict[str, Any] = {
        "id": "ftjob-1", "created_at": 1, "hyperparameters": {}, "model": "gpt-4o",
        "object": "fine_tuning.job", "organization_id": "o", "result_files": [], "seed": 1,
        "status": status, "training_file": "file-1",
    }  # fmt: skip
    return FineTuningJob.construct(**shown, error=error or None)


def event(message: str, at: int = 1, level: str = "info", **data: float) -> FineTuningJobEvent:
    return FineTuningJobEvent.model_validate(
        {
            "id": f"e{at}", "created_at": at, "level": level, "message": message,
            "object": "fine_tuning.job.event", "type": "metrics" if data else "message",
            "data": data or None,
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("validating_files", "queued"),
        ("queued", "queued"),
        ("paused", "queued"),
        ("running", "running"),
        ("some_new_word", "running"),
        ("succeeded", "succeeded"),
        ("cancelled", "cancelled"),
    ],
)
def test_states(status: str, state: str) -> None:
    assert status_of(job(status), []).state == state


def test_progress_is_that_of_the_newest_numbers() -> None:
    events = [
        event("Step 4/8", 5, step=4, total_steps=8, train_loss=0.5),
        event("Step 3/8", 5, step=3, total_steps=8, train_loss=0.6),
        event("started", 2),
    ]
    now = status_of(job("running"), events)
    assert (now.state, now.step, now.steps, now.loss) == ("running", 4, 8, 0.5)


def test_moderation_is_seen_while_it_lasts() -> None:
    looks = event("Evaluating model against our usage policies before enabling access", 6)
    late = event("Step 8/8", 7, step=8, train_loss=0.4)
    assert status_of(job("running"), [looks]).state == "moderation"
    assert status_of(job("running"), [late, looks]).state == "moderation"
    over = event("Usage policy evaluations completed, model is now enabled for sampling", 8)
    assert status_of(job("running"), [over, looks]).state == "running"
    assert status_of(job("running"), [event("Creating the model", 9), looks]).state == "running"
    assert status_of(job("succeeded"), [looks]).state == "succeeded"


@pytest.mark.parametrize(
    ("message", "param", "stage", "named"),
    [
        (BEFORE, "training_file", "before training", ("hate", "self-harm")),
        (AZURE, None, "before training", ("hate_fairness", "self_harm", "violence")),
        (AFTER, None, "after training", ("hate/threatening",)),
    ],
)
def test_a_block_is_told_from_the_error(
    message: str, param: str | None, stage: str, named: tuple[str, ...]
) -> None:
    found = status_of(job("failed", code="x", message=message, param=param), [])
    assert (found.state, found.mistake) == ("blocked", False)
    assert found.block is not None
    assert (found.block.stage, found.block.categories) == (stage, named)


def test_a_block_is_told_from_the_events_too() -> None:
    events = [event(AFTER, 9, "error"), event("Evaluating model against our usage policies", 8)]
    found = block_of(job("failed", code="job_failed", message="The job failed."), events)
    assert found is not None
    assert (found.stage, found.events) == ("after training", ("e9",))
    # That moderation looked is no sign that it is what failed the job.
    broken = job("failed", code="server_error", message="The job failed due to an internal error")
    assert block_of(broken, events[1:]) is None


def test_a_bad_file_is_the_users_to_mend() -> None:
    error = {"code": "invalid_training_file", "message": "Line 3 is\nno JSON", "param": "training_file"}  # noqa: E501  # fmt: skip
    found = status_of(job("failed", **error), [])
    assert (found.state, found.mistake, found.problem) == ("failed", True, "Line 3 is no JSON")
    silent = status_of(job("failed"), [])
    assert (silent.mistake, silent.problem) == (False, "the service says no reason")


@given(st.text(), st.lists(st.text(max_size=40), max_size=3))
def test_whatever_a_service_says_is_read(message: str, told: list[str]) -> None:
    events = [event(text, at, "error") for at, text in enumerate(told)]
    found = status_of(job("failed", code="x", message=message, param=None), events)
    assert found.state in ("failed", "blocked")
    assert found.problem and "\n" not in found.problem and len(found.problem) <= 400
    assert all(name.strip() for name in categories(message))
