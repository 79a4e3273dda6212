-- What is stored of a person ends: after its term, or when the person asks. History keeps ids only, so nothing that is counted changes.

ALTER TABLE author ADD COLUMN erased_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE author ADD COLUMN mark VARCHAR;
CREATE INDEX ix_author_mark ON author (mark) WHERE mark IS NOT NULL;
ALTER TABLE comment ADD COLUMN erased_at TIMESTAMP WITH TIME ZONE;

CREATE TABLE erasure (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  author_id BIGINT NOT NULL,
  reason VARCHAR NOT NULL,
  requested_by BIGINT,
  requested_at TIMESTAMP WITH TIME ZONE NOT NULL,
  done_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_erasure PRIMARY KEY (id),
  CONSTRAINT fk_erasure_author_id FOREIGN KEY(author_id) REFERENCES author (id),
  CONSTRAINT fk_erasure_requested_by FOREIGN KEY(requested_by) REFERENCES operator (id)
);
CREATE INDEX ix_erasure_waiting ON erasure (id) WHERE done_at IS NULL;
CREATE INDEX ix_erasure_author_id ON erasure (author_id);
ALTER TABLE erasure ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON erasure FOR SELECT TO otklik_web USING ((SELECT otklik_administers()));
CREATE POLICY added ON erasure FOR INSERT TO otklik_web WITH CHECK (
  (SELECT otklik_administers()) AND requested_by = (SELECT otklik_operator()) AND done_at IS NULL);
GRANT SELECT, INSERT ON erasure TO otklik_web;
GRANT SELECT, UPDATE (done_at) ON erasure TO otklik_worker;

-- The key by which an erased person's id on the platform is recognised and not read. No process may read it: only the function does.
CREATE TABLE erasure_key (key BYTEA NOT NULL, CONSTRAINT pk_erasure_key PRIMARY KEY (key));
INSERT INTO erasure_key SELECT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());
CREATE FUNCTION otklik_author_mark(of_platform text, of_id text) RETURNS text LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT encode(sha256(k.key || sha256(k.key || convert_to(of_platform || ':' || of_id, 'UTF8'))), 'hex') FROM erasure_key k;
END;

-- ------------------------------------------------------------------------------------------------ erasing
-- Of these comments, those of closed matters lose text, attachments, link and the platform's bytes, revisions included; how many.
CREATE FUNCTION otklik_erase_comments(comments bigint[], at timestamptz) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
  gone bigint[];
BEGIN
  WITH done AS (
    UPDATE comment c SET text = '', text_altered = false, attachments = '[]', link = '', erased_at = at
    WHERE c.id = ANY (comments) AND c.erased_at IS NULL AND c.fate IS NOT NULL AND c.fate <> 'in_triage'
      AND NOT EXISTS (SELECT FROM appeal a WHERE a.id = c.appeal_id AND a.status NOT IN ('closed', 'dismissed'))
    RETURNING c.id)
  SELECT array_agg(id) INTO gone FROM done;
  UPDATE comment_revision r SET text = '', attachments = '[]', raw = '' WHERE r.comment_id = ANY (gone);
  RETURN coalesce(cardinality(gone), 0);
END $$;

-- Of these appeals, those that are closed lose what was taken down, our answers' words and colleagues' notes; how many.
CREATE FUNCTION otklik_erase_appeals(appeals bigint[], at timestamptz) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
  closed bigint[];
  touched bigint[];
BEGIN
  SELECT array_agg(a.id) INTO closed FROM appeal a WHERE a.id = ANY (appeals) AND a.status IN ('closed', 'dismissed');
  WITH words AS (
    UPDATE appeal_text t SET text = '', author_name = NULL, link = NULL
    WHERE t.appeal_id = ANY (closed) AND (t.text <> '' OR t.author_name IS NOT NULL OR t.link IS NOT NULL) RETURNING t.appeal_id),
  answers AS (
    UPDATE reply r SET text = '', link = NULL, error_detail = NULL
    WHERE r.appeal_id = ANY (closed) AND r.state NOT IN ('queued', 'sending', 'uncertain')
      AND (r.text <> '' OR r.link IS NOT NULL OR r.error_detail IS NOT NULL) RETURNING r.appeal_id),
  notes AS (UPDATE appeal_note n SET text = '' WHERE n.appeal_id = ANY (closed) AND n.text <> '' RETURNING n.appeal_id),
  origins AS (UPDATE appeal_origin o SET cells = '{}' WHERE o.appeal_id = ANY (closed) AND o.cells <> '{}' RETURNING o.appeal_id)
  SELECT array_agg(DISTINCT one.appeal_id) INTO touched
  FROM (SELECT appeal_id FROM words UNION ALL SELECT appeal_id FROM answers UNION ALL SELECT appeal_id FROM notes
    UNION ALL SELECT appeal_id FROM origins) one;
  RETURN coalesce(cardinality(touched), 0);
END $$;

-- Of these people, those of whom nothing is kept any more lose name, link and the platform's id; a mark stays. How many.
CREATE FUNCTION otklik_erase_authors(authors bigint[], at timestamptz) RETURNS integer LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH done AS (
    UPDATE author u SET mark = otklik_author_mark(u.platform, u.external_id), external_id = 'erased:' || u.id, name = '', link = NULL,
      erased_at = at
    WHERE u.id = ANY (authors) AND u.erased_at IS NULL
      AND NOT EXISTS (SELECT FROM comment c WHERE c.author_id = u.id AND c.erased_at IS NULL)
      AND NOT EXISTS (SELECT FROM appeal a WHERE a.author_id = u.id AND a.status NOT IN ('closed', 'dismissed'))
    RETURNING u.id)
  SELECT count(*)::integer FROM done;
