-- The reach of whoever asks is computed once, when the transaction begins, and kept in it. Policies only look it up: a statement
-- over ten guarded tables asked for it thirty times before, which cost more than the queue itself. Without it nothing is seen.

CREATE FUNCTION otklik_enter(of_operator bigint) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  whole boolean;
  agencies bigint[];
  territories bigint[];
BEGIN
  WITH RECURSIVE held AS (
    SELECT r.agency_id, r.territory_id FROM operator_role r JOIN operator o ON o.id = r.operator_id
    WHERE r.operator_id = of_operator AND r.until IS NULL AND o.deactivated_at IS NULL
      AND r.role IN ('operator', 'coordinator', 'supervisor')),
  a(id) AS (
    SELECT agency_id FROM held WHERE agency_id IS NOT NULL
    UNION
    SELECT child.id FROM agency child JOIN a ON child.parent_id = a.id),
  t(id) AS (
    SELECT territory_id FROM held WHERE territory_id IS NOT NULL
    UNION
    SELECT child.id FROM territory child JOIN t ON child.parent_id = t.id)
  SELECT EXISTS (SELECT FROM held WHERE agency_id IS NULL AND territory_id IS NULL),
    ARRAY(SELECT id FROM a), ARRAY(SELECT id FROM t)
  INTO whole, agencies, territories;
  PERFORM set_config('otklik.operator_id', coalesce(of_operator::text, ''), true), set_config('otklik.whole', whole::text, true),
    set_config('otklik.agencies', agencies::text, true), set_config('otklik.territories', territories::text, true);
END $$;

-- Plain expressions: PostgreSQL puts them into the policies themselves, where they cost next to nothing.
CREATE OR REPLACE FUNCTION otklik_sees_whole() RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('otklik.whole', true), '')::boolean, false);
CREATE OR REPLACE FUNCTION otklik_agency_scope() RETURNS bigint[] LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('otklik.agencies', true), '')::bigint[], '{}');
CREATE OR REPLACE FUNCTION otklik_territory_scope() RETURNS bigint[] LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('otklik.territories', true), '')::bigint[], '{}');

-- Still asked last; but at the old price every way to read a table looked the same to the planner, and it took any.
ALTER FUNCTION otklik_held(bigint, timestamptz, bigint[]) COST 200 PARALLEL SAFE;

-- Whoever works for no agency held nothing: the door is not even knocked at.
ALTER POLICY seen ON appeal USING (
  {whole} OR agency_id = ANY ({agencies}) OR territory_id = ANY ({territories})
  OR ({agencies} <> '{}' AND otklik_held(id, '-infinity', {agencies})));
{children}

REVOKE ALL ON FUNCTION otklik_enter(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_enter(bigint) TO otklik_web, otklik_worker;
