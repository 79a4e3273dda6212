-- What whoever looks after a page must know to mend it: the platform's own words of the last failure, and whether what is pushed arrives.
-- A hook of one page of a bot brings the news of all its pages. Nothing for a page out of reach.
CREATE FUNCTION otklik_page_care(of_page bigint)
RETURNS TABLE (
  failed_code varchar, failed_detail varchar, hooked_at timestamptz, pushed_at timestamptz, waiting bigint,
  listening_since timestamptz, heard_at timestamptz, deaf_code varchar, deaf_detail varchar)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH hook AS (
    SELECT h.page_id, h.created_at FROM page g JOIN page o ON o.platform = g.platform
      AND (o.id = g.id OR o.options ->> 'bot' = g.options ->> 'bot' OR o.options ->> 'credential_key' = g.options ->> 'credential_key')
    JOIN page_hook h ON h.page_id = o.id AND h.revoked_at IS NULL WHERE g.id = of_page)
  SELECT f.error_code, f.error_detail, (SELECT max(created_at) FROM hook),
    (SELECT max(e.received_at) FROM pushed_event e WHERE e.page_id IN (SELECT page_id FROM hook)),
    (SELECT count(*) FROM pushed_event e WHERE e.handled_at IS NULL AND e.page_id IN (SELECT page_id FROM hook)),
    l.started_at, l.heard_at, l.error_code, l.error_detail
  FROM page g LEFT JOIN feed f ON f.page_id = g.id LEFT JOIN page_listener l ON l.page_id = g.id
  WHERE g.id = of_page AND otklik_role_reaches('{coordinator,administrator}', of_page, NULL);
END;
REVOKE ALL ON FUNCTION otklik_page_care(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_page_care(bigint) TO otklik_web;

-- Whether a platform that pushes instead of being read pushes to us: the worker knows for which pages there is a hook, never its secret.
GRANT SELECT (page_id, revoked_at) ON page_hook TO otklik_worker;
