-- How watching a page goes is its agency's business: the web role reads no more of a feed than the screen shows, and only of
-- pages within reach. {whole}, {agencies} and {territories} stand for scalar subqueries, as in 0001_access.sql.

-- An administrator sees no appeals, and how every page is watched.
CREATE FUNCTION otklik_configures() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT EXISTS (
    SELECT FROM operator_role r JOIN operator o ON o.id = r.operator_id
    WHERE r.operator_id = otklik_operator() AND r.until IS NULL AND o.deactivated_at IS NULL AND r.role = 'administrator');
END;
REVOKE ALL ON FUNCTION otklik_configures() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_configures() TO otklik_web, otklik_worker;

REVOKE SELECT ON feed FROM otklik_web;
GRANT SELECT (page_id, polled_at, failures, error_code) ON feed TO otklik_web;
CREATE INDEX ix_feed_page_id ON feed (page_id);

ALTER TABLE feed ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON feed FOR SELECT TO otklik_web USING (
  {whole} OR (SELECT otklik_configures())
  OR page_id IN (SELECT p.id FROM page p WHERE p.agency_id = ANY ({agencies}) OR p.territory_id = ANY ({territories})));
