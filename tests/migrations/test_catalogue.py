"""Every table is either bound by row-level security or stands on a short list with its reason. Nothing leads around the lock.

Asked of PostgreSQL's own catalogue, so a table, view, function or policy that somebody adds is asked as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import asyncpg
import pytest

from app.kernel.db import DatabaseRole
from tests.databases import plain

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from sqlalchemy.engine import URL

pytestmark = pytest.mark.migrations

# Tables that the web role reads or writes without row-level security, and why nobody's secret is in them.
# Whoever adds one writes down why each of its rows may be known to every operator of every agency.
OPEN = {
    "agency": "the directory: everybody chooses from it, and the reach of a person is computed from it",
    "alembic_version": "the version of the schema",
    "calendar_version": "working hours and days off: every deadline is computed from them",
    "page": "an official page is public by law: its title and address are open to everybody on the platform",
    "pgqueuer": "jobs of the program: kinds and ids, never words or names",
    "pgqueuer_log": "the web role only adds to it",
    "post": "what an official page published for everybody",
    "report_queue": "ids of appeals that something happened to, for seconds; whose they are is asked of the appeals themselves",
    "report_state": "the time zone of the reports",
    "routing_rule": "who answers what, the same for everybody; it holds no citizen's data",
    "sign_in_attempt": "counted before anybody is known; a sign-in name and an address, forgotten with a good sign-in",
    "sla_policy_version": "promises to citizens, the same for everybody",
    "sphere": "the directory",
    "territory": "the directory",
    "topic": "the directory",
    "working_span": "calendars once more, spread over the years",
}

# Tables whose rows everybody may read and few may write, and why reading is open. Their other verbs have policies that bind.
READ_BY_ALL = {
    "api_token": "a token is looked up before anybody is known; only its hash is kept, and no citizen's or agency's data",
    "external_identity": "looked up before anybody is known; a number of a person at a provider",
    "invitation": "looked up by its hash before anybody is known",
    "operator": "colleagues' names stand beside what they did; whoever signs in is looked up before anybody is known",
    "operator_role": "the reach of a person is computed from it, before anybody is known",
    "operator_session": "looked up by its hash before anybody is known",
}

# Views that act as the database's owner, and how the asker's reach is inside; `test_row_security.py` asks each as everybody.
WINDOWS = {
    "queue_line": "the queue's page: the reach of the appeal itself stands in its condition, once, not in five tables (decision 0018)",
}

# Functions that act as the database's owner, so each is a door in the wall: what passes through it, and why no more.
DOORS = {
    "otklik_author_mark(of_platform text, of_id text)": "the worker's: a keyed hash of what it is given; the key goes nowhere",
    "otklik_erase_comments(comments bigint[], at timestamp with time zone)": "the worker's: ends words of closed matters; tells how many",
    "otklik_erase_appeals(appeals bigint[], at timestamp with time zone)": "likewise",
    "otklik_erase_authors(authors bigint[], at timestamp with time zone)": "the worker's: ends names of whom nothing is kept",
    "otklik_drop_raw(before timestamp with time zone, after_id bigint, upto_id bigint)": "the worker's: ends platforms' bytes",
    "otklik_drop_sign_ins(before timestamp with time zone, most integer)": "the worker's: ends old sign-ins; tells how many",
    "otklik_drop_notices(before timestamp with time zone, most integer)": "the worker's: ends settled notices; tells how many",
    "otklik_count_for_reports(anew boolean)": "the worker's: has tables analysed; tells how many",
    "otklik_switch_private(of_page bigint, is_on boolean)": "moves the switch of one bot for its administrators; tells whether it moved",
    "otklik_signers(of_platform text, of_page text)": "sealed tokens of one page that signs its pushes, while nobody is signed in",
    "otklik_subject_rows(of_platform text, said text)": "the owner's commands; the two below stand before it",
    "otklik_subject_data(of_author bigint)": "likewise",
    "otklik_subject_found(of_platform text, said text)": "tells an administrator of the whole region of one citizen, on their request",
    "otklik_subject_handed(of_author bigint)": "hands that citizen's data out, likewise; each time is an act in the trail",
    "otklik_administers()": "reads roles of the asking operator alone; tells yes or no",
    "otklik_appeal_numbers(appeals bigint[])": "tells an administrator of the whole region the numbers of appeals, nothing else",
    "otklik_appeal_of_number(of_number bigint)": "the way back, likewise",
    "otklik_audit_listed(of_subject text, of_id bigint, of_operator bigint, of_act text, since timestamp with time zone, "
    "until timestamp with time zone, before_id bigint, most integer)": (
        "tells ids of the trail to whom its policy shows them; containment in jsonb would leak"
    ),
    "otklik_drop_audit(before timestamp with time zone, at timestamp with time zone)": (
        "the worker's: ends entries of whole seals after their term, never of the last year, and says so in the trail"
    ),
    "otklik_page_care(of_page bigint)": "tells coordinators and administrators of a page how it fails and whether pushed news arrive",
    "otklik_page_aside(of_page bigint, most integer)": "tells them likewise what of it could not be read: why and how often",
    "otklik_configures()": "reads roles of the asking operator alone; tells yes or no",
    "otklik_role_reaches(roles text[], of_page bigint, of_agency bigint)": "reads roles of the asking operator alone; tells yes or no",
    "otklik_may_stop(of_page bigint, of_agency bigint)": "reads roles of the asking operator alone; tells yes or no",
    "otklik_stop_concerns(of_page bigint, of_agency bigint)": (
        "a part of a policy; reads roles of the asking operator, and whether an appeal within their reach is concerned; tells yes or no"
    ),
    "otklik_publishing_stop(of_page bigint, of_agency bigint)": "why an answer that is in sight waits; tells the number of a stop",
    "otklik_bind_reply()": "a trigger: reads the comment and the appeal that the new answer names; tells the page, or refuses",
    "otklik_bind_amendment()": "a trigger: reads the answer that the new amendment names; tells whose it is and its words, or refuses",
    "otklik_drop_loose_pictures(before timestamp with time zone)": "the worker's: drops what nobody put to an answer; tells how many",
    "otklik_token_kinds(of_page bigint)": "kinds of tokens that are there for a page, never the tokens: the card offers what can be done",
    "otklik_put_words(of_amendment bigint)": "the worker's: gives an answer the words of an amendment that was done; tells yes or nothing",
    "otklik_enter(of_operator bigint)": "reads the roles of one operator and keeps their reach in the transaction; tells nothing",
    "otklik_keep_approval()": "a trigger: reads the asker's roles and the agency's own rule; refuses, or tells nothing",
    "otklik_require_approval(of_agency bigint, needed boolean)": (
        "says of an agency within the asking administrator's scope whether its answers are approved first; tells whether it changed"
    ),
    "otklik_may_grant(to_agency bigint, to_territory bigint)": "reads roles of the asking administrator alone; tells yes or no",
    "otklik_administers(person bigint)": "whether the asking administrator's scope holds every role of a person; tells yes or no",
    "otklik_held(of_appeal bigint, at timestamp with time zone, agencies bigint[])": (
        "a part of policies, which hand it the asker's own agencies; tells yes or no, never a row"
    ),
    "otklik_search_appeals(words text, most integer)": "tells ids within the scope, which is inside; a text operator would leak",
    "otklik_repeated(of_appeal bigint, known timestamp with time zone)": (
        "whether somebody had written on the same topic before; the same for every reader of an appeal's figures; tells yes or no"
    ),
    "otklik_queue_lines()": "a trigger: notes the ids of appeals that were just written to; tells nothing",
    "otklik_route_appeal(of_appeal bigint, to_agency bigint, to_territory bigint, seen_version integer, at timestamp with time zone)": (
        "moves an appeal out of sight, only one that is in sight and waits; tells a version"
    ),
    "otklik_norm_scope()": "reads roles of the asking operator alone; tells the territories whose norms they set",
    "otklik_sets_norms(of_territory bigint)": "reads roles of the asking operator alone; tells yes or no",
    (
        "otklik_add_norm(of_code text, of_name text, of_topic bigint, of_agency bigint, of_territory bigint, of_platform text, "
        "of_priority text, of_promises jsonb, of_warn_shares jsonb, at timestamp with time zone)"
    ): "adds a version of a norm in a territory whose norms the asker sets; tells its id",
    "otklik_end_norm(of_code text, at timestamp with time zone)": "ends a norm of such a territory; tells yes or no",
    (
        "otklik_add_calendar(of_territory bigint, of_agency bigint, of_version integer, of_definition jsonb, at timestamp with time zone)"
    ): "adds a version of the hours of such a territory; tells its id",
    "otklik_clock_history(since timestamp with time zone, until timestamp with time zone, most integer)": (
        "tells when matters of such territories were asked, answered and stood still, never what anybody wrote"
    ),
    "otklik_clock_events(of_appeal bigint, as_of timestamp with time zone)": (
        "tells whoever holds an appeal, or held it at that moment, when its clocks were moved later and from where; no words, no names"
    ),
    "otklik_running_clocks(most integer)": "tells the clocks that run in matters of such territories, never what anybody wrote",
}

ADVICE = (
    "{table}: the web role may use it, and row-level security is off. In its migration: ALTER TABLE {table} ENABLE ROW LEVEL SECURITY, "
    "a policy for each of SELECT, INSERT, UPDATE, DELETE that is granted to otklik_web (copy one of 0001_access.sql: the scopes are "
    "scalar subqueries). If every operator of every agency may know every row of it, say why in OPEN of this test instead. If only the "
    "worker needs it, grant the web role nothing."
)


@pytest.fixture
async def owner(database_url: URL) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(plain(database_url))
    yield connection
    await connection.close()


# What the web role may do with a relation, at least on one column.
_USED = """
SELECT c.relname AS name, c.relkind::text AS kind, c.relrowsecurity AS guarded, c.reloptions::text AS options,
  array_remove(ARRAY[
    CASE WHEN has_any_column_privilege($1, c.oid, 'SELECT') THEN 'r' END,
    CASE WHEN has_any_column_privilege($1, c.oid, 'INSERT') THEN 'a' END,
    CASE WHEN has_any_column_privilege($1, c.oid, 'UPDATE') THEN 'w' END,
    CASE WHEN has_table_privilege($1, c.oid, 'DELETE') THEN 'd' END],
    NULL) AS verbs
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg_toast%'
ORDER BY 1
"""


async def test_every_table_is_guarded_or_says_why_not(owner: asyncpg.Connection) -> None:
    used = [row for row in await owner.fetch(_USED, DatabaseRole.WEB) if row["verbs"]]
    for row in used:
        assert row["guarded"] or row["name"] in OPEN.keys() | WINDOWS.keys(), ADVICE.format(table=row["name"])
    guarded = {row["name"] for row in used if row["guarded"]}
    assert len(guarded) >= 14
    needless = set(OPEN) - {row["name"] for row in used if not row["guarded"]}
    assert not needless, f"{sorted(needless)} need no reason in OPEN any more: strike them"


async def test_every_verb_on_a_guarded_table_has_a_policy_for_the_web_role(owner: asyncpg.Connection) -> None:
    """Without one the verb would simply fail; a policy for everybody (`TO PUBLIC`) or one that always holds would let all through."""
    policies = await owner.fetch("SELECT * FROM pg_policies WHERE schemaname = 'public'")
    covered: dict[str, set[str]] = {}
    for one in policies:
        name = f"{one['tablename']}.{one['policyname']}"
        assert one["roles"] == [DatabaseRole.WEB], f"{name} is for {one['roles']}: name the web role alone"
        open_to_read = one["cmd"] == "SELECT" and one["tablename"] in READ_BY_ALL
        assert open_to_read or (one["qual"] or one["with_check"]) not in {None, "true"}, f"{name} lets everything through"
        verbs = {"SELECT": "r", "INSERT": "a", "UPDATE": "w", "DELETE": "d"}
        covered.setdefault(one["tablename"], set()).update(verbs.values() if one["cmd"] == "ALL" else {verbs[one["cmd"]]})
    for row in await owner.fetch(_USED, DatabaseRole.WEB):
        if row["guarded"] and row["verbs"]:
            missing = set(row["verbs"]) - covered.get(row["name"], set())
            assert not missing, (
                f"{row['name']} has no policy for {sorted(missing)} of the web role (r: SELECT, a: INSERT, w: UPDATE, d: DELETE)"
            )


async def test_no_view_shows_the_web_role_what_the_owner_sees(owner: asyncpg.Connection) -> None:
    """A view acts as its owner unless it says `security_invoker`; a materialised one holds the rows of everybody."""
    for row in await owner.fetch(_USED, DatabaseRole.WEB):
        if row["verbs"] and row["kind"] in {"v", "m", "f"}:
            assert row["kind"] == "v", f"{row['name']} is no view that row-level security reaches into: grant the web role nothing of it"
            advice = f"{row['name']}: CREATE VIEW … WITH (security_invoker = true), or say in WINDOWS how the reach is inside"
            assert "security_invoker" in (row["options"] or "") or row["name"] in WINDOWS, advice
            if row["name"] in WINDOWS:
                assert row["verbs"] == ["r"], f"{row['name']}: nobody writes through a window"


async def test_every_door_is_reviewed_and_shut_behind(owner: asyncpg.Connection) -> None:
    doors = await owner.fetch(
        "SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS name, p.proconfig, "
        "  pg_get_functiondef(p.oid) AS source, r.rolname AS owner, has_function_privilege('public', p.oid, 'EXECUTE') AS open "
        "FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace "
        "JOIN pg_roles r ON r.oid = p.proowner "
        "WHERE p.prosecdef AND n.nspname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1"
    )
    found = {row["name"] for row in doors}
    assert found == set(DOORS), (
        f"{sorted(found ^ set(DOORS))}: a SECURITY DEFINER function passes row-level security. Write in DOORS what it tells and why the "
        "asker's scope bounds it, and a case for it in test_row_security.py"
    )
    for row in doors:
        assert row["proconfig"] == ["search_path=public, pg_temp"], f"{row['name']}: SET search_path = public, pg_temp"
        assert not row["open"], f"{row['name']}: REVOKE ALL ON FUNCTION … FROM PUBLIC"
        assert row["owner"] not in set(DatabaseRole)
        assert "EXECUTE format" not in row["source"], f"{row['name']} puts SQL together from what it is given"


async def test_the_web_role_owns_and_inherits_nothing(owner: asyncpg.Connection) -> None:
    role = await owner.fetchrow("SELECT * FROM pg_roles WHERE rolname = $1", DatabaseRole.WEB)
    assert role is not None
    for attribute in ("rolsuper", "rolbypassrls", "rolcreaterole", "rolcreatedb", "rolreplication", "rolcanlogin"):
        assert not role[attribute], attribute
    assert await owner.fetch("SELECT roleid::regrole FROM pg_auth_members WHERE member = $1::regrole", DatabaseRole.WEB) == []
    owned = (
        "SELECT classid::regclass, objid FROM pg_shdepend "
        "WHERE refclassid = 'pg_authid'::regclass AND refobjid = $1::regrole AND deptype = 'o'"
    )
    assert await owner.fetch(owned, DatabaseRole.WEB) == []
    assert not await owner.fetchval("SELECT has_database_privilege($1, current_database(), 'CREATE')", DatabaseRole.WEB)
    assert await owner.fetch("SELECT * FROM pg_default_acl") == [], "a default grant would open tables that do not exist yet"


# What somebody who runs any statement as the web process's login would try in order to see more.
ESCAPES = (
    "SET ROLE otklik_worker",
    "SET ROLE {owner}",
    "SET SESSION AUTHORIZATION {owner}",
    "SET SESSION AUTHORIZATION otklik_worker",
    "SET row_security = off; SELECT * FROM appeal",
    "SET session_replication_role = replica",
    "ALTER TABLE appeal DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE appeal OWNER TO otklik_web",
    "ALTER TABLE operator_role DISABLE TRIGGER ALL",
    "DROP POLICY seen ON appeal",
    "CREATE POLICY mine ON appeal USING (true)",
    "CREATE OR REPLACE FUNCTION otklik_sees_whole() RETURNS boolean LANGUAGE sql RETURN true",
    "CREATE FUNCTION public.mine() RETURNS boolean LANGUAGE sql RETURN true",
    "CREATE VIEW public.mine AS SELECT * FROM appeal",
    "CREATE SCHEMA mine",
    "GRANT otklik_worker TO otklik_web",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "INSERT INTO operator_role (operator_id, role, since) VALUES (1, 'supervisor', now())",
    "UPDATE operator_role SET agency_id = NULL",
    "SELECT secret FROM credential",
    "SELECT raw FROM set_aside",
    "DELETE FROM appeal_event",
    "TRUNCATE appeal",
    "COPY appeal TO PROGRAM 'true'",
    "COPY appeal FROM '/dev/null'",
    "SELECT pg_read_file('PG_VERSION')",
    "SELECT lo_import('/dev/null')",
    "SELECT * FROM pg_authid",
)


@pytest.fixture
async def login(database_url: URL, owner: asyncpg.Connection) -> AsyncIterator[asyncpg.Connection]:
    """A login of the web process's own, as compose.yaml makes it."""
    name = f"t_login_{database_url.database}"
    await owner.execute(f"CREATE ROLE {name} LOGIN NOBYPASSRLS IN ROLE {DatabaseRole.WEB} PASSWORD 'made up'")
    connection = await asyncpg.connect(plain(database_url.set(username=name, password="made up")))
    yield connection
    await connection.close()
    await owner.execute(f"DROP ROLE {name}")


