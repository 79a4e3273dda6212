-- Webhooks out, by scope and on a screen: a target hears only of appeals within an agency or a territory, or of all; what is told
-- is written down when it is collected, so it is the same for every attempt; administrators see the targets within their own scope.
ALTER TABLE webhook_target
  ADD COLUMN agency_id BIGINT,
  ADD COLUMN territory_id BIGINT,
  ADD CONSTRAINT ck_webhook_target_one_scope CHECK (agency_id IS NULL OR territory_id IS NULL),
  ADD CONSTRAINT fk_webhook_target_agency_id FOREIGN KEY (agency_id) REFERENCES agency (id),
  ADD CONSTRAINT fk_webhook_target_territory_id FOREIGN KEY (territory_id) REFERENCES territory (id);

ALTER TABLE webhook_delivery
  ALTER COLUMN appeal_event_id DROP NOT NULL,
  ADD COLUMN data JSONB,
  ADD COLUMN occurred_at TIMESTAMP WITH TIME ZONE;
UPDATE webhook_delivery d SET data = jsonb_build_object('appeal', a.number, 'agency', y.code, 'event', e.id), occurred_at = e.occurred_at
FROM appeal_event e JOIN appeal a ON a.id = e.appeal_id JOIN agency y ON y.id = a.agency_id WHERE e.id = d.appeal_event_id;
ALTER TABLE webhook_delivery
  ALTER COLUMN data SET NOT NULL,
  ALTER COLUMN occurred_at SET NOT NULL,
  ADD CONSTRAINT ck_webhook_delivery_of_an_event CHECK ((kind = 'test') = (appeal_event_id IS NULL));

GRANT SELECT (id, name, url, kinds, agency_id, territory_id, created_at, revoked_at) ON webhook_target TO otklik_web;
GRANT INSERT (name, url, secret, kinds, agency_id, territory_id, created_at) ON webhook_target TO otklik_web;
GRANT UPDATE (revoked_at) ON webhook_target TO otklik_web;
GRANT SELECT, INSERT (target_id, kind, data, occurred_at, state, due_at, created_at) ON webhook_delivery TO otklik_web;
GRANT UPDATE (state, attempts, due_at, settled_at) ON webhook_delivery TO otklik_web;
GRANT SELECT ON webhook_attempt TO otklik_web;

-- The secret is written once and read by the worker alone.
ALTER TABLE webhook_target ENABLE ROW LEVEL SECURITY;
CREATE POLICY administered ON webhook_target TO otklik_web USING (otklik_may_grant(agency_id, territory_id));
ALTER TABLE webhook_delivery ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON webhook_delivery FOR SELECT TO otklik_web USING (target_id IN (SELECT id FROM webhook_target));
CREATE POLICY tested ON webhook_delivery FOR INSERT TO otklik_web WITH CHECK (
  kind = 'test' AND state = 'waiting' AND target_id IN (SELECT id FROM webhook_target));
CREATE POLICY sent_again ON webhook_delivery FOR UPDATE TO otklik_web
  USING (state = 'failed' AND target_id IN (SELECT id FROM webhook_target)) WITH CHECK (state = 'waiting');
ALTER TABLE webhook_attempt ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON webhook_attempt FOR SELECT TO otklik_web USING (delivery_id IN (SELECT id FROM webhook_delivery));
