"""What every connector passes that publishes pictures with an answer; one that does not is skipped.

The stage then tells by `pictures` how many stand with its answers, and knows the fault of the verb `pictures`. It may offer
`amending_options`, where that takes another token, and `picture_target`, where only answers in another place carry pictures.
"""
# ruff: noqa: S101 - these are tests

from __future__ import annotations

from base64 import b64decode
from typing import TYPE_CHECKING, Protocol, cast
from unittest import SkipTest

from connectors.conformance.stage import caught, target as target_of
from connectors.contract import AttachesPictures, DeletesAnswers, EditsAnswers, OutcomeUnknown, Picture, Rejected, Standing

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from connectors.conformance.stage import Stage, Target
    from connectors.contract import Options, Pictures, Sent

GREY = b64decode(
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wAALCAAIAAgBAREA"
    "/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z"
)


class ShowsPictures(Protocol):
    """What such a stage can tell besides."""

    async def pictures(self) -> int:
        """How many pictures stand with the answers now."""


class PictureTarget(Protocol):
    """Makes a question in the place where answers carry pictures."""

    def __call__(self) -> Awaitable[Target]:
        """That question, and its connector."""


class PicturesConformance:
    """Optional: an answer and its pictures are one, however they get there."""

    async def test_an_answer_stands_once_with_its_pictures(self, stage: Stage) -> None:
        """Other words leave them there, and they go with the answer."""
        target, pictures, takes = await _able(stage)
        sent = await _send(target, "Воду дадут в 18:00", pictures, guid="pictures")
        assert (await stage.answers(), await _shown(stage), sent.pictures_left) == (["Воду дадут в 18:00"], len(pictures), False)
        refused = await caught(_send(target, "Слишком много", pictures[:1] * (takes.most + 1), guid="many"))
        assert isinstance(refused, Rejected)
        assert await stage.answers() == ["Воду дадут в 18:00"]
        connector = target.harness.connector
        if isinstance(connector, EditsAnswers):
            for _ in range(2):
                await connector.edit_answer(_standing(target, sent), "Воду дадут в 19:00")
                assert (await stage.answers(), await _shown(stage)) == (["Воду дадут в 19:00"], len(pictures))
        if isinstance(connector, DeletesAnswers):
            await connector.delete_answer(_standing(target, sent))
            assert (await stage.answers(), await _shown(stage)) == ([], 0)
        await connector.close()

    async def test_a_lost_answer_with_pictures_stands_no_more_than_once(self, stage: Stage) -> None:
        """The platform acted and nobody heard of it: as with words alone."""
        target, pictures, _ = await _able(stage)
        await stage.fault("pictures", "after")
        assert isinstance(await caught(_send(target, "Ответ пропал", pictures, guid="lost")), OutcomeUnknown)
        assert (await stage.answers(), await _shown(stage)) == (["Ответ пропал"], len(pictures))
        await target.harness.connector.close()

    async def test_pictures_follow_a_text_that_is_too_long_for_them(self, stage: Stage) -> None:
        """The text stands first and says so; then they are put there by an act of their own, whose outcome can be unknown too."""
        target, pictures, _ = await _able(stage)
        connector = target.harness.connector
        words = "я" * stage.plugin.text_limit
        sent = await _send(target, words, pictures, guid="long")
        assert await stage.answers() == [words]
        assert sent.pictures_left is (await _shown(stage) == 0)
        if sent.pictures_left:
            assert isinstance(connector, AttachesPictures)
            parts = await connector.attach_pictures(_standing(target, sent), pictures)
            assert (await stage.answers(), await _shown(stage)) == ([words], len(pictures))
            if isinstance(connector, DeletesAnswers):
                await connector.delete_answer(_standing(target, sent, parts))
                assert (await stage.answers(), await _shown(stage)) == ([], 0)
        await connector.close()


async def _able(stage: Stage) -> tuple[Target, tuple[Picture, ...], Pictures]:
    """A question, and two pictures (one, where no more are taken) for its answer."""
    takes = stage.plugin.pictures
    if takes is None:
        unable = f"{stage.plugin.platform} publishes no pictures"
        raise SkipTest(unable)
    options: Options = getattr(stage, "amending_options", stage.options)
    pictures = tuple(Picture(name=f"{number}.jpg", media_type="image/jpeg", content=GREY) for number in (1, 2))
    elsewhere: PictureTarget | None = getattr(stage, "picture_target", None)
    target = await (target_of(stage, options) if elsewhere is None else elsewhere())
    assert takes.at is None or (stage.plugin.places is not None and stage.plugin.places(target.post) == takes.at)
    return target, pictures[: takes.most], takes


async def _send(target: Target, text: str, pictures: tuple[Picture, ...], *, guid: str) -> Sent:
    return await target.harness.connector.send(target.outgoing(text, guid, pictures))


async def _shown(stage: Stage) -> int:
    return await cast("ShowsPictures", stage).pictures()


def _standing(target: Target, sent: Sent, parts: tuple[str, ...] | None = None) -> Standing:
    return Standing(
        post=target.post,
        external_id=sent.external_id,
        root_external_id=target.comment,
        published_at=sent.published_at,
        parts=sent.parts if parts is None else parts,
    )
