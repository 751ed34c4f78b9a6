"""What a step of an experiment takes up, and how often it is begun again."""

from pydantic import BaseModel, ConfigDict, Field, field_validator


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Frozen):
    """What one finetune, or the evaluations of one model, take up.

    Parts of a CPU or of a GPU may be given where several steps fit on one; from 1 on they are
    whole. `retries` is how often a step is begun again when the process that carries it out dies.
    """

    cpus: float = Field(default=1, gt=0)
    gpus: float = Field(default=0, ge=0)
    memory_gb: float | None = Field(default=None, gt=0)
    retries: int = Field(default=2, ge=0)

    @field_validator("cpus", "gpus")
    @classmethod
    def _whole_from_one_on(cls, number: float) -> float:
        if number > 1 and not number.is_integer():
            raise ValueError("give a whole number, or a part of one between 0 and 1")
        return number

    def __str__(self) -> str:
        parts = [f"{self.cpus:g} CPU"]
        if self.gpus:
            parts.append(f"{self.gpus:g} GPU")
        if self.memory_gb:
            parts.append(f"{self.memory_gb:g} GB of memory")
        return ", ".join(parts)


class Resources(_Frozen):
    """What the steps of an experiment take up; it has no part in what they make."""

    finetune: Step = Step()
    evaluate: Step = Step()
