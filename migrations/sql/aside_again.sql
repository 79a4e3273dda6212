-- A comment whose post is not known yet waits with all that was told of it, and is taken in as soon as the post is known.
ALTER TABLE set_aside ADD COLUMN snapshot varchar;
GRANT SELECT (id, raw, snapshot, resolved_at), UPDATE (snapshot, resolved_at) ON set_aside TO otklik_worker;

CREATE OR REPLACE FUNCTION otklik_drop_raw(before timestamptz, after_id bigint, upto_id bigint) RETURNS integer LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH revisions AS (
    UPDATE comment_revision r SET raw = '' WHERE r.id > after_id AND r.id <= upto_id AND r.recorded_at < before AND r.raw <> '' RETURNING 1),
  aside AS (
    UPDATE set_aside s SET raw = '', snapshot = NULL
    WHERE s.id IN (SELECT o.id FROM set_aside o WHERE o.recorded_at < before AND o.raw <> '' LIMIT 1000)
    RETURNING 1)
  SELECT ((SELECT count(*) FROM revisions) + (SELECT count(*) FROM aside))::integer;
END;
