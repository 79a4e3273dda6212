-- Who may touch what: grants of the two roles, row-level security, append-only history, live news, search.
-- {whole}, {agencies} and {territories} below stand for scalar subqueries, so each scope is computed once a statement.

-- ------------------------------------------------------------------------------------------------ scopes
CREATE FUNCTION otklik_operator() RETURNS bigint LANGUAGE sql STABLE PARALLEL SAFE
RETURN nullif(current_setting('otklik.operator_id', true), '')::bigint;

CREATE FUNCTION otklik_sees_whole() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT EXISTS (
    SELECT FROM operator_role r JOIN operator o ON o.id = r.operator_id
    WHERE r.operator_id = otklik_operator() AND r.until IS NULL AND o.deactivated_at IS NULL
      AND r.role IN ('operator', 'coordinator', 'supervisor') AND r.agency_id IS NULL AND r.territory_id IS NULL);
END;

CREATE FUNCTION otklik_agency_scope() RETURNS bigint[] LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH RECURSIVE held(id) AS (
    SELECT r.agency_id FROM operator_role r JOIN operator o ON o.id = r.operator_id
    WHERE r.operator_id = otklik_operator() AND r.until IS NULL AND o.deactivated_at IS NULL
      AND r.role IN ('operator', 'coordinator', 'supervisor') AND r.agency_id IS NOT NULL
    UNION
    SELECT child.id FROM agency child JOIN held ON child.parent_id = held.id)
  SELECT coalesce(array_agg(id), '{}') FROM held;
END;

CREATE FUNCTION otklik_territory_scope() RETURNS bigint[] LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH RECURSIVE held(id) AS (
    SELECT r.territory_id FROM operator_role r JOIN operator o ON o.id = r.operator_id
    WHERE r.operator_id = otklik_operator() AND r.until IS NULL AND o.deactivated_at IS NULL
      AND r.role IN ('operator', 'coordinator', 'supervisor') AND r.territory_id IS NOT NULL
    UNION
    SELECT child.id FROM territory child JOIN held ON child.parent_id = held.id)
  SELECT coalesce(array_agg(id), '{}') FROM held;
END;

-- Whether one of these agencies held the appeal in the past, at this moment or later: its own period stays readable.
-- Its cost is told to the planner, which else would ask it of whole tables before the cheap conditions.
CREATE FUNCTION otklik_held(of_appeal bigint, at timestamptz, agencies bigint[]) RETURNS boolean
LANGUAGE sql STABLE COST 10000 SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT EXISTS (
    SELECT FROM appeal_assignment h
    WHERE h.appeal_id = of_appeal AND h.until IS NOT NULL AND h.until >= at AND h.agency_id = ANY (agencies));
END;

-- ------------------------------------------------------------------------------------------------ grants
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO otklik_web, otklik_worker;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO otklik_web, otklik_worker;

GRANT SELECT ON agency, alembic_version, api_token, appeal, appeal_assignment, appeal_event, appeal_note, appeal_text, author,
  calendar_version, comment, comment_revision, feed, idempotency_key, invitation, notice, operator, operator_role,
  operator_session, page, post, reply, routing_rule, sign_in_attempt, sla_pause, sla_policy_version, sla_timer, sphere,
  territory, topic, verdict TO otklik_web;
GRANT INSERT ON appeal, appeal_assignment, appeal_event, appeal_note, appeal_text, audit_entry, idempotency_key,
  operator_session, reply, sign_in_attempt, sla_pause, sla_timer, verdict TO otklik_web;
GRANT UPDATE ON appeal, operator_session, reply, sla_pause, sla_timer TO otklik_web;
GRANT UPDATE (until) ON appeal_assignment TO otklik_web;
GRANT UPDATE (appeal_id, reply_id) ON idempotency_key TO otklik_web;
GRANT UPDATE (fate, fate_reason, appeal_id, triage_due_at, triage_warn_at) ON comment TO otklik_web;
GRANT UPDATE (password_hash, locale, letters) ON operator TO otklik_web;
GRANT UPDATE (used_at) ON invitation TO otklik_web;
GRANT DELETE ON sign_in_attempt TO otklik_web;
GRANT SELECT, INSERT ON pgqueuer TO otklik_web;
GRANT INSERT ON pgqueuer_log TO otklik_web;

