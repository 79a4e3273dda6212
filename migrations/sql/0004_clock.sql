-- The clock: interim answers, one open pause an appeal, deadlines extended by a coordinator, who may set norms.
-- {whole}, {agencies} and {territories} stand for scalar subqueries, so each scope is computed once a statement.

ALTER TABLE reply ADD COLUMN kind VARCHAR DEFAULT 'final' NOT NULL;
ALTER TABLE reply ADD CONSTRAINT ck_reply_kind CHECK (kind IN ('final', 'interim'));

-- ------------------------------------------------------------------------------------------------ pauses
CREATE UNIQUE INDEX uq_sla_pause_open ON sla_pause (appeal_id) WHERE until IS NULL;
ALTER TABLE sla_pause ADD CONSTRAINT ck_sla_pause_order CHECK (until >= since);
-- The worker ends a pause when the citizen writes, or when the answer stands.
GRANT UPDATE (until) ON sla_pause TO otklik_worker;

-- ------------------------------------------------------------------------------------------------ extensions
CREATE TABLE sla_extension (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  appeal_id BIGINT NOT NULL,
  timer_id BIGINT NOT NULL,
  due_before TIMESTAMP WITH TIME ZONE NOT NULL,
  due_after TIMESTAMP WITH TIME ZONE NOT NULL,
  reason VARCHAR NOT NULL,
  operator_id BIGINT NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_sla_extension PRIMARY KEY (id),
  CONSTRAINT ck_sla_extension_order CHECK (due_after > due_before),
  CONSTRAINT fk_sla_extension_appeal_id FOREIGN KEY(appeal_id) REFERENCES appeal (id),
  CONSTRAINT fk_sla_extension_timer_id FOREIGN KEY(timer_id) REFERENCES sla_timer (id),
  CONSTRAINT fk_sla_extension_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);
