-- Two appeals of one matter: the younger is merged into the older, which answers for both.
ALTER TABLE appeal ADD COLUMN merged_into BIGINT;
ALTER TABLE appeal ADD CONSTRAINT fk_appeal_merged_into FOREIGN KEY(merged_into) REFERENCES appeal (id);
CREATE INDEX ix_appeal_merged_into ON appeal (merged_into) WHERE merged_into IS NOT NULL;

-- What was merged into an appeal goes along with it: whoever answers for both must see both.
CREATE OR REPLACE FUNCTION otklik_route_appeal(
  of_appeal bigint, to_agency bigint, to_territory bigint, seen_version integer, at timestamptz)
RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  new_version integer;
  followers bigint[];
BEGIN
  UPDATE appeal a SET agency_id = to_agency, territory_id = to_territory, operator_id = NULL, status = 'new',
    version = version + 1, touched_at = at
  WHERE a.id = of_appeal AND a.version = seen_version AND a.status IN ('new', 'in_work')
    AND (otklik_sees_whole() OR a.agency_id = ANY (otklik_agency_scope()) OR a.territory_id = ANY (otklik_territory_scope()))
  RETURNING a.version INTO new_version;
  IF new_version IS NULL THEN
    RETURN NULL;
  END IF;
  followers := ARRAY(SELECT a.id FROM appeal a WHERE a.merged_into = of_appeal ORDER BY a.id FOR UPDATE);
  UPDATE appeal a SET agency_id = to_agency, territory_id = to_territory, operator_id = NULL, version = version + 1, touched_at = at
  WHERE a.id = ANY (followers);
  UPDATE appeal_assignment SET until = at WHERE (appeal_id = of_appeal OR appeal_id = ANY (followers)) AND until IS NULL;
  INSERT INTO appeal_assignment (appeal_id, agency_id, since)
  SELECT id, to_agency, at FROM unnest(followers || of_appeal) AS moved(id) ORDER BY id;
  UPDATE notice SET agency_id = to_agency, territory_id = to_territory WHERE appeal_id = of_appeal AND settled_at IS NULL;
  RETURN new_version;
END $$;
