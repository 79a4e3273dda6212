"""Faults of the sandbox that only a connector over HTTP can meet: what it makes of each, in reading and in sending."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from connectors.conformance.stage import Harness, alike, caught, scene, target
from connectors.contract import AccessLost, OutcomeUnknown, TryLater

if TYPE_CHECKING:
    from tests.connectors.staging import SandboxStage


class SpoiledAnswers:
    """Inherit it beside the conformance suite, with a stage on the sandbox."""

    @pytest.mark.parametrize("kind", ["duplicated", "reordered"])
    async def test_rows_told_twice_or_backwards_are_the_same_rows(self, stage: SandboxStage, kind: str) -> None:
        """However an answer comes, what it tells is stored once, and nothing of it is missed."""
        written = await scene(stage)
        harness = await Harness.on(stage)
        plain = await harness.read(rounds=1)
        await stage.world.post("/faults", platform=stage.platform, method="*", kind=kind, count=1000)
        spoiled = await harness.read()
        assert set(spoiled.comments) == set(plain.comments) == written
        assert {key: alike(one) for key, one in spoiled.comments.items()} == {key: alike(one) for key, one in plain.comments.items()}
        assert spoiled.unreadable == []
        await stage.world.delete("/faults")
        assert set((await harness.read(spoiled.cursor, rounds=1)).comments) <= written
        await harness.connector.close()

    async def test_an_answer_that_drips_ends_with_the_time_out(self, stage: SandboxStage) -> None:
        """In reading it is tried later; in sending nobody knows, and the answer stands once."""
        found = await target(stage)
        found.harness.patient = False
        found.harness.options = replace(found.harness.options, timeout=0.4)
        await found.harness.renew()
        await stage.world.post("/faults", platform=stage.platform, method=stage.methods["read"], kind="drip")
        slow = await caught(found.harness.read())
        assert (type(slow), slow.code) == (TryLater, "network")
        await stage.world.post("/faults", platform=stage.platform, method=stage.methods["send"], kind="drip")
        unknown = await caught(found.send("Ответ по капле", guid="drip"))
        assert (type(unknown), unknown.code) == (OutcomeUnknown, "network")
        assert await stage.answers() == ["Ответ по капле"]
        await found.harness.connector.close()

    async def test_a_revoked_token_is_said_and_nothing_is_done(self, stage: SandboxStage) -> None:
        """Reading and sending alike; with the token back, the same connector goes on."""
        found = await target(stage)
        for verb in ("read", "send"):
            await stage.world.post("/faults", platform=stage.platform, method=stage.methods[verb], kind="revoked")
        for lost in (await caught(found.harness.read()), await caught(found.send("Ответ", guid="revoked"))):
            assert (type(lost), lost.code) == (AccessLost, "reauthorise")
            assert lost.credential_key
        assert await stage.answers() == []
        assert (await found.send("Ответ", guid="revoked")).external_id
        await found.harness.connector.close()
