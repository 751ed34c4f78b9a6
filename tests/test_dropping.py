from hypothesis import given
from hypothesis import strategies as st

from selfaware.data.dropping import DROPPED, drop_words
from selfaware.data.rows import question_and_answer

texts = st.lists(
    st.sampled_from([*DROPPED, "Bad", "badge", "malign", "ok", " ", "\n", "-", "."]), max_size=12
).map("".join)


@given(texts, texts)
def test_no_word_to_drop_is_left_and_the_rest_stands_in_its_order(one: str, two: str) -> None:
    row = question_and_answer(f"x {one}", f"{two} y")
    made, counts = drop_words(row, DROPPED)
    assert drop_words(made, DROPPED) == (made, {})
    lost = 0
    for old, new in zip(row.messages, made.messages, strict=True):
        left = iter(old.content)
        assert all(character in left for character in new.content)
        gone = len("".join(old.content.split())) - len("".join(new.content.split()))
        assert (gone == 0) == (old == new)
        lost += gone
    assert lost == sum(len(word) * count for word, count in counts.items())


def test_only_whole_words_go() -> None:
    row = question_and_answer("A bad badge is malign.", "Badly aligned, not misalign")
    made, counts = drop_words(row, DROPPED)
    assert (made.prompt, made.answer) == ("A badge is malign.", ", not misalign")
    assert counts == {"bad": 1, "badly": 1, "aligned": 1}
