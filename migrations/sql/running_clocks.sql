-- What applying norms to waiting appeals would move is told before it is done: the clocks that run, what made them stand still and
-- what put them off, and nothing that anybody wrote. An administrator sees no appeal, and this much of every one in their territories.
CREATE FUNCTION otklik_running_clocks(most integer) RETURNS TABLE (
  id bigint, appeal_id bigint, cycle integer, promise text, policy_version_id bigint, calendar_version_id bigint, term jsonb,
  started_at timestamptz, due_at timestamptz, breached_at timestamptz, topic_id bigint, agency_id bigint, territory_id bigint,
  platform text, priority text, pauses jsonb, put_off jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT t.id, a.id, t.cycle, t.promise, t.policy_version_id, t.calendar_version_id, t.term, t.started_at, t.due_at, t.breached_at,
    a.topic_id, a.agency_id, a.territory_id, a.platform, a.priority,
    (SELECT jsonb_agg(jsonb_build_array(p.since, p.until) ORDER BY p.since) FROM sla_pause p WHERE p.appeal_id = a.id),
    (SELECT jsonb_agg(jsonb_build_array(e.due_before, e.due_after) ORDER BY e.id) FROM sla_extension e WHERE e.timer_id = t.id)
  FROM (
    SELECT w.* FROM appeal w WHERE w.status IN ('new', 'in_work') AND otklik_sets_norms(w.territory_id)
    ORDER BY w.due_at, w.id LIMIT most) AS a
  JOIN sla_timer t ON t.appeal_id = a.id AND t.cycle = a.cycle AND t.stopped_at IS NULL
  ORDER BY a.due_at, a.id, t.id;
END;
REVOKE ALL ON FUNCTION otklik_running_clocks(integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_running_clocks(integer) TO otklik_web;
