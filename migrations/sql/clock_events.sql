-- A past report tells what was known then. Of an appeal that has gone on to another agency since, whoever held it then does not see the later
-- events, and so not that a deadline stood elsewhere, or a pause was not known to have ended. This much of them is told, and nothing else:
-- what clocks said before they were moved, and when it was heard of the ends of pauses before that moment. No words, no names.
CREATE FUNCTION otklik_clock_events(of_appeal bigint, as_of timestamptz)
RETURNS TABLE (id bigint, cycle integer, act text, occurred_at timestamptz, recorded_at timestamptz, data jsonb)
LANGUAGE sql STABLE COST 200 ROWS 1 SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT e.id, e.cycle, e.act::text, e.occurred_at, e.recorded_at,
    (SELECT jsonb_object_agg(told.key, told.value) FROM jsonb_each(e.data) told
      WHERE told.key IN ('promise', 'due_before', 'calendar_before', 'clocks'))
  FROM appeal_event e
  WHERE e.appeal_id = of_appeal
    AND (e.act IN ('reply_removed', 'extended', 'policy_applied')
      OR e.act IN ('resumed', 'reply_sent', 'answered_by_hand', 'closed', 'dismissed', 'merged') AND e.occurred_at <= as_of)
    AND (otklik_sees_whole()
      OR EXISTS (SELECT FROM appeal a WHERE a.id = of_appeal
        AND (a.agency_id = ANY (otklik_agency_scope()) OR a.territory_id = ANY (otklik_territory_scope())))
      OR otklik_held(of_appeal, as_of, otklik_agency_scope()));
END;
REVOKE ALL ON FUNCTION otklik_clock_events(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_clock_events(bigint, timestamptz) TO otklik_web;
