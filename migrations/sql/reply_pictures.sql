-- Pictures of answers: drawn anew when they come, kept by us, and published with the answer. Whoever sees the answer sees them.
CREATE TABLE reply_picture (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  operator_id BIGINT NOT NULL,
  reply_id BIGINT,
  place SMALLINT DEFAULT 0 NOT NULL,
  content BYTEA,
  digest BYTEA,
  size INTEGER NOT NULL,
  width INTEGER NOT NULL,
  height INTEGER NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_reply_picture PRIMARY KEY (id),
  CONSTRAINT uq_reply_picture_reply_id_place UNIQUE (reply_id, place),
  CONSTRAINT fk_reply_picture_operator_id FOREIGN KEY (operator_id) REFERENCES operator (id),
  CONSTRAINT fk_reply_picture_reply_id FOREIGN KEY (reply_id) REFERENCES reply (id)
);
CREATE INDEX ix_reply_picture_loose ON reply_picture (operator_id, created_at) WHERE reply_id IS NULL;
ALTER TABLE reply_picture ALTER COLUMN content SET STORAGE EXTERNAL;  -- a JPEG does not shrink

GRANT SELECT, INSERT (operator_id, content, digest, size, width, height, created_at), UPDATE (reply_id, place) ON reply_picture TO otklik_web;
GRANT SELECT ON reply_picture TO otklik_worker;
ALTER TABLE reply_picture ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON reply_picture FOR SELECT TO otklik_web USING (
  (reply_id IS NULL AND operator_id = (SELECT otklik_operator())) OR EXISTS (SELECT FROM reply r WHERE r.id = reply_id));
CREATE POLICY brought ON reply_picture FOR INSERT TO otklik_web WITH CHECK (operator_id = (SELECT otklik_operator()) AND reply_id IS NULL);
-- Its author puts a picture to an answer of their own that nobody has tried to publish yet, for good.
CREATE POLICY put ON reply_picture FOR UPDATE TO otklik_web USING (reply_id IS NULL AND operator_id = (SELECT otklik_operator()))
  WITH CHECK (operator_id = (SELECT otklik_operator()) AND EXISTS (
    SELECT FROM reply r WHERE r.id = reply_id AND r.operator_id = (SELECT otklik_operator()) AND r.attempts = 0
      AND r.state IN ('awaiting', 'queued')));

-- What never came to an answer.
CREATE FUNCTION otklik_drop_loose_pictures(before timestamptz) RETURNS integer LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH gone AS (DELETE FROM reply_picture WHERE reply_id IS NULL AND created_at < before RETURNING 1) SELECT count(*)::integer FROM gone;
END;

-- The platform's own numbers of what belongs to an answer beside its text: an album is several messages.
ALTER TABLE reply ADD COLUMN parts VARCHAR[] DEFAULT '{}' NOT NULL;
GRANT UPDATE (parts) ON reply TO otklik_worker;

-- Where a long text and its pictures are no one message, the worker has the pictures follow the answer that stands.
ALTER TABLE amendment
  DROP CONSTRAINT ck_amendment_change,
  ADD CONSTRAINT ck_amendment_change CHECK (change IN ('edit', 'delete', 'attach'));
GRANT INSERT (reply_id, operator_id, approved_by, limit_waived, change, text, reason, state, created_at, due_at) ON amendment TO otklik_worker;
CREATE POLICY asked ON amendment AS RESTRICTIVE FOR INSERT TO otklik_web WITH CHECK (change IN ('edit', 'delete'));
GRANT EXECUTE ON FUNCTION otklik_bind_amendment() TO otklik_worker;

-- Of which kinds tokens are there for a page: what cannot be published is not offered. The tokens themselves stay out of sight.
CREATE FUNCTION otklik_token_kinds(of_page bigint) RETURNS varchar[] LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT coalesce(array_agg(DISTINCT c.kind), '{}') FROM page g JOIN credential c ON c.platform = g.platform
  WHERE g.id = of_page AND c.revoked_at IS NULL AND (c.page_id IS NULL OR c.page_id = g.id);
END;

CREATE OR REPLACE FUNCTION otklik_erase_appeals(appeals bigint[], at timestamptz) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
  closed bigint[];
  touched bigint[];
