"""The classifier's promises, whatever the text."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from app.triage.classification import Classification, Sample, TopicScore
from app.triage.classifiers.keywords import KeywordClassifier
from app.triage.classifiers.tree import TopicTerms
from app.triage.rules import Kind, ReasonCode
from tests.app.triage.vocabulary import sample_classifier, sample_terms

if TYPE_CHECKING:
    from app.triage.classification import Classifier

TERMS = (
    TopicTerms(code="roads", parent=None, keywords="дорога=2; мост=1"),
    TopicTerms(code="pits", parent="roads", keywords="яма=4; яма дорога=4"),
    TopicTerms(code="snow", parent="roads", keywords="снег=4"),
    TopicTerms(code="water", parent=None, keywords="вода=3; горяч* вод*=3; минеральная=-5"),
)


@pytest.fixture(scope="module")
def small() -> KeywordClassifier:
    return KeywordClassifier(TERMS)


@pytest.fixture(scope="module")
def large() -> KeywordClassifier:
    return sample_classifier()


def one(classifier: Classifier, text: str, **more: object) -> Classification:
    (verdict,) = classifier.classify([Sample(text=text, **more)])  # type: ignore[arg-type]  # the test names real fields
    return verdict


def codes(verdict: Classification) -> set[ReasonCode]:
    return {reason.code for reason in verdict.reasons}


def test_the_page_s_own_voice_is_never_an_appeal(small: KeywordClassifier) -> None:
    verdict = one(small, "Когда заделают яму на дороге? Помогите!", by_page=True)
    assert (verdict.kind, verdict.is_appeal) == (Kind.PAGE_VOICE, False)


@pytest.mark.parametrize("text", ["", "   ", "\u200b\u202e", "😀", "!!!", "https://example.org"])
def test_a_picture_without_words_is_looked_at(small: KeywordClassifier, text: str) -> None:
    verdict = one(small, text, has_attachment=True)
    assert verdict.is_appeal is None
    assert codes(verdict) == {ReasonCode.ATTACHMENT_WITHOUT_TEXT}


@pytest.mark.parametrize("text", ["Красота какая, двор у нас отличный", "Ага, ждём"])
def test_a_picture_makes_praise_and_nods_doubtful(small: KeywordClassifier, text: str) -> None:
    assert one(small, text).is_appeal is False
    assert one(small, text, has_attachment=True).is_appeal is not False


def test_a_topic_is_named_when_it_stands_out_and_its_group_when_not(small: KeywordClassifier) -> None:
    assert one(small, "Яма у дома, засыпьте").topic_code == "pits"
    assert one(small, "Яма и снег, помогите").topic_code == "roads"
    assert one(small, "Прошу починить мост").topic_code == "roads"


def test_a_keyword_counts_once_for_its_group(small: KeywordClassifier) -> None:
    once = one(small, "Яма, засыпьте")
    thrice = one(small, "Яма! Яма! Яма, засыпьте")
    assert once.scores == thrice.scores


def test_a_negative_keyword_speaks_against(small: KeywordClassifier) -> None:
    assert one(small, "Где купить воду?").topic_code == "water"
    assert one(small, "Где купить воду, минеральную?").topic_code is None


def test_the_post_above_is_asked_only_when_the_comment_names_no_topic(small: KeywordClassifier) -> None:
    post = "Отключение: горячая вода до пятницы"
    from_post = one(small, "А когда включат?", post_text=post)
    own = one(small, "А яму когда засыпете?", post_text=post)
    assert (from_post.topic_code, own.topic_code) == ("water", "pits")
    assert ReasonCode.FROM_POST in codes(from_post)
    assert ReasonCode.FROM_POST not in codes(own)


def test_reasons_hold_the_vocabulary_s_words_and_never_the_citizen_s(large: KeywordClassifier) -> None:
    name = "Пётр Иванович Секретов"
    verdict = one(large, f"Прошу починить дорогу у дома, {name}, телефон 89990001122. Когда?")
    known = {keyword for term in sample_terms() for keyword in term.keywords}
    assert verdict.reasons
    assert known
    for reason in verdict.reasons:
        text = str(reason.as_json()).lower()
        assert "секрет" not in text
        assert "8999" not in text


def test_speaking_to_another_citizen_needs_more(small: KeywordClassifier) -> None:
    assert one(small, "[id7|Анна], мы там вчера были").kind is Kind.CHATTER
    assert one(small, "[club7|Город], мы там вчера были").is_appeal is None
    assert one(small, "[id7|Анна], яма во дворе, помогите, прошу!").is_appeal is True


def test_a_better_vocabulary_is_a_new_version_and_the_order_of_rows_is_not(small: KeywordClassifier) -> None:
    more = TopicTerms(code="snow", parent="roads", keywords="снег=4; сугроб*=2")
    assert KeywordClassifier(tuple(reversed(TERMS))).version == small.version
    assert KeywordClassifier((*TERMS[:2], more, TERMS[3])).version != small.version


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((TopicTerms(code="a", parent="b", keywords=""),), "b"),
        ((TopicTerms(code="a", parent=None, keywords=""), TopicTerms(code="a", parent=None, keywords="")), "twice"),
        ((TopicTerms(code="a", parent="b", keywords=""), TopicTerms(code="b", parent="a", keywords="")), "ancestor"),
        ((TopicTerms(code="a", parent=None, keywords="вода=много"),), "вода=много"),
    ],
)
def test_a_wrong_tree_is_refused_with_its_place(rows: tuple[TopicTerms, ...], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        KeywordClassifier(rows)


def test_an_empty_tree_still_sorts() -> None:
    empty = KeywordClassifier(())
    assert one(empty, "Спасибо!").kind is Kind.THANKS
    assert one(empty, "Почему не работает? Помогите!").topic_code is None


def test_one_answer_per_sample_in_order(large: KeywordClassifier) -> None:
    texts = ["Спасибо!", "Когда починят дорогу?", "👍", "Нет воды третий день, помогите"]
    alone = [one(large, text) for text in texts]
    assert large.classify([Sample(text=text) for text in texts]) == alone
    assert large.classify([]) == []


def test_threads_share_a_classifier() -> None:
    texts = [f"Когда починят дорогу {number} у дома, нет воды и света, {'снег ' * (number % 7)}?" for number in range(300)]
    samples = [Sample(text=text) for text in texts]
    expected = sample_classifier().classify(samples)
    shared = sample_classifier()
    with ThreadPoolExecutor(4) as pool:
        assert all(found == expected for found in pool.map(shared.classify, [samples] * 4))


@pytest.mark.parametrize(
    "text",
    [
        "вода нет " * 1_200_000,
        "а" * 10_000_000,
        "[id1|" * 2_000_000,
        "ё\u0301\u200d" * 3_000_000,
        "http://" * 1_500_000,
    ],
    ids=["words", "one word", "mentions", "decorated", "links"],
)
def test_ten_megabytes_cost_no_more_than_their_beginning(large: KeywordClassifier, text: str) -> None:
    started = time.process_time()
    verdict = one(large, text)
    assert time.process_time() - started < 1.0
    assert verdict.is_appeal is not False, "what was not read to the end may hold an appeal"


@settings(max_examples=300, deadline=None)
@given(text=st.text(max_size=300), attachment=st.booleans(), post=st.text(max_size=60))
def test_any_text_gets_a_sound_verdict(*, large: KeywordClassifier, text: str, attachment: bool, post: str) -> None:
    verdict = one(large, text, has_attachment=attachment, post_text=post)
    assert 0 <= verdict.confidence <= 1
    assert sum(score.score for score in verdict.scores) <= 1.0005
    assert list(verdict.scores) == sorted(verdict.scores, key=lambda score: -score.score)
    assert verdict.topic_code == (verdict.scores[0].code if verdict.scores else None)
    assert verdict.reasons
    if "?" in text:
        assert verdict.is_appeal is not False


def test_a_verdict_cannot_contradict_itself() -> None:
    with pytest.raises(ValueError, match="is_appeal"):
        Classification(kind=Kind.THANKS, is_appeal=True, confidence=0.5)
    with pytest.raises(ValueError, match="is_appeal"):
        Classification(kind=Kind.UNDECIDED, is_appeal=False, confidence=0.5)
    with pytest.raises(ValueError, match="confidence"):
        Classification(kind=Kind.APPEAL, is_appeal=True, confidence=1.5, scores=(TopicScore(code="a", score=1),))
