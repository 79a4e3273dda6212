"""The statements of T1: each finds or writes many rows at once."""

from __future__ import annotations

from sqlalchemy import text

from app.kernel.db import Bulk

_POST = {
    "page_id": "bigint", "external_id": "text", "thread_ref": "text", "body": "text", "link": "text", "attachments": "text",
    "published_at": "timestamptz", "observed_at": "timestamptz",
}  # fmt: skip

# As old as nothing else, so that whatever shows it is newer: also an event that tells, late, how it was published.
NAME_POSTS = Bulk(
    """
    INSERT INTO post (page_id, external_id, thread_ref, text, link, attachments, published_at, observed_at, probe_at)
    SELECT page_id, external_id, thread_ref, body, link, CAST(attachments AS jsonb), published_at, 'epoch', observed_at FROM {rows}
    ON CONFLICT DO NOTHING
    """,
    **_POST,
)

UPSERT_POSTS = Bulk(
    """
    INSERT INTO post AS p (page_id, external_id, thread_ref, text, link, attachments, published_at, observed_at, probe_at)
    SELECT page_id, external_id, thread_ref, body, link, CAST(attachments AS jsonb), published_at, observed_at, observed_at FROM {rows}
    ON CONFLICT (page_id, external_id) DO UPDATE SET
      thread_ref = coalesce(excluded.thread_ref, p.thread_ref), text = excluded.text, link = excluded.link,
      attachments = excluded.attachments, published_at = excluded.published_at, observed_at = excluded.observed_at,
      probe_at = CASE WHEN p.gone_at IS NULL THEN p.probe_at ELSE excluded.probe_at END, gone_at = NULL
    WHERE p.observed_at < excluded.observed_at
    """,
    **_POST,
)

FIND_POSTS = Bulk(
    """
    SELECT p.page_id, p.external_id, p.thread_ref, p.id FROM {rows} JOIN post p
      ON p.page_id = r.page_id AND (p.external_id = r.external_id OR p.thread_ref = r.thread_ref)
    """,
    page_id="bigint", external_id="text", thread_ref="text",
)  # fmt: skip

UPSERT_AUTHORS = Bulk(
    """
    INSERT INTO author AS a (platform, external_id, name, link) SELECT * FROM {rows}
    ON CONFLICT (platform, external_id) DO UPDATE SET link = excluded.link,
      name = CASE WHEN excluded.name = 'id' || excluded.external_id THEN a.name ELSE excluded.name END
    WHERE a.link IS DISTINCT FROM excluded.link OR (a.name <> excluded.name AND excluded.name <> 'id' || excluded.external_id)
    """,
    platform="text", external_id="text", name="text", link="text",
)  # fmt: skip

FIND_AUTHORS = text("SELECT external_id, id FROM author WHERE platform = :platform AND external_id = ANY (:ids)")

ANY_ERASED = text("SELECT true FROM author WHERE mark IS NOT NULL LIMIT 1")

FIND_ERASED = Bulk(
    """
    SELECT r.external_id, (array_agg(a.id ORDER BY a.erased_at DESC))[1] AS id, max(a.erased_at) AS erased_at
    FROM {rows} JOIN author a ON a.mark = otklik_author_mark(r.platform, r.external_id) AND a.platform = r.platform
    GROUP BY r.external_id
    """,
    platform="text", external_id="text",
)  # fmt: skip

FIND_ROOTS = Bulk(
    """
    SELECT c.page_id, c.post_id, c.external_id, c.root_external_id FROM {rows}
    JOIN comment c USING (page_id, post_id, external_id)
    """,
    page_id="bigint", post_id="bigint", external_id="text",
)  # fmt: skip

# What a citizen wrote to a bot before private messages were switched on is not brought in, however late it is read.
INSERT_COMMENTS = Bulk(
    """
    INSERT INTO comment (page_id, post_id, external_id, root_external_id, reply_to_external_id, author_id, by_page, text,
      text_altered, attachments, link, written_at, edited_at, deleted_at, observed_at, form_at, form_number, album)
    SELECT page_id, post_id, external_id, root_external_id, reply_to_external_id, author_id, by_page, body, altered,
      CAST(attachments AS jsonb), link, written_at, edited_at, deleted_at, observed_at, form_at, form_number, album
    FROM {rows}
    WHERE by_page OR NOT EXISTS (
      SELECT FROM page g WHERE g.id = r.page_id AND r.written_at < CAST(g.options ->> 'private_since' AS timestamptz))
    ON CONFLICT (page_id, post_id, external_id) DO NOTHING
    RETURNING id, page_id, post_id, external_id
    """,
    page_id="bigint", post_id="bigint", external_id="text", root_external_id="text", reply_to_external_id="text",
    author_id="bigint", by_page="boolean", body="text", altered="boolean", attachments="text", link="text",
    written_at="timestamptz", edited_at="timestamptz", deleted_at="timestamptz", observed_at="timestamptz", form_at="timestamptz",
    form_number="bigint", album="text",
)  # fmt: skip

