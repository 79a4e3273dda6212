-- Who set working hours; empty where a file was imported from the command line, or the program began with them.
ALTER TABLE calendar_version ADD COLUMN operator_id BIGINT;
ALTER TABLE calendar_version ADD CONSTRAINT fk_calendar_version_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id);

CREATE OR REPLACE FUNCTION otklik_add_calendar(
  of_territory bigint, of_agency bigint, of_version integer, of_definition jsonb, at timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  added bigint;
BEGIN
  -- An agency's hours belong to its own territory: another one's would be set by whoever sets norms there.
  IF NOT otklik_sets_norms(of_territory)
    OR (of_agency IS NOT NULL AND NOT EXISTS (SELECT FROM agency g WHERE g.id = of_agency AND g.territory_id = of_territory)) THEN
    RETURN NULL;
  END IF;
  INSERT INTO calendar_version (territory_id, agency_id, version, definition, valid_from, recorded_at, operator_id)
  VALUES (of_territory, of_agency, of_version, of_definition, at, now(), otklik_operator())
  ON CONFLICT (territory_id, agency_id, version) DO NOTHING
  RETURNING id INTO added;
  RETURN added;
END $$;