-- The worker passes row-level security, so it is given nothing of people's sessions, tokens, keys, passwords and notes.
GRANT SELECT ON agency, alembic_version, appeal, appeal_assignment, appeal_event, author, calendar_version, comment,
  comment_revision, credential, feed, notice, page, post, reply, routing_rule, sla_pause, sla_policy_version, sla_timer, sphere,
  territory, topic, verdict TO otklik_worker;
GRANT SELECT (id, login, name) ON operator TO otklik_worker;
GRANT INSERT ON appeal, appeal_assignment, appeal_event, audit_entry, author, comment, comment_revision, feed, notice, post,
  reply, set_aside, sla_timer, verdict TO otklik_worker;
GRANT UPDATE ON appeal, author, comment, feed, notice, post, reply, sla_timer TO otklik_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON pgqueuer, pgqueuer_log, pgqueuer_schedules, pgqueuer_statistics TO otklik_worker;

-- ------------------------------------------------------------------------------------------------ row-level security
ALTER TABLE appeal ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON appeal FOR SELECT TO otklik_web USING (
  {whole} OR agency_id = ANY ({agencies}) OR territory_id = ANY ({territories}) OR otklik_held(id, '-infinity', {agencies}));
CREATE POLICY opened ON appeal FOR INSERT TO otklik_web WITH CHECK (
  {whole} OR agency_id = ANY ({agencies}) OR territory_id = ANY ({territories}));
CREATE POLICY worked ON appeal FOR UPDATE TO otklik_web USING (
  {whole} OR agency_id = ANY ({agencies}) OR territory_id = ANY ({territories}));

{children}

ALTER TABLE appeal_text ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON appeal_text FOR SELECT TO otklik_web USING (EXISTS (SELECT FROM appeal a WHERE a.id = appeal_id));
CREATE POLICY added ON appeal_text FOR INSERT TO otklik_web WITH CHECK (
  {whole}
  OR EXISTS (SELECT FROM appeal a WHERE a.id = appeal_id AND (a.agency_id = ANY ({agencies}) OR a.territory_id = ANY ({territories}))));

ALTER TABLE comment ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON comment FOR SELECT TO otklik_web USING (
  {whole}
  OR page_id IN (SELECT p.id FROM page p WHERE p.agency_id = ANY ({agencies}) OR p.territory_id = ANY ({territories}))
  OR EXISTS (SELECT FROM appeal a WHERE a.post_id = comment.post_id AND a.root_external_id = comment.root_external_id));
-- Fates are given by whoever answers for the page; to see a thread is not to decide about it.
CREATE POLICY decided ON comment FOR UPDATE TO otklik_web USING (
  {whole}
  OR page_id IN (SELECT p.id FROM page p WHERE p.agency_id = ANY ({agencies}) OR p.territory_id = ANY ({territories})));

ALTER TABLE comment_revision ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON comment_revision FOR SELECT TO otklik_web USING (EXISTS (SELECT FROM comment c WHERE c.id = comment_id));
ALTER TABLE verdict ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON verdict FOR SELECT TO otklik_web USING (EXISTS (SELECT FROM comment c WHERE c.id = comment_id));
CREATE POLICY added ON verdict FOR INSERT TO otklik_web WITH CHECK (
  {whole}
  OR EXISTS (
    SELECT FROM comment c JOIN page p ON p.id = c.page_id
    WHERE c.id = comment_id AND (p.agency_id = ANY ({agencies}) OR p.territory_id = ANY ({territories})))
  OR EXISTS (
    SELECT FROM comment c JOIN appeal a ON a.id = c.appeal_id
    WHERE c.id = comment_id AND (a.agency_id = ANY ({agencies}) OR a.territory_id = ANY ({territories}))));
ALTER TABLE author ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON author FOR SELECT TO otklik_web USING (
  {whole} OR EXISTS (SELECT FROM comment c WHERE c.author_id = author.id)
  OR EXISTS (SELECT FROM appeal a WHERE a.author_id = author.id));

ALTER TABLE notice ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON notice FOR SELECT TO otklik_web USING (
  {whole} OR agency_id = ANY ({agencies}) OR territory_id = ANY ({territories}));

