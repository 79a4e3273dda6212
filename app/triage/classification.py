"""The port through which triage asks what a comment is. Classifiers live in `classifiers/`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from app.triage.rules import Kind, Reason


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    """What a classifier may look at: one comment and the post above it."""

    text: str
    has_attachment: bool = False
    post_text: str = ""
    by_page: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TopicScore:
    """How much speaks for a topic; scores of one classification add up to at most 1."""

    code: str
    score: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Classification:
    """What one comment is, how sure the classifier is (0..1), and why.

    `is_appeal` None means: a person decides. `topic_code` may name a group when its topic is unclear, or be None.
    `scores` holds the best topics, best first. Raises ValueError when kind and `is_appeal` contradict.
    """

    kind: Kind
    is_appeal: bool | None
    confidence: float
    topic_code: str | None = None
    scores: tuple[TopicScore, ...] = ()
    reasons: tuple[Reason, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a contradiction."""
        expected = {Kind.APPEAL: True, Kind.UNDECIDED: None}.get(self.kind, False)
        if self.is_appeal is not expected:
            msg = f"kind {self.kind} goes with is_appeal={expected}, not {self.is_appeal}"
            raise ValueError(msg)
        if not 0.0 <= self.confidence <= 1.0:
            msg = f"confidence {self.confidence} is outside 0..1"
            raise ValueError(msg)


class Classifier(Protocol):
    """Decides about a batch of comments. Pure and thread-safe: the same samples give the same answer."""

    @property
    def name(self) -> str:
        """A short stable name, stored with each verdict."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the same comment could be decided differently."""
        ...

    def classify(self, batch: Sequence[Sample]) -> list[Classification]:
        """One classification per sample, in order. Never raises because of a text."""
        ...