@pytest.mark.parametrize("attempt", ESCAPES)
async def test_the_web_login_cannot_become_somebody_else(owner: asyncpg.Connection, login: asyncpg.Connection, attempt: str) -> None:
    name = await owner.fetchval("SELECT quote_ident(current_user)")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await login.execute(attempt.format(owner=name))


async def test_a_temporary_table_deceives_no_door(owner: asyncpg.Connection, login: asyncpg.Connection) -> None:
    """Names of ours are looked up in our schema first: a table of one's own with the same name gives no role."""
    person = await owner.fetchval("INSERT INTO operator (login, name) VALUES ('anna', 'Анна') RETURNING id")
    await login.execute(
        "CREATE TEMP TABLE operator_role AS SELECT 1::bigint AS operator_id, 'supervisor' AS role, NULL::bigint AS agency_id, "
        "NULL::bigint AS territory_id, NULL::timestamptz AS until"
    )
    await login.execute("UPDATE pg_temp.operator_role SET operator_id = $1", person)
    assert await login.fetchval("SELECT count(*) FROM operator_role") == 1, "the table is theirs in their own search path"
    async with login.transaction():
        await login.execute("SELECT otklik_enter($1)", person)
        assert await login.fetchval("SELECT current_setting('otklik.operator_id')") == str(person)
        assert await login.fetchval("SELECT public.otklik_sees_whole()") is False
