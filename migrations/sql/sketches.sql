-- Distributions of times as numbers that add up, apart from the sums; what waits is read from its index alone.
-- {whole}, {agencies} and {territories} stand for scalar subqueries, as in 0001_access.sql.

-- Everything here is computed from the history. The worker's first look builds it; until then reports read the history itself.
DELETE FROM report_queue;
DELETE FROM report_line;
DELETE FROM report_cell;
DELETE FROM report_state;

ALTER TABLE report_cell
  DROP COLUMN first_h, DROP COLUMN first_wh, DROP COLUMN final_h, DROP COLUMN final_wh, DROP COLUMN agency_h, DROP COLUMN agency_wh,
  DROP COLUMN triage_h, DROP COLUMN triage_wh, DROP COLUMN detection_h, DROP COLUMN detection_wh;

CREATE TABLE report_shape (
  dim SMALLINT NOT NULL,
  level SMALLINT NOT NULL,
  clock VARCHAR NOT NULL,
  start DATE NOT NULL,
  key VARCHAR NOT NULL,
  calendar NUMERIC NOT NULL,
  working NUMERIC NOT NULL,
  CONSTRAINT pk_report_shape PRIMARY KEY (dim, level, clock, start, key)
);

-- One time as a distribution: a one among the eight decimal digits of its bin. sum() of these is the distribution of all.
CREATE FUNCTION otklik_sketch(seconds integer) RETURNS numeric LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CAST('1e' || CAST(otklik_bin(seconds) * 8 AS text) AS numeric);

-- What an appeal was about at a moment; what its history does not say is as it is now.
CREATE FUNCTION otklik_topic_then(of_appeal bigint, known timestamptz) RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT CASE WHEN said.id IS NULL THEN a.topic_id ELSE said.topic_id END
  FROM appeal a LEFT JOIN LATERAL (
    SELECT e.id, CAST(e.data ->> 'topic' AS bigint) AS topic_id FROM appeal_event e
    WHERE e.appeal_id = a.id AND e.act IN ('opened', 'topic_set') AND e.data ? 'topic' AND e.recorded_at <= known
    ORDER BY e.id DESC LIMIT 1) said ON true
  WHERE a.id = of_appeal;
END;

-- Whether the author of an appeal had written on the same topic in the 30 days before, as was known at a moment (null: now).
-- It must count what the asker may not see, or the same appeal would be a repetition for one reader and none for another.
CREATE FUNCTION otklik_repeated(of_appeal bigint, known timestamptz) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT EXISTS (
    SELECT FROM appeal a JOIN appeal b ON b.author_id = a.author_id AND b.id <> a.id
      AND b.written_at < a.written_at AND b.written_at >= a.written_at - interval '30 days'
    WHERE a.id = of_appeal AND CASE
      WHEN known IS NULL THEN b.topic_id IS NOT DISTINCT FROM a.topic_id
      ELSE b.opened_at <= known AND otklik_topic_then(b.id, known) IS NOT DISTINCT FROM otklik_topic_then(a.id, known) END);
END;

DROP INDEX ix_report_line_waiting;
DROP INDEX ix_report_line_overdue;
CREATE INDEX ix_report_line_first_waiting ON report_line (started_at)
  INCLUDE (first_due_at, agency_id, territory_id, topic_id, page_id, operator_id, platform, appeal_id) WHERE first_outcome IS NULL;
CREATE INDEX ix_report_line_final_waiting ON report_line (started_at)
  INCLUDE (final_due_at, agency_id, territory_id, topic_id, page_id, operator_id, platform, appeal_id)
  WHERE final_outcome IS NULL AND final_due_at IS NOT NULL;

REVOKE ALL ON FUNCTION otklik_sketch(integer), otklik_topic_then(bigint, timestamptz), otklik_repeated(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_sketch(integer), otklik_topic_then(bigint, timestamptz), otklik_repeated(bigint, timestamptz)
  TO otklik_web, otklik_worker;
GRANT SELECT ON report_shape TO otklik_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON report_shape TO otklik_worker;

ALTER TABLE report_shape ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON report_shape FOR SELECT TO otklik_web USING (
  {whole} OR (dim = 1 AND key = ANY ({agencies}::text[])) OR (dim = 2 AND key = ANY ({territories}::text[])));
