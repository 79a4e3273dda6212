-- Rules of notices by agency and territory, inherited downwards: the nearest place that speaks of a role speaks for it alone.
-- Whoever administers a place sets and ends its rules; all of them are read by every administrator, since they are inherited.
ALTER TABLE notice_rule
  ADD COLUMN agency_id BIGINT,
  ADD COLUMN territory_id BIGINT,
  ADD CONSTRAINT ck_notice_rule_one_scope CHECK (agency_id IS NULL OR territory_id IS NULL),
  ADD CONSTRAINT fk_notice_rule_agency_id FOREIGN KEY (agency_id) REFERENCES agency (id),
  ADD CONSTRAINT fk_notice_rule_territory_id FOREIGN KEY (territory_id) REFERENCES territory (id);

GRANT INSERT (agency_id, territory_id) ON notice_rule TO otklik_web;

DROP POLICY administered ON notice_rule;
CREATE POLICY seen ON notice_rule FOR SELECT TO otklik_web USING ((SELECT otklik_configures()));
CREATE POLICY added ON notice_rule FOR INSERT TO otklik_web WITH CHECK (otklik_may_grant(agency_id, territory_id));
CREATE POLICY ended ON notice_rule FOR UPDATE TO otklik_web USING (otklik_may_grant(agency_id, territory_id));
