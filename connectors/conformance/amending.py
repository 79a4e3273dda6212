"""What every connector that changes or deletes answers passes; one that does not is skipped.

A stage may offer `amending_options`: what the connector is built from then, where that takes another token.
"""
# ruff: noqa: S101 - these are tests

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest import SkipTest

from connectors.conformance.stage import caught, target as target_of
from connectors.contract import (
    CannotTell,
    DeletesAnswers,
    EditsAnswers,
    LooksAtAnswers,
    NotThere,
    OutcomeUnknown,
    Rejected,
    Standing,
    StandsAs,
)

if TYPE_CHECKING:
    from connectors.conformance.stage import Stage, Target
    from connectors.contract import Connector, Look, Options


class AmendingConformance:
    """Optional: what stands is changed and taken away, and doing it twice is doing it once."""

    async def test_an_edit_puts_other_words_in_its_place(self, stage: Stage) -> None:
        """Once or twice, heard of or not; only words that the platform takes."""
        target, standing = await _answered(stage, EditsAnswers)
        connector = target.harness.connector
        assert isinstance(connector, EditsAnswers)
        for _ in range(2):
            await connector.edit_answer(standing, "Воду дадут в 19:00")
            assert await stage.answers() == ["Воду дадут в 19:00"]
        await stage.fault("edit", "after")
        assert isinstance(await caught(connector.edit_answer(standing, "Воду дадут в 20:00")), OutcomeUnknown)
        assert await stage.answers() == ["Воду дадут в 20:00"]
        _tells(await _look(connector, standing), "Воду дадут в 20:00")
        await connector.edit_answer(standing, "Воду дадут в 20:00")
        for text in ("", "нуль \x00", "я" * (stage.plugin.text_limit + 1)):
            assert isinstance(await caught(connector.edit_answer(standing, text)), Rejected)
        assert await stage.answers() == ["Воду дадут в 20:00"]
        await connector.close()

    async def test_a_deletion_takes_an_answer_away(self, stage: Stage) -> None:
        """Once or twice, heard of or not; what is gone cannot be changed."""
        target, standing = await _answered(stage, DeletesAnswers)
        connector = target.harness.connector
        assert isinstance(connector, DeletesAnswers)
        await stage.fault("delete", "after")
        assert isinstance(await caught(connector.delete_answer(standing)), OutcomeUnknown)
        assert await stage.answers() == []
        _tells(await _look(connector, standing), None)
        await connector.delete_answer(standing)
        assert await stage.answers() == []
        if isinstance(connector, EditsAnswers):
            gone = await caught(connector.edit_answer(standing, "Поздно"))
            assert (type(gone), gone.code) == (Rejected, "gone")
        await connector.close()


async def _answered(stage: Stage, ability: type) -> tuple[Target, Standing]:
    """An answer that stands, by a connector that can do this to it."""
    options: Options = getattr(stage, "amending_options", stage.options)
    target = await target_of(stage, options)
    if not isinstance(target.harness.connector, ability):
        await target.harness.connector.close()
        unable = f"{stage.plugin.platform} does not"
        raise SkipTest(unable)
    sent = await target.send("Воду дадут в 18:00", guid="standing")
    standing = Standing(post=target.post, external_id=sent.external_id, root_external_id=target.comment, published_at=sent.published_at)
    return target, standing


async def _look(connector: Connector, standing: Standing) -> Look:
    if not isinstance(connector, LooksAtAnswers):
        return CannotTell(reason="it shows no single comment")
    return await connector.look_at_answer(standing)


def _tells(look: Look, text: str | None) -> None:
    """A look says what is so, or that it cannot say."""
    expected = NotThere() if text is None else StandsAs(text=text)
    assert isinstance(look, CannotTell) or look == expected
