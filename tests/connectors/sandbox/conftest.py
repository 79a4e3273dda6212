"""A running sandbox and the real clients that talk to it."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from aiogram import Bot
from aiogram.client.session.aiohttp import AiohttpSession
from aiogram.client.telegram import TelegramAPIServer

from connectors.sandbox.app import create_app
from connectors.sandbox.limits import Limits
from connectors.sandbox.server import Running, in_thread, running
from tests.connectors.sandbox.clients import BOT, SCALE, Client, make_vk

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from fastapi import FastAPI
    from starlette.types import Receive, Scope, Send
    from vk_api import VkApi

TOWN = 224001001
WORLD: dict[str, Any] = {
    "pages": [
        {
            "platform": "vk",
            "page": "town",
            "id": TOWN,
            "title": "Город Приозёрный",
            "members": 12_840,
            "verified": True,
            "posts": [
                {
                    "text": "Ремонт улицы Озёрной",
                    "hours_ago": 30,
                    "comments": [
                        {
                            "author": "Ольга Верхова",
                            "text": "А тротуар у школы?",
                            "hours_ago": 20,
                            "replies": [{"author": "Игорь Нилов", "text": "Поддерживаю!", "hours_ago": 18}],
                        },
                        {"author": None, "text": "Опять?", "hours_ago": 5},
                    ],
                }
            ],
        },
        {"platform": "vk", "page": "village", "title": "Село Малое"},
        {
            "platform": "telegram",
            "page": "town_news",
            "title": "Приозёрный: новости",
            "discussion": "town_talk",
            "posts": [
                {
                    "text": "Отключение воды",
                    "hours_ago": 4,
                    "comments": [{"author": "Антон Гусев", "text": "Почему снова?", "hours_ago": 3}],
                }
            ],
        },
    ],
    "tokens": [
        {"platform": "vk", "kind": "user", "token": "user-token", "name": "Сотрудник Центра", "pages": ["town"]},
        {"platform": "vk", "kind": "service", "token": "service-token"},
        {"platform": "vk", "kind": "community", "token": "town-token", "page": "town"},
        {
            "platform": "telegram",
            "token": BOT,
            "username": "priozersk_bot",
            "can_read_all_group_messages": True,
            "pages": ["town_news"],
        },
    ],
}


@pytest.fixture
def world_file(tmp_path: Path) -> Path:
    """The small world of these tests as a file."""
    path = tmp_path / "world.json"
    path.write_text(json.dumps(WORLD), encoding="utf-8")
    return path


@pytest.fixture
def start(world_file: Path) -> Callable[..., AbstractContextManager[Running]]:
    """Start a sandbox with own settings."""

    @contextmanager
    def begin(**options: Any) -> Iterator[Running]:
        settings: dict[str, Any] = {"world_file": world_file, "time_scale": SCALE, "limits": Limits(silence=1.0)}
        with running(**settings | options) as one:
            yield one

    return begin


class _Stage:
    """One server for the whole session; each test puts a sandbox of its own on it."""

    def __init__(self) -> None:
        self.app: FastAPI | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        assert self.app is not None
        await self.app(scope, receive, send)


@pytest.fixture(scope="session")
def stage() -> Iterator[tuple[_Stage, str]]:
    """The server and its address: starting and stopping one costs more than most tests."""
    one = _Stage()
    with in_thread(one) as url:
        yield one, url


@pytest.fixture
def sandbox(stage: tuple[_Stage, str], world_file: Path) -> Iterator[Running]:
    """A sandbox in memory that runs faster than the wall clock."""
    app = create_app(world_file=world_file, time_scale=SCALE, limits=Limits(silence=1.0))
    stage[0].app = app
    yield Running(stage[1], app.state.sandbox)
    app.state.sandbox.hub.close()


@pytest.fixture(scope="session")
def browserless(stage: tuple[_Stage, str]) -> Iterator[httpx.Client]:
    """One HTTP client for the whole session: making one loads all certificate authorities."""
    with httpx.Client(base_url=stage[1], trust_env=False) as client:
        yield client


@pytest.fixture
def http(sandbox: Running, browserless: httpx.Client) -> Client:
    """The control interface of this test's sandbox."""
    assert sandbox.url
    browserless.cookies.clear()
    return Client(browserless)


@pytest.fixture
def vk(sandbox: Running) -> Iterator[Callable[..., VkApi]]:
    """Real VK sessions by token."""
    made: list[VkApi] = []

    def session(token: str = "user-token") -> VkApi:  # noqa: S107 - a token of the sandbox
        made.append(make_vk(sandbox.url, token))
        return made[-1]

    yield session
    for one in made:
        one.http.close()


@pytest.fixture
async def bot(sandbox: Running) -> AsyncIterator[Bot]:
    """A real aiogram bot."""
    async with Bot(BOT, session=AiohttpSession(api=TelegramAPIServer.from_base(sandbox.url))) as one:
        yield one
