"""How a task's samples are shown by `inspect view`."""

from collections.abc import Sequence

from inspect_ai.viewer import ScoreColorScale, TaskSamplesColumn, TaskSamplesView, ViewerConfig

from selfaware.behaviors.bank import AnswerKind

_SCORERS: dict[str, str] = {
    "choice": "option",
    "yes_no": "option",
    "guess": "guessed_word",
    "function": "function_probability",
}
"""The scorers of kinds of answer that have not their kind's name."""
_LOWEST = {"function_probability": -1}
"""The least value of scores that do not begin at 0."""


def samples_view(kinds: Sequence[AnswerKind] | Sequence[str]) -> ViewerConfig:
    """Columns for the question, the commonest answer, each scorer's score and the bad replies."""
    scorers = list(dict.fromkeys(_SCORERS.get(kind, kind) for kind in kinds))
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
                    scorer: ScoreColorScale(palette="neutral", min=_LOWEST.get(scorer, 0), max=1)
                    for scorer in scorers
                },
                "invalid": ScoreColorScale(palette="good-low", min=0, max=1),
                "refusal": ScoreColorScale(palette="good-low", min=0, max=1),
            },
        )
    )
