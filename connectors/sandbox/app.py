"""The sandbox as one web application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.responses import Response

from connectors.sandbox.calls import Calls
from connectors.sandbox.clock import Clock, SystemClock
from connectors.sandbox.control import Control, comment_routes, group_routes, hook_routes, page_routes, post_routes, reply, watch_routes
from connectors.sandbox.faults import Faults
from connectors.sandbox.hub import Hub
from connectors.sandbox.journal import Journal
from connectors.sandbox.limits import Limits
from connectors.sandbox.max.api import MaxApi
from connectors.sandbox.max.routes import max_routes
from connectors.sandbox.ok.api import OkApi
from connectors.sandbox.ok.routes import ok_routes
from connectors.sandbox.pusher import Pusher
from connectors.sandbox.readings import Callers
from connectors.sandbox.seed import load
from connectors.sandbox.telegram.api import TelegramApi
from connectors.sandbox.telegram.routes import telegram_routes
from connectors.sandbox.telegram.updates import Updates
from connectors.sandbox.viber.api import ViberApi
from connectors.sandbox.viber.routes import viber_routes
from connectors.sandbox.vk.api import VkApi
from connectors.sandbox.vk.events import VkEvents
from connectors.sandbox.vk.routes import vk_routes
from connectors.sandbox.wall.routes import wall_routes
from connectors.sandbox.world import World, WorldError


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of a running sandbox."""

    world: World
    hub: Hub
    faults: Faults
    calls: Calls


def build(
    *,
    data_dir: Path | None = None,
    world_file: Path | None = None,
    limits: Limits | None = None,
    clock: Clock | None = None,
) -> tuple[Sandbox, Updates]:
    """A world as its journal remembers it, or as the file begins it.

    Raises OSError, WorldFileError, JournalDamagedError, JournalBusyError.
    """
    world = World(journal=Journal(data_dir), clock=clock or SystemClock(), limits=limits or Limits())
    hub, updates = Hub(), Updates(world.state)
    world.listen(updates.hear)
    world.listen(hub.hear)
    try:
        if world.replay() == 0 and world_file is not None:
            load(world, world_file)
    except BaseException:
        world.close()
        raise
    calls = Calls()
    return Sandbox(world, hub, Faults(calls), calls), updates


def create_app(
    *,
    data_dir: Path | None = None,
    world_file: Path | None = None,
    time_scale: float = 1.0,
    limits: Limits | None = None,
    clock: Clock | None = None,
) -> FastAPI:
    """The application; without `data_dir` the world lives in memory only.

    `time_scale` divides the windows of `limits`, which are given in the platforms' own seconds.
    Raises OSError for an unusable directory, WorldFileError, JournalDamagedError, ValueError for a bad scale.
    """
    scaled = (limits or Limits()).scaled(time_scale)
    sandbox, updates = build(data_dir=data_dir, world_file=world_file, limits=scaled, clock=clock)
    vk_events = VkEvents(sandbox.world.state, sandbox.hub, sandbox.world.clock, sandbox.calls)
    sandbox.world.listen(vk_events.hear)
    pusher = Pusher(sandbox.world, updates, vk_events)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        pusher.start()
        yield
        await pusher.stop()
        sandbox.hub.close()
        sandbox.world.close()

    app = FastAPI(title="Otklik sandbox", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.sandbox = sandbox
    app.state.pusher = pusher
    vk = VkApi(world=sandbox.world, faults=sandbox.faults, calls=sandbox.calls, events=vk_events)
    telegram = TelegramApi(world=sandbox.world, updates=updates, hub=sandbox.hub, calls=sandbox.calls, pusher=pusher)
    _include(app, vk_routes(vk, sandbox.faults, scaled), telegram_routes(telegram, sandbox.faults, scaled))
    _include(app, *_plain_http(sandbox, pusher, scaled))
    control = Control(sandbox.world, sandbox.faults, sandbox.calls, time_scale)
    _include(app, page_routes(control), post_routes(control), comment_routes(control), watch_routes(control))
    _include(app, group_routes(control), hook_routes(control, pusher), wall_routes(sandbox.world, sandbox.hub, sandbox.faults))
    _answer_errors(app)
    app.add_middleware(Callers, readings=sandbox.calls.readings)
    return app


def _plain_http(sandbox: Sandbox, pusher: Pusher, limits: Limits) -> tuple[APIRouter, ...]:
    """The platforms that are spoken to without an SDK."""
    world, calls, faults = sandbox.world, sandbox.calls, sandbox.faults
    return (
        ok_routes(OkApi(world=world, calls=calls), faults, limits),
        max_routes(MaxApi(world=world, calls=calls, pusher=pusher), faults, limits),
        viber_routes(ViberApi(world=world, calls=calls, pusher=pusher), faults, limits),
    )


def _include(app: FastAPI, *routers: APIRouter) -> None:
    for router in routers:
        app.include_router(router)


def _answer_errors(app: FastAPI) -> None:
    @app.exception_handler(WorldError)
    async def world_error(_request: Request, error: WorldError) -> Response:
        return reply({"error": str(error)}, error.status)

    @app.exception_handler(RequestValidationError)
    async def bad_request(_request: Request, error: RequestValidationError) -> Response:
        places = ", ".join(str(item["loc"][-1]) for item in error.errors())
        return reply({"error": f"not understood: {places}"}, 400)
