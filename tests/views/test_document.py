"""JSON documents are written piece by piece, and are what the standard encoder writes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from reconciler.core.text import Redactor
from reconciler.views.json.document import LazyArray, encode, encode_parts

TEXTS = st.text('abc"\\\nä€ ', max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=3), st.lists(VALUES, max_size=4))
def test_a_document_with_a_lazy_array_is_encoded_like_one_with_a_list(
    head: dict[str, object], items: list[object]
) -> None:
    lazily = {**head, "plan": {"items": LazyArray(lambda item: item, items)}}
    assert encode(lazily) == json.dumps({**head, "plan": {"items": items}}, indent=2, ensure_ascii=False) + "\n"


def test_the_items_of_a_lazy_array_are_made_while_they_are_written() -> None:
    made: list[int] = []

    def make(number: int) -> dict[str, int]:
        made.append(number)
        return {"number": number}

    parts = encode_parts({"items": LazyArray(make, range(1000))})
    first = next(part for part in parts if "number" in part)
    assert json.loads(first) == {"number": 0}
    assert made == [0]
    assert sum('"number"' in part for part in parts) == 999


def test_secrets_in_the_items_of_a_lazy_array_are_hidden() -> None:
    hide = Redactor(["hunter2"]).redact_tree
    array = LazyArray(lambda text: {"hunter2": [text]}, ["the password is hunter2"])
    assert json.loads("".join(encode_parts({"items": array}, hide))) == {
        "items": [{"(sensitive)": ["the password is (sensitive)"]}]
    }