ALTER TABLE idempotency_key ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON idempotency_key TO otklik_web USING (operator_id = otklik_operator());

-- ------------------------------------------------------------------------------------------------ append-only history
CREATE FUNCTION otklik_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: add a row instead', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON appeal_event FOR EACH ROW EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON appeal_event FOR EACH STATEMENT EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON audit_entry FOR EACH STATEMENT EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON calendar_version FOR EACH ROW EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON calendar_version FOR EACH STATEMENT EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON verdict FOR EACH ROW EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON verdict FOR EACH STATEMENT EXECUTE FUNCTION otklik_refuse_change();
-- A policy may end; what it promised while it held stays as it was.
CREATE TRIGGER append_only BEFORE UPDATE OF id, code, version, name, topic_id, agency_id, territory_id, platform, priority,
  promises, valid_from, recorded_at OR DELETE ON sla_policy_version FOR EACH ROW EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON sla_policy_version FOR EACH STATEMENT EXECUTE FUNCTION otklik_refuse_change();

-- ------------------------------------------------------------------------------------------------ live news
CREATE FUNCTION otklik_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('otklik_live', TG_ARGV[0]);
  RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER INSERT ON appeal_event FOR EACH STATEMENT EXECUTE FUNCTION otklik_tell('appeals');
CREATE TRIGGER tell AFTER INSERT ON verdict FOR EACH STATEMENT EXECUTE FUNCTION otklik_tell('triage');
CREATE TRIGGER tell AFTER INSERT ON notice FOR EACH STATEMENT EXECUTE FUNCTION otklik_tell('notices');

-- ------------------------------------------------------------------------------------------------ narrow doors
-- Text operators are not leakproof, so under row-level security their index would not be used: the scope is inside.
CREATE INDEX ix_comment_words ON comment USING gin (to_tsvector('russian', left(text, 2000))) WHERE appeal_id IS NOT NULL;
CREATE INDEX ix_appeal_text_words ON appeal_text USING gin (to_tsvector('russian', left(text, 2000)));

CREATE FUNCTION otklik_search_appeals(words text, most integer) RETURNS TABLE (appeal_id bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH hit(appeal_id) AS (
    SELECT c.appeal_id FROM comment c
    WHERE c.appeal_id IS NOT NULL AND to_tsvector('russian', left(c.text, 2000)) @@ websearch_to_tsquery('russian', words)
    UNION
    SELECT t.appeal_id FROM appeal_text t
    WHERE to_tsvector('russian', left(t.text, 2000)) @@ websearch_to_tsquery('russian', words))
  SELECT a.id FROM hit JOIN appeal a ON a.id = hit.appeal_id
  WHERE {whole} OR a.agency_id = ANY ({agencies}) OR a.territory_id = ANY ({territories})
  ORDER BY a.id DESC LIMIT most;
END;

-- Hands an appeal to another agency. The new row may be out of the caller's sight, so no policy can allow it;
-- the old one must be in sight and of the version that the caller read. Returns the new version, or nothing.
CREATE FUNCTION otklik_route_appeal(of_appeal bigint, to_agency bigint, to_territory bigint, seen_version integer, at timestamptz)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  new_version integer;
BEGIN
  UPDATE appeal a SET agency_id = to_agency, territory_id = to_territory, operator_id = NULL, status = 'new',
    version = version + 1, touched_at = at
  WHERE a.id = of_appeal AND a.version = seen_version AND a.status IN ('new', 'in_work')
    AND (otklik_sees_whole() OR a.agency_id = ANY (otklik_agency_scope()) OR a.territory_id = ANY (otklik_territory_scope()))
  RETURNING a.version INTO new_version;
  IF new_version IS NULL THEN
    RETURN NULL;
  END IF;
  UPDATE appeal_assignment SET until = at WHERE appeal_id = of_appeal AND until IS NULL;
  INSERT INTO appeal_assignment (appeal_id, agency_id, since) VALUES (of_appeal, to_agency, at);
  UPDATE notice SET agency_id = to_agency, territory_id = to_territory WHERE appeal_id = of_appeal AND settled_at IS NULL;
  RETURN new_version;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO otklik_web, otklik_worker;
