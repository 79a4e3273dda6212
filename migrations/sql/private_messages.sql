-- Whether what citizens write to a bot in private opens appeals: off until an administrator - of the whole region, of its agency or
-- of its territory - says otherwise.
CREATE FUNCTION otklik_switch_private(of_page bigint, is_on boolean) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM operator_role r JOIN operator o ON o.id = r.operator_id JOIN page g ON g.id = of_page
    WHERE r.operator_id = otklik_operator() AND r.role = 'administrator' AND r.until IS NULL AND o.deactivated_at IS NULL
      AND (r.agency_id IS NULL AND r.territory_id IS NULL OR r.agency_id = g.agency_id OR r.territory_id = g.territory_id)) THEN
    RAISE EXCEPTION 'only an administrator switches private messages' USING ERRCODE = 'insufficient_privilege';
  END IF;
  UPDATE page SET options = CASE WHEN is_on THEN options || '{"private": "on"}' ELSE options - 'private' END
  WHERE id = of_page AND options ->> 'dialogs' = 'yes' AND coalesce(options ->> 'private' = 'on', false) <> is_on;
  RETURN FOUND;
END $$;
REVOKE ALL ON FUNCTION otklik_switch_private(bigint, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_switch_private(bigint, boolean) TO otklik_web;
