-- Pages that people connect by hand: what the worker, which has the tokens, found of each. Everybody's own.
CREATE TABLE page_intake (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  operator_id BIGINT NOT NULL,
  platform VARCHAR NOT NULL,
  link VARCHAR NOT NULL,
  state VARCHAR NOT NULL,
  asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
  code VARCHAR,
  told JSONB,
  checks JSONB,
  tokens JSONB,
  agency_id BIGINT,
  territory_id BIGINT,
  sphere_id BIGINT,
  page_id BIGINT,
  CONSTRAINT pk_page_intake PRIMARY KEY (id),
  CONSTRAINT ck_page_intake_state CHECK (state IN ('asked', 'told', 'refused', 'wanted', 'connected')),
  CONSTRAINT fk_page_intake_operator_id FOREIGN KEY (operator_id) REFERENCES operator (id),
  CONSTRAINT fk_page_intake_agency_id FOREIGN KEY (agency_id) REFERENCES agency (id),
  CONSTRAINT fk_page_intake_territory_id FOREIGN KEY (territory_id) REFERENCES territory (id),
  CONSTRAINT fk_page_intake_sphere_id FOREIGN KEY (sphere_id) REFERENCES sphere (id),
  CONSTRAINT fk_page_intake_page_id FOREIGN KEY (page_id) REFERENCES page (id)
);
CREATE INDEX ix_page_intake_operator_id ON page_intake (operator_id, asked_at);
CREATE INDEX ix_page_intake_asked_at ON page_intake (asked_at);
CREATE INDEX ix_page_intake_waiting ON page_intake (id) WHERE state IN ('asked', 'wanted');

GRANT SELECT, INSERT (operator_id, platform, link, state, asked_at), UPDATE (state, asked_at, agency_id, territory_id, sphere_id)
  ON page_intake TO otklik_web;
GRANT SELECT, UPDATE (state, code, told, checks, tokens, page_id), DELETE ON page_intake TO otklik_worker;
GRANT INSERT, UPDATE (title, link, options, agency_id, territory_id, sphere_id, active, elsewhere) ON page TO otklik_worker;

ALTER TABLE page_intake ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON page_intake FOR SELECT TO otklik_web USING (operator_id = (SELECT otklik_operator()));
CREATE POLICY asked ON page_intake FOR INSERT TO otklik_web WITH CHECK (operator_id = otklik_operator() AND state = 'asked');
-- Nobody connects a page for an agency beyond the reach of the role that lets them.
CREATE POLICY decided ON page_intake FOR UPDATE TO otklik_web USING (operator_id = (SELECT otklik_operator()) AND state IN ('told', 'refused'))
  WITH CHECK (operator_id = otklik_operator() AND (state = 'asked'
    OR (state = 'wanted' AND agency_id IS NOT NULL AND otklik_role_reaches('{coordinator,administrator}', NULL, agency_id))));