CREATE INDEX ix_sla_extension_appeal_id ON sla_extension (appeal_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON sla_extension FOR EACH ROW EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON sla_extension FOR EACH STATEMENT EXECUTE FUNCTION otklik_refuse_change();

GRANT SELECT, INSERT ON sla_extension TO otklik_web;
GRANT SELECT ON sla_extension TO otklik_worker;
ALTER TABLE sla_extension ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON sla_extension FOR SELECT TO otklik_web USING (
  {whole}
  OR EXISTS (SELECT FROM appeal a WHERE a.id = appeal_id AND (a.agency_id = ANY ({agencies}) OR a.territory_id = ANY ({territories})))
  OR otklik_held(appeal_id, recorded_at, {agencies}));
CREATE POLICY added ON sla_extension FOR INSERT TO otklik_web WITH CHECK (
  {whole}
  OR EXISTS (SELECT FROM appeal a WHERE a.id = appeal_id AND (a.agency_id = ANY ({agencies}) OR a.territory_id = ANY ({territories}))));

-- ------------------------------------------------------------------------------------------------ who sets norms
-- The territories whose norms and calendars this person may set, children included; NULL means all of them.
CREATE FUNCTION otklik_norm_scope() RETURNS bigint[] LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH RECURSIVE mine(territory_id, agency_id) AS (
    SELECT r.territory_id, r.agency_id FROM operator_role r JOIN operator o ON o.id = r.operator_id
    WHERE r.operator_id = otklik_operator() AND r.until IS NULL AND o.deactivated_at IS NULL
      AND r.role IN ('coordinator', 'administrator')),
  held(id) AS (
    SELECT territory_id FROM mine WHERE territory_id IS NOT NULL
    UNION
    SELECT child.id FROM territory child JOIN held ON child.parent_id = held.id)
  SELECT CASE WHEN EXISTS (SELECT FROM mine WHERE territory_id IS NULL AND agency_id IS NULL) THEN NULL
    ELSE coalesce((SELECT array_agg(id) FROM held), '{}') END;
END;

CREATE FUNCTION otklik_sets_norms(of_territory bigint) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT CASE WHEN scope IS NULL THEN true ELSE of_territory IS NOT NULL AND of_territory = ANY (scope) END
  FROM (SELECT otklik_norm_scope() AS scope) AS found;
END;

-- Norms and calendars may be known to everybody and set by few: the web role writes them through these doors only.
-- A new version of a norm; nothing when its territory, or that of the version before, is not the caller's to set.
CREATE FUNCTION otklik_add_norm(
  of_code text, of_name text, of_topic bigint, of_agency bigint, of_territory bigint, of_platform text, of_priority text,
  of_promises jsonb, at timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  before sla_policy_version;
  added bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('otklik norm ' || of_code, 0));
  SELECT * INTO before FROM sla_policy_version p WHERE p.code = of_code ORDER BY p.version DESC LIMIT 1;
  IF NOT otklik_sets_norms(of_territory) OR (before.id IS NOT NULL AND NOT otklik_sets_norms(before.territory_id)) THEN
    RETURN NULL;
  END IF;
  INSERT INTO sla_policy_version (
    code, version, name, topic_id, agency_id, territory_id, platform, priority, promises, valid_from, recorded_at)
  VALUES (of_code, coalesce(before.version, 0) + 1, of_name, of_topic, of_agency, of_territory, of_platform, of_priority,
    of_promises, at, at)
  RETURNING id INTO added;
  RETURN added;
END $$;

-- No clock that starts later is counted by this norm; its versions stay readable. False when there is nothing to end.
CREATE FUNCTION otklik_end_norm(of_code text, at timestamptz) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE sla_policy_version p SET valid_until = at
  WHERE p.code = of_code AND p.valid_until IS NULL AND p.valid_from <= at AND otklik_sets_norms(p.territory_id);
  RETURN FOUND;
END $$;

-- A new version of the hours of a territory, or of an agency there; nothing when they are not the caller's to set.
CREATE FUNCTION otklik_add_calendar(of_territory bigint, of_agency bigint, of_version integer, of_definition jsonb, at timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  added bigint;
BEGIN
  IF NOT otklik_sets_norms(of_territory) THEN
    RETURN NULL;
  END IF;
  INSERT INTO calendar_version (territory_id, agency_id, version, definition, valid_from, recorded_at)
  VALUES (of_territory, of_agency, of_version, of_definition, at, now())
  ON CONFLICT (territory_id, agency_id, version) DO NOTHING
  RETURNING id INTO added;
  RETURN added;
END $$;

-- What a norm is tried on before it is saved: when each matter was asked, answered and stood still, and nothing that
-- anybody wrote. An administrator sees no appeal, and this much of every one in their territories.
CREATE FUNCTION otklik_clock_history(since timestamptz, until timestamptz, most integer) RETURNS TABLE (
  appeal_id bigint, cycle integer, topic_id bigint, agency_id bigint, territory_id bigint, platform text, priority text,
  started_at timestamptz, first_at timestamptz, interim_at timestamptz, final_at timestamptz, ended_at timestamptz, pauses jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT a.id, t.cycle, a.topic_id, coalesce(t.agency_id, a.agency_id), a.territory_id, a.platform, a.priority,
    t.started_at, r.first_at, r.interim_at, r.final_at, CASE WHEN t.outcome = 'unanswered' THEN t.stopped_at END,
    (SELECT jsonb_agg(jsonb_build_array(p.since, p.until) ORDER BY p.since) FROM sla_pause p WHERE p.appeal_id = a.id)
  FROM sla_timer t JOIN appeal a ON a.id = t.appeal_id
  CROSS JOIN LATERAL (
    SELECT min(o.published_at) AS first_at, min(o.published_at) FILTER (WHERE o.kind = 'interim') AS interim_at,
      min(o.published_at) FILTER (WHERE o.kind = 'final') AS final_at
    FROM reply o WHERE o.appeal_id = a.id AND o.cycle = t.cycle AND o.state = 'sent') AS r
  WHERE t.promise = 'first_answer' AND t.started_at >= otklik_clock_history.since AND t.started_at < otklik_clock_history.until
    AND t.outcome IS DISTINCT FROM 'cancelled' AND otklik_sets_norms(a.territory_id)
  ORDER BY t.started_at DESC LIMIT most;
END;

REVOKE ALL ON FUNCTION otklik_norm_scope(), otklik_sets_norms(bigint),
  otklik_add_norm(text, text, bigint, bigint, bigint, text, text, jsonb, timestamptz), otklik_end_norm(text, timestamptz),
  otklik_add_calendar(bigint, bigint, integer, jsonb, timestamptz),
  otklik_clock_history(timestamptz, timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_norm_scope(), otklik_sets_norms(bigint),
  otklik_add_norm(text, text, bigint, bigint, bigint, text, text, jsonb, timestamptz), otklik_end_norm(text, timestamptz),
  otklik_add_calendar(bigint, bigint, integer, jsonb, timestamptz),
  otklik_clock_history(timestamptz, timestamptz, integer) TO otklik_web;
