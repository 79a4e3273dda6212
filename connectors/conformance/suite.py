"""The tests that every connector passes."""
# ruff: noqa: S101 - these are tests

from __future__ import annotations

import asyncio
from dataclasses import fields, replace

from connectors.conformance.amending import AmendingConformance
from connectors.conformance.pictures import PicturesConformance
from connectors.conformance.stage import (
    MANY_ROUNDS,
    ErrorCase,
    Harness,
    Stage,
    Target,
    alike,
    caught,
    patiently,
    scene,
    target as target_of,
)
from connectors.contract import (
    CONTRACT_VERSION,
    AccessLost,
    AttachesPictures,
    CannotTell,
    CommentSnapshot,
    Connector,
    ConnectorError,
    DeletesAnswers,
    Discovers,
    EditsAnswers,
    FetchesMedia,
    Found,
    Listens,
    LooksAtAnswers,
    OutcomeUnknown,
    PostSnapshot,
    Probes,
    ReadsThreads,
    RegistersPush,
    Rejected,
    Streams,
    TryLater,
    UnknownPayload,
)
from connectors.finding import FindsMentions, ListsPlaces
from connectors.pages import ABILITIES, ChecksAbilities, PageFacts, TellsPages
from connectors.references import FetchesReferences

OPTIONAL_VERBS: dict[str, type] = {
    "poll": Streams,
    "discover": Discovers,
    "probe": Probes,
    "read_thread": ReadsThreads,
    "fetch_media": FetchesMedia,
    "listen": Listens,
    "register_push": RegistersPush,
    "list_places": ListsPlaces,
    "mentions": FindsMentions,
    "check_page": ChecksAbilities,
    "tell_pages": TellsPages,
    "edit_answer": EditsAnswers,
    "delete_answer": DeletesAnswers,
    "attach_pictures": AttachesPictures,
    "look_at_answer": LooksAtAnswers,
    "fetch_reference": FetchesReferences,
}
TEXTS = (
    "Почему на Садовой третий день нет воды?",
    "  пробелы в начале и в конце  ",
    "две\nстроки\n\nи табуляция\tтут",
    "Ёлка — «ёж», №5; €100 & <b>жирно</b> <script>alert(1)</script>",
    "&amp; &lt; &#1071; %D0%AF \\u0416 \\n",
    "👩‍👩‍👧‍👦🏳️‍🌈🇷🇺 e\u0301 и\u0306",
    "\u202eотаворан ан\u202c \u200bневидимое\u200d\ufeff",
    "[id1|Имя], обращение с упоминанием @durov https://example.org/?a=1&b=2#c",
    "нуль \x00 внутри",
    "половина \ud83d пары",
    "='+cmd|' /C calc'!A0",
    "я" * 4000,
)


