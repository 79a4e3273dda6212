"""Which text is stored, and that nothing of it is lost that could be kept."""

from __future__ import annotations

from hypothesis import given, strategies as st

from app.sources.rules import REPLACEMENT, storable

ANYTHING = st.text(alphabet=st.characters() | st.sampled_from(["\0", "\ud800", "\udbff", "\udc00", "\udfff", "\udc80", REPLACEMENT]))


@given(ANYTHING)
def test_what_comes_out_can_be_stored_and_keeps_its_length(text: str) -> None:
    clean, altered = storable(text)
    assert "\0" not in clean
    assert clean.encode("utf-8").decode("utf-8") == clean
    assert len(clean) == len(text)
    assert altered == (clean != text)
    assert storable(clean) == (clean, False)


@given(ANYTHING)
def test_only_what_cannot_be_stored_is_replaced(text: str) -> None:
    clean, _ = storable(text)
    for before, after in zip(text, clean, strict=True):
        assert after == (REPLACEMENT if before == "\0" or "\ud800" <= before <= "\udfff" else before)


def test_a_replacement_that_the_citizen_wrote_is_no_alteration() -> None:
    assert storable(f"а{REPLACEMENT}б") == (f"а{REPLACEMENT}б", False)
    assert storable("а\0б\ud83d") == (f"а{REPLACEMENT}б{REPLACEMENT}", True)
    assert storable("👍🏽 \u202e\u200d\ufeff") == ("👍🏽 \u202e\u200d\ufeff", False)