END;

-- The platform's bytes of these revisions and of rows that were set aside; how many.
CREATE FUNCTION otklik_drop_raw(before timestamptz, after_id bigint, upto_id bigint) RETURNS integer LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH revisions AS (
    UPDATE comment_revision r SET raw = '' WHERE r.id > after_id AND r.id <= upto_id AND r.recorded_at < before AND r.raw <> '' RETURNING 1),
  aside AS (
    UPDATE set_aside s SET raw = '' WHERE s.id IN (SELECT o.id FROM set_aside o WHERE o.recorded_at < before AND o.raw <> '' LIMIT 1000)
    RETURNING 1)
  SELECT ((SELECT count(*) FROM revisions) + (SELECT count(*) FROM aside))::integer;
END;

-- Failed sign-ins, ended sessions, used invitations; notices that are settled. At most so many at once; how many.
CREATE FUNCTION otklik_drop_sign_ins(before timestamptz, most integer) RETURNS integer LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH attempts AS (DELETE FROM sign_in_attempt WHERE id IN (SELECT id FROM sign_in_attempt WHERE at < before LIMIT most) RETURNING 1),
  sessions AS (
    DELETE FROM operator_session WHERE id IN (
      SELECT id FROM operator_session WHERE least(ended_at, expires_at) < before LIMIT most) RETURNING 1),
  links AS (
    DELETE FROM invitation WHERE id IN (SELECT id FROM invitation WHERE least(used_at, expires_at) < before LIMIT most) RETURNING 1)
  SELECT ((SELECT count(*) FROM attempts) + (SELECT count(*) FROM sessions) + (SELECT count(*) FROM links))::integer;
END;
CREATE FUNCTION otklik_drop_notices(before timestamptz, most integer) RETURNS integer LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH done AS (DELETE FROM notice WHERE id IN (SELECT id FROM notice WHERE settled_at < before LIMIT most) RETURNING 1)
  SELECT count(*)::integer FROM done;
END;

-- ------------------------------------------------------------------------------------------------ one person
CREATE FUNCTION otklik_subject_rows(of_platform text, said text)
RETURNS TABLE (id bigint, name text, link text, external_id text, comments bigint, appeals bigint, open_numbers bigint[],
  requested_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT u.id, u.name, u.link, u.external_id, (SELECT count(*) FROM comment c WHERE c.author_id = u.id),
    (SELECT count(*) FROM appeal a WHERE a.author_id = u.id),
    ARRAY(SELECT a.number FROM appeal a WHERE a.author_id = u.id AND a.status NOT IN ('closed', 'dismissed') ORDER BY a.id),
    (SELECT max(e.requested_at) FROM erasure e WHERE e.author_id = u.id AND e.done_at IS NULL)
  FROM author u
  WHERE u.platform = of_platform AND u.erased_at IS NULL
    AND u.id IN (
      SELECT x.id FROM author x WHERE x.platform = of_platform AND x.external_id = said
      UNION SELECT x.id FROM author x WHERE x.platform = of_platform AND x.link = said);
END;
CREATE FUNCTION otklik_subject_found(of_platform text, said text)
RETURNS TABLE (id bigint, name text, link text, external_id text, comments bigint, appeals bigint, open_numbers bigint[],
  requested_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT * FROM otklik_subject_rows(of_platform, said) WHERE (SELECT otklik_administers());
END;
CREATE INDEX ix_author_link ON author (platform, link) WHERE link IS NOT NULL;

CREATE FUNCTION otklik_subject_data(of_author bigint) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
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
          SELECT coalesce(jsonb_agg(jsonb_build_object('text', r.text, 'published_at', r.published_at) ORDER BY r.id), '[]')
          FROM reply r WHERE r.appeal_id = a.id AND r.state = 'sent')) ORDER BY a.id), '[]')
      FROM appeal a JOIN agency g ON g.id = a.agency_id LEFT JOIN topic t ON t.id = a.topic_id WHERE a.author_id = u.id))
  FROM author u WHERE u.id = of_author;
END;
CREATE FUNCTION otklik_subject_handed(of_author bigint) RETURNS jsonb LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT otklik_subject_data(of_author) WHERE (SELECT otklik_administers());
END;

REVOKE ALL ON FUNCTION otklik_author_mark(text, text), otklik_erase_comments(bigint[], timestamptz),
  otklik_erase_appeals(bigint[], timestamptz), otklik_erase_authors(bigint[], timestamptz), otklik_drop_raw(timestamptz, bigint, bigint),
  otklik_drop_sign_ins(timestamptz, integer), otklik_drop_notices(timestamptz, integer), otklik_subject_rows(text, text),
  otklik_subject_found(text, text), otklik_subject_data(bigint), otklik_subject_handed(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_author_mark(text, text), otklik_erase_comments(bigint[], timestamptz),
  otklik_erase_appeals(bigint[], timestamptz), otklik_erase_authors(bigint[], timestamptz), otklik_drop_raw(timestamptz, bigint, bigint),
  otklik_drop_sign_ins(timestamptz, integer), otklik_drop_notices(timestamptz, integer) TO otklik_worker;
GRANT EXECUTE ON FUNCTION otklik_subject_found(text, text), otklik_subject_handed(bigint) TO otklik_web;
