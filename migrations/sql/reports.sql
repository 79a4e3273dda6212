-- Measures at scale: one line per appeal and cycle, sums by day, month and year, approved reports.
-- {whole}, {agencies} and {territories} stand for scalar subqueries, as in 0001_access.sql.

CREATE TABLE report_line (
  appeal_id BIGINT NOT NULL,
  cycle INTEGER NOT NULL,
  started_at TIMESTAMP WITH TIME ZONE NOT NULL,
  agency_id BIGINT NOT NULL,
  territory_id BIGINT NOT NULL,
  topic_id BIGINT,
  page_id BIGINT,
  operator_id BIGINT,
  platform VARCHAR NOT NULL,
  first_due_at TIMESTAMP WITH TIME ZONE,
  first_stopped_at TIMESTAMP WITH TIME ZONE,
  first_outcome VARCHAR,
  first_seconds INTEGER,
  first_working INTEGER,
  interim_due_at TIMESTAMP WITH TIME ZONE,
  interim_stopped_at TIMESTAMP WITH TIME ZONE,
  interim_outcome VARCHAR,
  interim_seconds INTEGER,
  interim_working INTEGER,
  final_due_at TIMESTAMP WITH TIME ZONE,
  final_stopped_at TIMESTAMP WITH TIME ZONE,
  final_outcome VARCHAR,
  final_seconds INTEGER,
  final_working INTEGER,
  agency_seconds INTEGER,
  agency_working INTEGER,
  triage_seconds INTEGER,
  triage_working INTEGER,
  detection_seconds INTEGER,
  reopened BOOLEAN NOT NULL,
  repeated BOOLEAN NOT NULL,
  dismissed BOOLEAN NOT NULL,
  CONSTRAINT pk_report_line PRIMARY KEY (appeal_id, cycle)
);
CREATE INDEX ix_report_line_agency_id ON report_line (agency_id, started_at);
CREATE INDEX ix_report_line_overdue ON report_line (first_due_at) WHERE first_outcome IS NULL;
CREATE INDEX ix_report_line_started_at ON report_line (started_at);
CREATE INDEX ix_report_line_territory_id ON report_line (territory_id, started_at);
CREATE INDEX ix_report_line_waiting ON report_line (started_at) WHERE first_outcome IS NULL;

CREATE TABLE report_cell (
  dim SMALLINT NOT NULL,
  level SMALLINT NOT NULL,
  start DATE NOT NULL,
  key VARCHAR NOT NULL,
  opened BIGINT DEFAULT 0 NOT NULL,
  dismissed BIGINT DEFAULT 0 NOT NULL,
  reopened BIGINT DEFAULT 0 NOT NULL,
  repeated BIGINT DEFAULT 0 NOT NULL,
  ended BIGINT DEFAULT 0 NOT NULL,
  first_population BIGINT DEFAULT 0 NOT NULL,
  first_met BIGINT DEFAULT 0 NOT NULL,
  first_late BIGINT DEFAULT 0 NOT NULL,
  first_unpromised BIGINT DEFAULT 0 NOT NULL,
  first_unanswered BIGINT DEFAULT 0 NOT NULL,
  final_population BIGINT DEFAULT 0 NOT NULL,
  final_met BIGINT DEFAULT 0 NOT NULL,
  final_late BIGINT DEFAULT 0 NOT NULL,
  final_unpromised BIGINT DEFAULT 0 NOT NULL,
  final_unanswered BIGINT DEFAULT 0 NOT NULL,
  first_n BIGINT DEFAULT 0 NOT NULL,
  first_s BIGINT DEFAULT 0 NOT NULL,
  first_wn BIGINT DEFAULT 0 NOT NULL,
  first_ws BIGINT DEFAULT 0 NOT NULL,
  final_n BIGINT DEFAULT 0 NOT NULL,
  final_s BIGINT DEFAULT 0 NOT NULL,
  final_wn BIGINT DEFAULT 0 NOT NULL,
  final_ws BIGINT DEFAULT 0 NOT NULL,
  agency_n BIGINT DEFAULT 0 NOT NULL,
  agency_s BIGINT DEFAULT 0 NOT NULL,
  agency_wn BIGINT DEFAULT 0 NOT NULL,
  agency_ws BIGINT DEFAULT 0 NOT NULL,
  triage_n BIGINT DEFAULT 0 NOT NULL,
  triage_s BIGINT DEFAULT 0 NOT NULL,
  triage_wn BIGINT DEFAULT 0 NOT NULL,
  triage_ws BIGINT DEFAULT 0 NOT NULL,
  detection_n BIGINT DEFAULT 0 NOT NULL,
  detection_s BIGINT DEFAULT 0 NOT NULL,
  detection_wn BIGINT DEFAULT 0 NOT NULL,
  detection_ws BIGINT DEFAULT 0 NOT NULL,
  first_h BYTEA DEFAULT ''::bytea NOT NULL,
  first_wh BYTEA DEFAULT ''::bytea NOT NULL,
  final_h BYTEA DEFAULT ''::bytea NOT NULL,
  final_wh BYTEA DEFAULT ''::bytea NOT NULL,
  agency_h BYTEA DEFAULT ''::bytea NOT NULL,
  agency_wh BYTEA DEFAULT ''::bytea NOT NULL,
  triage_h BYTEA DEFAULT ''::bytea NOT NULL,
  triage_wh BYTEA DEFAULT ''::bytea NOT NULL,
  detection_h BYTEA DEFAULT ''::bytea NOT NULL,
  detection_wh BYTEA DEFAULT ''::bytea NOT NULL,
  CONSTRAINT pk_report_cell PRIMARY KEY (dim, level, start, key)
);