# Not the transaction's moment: the comment is ours by now, so what was said of its former form was said before.
INSERT_REVISIONS = Bulk(
    """
    INSERT INTO comment_revision (comment_id, revision, text, attachments, raw, edited_at, observed_at, recorded_at)
    SELECT comment_id, revision, body, CAST(attachments AS jsonb), raw, edited_at, observed_at, clock_timestamp() FROM {rows}
    """,
    comment_id="bigint", revision="integer", body="text", attachments="text", raw="bytea", edited_at="timestamptz",
    observed_at="timestamptz",
)  # fmt: skip

# Not FOR UPDATE: an operator who holds the appeal must be able to hang an answer on the comment while we wait for the appeal.
LOCK_COMMENTS = Bulk(
    """
    SELECT c.id, c.page_id, c.post_id, c.external_id, c.text, c.attachments, c.revision, c.written_at, c.edited_at, c.observed_at,
      c.form_at, c.form_number, c.deleted_at, c.appeal_id, c.erased_at
    FROM {rows} JOIN comment c USING (page_id, post_id, external_id) ORDER BY c.id FOR NO KEY UPDATE OF c
    """,
    page_id="bigint", post_id="bigint", external_id="text",
)  # fmt: skip

# A comment that was gone when triage looked, and is back, is looked at again; so is what was no appeal, when its words change.
BACK = "c.fate = 'not_appeal' AND c.fate_reason = 'deleted'"
CHANGED = "c.fate = 'not_appeal' AND c.fate_reason <> 'context'"

UPDATE_COMMENTS = Bulk(
    f"""
    UPDATE comment c SET text = r.body, text_altered = r.altered, attachments = CAST(r.attachments AS jsonb), revision = r.revision,
      edited_at = r.edited_at, deleted_at = NULL, observed_at = greatest(c.observed_at, r.observed_at), form_at = r.form_at,
      form_number = r.form_number, fate = CASE WHEN {CHANGED} THEN NULL ELSE c.fate END
    FROM {{rows}} WHERE c.id = r.id RETURNING c.id, c.fate
    """,  # noqa: S608 - a constant
    id="bigint", body="text", altered="boolean", attachments="text", revision="integer", edited_at="timestamptz",
    observed_at="timestamptz", form_at="timestamptz", form_number="bigint",
)  # fmt: skip

TOUCH_COMMENTS = Bulk(
    f"""
    UPDATE comment c SET observed_at = greatest(c.observed_at, r.observed_at), form_at = r.form_at, form_number = r.form_number,
      deleted_at = CASE WHEN r.gone THEN coalesce(c.deleted_at, r.observed_at) END,
      fate = CASE WHEN NOT r.gone AND {BACK} THEN NULL ELSE c.fate END
    FROM {{rows}} WHERE c.id = r.id RETURNING c.id, c.fate
    """,  # noqa: S608 - a constant
    id="bigint", observed_at="timestamptz", form_at="timestamptz", form_number="bigint", gone="boolean",
)  # fmt: skip

DELETE_NAMED = Bulk(
    """
    UPDATE comment c SET deleted_at = r.observed_at, observed_at = r.observed_at, form_at = NULL, form_number = NULL
    FROM {rows} JOIN post p ON p.page_id = r.page_id AND p.external_id = r.post_external_id
    WHERE c.page_id = r.page_id AND c.post_id = p.id AND c.external_id = r.external_id
      AND c.deleted_at IS NULL AND c.observed_at <= r.observed_at  -- told of together: it was deleted after it was seen
    RETURNING c.id, c.appeal_id, c.deleted_at
    """,
    page_id="bigint", post_external_id="text", external_id="text", observed_at="timestamptz",
)  # fmt: skip

DELETE_MISSING = Bulk(
    """
    UPDATE comment c SET deleted_at = r.observed_at, observed_at = r.observed_at, form_at = NULL, form_number = NULL
    FROM {rows} JOIN post p ON p.page_id = r.page_id AND p.external_id = r.post_external_id
    WHERE c.post_id = p.id AND (r.root_external_id IS NULL OR c.root_external_id = r.root_external_id)
      AND c.deleted_at IS NULL AND c.observed_at < r.observed_at
    RETURNING c.id, c.appeal_id, c.deleted_at
    """,
    page_id="bigint", post_external_id="text", root_external_id="text", observed_at="timestamptz",
)  # fmt: skip

# A reply that came before its parent took the parent for the top of the thread: so did all below it.
MOVE_ROOTS = Bulk(
    """
    UPDATE comment c SET root_external_id = r.root_external_id FROM {rows}
    WHERE c.post_id = r.post_id AND c.root_external_id = r.external_id AND c.fate IS NULL
    """,
    post_id="bigint", external_id="text", root_external_id="text",
)  # fmt: skip
