"""The sample region: put into a database that the program itself created, once; whom to sign in as."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import text

import app.sample
from app import bootstrap
from app.cli.imports import watch
from app.cli.owner import Owner
from app.directory.queries import ids_of_codes
from app.exchange.agencies import import_agencies
from app.exchange.calendars import complete_calendars, import_calendar
from app.exchange.credentials import add_credential
from app.exchange.page_names import PageNames
from app.exchange.rules import import_rules
from app.exchange.territories import import_spheres, import_territories
from app.exchange.topics import import_topics
from app.kernel import marks
from app.kernel.clock import SystemClock
from app.kernel.errors import SetupError
from app.people.passwords import password_fits
from app.people.rules import Grant, Role
from app.people.staff import add_operator

if TYPE_CHECKING:
    from app.kernel.db import WriteSession
    from app.settings import Settings

FOLDER = Path(app.sample.__file__).resolve().parent
WORLD = FOLDER / "world.json"
SIGN_INS_FILE = "sign-ins.json"
_HISTORY_DAYS = 14
"""Of the sample world: its pages are watched from before, so that the first report has days to compare."""
OPERATORS_AGENCY = "adm-svetloozersk"
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"
_PEOPLE = (
    ("operator", "Ольга Ветрова", Role.OPERATOR, OPERATORS_AGENCY),
    ("coordinator", "Тимур Ясенев", Role.COORDINATOR, None),
    ("supervisor", "Нина Озерова", Role.SUPERVISOR, None),
    ("administrator", "Павел Брусникин", Role.ADMINISTRATOR, None),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class SignIn:
    """One person of the sample region. `password` is empty when it was changed or is not known here."""

    role: str
    login: str
    name: str
    password: str


async def may_seed(settings: Settings, ground: bootstrap.Ground) -> bool:
    """Whether the program created this database and nothing is in it yet (or a seeding was cut short)."""
    mark = await marks.mark_of(ground.url)
    if mark == marks.SEEDING_MARK:
        return True
    if mark != marks.CREATED_MARK:
        return False
    database = bootstrap.owner_database(settings, ground)
    try:
        async with database.read() as session:
            return bool((await session.execute(_EMPTY)).scalar_one())
    finally:
        await database.dispose()


async def seed_sample(settings: Settings, ground: bootstrap.Ground) -> None:
    """Fill the database; the platforms of the settings (the sandbox) must answer. May be called again after a crash.

    Raises SetupError when the database is not ours to fill.
    """
    if not await may_seed(settings, ground):
        raise SetupError(
            "setup.seed",
            "Demo data goes only into an empty database that otklik itself created. "
            "Name one that does not exist yet in OTKLIK_DATABASE_URL, or leave it out for an embedded one.",
        )
    await marks.set_mark(ground.url, marks.SEEDING_MARK)
    work = Owner(settings=settings, ground=ground, database=bootstrap.owner_database(settings, ground), clock=SystemClock())
    try:
        async with work.database.write() as session:
            await _region(session, work)
            await _tokens(session, work, of_pages=False)
            await _people(session, work)
        since = settings.model_copy(update={"context_hours": _HISTORY_DAYS * 24})
        await watch(replace(work, settings=since), _file("pages.csv"), dry_run=False, refresh=True)  # followers
        async with work.database.write() as session:
            await _tokens(session, work, of_pages=True)
            await import_rules(session, _file("rules.csv"), now=work.clock.now())
    finally:
        await work.database.dispose()
    await marks.set_mark(ground.url, marks.SAMPLE_MARK)


async def sign_ins(settings: Settings, ground: bootstrap.Ground) -> list[SignIn]:
    """Whom one can sign in as, with those passwords that still fit."""
    known = {one.login: one for one in _read(settings.data_dir / SIGN_INS_FILE)}
    database = bootstrap.owner_database(settings, ground)
    try:
        async with database.read() as session:
            hashes = {row.login: row.password_hash for row in await session.execute(text("SELECT login, password_hash FROM operator"))}
    finally:
        await database.dispose()
    people = []
    for login, name, role, _ in _PEOPLE:
        password = known[login].password if login in known else ""
        fits = bool(password) and await password_fits(password, hashes.get(login))
        people.append(SignIn(role=role.value, login=login, name=name, password=password if fits else ""))
    return people


async def _region(session: WriteSession, work: Owner) -> None:
    now = work.clock.now()
    for importer, name in (
        (import_territories, "territories"),
        (import_spheres, "spheres"),
        (import_agencies, "agencies"),
        (import_calendar, "calendar"),
        (import_topics, "topics"),
    ):
        await importer(session, _file(f"{name}.csv"), now=now)
    await complete_calendars(session, now=now)


async def _tokens(session: WriteSession, work: Owner, *, of_pages: bool) -> None:
    """The sandbox's made-up tokens, those that are not stored yet."""
    vault, plugins = bootstrap.settings_vault(work.settings), bootstrap.load_plugins(work.settings)
    pages = await PageNames.load(session)
    stored = {
        (row.platform, row.kind, row.page_id) for row in await session.execute(text("SELECT platform, kind, page_id FROM credential"))
    }
    for token in _world()["tokens"]:
        platform, page = token["platform"], token.get("page")
        if platform not in plugins or (page is not None) != of_pages:
            continue
        kind = token.get("kind", plugins[platform].credential_kinds[0])
        page_id = pages.find(f"{platform}:{page}") if page else None
        if (platform, kind, page_id) not in stored and (page_id is not None or not page):
            await add_credential(session, vault, plugins[platform], kind=kind, secret=token["token"], page_id=page_id, now=work.clock.now())


async def _people(session: WriteSession, work: Owner) -> None:
    agencies = await ids_of_codes(session, "agency", [OPERATORS_AGENCY])
    people = []
    for login, name, role, agency in _PEOPLE:
        person = SignIn(role=role.value, login=login, name=name, password=new_password())
        grant = Grant(role=role, agency_id=agencies[agency] if agency else None)
        await add_operator(session, login=login, name=name, password=person.password, grants=[grant], now=work.clock.now())
        people.append(person)
    _write(work.settings.data_dir / SIGN_INS_FILE, people)


def new_password() -> str:
    """Six syllables of chance (36 bits), easy to read and to type."""
    syllables = [secrets.choice(_CONSONANTS) + secrets.choice(_VOWELS) for _ in range(6)]
    return "-".join("".join(syllables[start : start + 2]) for start in range(0, 6, 2))


def _write(path: Path, people: list[SignIn]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        json.dump([asdict(one) for one in people], file, ensure_ascii=False, indent=1)
    draft.replace(path)


def _read(path: Path) -> list[SignIn]:
    try:
        return [SignIn(**one) for one in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []


def _file(name: str) -> bytes:
    return (FOLDER / name).read_bytes()


def _world() -> dict[str, Any]:
    world: dict[str, Any] = json.loads(WORLD.read_text(encoding="utf-8"))
    return world


_EMPTY = text("SELECT NOT EXISTS (SELECT FROM territory) AND NOT EXISTS (SELECT FROM operator) AND NOT EXISTS (SELECT FROM page)")