CREATE TABLE report_queue (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  appeal_id BIGINT NOT NULL,
  CONSTRAINT pk_report_queue PRIMARY KEY (id)
);

CREATE TABLE report_state (
  id SMALLINT NOT NULL,
  tz VARCHAR NOT NULL,
  built_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_report_state PRIMARY KEY (id),
  CONSTRAINT ck_report_state_one CHECK (id = 1)
);

CREATE TABLE working_span (
  calendar_version_id BIGINT NOT NULL,
  opens_at TIMESTAMP WITH TIME ZONE NOT NULL,
  closes_at TIMESTAMP WITH TIME ZONE NOT NULL,
  before BIGINT NOT NULL,
  CONSTRAINT pk_working_span PRIMARY KEY (calendar_version_id, opens_at),
  CONSTRAINT fk_working_span_calendar_version_id FOREIGN KEY(calendar_version_id) REFERENCES calendar_version (id)
);

CREATE TABLE approved_report (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  measure VARCHAR NOT NULL,
  period_start DATE NOT NULL,
  period_end DATE NOT NULL,
  tz VARCHAR NOT NULL,
  group_by VARCHAR NOT NULL,
  as_of TIMESTAMP WITH TIME ZONE NOT NULL,
  body JSONB NOT NULL,
  digest VARCHAR NOT NULL,
  whole BOOLEAN NOT NULL,
  agency_ids BIGINT[] NOT NULL,
  territory_ids BIGINT[] NOT NULL,
  approved_by BIGINT NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_approved_report PRIMARY KEY (id),
  CONSTRAINT fk_approved_report_approved_by FOREIGN KEY(approved_by) REFERENCES operator (id)
);
CREATE INDEX ix_approved_report_recorded_at ON approved_report (recorded_at);

CREATE INDEX ix_appeal_event_reopened ON appeal_event (occurred_at) WHERE act = 'reopened';

-- Sketches are packed by us: PostgreSQL's own compression would only slow their reading.
DO $$
DECLARE
  shape record;
BEGIN
  FOR shape IN SELECT attname FROM pg_attribute WHERE attrelid = 'report_cell'::regclass AND atttypid = 'bytea'::regtype LOOP
    EXECUTE format('ALTER TABLE report_cell ALTER COLUMN %I SET STORAGE EXTERNAL', shape.attname);
  END LOOP;
END $$;

-- ------------------------------------------------------------------------------------------------ working time in SQL
-- Seconds of working time between two moments, whole; nothing when the calendar's spans are not known.
CREATE FUNCTION otklik_worked(calendar bigint, since timestamptz, until timestamptz) RETURNS integer
LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
  SELECT CAST(least(greatest(round((b.worked - a.worked) / 1e6), 0), 2147483647) AS integer)
  FROM (
    SELECT s.before + least(extract(epoch FROM since - s.opens_at), extract(epoch FROM s.closes_at - s.opens_at)) * 1000000 AS worked
    FROM working_span s WHERE s.calendar_version_id = calendar AND s.opens_at <= since ORDER BY s.opens_at DESC LIMIT 1) a,
  (
    SELECT s.before + least(extract(epoch FROM until - s.opens_at), extract(epoch FROM s.closes_at - s.opens_at)) * 1000000 AS worked
    FROM working_span s WHERE s.calendar_version_id = calendar AND s.opens_at <= until ORDER BY s.opens_at DESC LIMIT 1) b;
