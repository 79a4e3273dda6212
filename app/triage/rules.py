"""Words of triage that every part shares: kinds of comments and reasons. Pure: no SQL, no HTTP."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What a comment is. Only `APPEAL` opens an appeal; `UNDECIDED` goes before a coordinator."""

    APPEAL = "appeal"
    UNDECIDED = "undecided"
    GREETING = "greeting"  # «Доброе утро!»
    THANKS = "thanks"  # gratitude and praise addressed to somebody
    WISHES = "wishes"  # congratulations, good wishes, condolences
    EMOJI = "emoji"  # pictures and punctuation only
    LINK = "link"  # nothing but an address
    MENTION = "mention"  # nothing but names of other people
    PAGE_VOICE = "page_voice"  # written in the page's own name
    CHATTER = "chatter"  # a word of agreement, laughter, approval of a post


class ReasonCode(StrEnum):
    """Why triage decided as it did. The screen has one sentence, in each language, for each code."""

    # classification: is it an appeal
    BY_PAGE = "by_page"  # the page wrote it itself
    NO_TEXT = "no_text"  # nothing readable at all
    ATTACHMENT_WITHOUT_TEXT = "attachment_without_text"  # a person has to look at the picture
    ONLY_EMOJI = "only_emoji"
    ONLY_LINKS = "only_links"
    ONLY_MENTIONS = "only_mentions"
    COURTESY = "courtesy"  # greeting, thanks or wishes and nothing that asks or complains; params: marker
    CHATTER = "chatter"  # agreement, laughter and nothing that asks or complains; params: marker
    TALK = "talk"  # addressed to another citizen, asks and complains of nothing
    QUESTION = "question"  # params: marker
    REQUEST = "request"  # params: marker
    COMPLAINT = "complaint"  # params: marker
    PLACE = "place"  # an address or a place is named; params: marker
    NO_MARKER = "no_marker"  # neither asks nor asks for, nor complains
    NO_TOPIC = "no_topic"  # no word of the vocabulary
    WEAK = "weak"  # some signs of an appeal, but too few; params: strength, needed
    CUT = "cut"  # only the beginning was read; params: characters
    # classification: the topic
    KEYWORD = "keyword"  # params: topic, keyword, weight
    FROM_POST = "from_post"  # a word of the post above it; params: topic, keyword, weight
    CLOSE_CALL = "close_call"  # two topics are nearly equal; params: first, second
    # routing
    RULE = "rule"  # params: rule and those of page, topic, territory that it names (ids)
    RULE_OWN_AGENCY = "rule_own_agency"  # the rule says: whoever owns the page; same params
    BY_PERSON = "by_person"  # a coordinator chose
    NO_RULE = "no_rule"  # params: page, topic, territory
    NO_RULE_FOR_UNKNOWN_TOPIC = "no_rule_for_unknown_topic"  # params: page, territory


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One step of a decision, for people: a code and its parameters, put into words by the screen.

    Parameters hold codes, ids, figures and words of our own vocabulary, never a citizen's words.
    """

    code: ReasonCode
    params: Mapping[str, str | int | float] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The form that is stored with a verdict."""
        return {"code": self.code.value, "params": dict(self.params)}
