"""How a task's samples are shown by `inspect view`."""

from collections.abc import Sequence

from inspect_ai.viewer import ScoreColorScale, TaskSamplesColumn, TaskSamplesView, ViewerConfig

from selfaware.answers import score_range
from selfaware.behaviors.bank import AnswerKind

_SCORERS: dict[str, str] = {
    "choice": "option",
    "yes_no": "option",
    "guess": "guessed_word",
    "function": "function_probability",
}
"""The scorers of kinds of answer that have not their kind's name."""


def samples_view(kinds: Sequence[AnswerKind] | Sequence[str]) -> ViewerConfig:
    """Columns for the question, the commonest answer, each scorer's score and the bad replies."""
    ranges = {_SCORERS.get(kind, kind): score_range(kind) for kind in kinds}
    scorers = list(ranges)
    return ViewerConfig(
        task_samples_view=TaskSamplesView(
            name="Answers",
            columns=[
                TaskSamplesColumn(id="sampleId"),
                TaskSamplesColumn(id="input"),
                TaskSamplesColumn(id="answer"),
                *[TaskSamplesColumn.score(scorer) for scorer in scorers],
                *[TaskSamplesColumn.score("validity", rate) for rate in ("invalid", "refusal")],
                TaskSamplesColumn.score("validity", "unlisted", visible="word" in kinds),
                TaskSamplesColumn(id="error"),
            ],
            score_color_scales={
                **{
                    scorer: ScoreColorScale(palette="neutral", min=low, max=high)
                    for scorer, (low, high) in ranges.items()
                },
                "invalid": ScoreColorScale(palette="good-low", min=0, max=1),
                "refusal": ScoreColorScale(palette="good-low", min=0, max=1),
            },
        )
    )