END;

-- The bin of a time in a sketch: each is 2 % wide, so its middle is within 1 % of whatever lies in it. See sketch.py.
CREATE FUNCTION otklik_bin(seconds integer) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN seconds <= 0 THEN 0 ELSE 1 + CAST(floor(ln(CAST(seconds AS float8)) / 0.0198026272961797) AS bigint) END;

-- ------------------------------------------------------------------------------------------------ what is to be computed anew
-- Appending is all that writers do: a row that two of them shared would make one wait for the other.
CREATE FUNCTION otklik_queue_lines() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_TABLE_NAME = 'appeal_event' THEN
    INSERT INTO report_queue (appeal_id) SELECT DISTINCT appeal_id FROM added
    WHERE act NOT IN ('appended', 'noted', 'comment_edited', 'comment_deleted', 'sla_warned', 'sla_breached');
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO report_queue (appeal_id) SELECT DISTINCT appeal_id FROM added;
  ELSE
    INSERT INTO report_queue (appeal_id) SELECT DISTINCT a.appeal_id FROM added a JOIN replaced r ON r.id = a.id
    WHERE (a.started_at, a.due_at) <> (r.started_at, r.due_at)
      OR ROW (a.stopped_at, a.outcome, a.agency_id, a.elapsed_seconds, a.working_seconds, a.calendar_version_id)
        IS DISTINCT FROM ROW (r.stopped_at, r.outcome, r.agency_id, r.elapsed_seconds, r.working_seconds, r.calendar_version_id);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER queue_lines AFTER INSERT ON appeal_event REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION otklik_queue_lines();
CREATE TRIGGER queue_lines_added AFTER INSERT ON sla_timer REFERENCING NEW TABLE AS added
  FOR EACH STATEMENT EXECUTE FUNCTION otklik_queue_lines();
CREATE TRIGGER queue_lines_changed AFTER UPDATE ON sla_timer REFERENCING NEW TABLE AS added OLD TABLE AS replaced
  FOR EACH STATEMENT EXECUTE FUNCTION otklik_queue_lines();

-- Whatever there is already is computed by the worker's first look.
INSERT INTO report_queue (appeal_id) SELECT id FROM appeal;

CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON approved_report FOR EACH ROW EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON approved_report FOR EACH STATEMENT EXECUTE FUNCTION otklik_refuse_change();

-- ------------------------------------------------------------------------------------------------ who may touch what
REVOKE ALL ON FUNCTION otklik_worked(bigint, timestamptz, timestamptz), otklik_bin(integer), otklik_queue_lines() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_worked(bigint, timestamptz, timestamptz), otklik_bin(integer), otklik_queue_lines()
  TO otklik_web, otklik_worker;
GRANT USAGE ON SEQUENCE approved_report_id_seq TO otklik_web;
GRANT SELECT ON report_line, report_cell, report_queue, report_state, working_span, approved_report TO otklik_web;
GRANT INSERT ON approved_report TO otklik_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON report_line, report_cell, report_state TO otklik_worker;
GRANT SELECT, INSERT, DELETE ON report_queue TO otklik_worker;
GRANT SELECT, INSERT ON working_span TO otklik_worker;

ALTER TABLE report_line ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON report_line FOR SELECT TO otklik_web USING (
  {whole} OR agency_id = ANY ({agencies}) OR territory_id = ANY ({territories}));

-- Cells of an agency or a territory are seen by whoever sees it; all others hold everybody's.
ALTER TABLE report_cell ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON report_cell FOR SELECT TO otklik_web USING (
  {whole} OR (dim = 1 AND key = ANY ({agencies}::text[])) OR (dim = 2 AND key = ANY ({territories}::text[])));

ALTER TABLE approved_report ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON approved_report FOR SELECT TO otklik_web USING (
  {whole} OR (NOT whole AND agency_ids <@ {agencies} AND territory_ids <@ {territories}));
CREATE POLICY added ON approved_report FOR INSERT TO otklik_web WITH CHECK (
  approved_by = otklik_operator() AND ({whole} OR (NOT whole AND agency_ids <@ {agencies} AND territory_ids <@ {territories})));
