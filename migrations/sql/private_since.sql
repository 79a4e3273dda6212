-- Since when private messages to a bot are heard: what was written before is not brought in, however late it is read.
CREATE OR REPLACE FUNCTION otklik_switch_private(of_page bigint, is_on boolean) RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (
    SELECT FROM operator_role r JOIN operator o ON o.id = r.operator_id JOIN page g ON g.id = of_page
    WHERE r.operator_id = otklik_operator() AND r.role = 'administrator' AND r.until IS NULL AND o.deactivated_at IS NULL
      AND (r.agency_id IS NULL AND r.territory_id IS NULL OR r.agency_id = g.agency_id OR r.territory_id = g.territory_id)) THEN
    RAISE EXCEPTION 'only an administrator switches private messages' USING ERRCODE = 'insufficient_privilege';
  END IF;
  UPDATE page SET options = CASE WHEN is_on
    THEN options || jsonb_build_object('private', 'on', 'private_since', to_json(date_trunc('second', now())) #>> '{}')
    ELSE options - 'private' END
  WHERE id = of_page AND options ->> 'dialogs' = 'yes' AND coalesce(options ->> 'private' = 'on', false) <> is_on;
  RETURN FOUND;
END $$;
