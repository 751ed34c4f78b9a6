"""The request that makes a job at OpenAI's API, and how the job is known again."""

from typing import TYPE_CHECKING

from selfaware import __version__
from selfaware.training.spec import FinetuneSpec

if TYPE_CHECKING:
    from openai.types.fine_tuning import FineTuningJob
    from openai.types.fine_tuning.job_create_params import Method

RUN_KEY = "selfaware_run"
"""The key under which a job's metadata have its run id."""


def method_of(spec: FinetuneSpec) -> "Method":
    """The method and hyperparameters of a job; what is not given is the service's choice."""
    given = spec.hyperparameters
    rate = given.learning_rate_multiplier
    if given.method == "dpo":
        return {
            "type": "dpo",
            "dpo": {
                "hyperparameters": {
                    "n_epochs": given.epochs,
                    "batch_size": given.batch_size,
                    "learning_rate_multiplier": "auto" if rate is None else rate,
                    "beta": given.beta,
                }
            },
        }
    return {
        "type": "supervised",
        "supervised": {
            "hyperparameters": {
                "n_epochs": given.epochs,
                "batch_size": given.batch_size,
                "learning_rate_multiplier": "auto" if rate is None else rate,
            }
        },
    }


def metadata_of(spec: FinetuneSpec) -> dict[str, str]:
    """What a job carries with it, so that it is known again from the service alone."""
    return {
        RUN_KEY: spec.run_id,
        "selfaware_dataset": spec.dataset_sha256,
        "selfaware_version": __version__,
    }


def suffix_of(run_id: str) -> str:
    """What stands in the name of the model that a run makes."""
    return f"selfaware-{run_id}"


def is_of(job: "FineTuningJob", run_id: str) -> bool:
    """Whether a job is that of a run; servers that keep no metadata keep the suffix."""
    named = (job.metadata or {}).get(RUN_KEY)
    if named is not None:
        return named == run_id
    extra = job.model_extra or {}
    return suffix_of(run_id) in (extra.get("user_provided_suffix"), extra.get("suffix"))