BEGIN
  SELECT array_agg(a.id) INTO closed FROM appeal a WHERE a.id = ANY (appeals) AND a.status IN ('closed', 'dismissed');
  WITH words AS (
    UPDATE appeal_text t SET text = '', author_name = NULL, link = NULL
    WHERE t.appeal_id = ANY (closed) AND (t.text <> '' OR t.author_name IS NOT NULL OR t.link IS NOT NULL) RETURNING t.appeal_id),
  pictures AS (
    UPDATE reply_picture i SET content = NULL, digest = NULL FROM reply r
    WHERE r.id = i.reply_id AND r.appeal_id = ANY (closed) AND r.state NOT IN ('queued', 'sending', 'uncertain')
      AND (i.content IS NOT NULL OR i.digest IS NOT NULL) RETURNING r.appeal_id),
  answers AS (
    UPDATE reply r SET text = '', link = NULL, error_detail = NULL
    WHERE r.appeal_id = ANY (closed) AND r.state NOT IN ('queued', 'sending', 'uncertain')
      AND (r.text <> '' OR r.link IS NOT NULL OR r.error_detail IS NOT NULL) RETURNING r.appeal_id),
  changes AS (
    UPDATE amendment m SET text = '', text_before = '', reason = '', error_detail = NULL
    WHERE m.appeal_id = ANY (closed) AND m.state NOT IN ('queued', 'sending', 'uncertain')
      AND (m.text <> '' OR m.text_before <> '' OR m.reason <> '' OR m.error_detail IS NOT NULL) RETURNING m.appeal_id),
  notes AS (UPDATE appeal_note n SET text = '' WHERE n.appeal_id = ANY (closed) AND n.text <> '' RETURNING n.appeal_id),
  origins AS (UPDATE appeal_origin o SET cells = '{}' WHERE o.appeal_id = ANY (closed) AND o.cells <> '{}' RETURNING o.appeal_id)
  SELECT array_agg(DISTINCT one.appeal_id) INTO touched
  FROM (SELECT appeal_id FROM words UNION ALL SELECT appeal_id FROM pictures UNION ALL SELECT appeal_id FROM answers
    UNION ALL SELECT appeal_id FROM changes UNION ALL SELECT appeal_id FROM notes UNION ALL SELECT appeal_id FROM origins) one;
  RETURN coalesce(cardinality(touched), 0);
END $$;

-- What is handed to a person holds the pictures of the answers too.
CREATE OR REPLACE FUNCTION otklik_subject_data(of_author bigint) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT jsonb_build_object(
    'platform', u.platform, 'external_id', u.external_id, 'name', u.name, 'link', u.link,
    'comments', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'page', p.title, 'link', c.link, 'written_at', c.written_at, 'text', c.text, 'attachments', c.attachments,
        'deleted_at', c.deleted_at, 'revisions', (
          SELECT coalesce(jsonb_agg(jsonb_build_object('text', r.text, 'observed_at', r.observed_at) ORDER BY r.revision), '[]')
          FROM comment_revision r WHERE r.comment_id = c.id)) ORDER BY c.written_at, c.id), '[]')
      FROM comment c JOIN page p ON p.id = c.page_id WHERE c.author_id = u.id),
    'appeals', (
      SELECT coalesce(jsonb_agg(jsonb_build_object(
        'number', a.number, 'status', a.status, 'agency', g.name, 'topic', t.name, 'opened_at', a.opened_at, 'closed_at', a.closed_at,
        'answers', (
          SELECT coalesce(jsonb_agg(jsonb_build_object('text', r.text, 'published_at', r.published_at, 'pictures', (
            SELECT coalesce(jsonb_agg(translate(encode(i.content, 'base64'), E'\n', '') ORDER BY i.place), '[]')
            FROM reply_picture i WHERE i.reply_id = r.id AND i.content IS NOT NULL)) ORDER BY r.id), '[]')
          FROM reply r WHERE r.appeal_id = a.id AND r.state = 'sent')) ORDER BY a.id), '[]')
      FROM appeal a JOIN agency g ON g.id = a.agency_id LEFT JOIN topic t ON t.id = a.topic_id WHERE a.author_id = u.id))
  FROM author u WHERE u.id = of_author;
END;

REVOKE ALL ON FUNCTION otklik_drop_loose_pictures(timestamptz), otklik_token_kinds(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_drop_loose_pictures(timestamptz) TO otklik_worker;
GRANT EXECUTE ON FUNCTION otklik_token_kinds(bigint) TO otklik_web;
