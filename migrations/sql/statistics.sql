-- Statements over the whole history are planned by statistics. A restored dump and a bulk import have none, or those of the few
-- rows that were there before, and the plan made of none does not end in minutes. The worker may not ANALYZE what it does not own.

-- Counts anew what reports are computed from and kept in: all of it, or only what was never counted or is ten times what it was.
-- A hundred pages are read in no time whatever the plan.
CREATE FUNCTION otklik_count_for_reports(anew boolean) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
  due text[];
BEGIN
  SELECT array_agg(c.relname) INTO due FROM pg_class c
  WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND pg_relation_size(c.oid) > 100 * 8192
    AND c.relname IN ('appeal', 'appeal_assignment', 'appeal_event', 'comment', 'reply', 'report_cell', 'report_line', 'report_shape',
      'sla_pause', 'sla_timer')
    AND (anew OR pg_relation_size(c.oid) > 10 * greatest(c.relpages, 0)::bigint * 8192
      OR NOT EXISTS (SELECT FROM pg_stats s WHERE s.schemaname = 'public' AND s.tablename = c.relname));
  IF 'appeal' = ANY (due) THEN ANALYZE appeal; END IF;
  IF 'appeal_assignment' = ANY (due) THEN ANALYZE appeal_assignment; END IF;
  IF 'appeal_event' = ANY (due) THEN ANALYZE appeal_event; END IF;
  IF 'comment' = ANY (due) THEN ANALYZE comment; END IF;
  IF 'reply' = ANY (due) THEN ANALYZE reply; END IF;
  IF 'report_cell' = ANY (due) THEN ANALYZE report_cell; END IF;
  IF 'report_line' = ANY (due) THEN ANALYZE report_line; END IF;
  IF 'report_shape' = ANY (due) THEN ANALYZE report_shape; END IF;
  IF 'sla_pause' = ANY (due) THEN ANALYZE sla_pause; END IF;
  IF 'sla_timer' = ANY (due) THEN ANALYZE sla_timer; END IF;
  RETURN coalesce(cardinality(due), 0);
END $$;
REVOKE ALL ON FUNCTION otklik_count_for_reports(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_count_for_reports(boolean) TO otklik_worker;
