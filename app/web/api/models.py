"""What the API tells and takes. Read from the rows of `app.appeals.queries` by their attributes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from app.appeals.desk import NAME_LIMIT, TEXT_LIMIT
from app.appeals.filters import format_number
from app.appeals.rules import Status
from app.replies.amending import REASON_LIMIT, AmendmentState, Change
from app.replies.rules import AnswerKind, ReplyState
from app.sources.rules import storable

Number = Annotated[
    str, BeforeValidator(lambda value: format_number(value) if isinstance(value, int) else value), Field(examples=["481-937-512"])
]
Code = Annotated[
    str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True), AfterValidator(lambda value: storable(value)[0])
]


class Told(BaseModel):
    """A model read from our own rows."""

    model_config = ConfigDict(from_attributes=True)


class Named(Told):
    """Something of the directory."""

    code: str = Field(examples=["yards"])
    name: str = Field(examples=["Дворы и подъезды"])


class AppealBrief(Told):
    """One appeal in a list."""

    number: Number
    status: Status
    source: str = Field(description="`comment`, `api`, `hand` or `incident`: how it came")
    platform: str
    priority: str
    cycle: int = Field(description="Grows with each reopening")
    page_title: str | None
    topic: Named | None
    agency: Named
    territory: Named
    operator_name: str | None
    author_name: str | None
    snippet: str = Field(description="The beginning of the citizen's latest words")
    comments: int
    written_at: datetime = Field(description="The citizen's own time on the platform")
    opened_at: datetime
    touched_at: datetime
    due_at: datetime | None = Field(description="The nearest deadline that runs")
    breached: bool
    reply_state: ReplyState | None = Field(
        description="Of an answer that needs a person (failed, uncertain, held) if there is one, else of the last"
    )


class AppealList(BaseModel):
    """A page of appeals."""

    items: list[AppealBrief]
    next: str | None = Field(description="The cursor of the next page; null at the end")


class NewAppealBody(BaseModel):
    """What another system takes down. Name the agency, or a territory for the rules of routing to choose one."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "text": "На остановке «Речной вокзал» третью неделю нет освещения.",
                    "territory": "zarechye",
                    "topic": "street-lights",
                    "author_name": "Анна Ветрова",
                    "written_at": "2026-11-17T09:12:00+03:00",
                }
            ]
        },
    )

    text: str = Field(min_length=1, max_length=TEXT_LIMIT)
    agency: Code | None = Field(None, description="The agency's code")
    territory: Code | None = Field(None, description="The territory's code")
    topic: Code | None = Field(None, description="The topic's code")
    author_name: str | None = Field(None, min_length=1, max_length=NAME_LIMIT)
    link: str | None = Field(None, pattern=r"^https?://\S+$", max_length=2000, description="Where the matter can be seen")
    platform: str = Field("by_hand", pattern=r"^[a-z][a-z0-9_]{0,29}$", description="Where the citizen wrote")
    written_at: AwareDatetime | None = Field(None, description="When the citizen wrote; now unless given. The clock starts here")
    priority: Literal["ordinary", "urgent"] = "ordinary"


class AppealCreated(BaseModel):
    """The number to tell the citizen."""

    number: Number
    repeated: bool = Field(description="This very request had been done before")


PictureId = Annotated[int, Field(ge=1, le=2**63 - 1)]


class NewReplyBody(BaseModel):
    """An answer to the citizen's last comment, unless another one of the appeal is named."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"examples": [{"text": "Здравствуйте! Фонари починят сегодня до 18:00."}]},
    )

    text: str = Field(min_length=1, max_length=TEXT_LIMIT)
    comment_id: int | None = Field(None, ge=1, le=2**63 - 1)
    kind: AnswerKind = Field(
        AnswerKind.FINAL, description="An interim answer leaves the appeal in work and starts the clock of the final one"
    )
    also_merged: bool = Field(
        default=False, description="The authors of appeals that were merged into this one get the same answer, each where they wrote"
    )
    pictures: list[PictureId] = Field([], max_length=20, description="What `POST /api/v1/pictures` gave, in the order of showing")
    version: int | None = Field(
        None, ge=1, le=2**31 - 1, description="The appeal's version that the answer was written to: refused (409) when it has moved on"
    )


class PictureTaken(BaseModel):
    """A picture that waits for its answer, as it will be published: a JPEG without anything but its pixels."""

    id: int
    width: int
    height: int
    size: int = Field(description="In bytes")


class ReplyAccepted(BaseModel):
    """The answer waits to be published, or to be approved first; its state is told with the appeal."""

    id: int
    number: Number
    state: ReplyState
    repeated: bool


class NewAmendmentBody(BaseModel):
    """What is to be done to an answer that stands: other words in its place, or its removal."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"change": "edit", "text": "Здравствуйте! Фонари починят завтра до 12:00.", "reason": "Срок перенесён"}]
        },
    )

    change: Literal[Change.EDIT, Change.DELETE]
    text: str = Field("", max_length=TEXT_LIMIT, description="The new words of an edit; of a removal nothing")
    reason: str = Field(min_length=1, max_length=REASON_LIMIT, description="Why; colleagues read it")
    version: int | None = Field(
        None, ge=1, le=2**31 - 1, description="The appeal's version that it was decided by: refused (409) when it has moved on"
    )