class ConnectorConformance(AmendingConformance, PicturesConformance):
    """Inherit it and supply the fixture `stage`."""

    def aim_at_nothing(self, target: Target) -> None:
        """Let an answer go where nothing stands."""
        target.comment = "987654321"

    async def test_the_plugin_says_what_it_is(self, stage: Stage) -> None:
        """Contract version, verbs with their costs, kinds of token."""
        plugin = stage.plugin
        connector = plugin.build(stage.options)
        assert plugin.contract_version == CONTRACT_VERSION
        assert plugin.text_limit > 0
        assert plugin.credential_kinds
        assert isinstance(connector, Connector)
        told = {capability.verb for capability in plugin.capabilities}
        able = {verb for verb, kind in OPTIONAL_VERBS.items() if isinstance(connector, kind)}
        assert told == able | {"describe_page", "send", "find_sent"}
        assert "poll" in able or {"discover", "probe", "read_thread"} <= able
        for capability in plugin.capabilities:
            assert set(capability.token_kinds) <= set(plugin.credential_kinds)
        if plugin.pictures is not None:
            assert plugin.pictures.most > 0
            assert plugin.pictures.most_bytes > 0
            assert set(plugin.pictures.token_kinds) <= set(plugin.credential_kinds)
        await connector.close()

    async def test_a_page_is_always_the_same(self, stage: Stage) -> None:
        """Its id is stable, and an address of nowhere is refused."""
        connector = stage.plugin.build(stage.options)
        first, second = [await patiently(lambda: connector.describe_page(stage.page_link)) for _ in range(2)]
        assert first == second
        assert first.external_id
        assert first.title
        assert first.link.startswith("https://")
        refused = await caught(connector.describe_page("https://nowhere.example/ничего такого"))
        assert isinstance(refused, Rejected)
        await connector.close()

    async def test_calls_are_counted_by_method_and_outcome(self, stage: Stage) -> None:
        """A connector that counts at all counts what goes well and what does not, and names no page."""
        counted: list[tuple[str, str]] = []

        class Counter:
            def called(self, method: str, outcome: str) -> None:
                counted.append((method, outcome))

        connector = stage.plugin.build(replace(stage.options, meter=Counter()))
        page = await patiently(lambda: connector.describe_page(stage.page_link))
        await caught(connector.describe_page(f"{stage.page_link}nobody"))
        assert not counted or "ok" in {outcome for _, outcome in counted}
        assert not any(page.external_id in method or "nobody" in method for method, _ in counted)
        await connector.close()

    async def test_many_pages_are_told_as_one_is(self, stage: Stage) -> None:
        """Facts agree with the description; what is no page is said of itself and holds up no other."""
        connector = stage.plugin.build(stage.options)
        if isinstance(connector, TellsPages):
            nowhere = "https://nowhere.example/ничего такого"
            one = await patiently(lambda: connector.describe_page(stage.page_link))
            told = await patiently(lambda: connector.tell_pages([stage.page_link, one.external_id, nowhere]))
            assert isinstance(told[nowhere], Rejected)
            for name in (stage.page_link, one.external_id):
                facts = told[name]
                assert isinstance(facts, PageFacts)
                assert (facts.external_id, facts.title, facts.link, facts.members) == (one.external_id, one.title, one.link, one.members)
                assert facts.options == one.options
        await connector.close()

    async def test_abilities_are_told_and_a_check_never_fails(self, stage: Stage) -> None:
        """Each ability once; of a page that is not there too. Without a token nothing is called possible."""
        connector = stage.plugin.build(stage.options)
        bare = stage.plugin.build(replace(stage.options, credentials=()))
        if isinstance(connector, ChecksAbilities) and isinstance(bare, ChecksAbilities):
            page = await patiently(lambda: connector.describe_page(stage.page_link))
            checks = await connector.check_page(page.external_id, page_options=page.options)
            assert sorted(check.ability for check in checks) == sorted(ABILITIES)
            states = {check.ability: check.state for check in checks}
            assert (states["see"], states["read"]) == ("yes", "yes"), checks
            assert states["answer"] != "no", checks
            for check in await connector.check_page("-999999999", page_options={}):
                assert check.state == "yes" or check.code, check
            if stage.options.credentials:
                assert all(check.state != "yes" for check in await bare.check_page(page.external_id, page_options=page.options))
        for one in (connector, bare):
            await one.close()

    async def test_ids_are_stable_over_reading_again(self, stage: Stage) -> None:
        """Two looks at the same comments give the same snapshots."""
        written = await scene(stage)
        harness = await Harness.on(stage)
        first = await harness.read(rounds=1)
        again = await harness.read(rounds=1)
        assert set(first.comments) == written
        assert {key: alike(one) for key, one in first.comments.items()} == {key: alike(one) for key, one in again.comments.items()}
        await harness.connector.close()

    async def test_any_cut_tells_the_same(self, stage: Stage) -> None:
        """However many rows come at once, nothing is lost and nothing invented."""
        written = await scene(stage)
        harness = await Harness.on(stage)
        whole = await harness.read(rounds=1)
        await harness.connector.close()
        assert set(whole.comments) == written
        parts = whole
        for batch in (5, 2):
            cut = await Harness.on(stage, batch=batch)
            # A stream forgets what was confirmed: only the last cut may be read to its end.
            parts = await cut.read(rounds=1 if batch > 2 else MANY_ROUNDS)  # noqa: PLR2004 - the cuts above
            told = {key: alike(one) for key, one in parts.comments.items()}
            assert told.items() <= {key: alike(one) for key, one in whole.comments.items()}.items()
            await cut.connector.close()
        assert set(parts.comments) == written
        assert parts.rounds > len(written) // 3

    async def test_a_cursor_resumes_in_another_process(self, stage: Stage) -> None:
        """What was read before stays read; what follows is complete; a cursor that was not stored loses nothing."""
        written = await scene(stage)
        first = await Harness.on(stage, batch=2)
        part = await first.read(rounds=2, renewed=True)
        await first.connector.close()
        second = await Harness.on(stage)
        rest = await second.read(part.cursor)
        assert set(part.comments) | set(rest.comments) == written
        post = await stage.write_post("Ещё один пост")
        late = await stage.write_comment(post, "Поздний комментарий")
        news = await second.read(rest.cursor, rounds=1)
        lost = await second.read(rest.cursor, rounds=1)
        assert late in news.comments
        assert set(news.comments) == set(lost.comments)
        await second.connector.close()

    async def test_texts_survive_exactly(self, stage: Stage) -> None:
        """Character for character, whatever the characters."""
        post = await stage.write_post("Пост")
        texts = [text for text in TEXTS if len(text) <= stage.plugin.text_limit and stage.takes(text)]
        written = {await stage.write_comment(post, text): text for text in texts}
        harness = await Harness.on(stage)
        read = await harness.read()
        assert {key: one.text for key, one in read.comments.items()} == written
        assert all(one.raw for one in read.comments.values())
        await harness.connector.close()

    async def test_replies_know_their_thread_and_post(self, stage: Stage) -> None:
        """A reply names what it replies to; post and root are named or can be followed to."""
        post = await stage.write_post("Пост")
        top = await stage.write_comment(post, "Вопрос")
        reply = await stage.write_comment(post, "И мне интересно", reply_to=top)
        harness = await Harness.on(stage)
        read = await harness.read()
        assert read.comments[top].root_external_id == top
        assert read.comments[top].reply_to_external_id is None
        assert read.comments[reply].reply_to_external_id == top
        assert read.comments[reply].root_external_id in {top, None}
        for comment in read.comments.values():
            named = {comment.post_external_id, read.posts[post].external_id if comment.thread_ref else None}
            assert post in named
            assert comment.post_external_id or comment.thread_ref == read.posts[post].thread_ref
        await harness.connector.close()

    async def test_an_edit_shows(self, stage: Stage) -> None:
        """After an edit the same id has the new text."""
        post = await stage.write_post("Пост")
        comment = await stage.write_comment(post, "Как было")
        harness = await Harness.on(stage)
        first = await harness.read()
        await stage.edit_comment(post, comment, "Как стало")
        second = await harness.read(first.cursor)
        assert first.comments[comment].text == "Как было"
        assert second.comments[comment].text == "Как стало"
        await harness.connector.close()

    async def test_moments_are_aware(self, stage: Stage) -> None:
        """Every moment has its offset, and a clock without one is refused."""
        await scene(stage)
        harness = await Harness.on(stage)
        read = await harness.read()
        told: list[PostSnapshot | CommentSnapshot] = [*read.posts.values(), *read.comments.values()]
        for snapshot in told:
            moments = [getattr(snapshot, one.name) for one in fields(snapshot) if one.name.endswith("_at")]
            assert all(moment is None or moment.utcoffset() is not None for moment in moments)
        await harness.connector.close()
        await scene(stage)
        naive = await Harness.on(stage)
        naive.options = replace(stage.options, now=lambda: stage.options.now().replace(tzinfo=None))
        await naive.renew()
        try:
            await naive.read()
        except ValueError:
            return
        finally:
            await naive.connector.close()
        believed = "a clock without a time zone was believed"
        raise AssertionError(believed)

    async def test_each_documented_error_is_one_contract_error(self, stage: Stage) -> None:
        """Class and code are as the table in connectors/README.md says."""
        target = await target_of(stage)
        target.harness.patient = False
        cases = stage.error_cases()
        assert cases
        for case in cases:
            if case.code != "network":
                await _meets(stage, target, case)
        async with target.harness.in_a_hurry():  # some of these are answers that never come
            for case in cases:
                if case.code == "network":
                    await _meets(stage, target, case)
        await target.harness.connector.close()

    async def test_an_answer_stands_once(self, stage: Stage) -> None:
        """One send publishes once, exactly, and says when and where."""
        target = await target_of(stage)
        text = "Здравствуйте! Воду дадут к 18:00 <сегодня> & «точно» 👍\nС уважением"
        before = stage.options.now()
        sent = await target.send(text, guid="once")
        assert await stage.answers() == [text]
        assert sent.external_id
        assert sent.link.startswith("https://")
        assert abs((sent.published_at - before).total_seconds()) < 60  # noqa: PLR2004 - a minute
        await target.harness.connector.close()

    async def test_a_lost_answer_is_unknown_and_never_absent(self, stage: Stage) -> None:
        """The platform acted and its answer did not arrive: OutcomeUnknown, and `find_sent` does not deny it."""
        target = await target_of(stage)
        await stage.fault("send", "after")
        error = await caught(target.send("Ответ пропал", guid="lost"))
        assert isinstance(error, OutcomeUnknown)
        assert await stage.answers() == ["Ответ пропал"]
        found = await target.find("Ответ пропал", guid="lost")
        assert isinstance(found, Found | CannotTell)
        if isinstance(found, Found):
            assert found.sent.external_id
        await target.harness.connector.close()

    async def test_an_answer_that_never_left_is_not_found(self, stage: Stage) -> None:
        """Nothing stands there, and `find_sent` does not invent it."""
        target = await target_of(stage)
        await stage.fault("send", "before")
        async with target.harness.in_a_hurry():
            error = await caught(target.send("Ответ не ушёл", guid="never"))
        assert isinstance(error, OutcomeUnknown | TryLater)
        assert await stage.answers() == []
        assert not isinstance(await target.find("Ответ не ушёл", guid="never"), Found)
        await target.harness.connector.close()

    async def test_an_unreadable_answer_to_send_is_unknown(self, stage: Stage) -> None:
        """What cannot be read may have been done: never UnknownPayload."""
        target = await target_of(stage)
        await stage.fault("send", "malformed")
        error = await caught(target.send("Ответ", guid="odd"))
        assert isinstance(error, OutcomeUnknown)
        await target.harness.connector.close()

    async def test_an_answer_to_nothing_is_refused(self, stage: Stage) -> None:
        """A comment that is not there, a text that is none, a text past the limit."""
        target = await target_of(stage)
        for text in ("", " \n", "нуль \x00", "пара \ud83d", "я" * (stage.plugin.text_limit + 1)):
            assert isinstance(await caught(target.send(text, guid="bad")), Rejected)
        self.aim_at_nothing(target)
        assert isinstance(await caught(target.send("Ответ в пустоту", guid="void")), Rejected)
        assert await stage.answers() == []
        await target.harness.connector.close()

    async def test_an_unknown_payload_never_disappears(self, stage: Stage) -> None:
        """It is UnknownPayload or Unreadable, and the next reading misses nothing."""
        written = await scene(stage)
        harness = await Harness.on(stage)
        await stage.fault("read", "malformed")
        cursor: str | None = None
        try:
            odd = await harness.read(rounds=1)
        except UnknownPayload as error:
            kept = [error.raw]
        else:
            kept = [row.raw for row in odd.unreadable]
            cursor = odd.cursor
            written -= set(odd.comments)
        assert any(kept)
        assert written <= set((await harness.read(cursor)).comments)
        await harness.connector.close()

    async def test_without_a_token_nothing_is_tried(self, stage: Stage) -> None:
        """AccessLost `token_kind` says that a token is missing."""
        harness = await Harness.on(stage)
        connector = stage.plugin.build(replace(stage.options, credentials=()))
        if "token_kind" in {case.code for case in stage.error_cases()}:
            error = await caught(connector.describe_page(stage.page_link))
            assert isinstance(error, AccessLost)
            assert error.code == "token_kind"
        await connector.close()
        await harness.connector.close()


async def _refusal(target: Target, case: ErrorCase) -> ConnectorError:
    if case.verb == "send":
        return await caught(target.send(f"Ответ на ошибку: {case.name}", guid=f"error-{case.name}"))
    return await caught(target.harness.read())


async def _meets(stage: Stage, target: Target, case: ErrorCase) -> None:
    """One documented error, in reading or in sending."""
    await stage.order(case)
    error = await _refusal(target, case)
    if isinstance(error, TryLater) and error.code == "rate" != case.code:  # for the calls of the connector before it
        await asyncio.sleep(error.after.total_seconds())
        error = await _refusal(target, case)
    assert (case.name, type(error), error.code) == (case.name, case.error, case.code)
    assert not any(credential.secret in str(error) for credential in stage.options.credentials)
    if isinstance(error, TryLater):
        assert error.after.total_seconds() > 0
