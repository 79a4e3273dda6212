-- The same unreadable thing is set aside once and counted: by its page, by the post that it stands under, by its bytes.
ALTER TABLE set_aside ADD COLUMN reference varchar NOT NULL DEFAULT '', ADD COLUMN digest bytea, ADD COLUMN times integer NOT NULL DEFAULT 1,
  ADD COLUMN last_at timestamp with time zone NOT NULL DEFAULT now();
-- Of those whose bytes have gone after their term nobody can say what they were: each stays a thing of its own.
UPDATE set_aside SET digest = CASE WHEN raw = '' THEN uuid_send(gen_random_uuid()) ELSE sha256(raw) END, last_at = recorded_at;
WITH met AS (
  SELECT min(id) AS id, count(*) AS times, max(recorded_at) AS last_at FROM set_aside GROUP BY platform, page_id, digest)
UPDATE set_aside s SET times = met.times, last_at = met.last_at FROM met WHERE s.id = met.id AND met.times > 1;
DELETE FROM set_aside s USING set_aside first
WHERE first.id < s.id AND first.platform = s.platform AND first.page_id IS NOT DISTINCT FROM s.page_id AND first.digest = s.digest;
ALTER TABLE set_aside ALTER COLUMN digest SET NOT NULL,
  ADD CONSTRAINT uq_set_aside_platform_page_id_reference_digest UNIQUE NULLS NOT DISTINCT (platform, page_id, reference, digest);
CREATE INDEX ix_set_aside_page_id ON set_aside (page_id, last_at) WHERE resolved_at IS NULL;

-- Counting one that is there already; its bytes the worker reads as little as before.
GRANT SELECT (platform, page_id, reference, digest, reason, times, last_at), UPDATE (reason, times, last_at) ON set_aside TO otklik_worker;

-- What could not be read of a page, for whoever looks after it: why, how often, since when; never the bytes. What the platform told of no
-- page in particular concerns all of its pages. The latest first, and no more than so many.
CREATE FUNCTION otklik_page_aside(of_page bigint, most integer)
RETURNS TABLE (reason varchar, times integer, first_at timestamptz, last_at timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT s.reason, s.times, s.recorded_at, s.last_at FROM page g JOIN set_aside s ON s.platform = g.platform
    AND (s.page_id = g.id OR (s.page_id IS NULL AND s.reason <> 'unknown_page'))
  WHERE g.id = of_page AND s.resolved_at IS NULL AND otklik_role_reaches('{coordinator,administrator}', of_page, NULL)
  ORDER BY s.last_at DESC, s.id DESC LIMIT most;
END;
REVOKE ALL ON FUNCTION otklik_page_aside(bigint, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_page_aside(bigint, integer) TO otklik_web;