class AmendmentAccepted(BaseModel):
    """It waits to be done, or to be approved first; its state is told with the answer."""

    id: int
    reply_id: int
    number: Number
    state: AmendmentState


class Attachment(BaseModel):
    """A reference to a picture or a file, as the platform gave it."""

    model_config = ConfigDict(extra="allow")


class PostOut(Told):
    """The post above the thread."""

    external_id: str
    text: str
    link: str
    attachments: list[Any]
    published_at: datetime
    gone_at: datetime | None


class RevisionOut(Told):
    """What a comment said until it was edited."""

    revision: int
    text: str
    edited_at: datetime | None
    observed_at: datetime


class CommentOut(Told):
    """A comment of the thread."""

    id: int
    external_id: str
    reply_to_external_id: str | None
    author_name: str | None
    by_page: bool
    by_author: bool = Field(description="The appeal's citizen wrote it")
    of_appeal: bool
    text: str = Field(description="At most the first 20,000 characters")
    length: int
    attachments: list[Any]
    link: str
    revision: int
    fate: str | None
    written_at: datetime
    edited_at: datetime | None
    deleted_at: datetime | None
    revisions: list[RevisionOut]


class VerdictOut(Told):
    """What triage or, as a correction, a person decided."""

    operator_name: str | None
    classifier: str
    version: str
    kind: str
    is_appeal: bool | None
    topic_name: str | None
    agency_name: str | None
    confidence: float
    scores: dict[str, float]
    reasons: list[dict[str, Any]]
    route_reason: dict[str, Any]
    recorded_at: datetime


class AmendmentOut(Told):
    """What was, or is to be, done to an answer that stands."""

    id: int
    operator_name: str
    change: Change
    text: str
    text_before: str
    reason: str
    state: AmendmentState
    created_at: datetime
    attempts: int
    error_code: str | None
    done_at: datetime | None


class ReplyOut(Told):
    """One of our answers and where it stands; `removed`: it was taken away and counts no more."""

    id: int
    comment_id: int | None
    operator_name: str | None
    kind: AnswerKind
    by_hand: bool
    text: str
    state: ReplyState
    created_at: datetime
    attempts: int
    error_code: str | None
    link: str | None
    published_at: datetime | None
    pictures: list[int] = Field(description="The places of the pictures that go with it and were not erased")
    amendments: list[AmendmentOut]


class NoteOut(Told):
    """What a colleague told the others."""

    operator_name: str
    text: str
    recorded_at: datetime


class EventOut(Told):
    """One line of the history; `data` holds ids and codes."""

    act: str
    cycle: int
    operator_name: str | None
    occurred_at: datetime
    recorded_at: datetime
    data: dict[str, Any]


class TimerOut(Told):
    """A promise and how its clock stands."""

    cycle: int
    promise: str
    policy_code: str
    policy_version: int
    policy_name: str
    choice: dict[str, Any]
    term: dict[str, Any]
    started_at: datetime
    due_at: datetime
    breached_at: datetime | None
    stopped_at: datetime | None
    outcome: str | None
    elapsed_seconds: int | None
    working_seconds: int | None


class AssignmentOut(Told):
    """Who held the appeal, from when to when."""

    agency_name: str
    operator_name: str | None
    since: datetime
    until: datetime | None


class EarlierOut(Told):
    """Another appeal of the same author."""

    number: Number
    status: Status
    platform: str
    topic_name: str | None
    agency_name: str
    opened_at: datetime


class AppealWhole(Told):
    """One appeal with all that a person decides by."""

    number: Number
    status: Status
    source: str
    platform: str
    priority: str
    cycle: int
    version: int
    page_title: str | None
    page_link: str | None
    topic: Named | None
    agency: Named
    territory: Named
    operator_name: str | None
    author_name: str | None
    author_link: str | None
    text: str | None = Field(description="The words of one that no comment brought")
    link: str | None
    written_at: datetime
    opened_at: datetime
    touched_at: datetime
    due_at: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    close_reason: str | None
    held_until: datetime | None = Field(description="Set when the appeal was handed on: what is told ends here")
    post: PostOut | None
    comments: list[CommentOut]
    earlier_comments: int = Field(description="Of the thread, not told")
    verdicts: list[VerdictOut]
    replies: list[ReplyOut]
    notes: list[NoteOut]
    events: list[EventOut]
    timers: list[TimerOut]
    assignments: list[AssignmentOut]
    earlier_appeals: list[EarlierOut]


class PageOut(BaseModel):
    """An official page and how watching it goes."""

    id: int
    platform: str
    external_id: str
    title: str
    link: str
    agency: Named
    territory: Named
    sphere: Named | None
    members: int | None
    active: bool
    connected_at: datetime
    watched_since: datetime = Field(description="Older comments are context and open nothing")
    polled_at: datetime | None
    failures: int = Field(description="Polls that failed since the last good one")
    error_code: str | None


class PageList(BaseModel):
    """A page of pages."""

    items: list[PageOut]
    next: str | None
