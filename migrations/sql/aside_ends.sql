-- What was set aside ends with its bytes: an empty row told nobody anything, and what was met again after that had none and never ended.
CREATE OR REPLACE FUNCTION otklik_drop_raw(before timestamptz, after_id bigint, upto_id bigint) RETURNS integer LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH revisions AS (
    UPDATE comment_revision r SET raw = '' WHERE r.id > after_id AND r.id <= upto_id AND r.recorded_at < before AND r.raw <> '' RETURNING 1),
  aside AS (
    DELETE FROM set_aside s WHERE s.id IN (SELECT o.id FROM set_aside o WHERE o.recorded_at < before LIMIT 1000) RETURNING 1)
  SELECT ((SELECT count(*) FROM revisions) + (SELECT count(*) FROM aside))::integer;
END;
