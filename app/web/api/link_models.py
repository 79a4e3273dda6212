"""What the API takes and tells of links to posts and comments, and of answers that were posted by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from app.appeals.service import NOTE_LIMIT
from app.web.api.models import Code, Number

State = Literal["appeal", "elsewhere", "stored", "found", "wanted", "refused"]


class LinkBody(BaseModel):
    """A link as it was pasted."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"link": "https://vk.com/wall-224001001_15?reply=31"}]})

    link: str = Field(min_length=1, max_length=2000)


class LinkTold(BaseModel):
    """Where a link leads."""

    state: State = Field(
        description="`appeal`: there is one (`number`); `elsewhere`: another agency's; `stored`: open it from `comment_id`; `found`: take "
        "its words down; `wanted`: ask the same again; `refused`: no program is shown it (`code`), take the words down yourself"
    )
    platform: str
    link: str = Field(description="The address as the appeal names it")
    number: Number | None
    comment_id: int | None
    code: str | None = Field(description="Why it was refused; `own_post`: a post that our own page published, so no words are told")
    text: str | None
    author_name: str | None
    written_at: datetime | None = Field(description="The citizen's own time: the clock starts here")


class CommentAppealBody(BaseModel):
    """Who answers, and what it is about."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"agency": "roads", "topic": "pits"}]})

    agency: Code = Field(description="The agency's code")
    topic: Code | None = Field(None, description="The topic's code")


class AnsweredBody(BaseModel):
    """An answer that the citizen has already."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"text": "Фонари починили 17 ноября.", "link": "https://vk.com/wall-1_2?reply=3"}]}
    )

    text: str = Field(min_length=1, max_length=NOTE_LIMIT)
    link: str | None = Field(None, pattern=r"^https?://\S+$", max_length=2000, description="Where it stands")
    published_at: AwareDatetime | None = Field(None, description="When the citizen was answered; now unless given")
    version: int | None = Field(None, ge=1, le=2**31 - 1, description="Refused (409) when the appeal has moved on")
