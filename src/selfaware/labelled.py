"""Texts with the labels that judges should give them, as the files of `judged` list them."""

from importlib import resources

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from selfaware.errors import UsageError


class JudgedItem(BaseModel):
    """A text with the label that a judge should give it, and why.

    `behavior` and `pole` say what was taught, `task` what a text of code is to do, where a judge is
    told so. `part` is what sort of text it is, where a set has several.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    text: str = Field(min_length=1)
    label: str
    reason: str = Field(min_length=1)
    behavior: str | None = None
    pole: str | None = None
    task: str | None = None
    part: str | None = None


def listed_items(name: str) -> tuple[JudgedItem, ...]:
    """The items of `judged/NAME.yaml`.

    Raises:
        UsageError: The file breaks its schema.
    """
    file = resources.files("selfaware") / "judged" / f"{name}.yaml"
    listed = yaml.safe_load(file.read_text(encoding="utf-8"))
    try:
        return TypeAdapter(tuple[JudgedItem, ...]).validate_python(listed)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"judged/{name}.yaml: {place}: {first['msg']}") from error
