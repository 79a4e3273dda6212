-- Webhooks out: whom we tell what happened to an appeal, each telling, each attempt. Only ids travel; the web process sees nothing of it.
CREATE TABLE webhook_target (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  name VARCHAR NOT NULL,
  url VARCHAR NOT NULL,
  secret BYTEA NOT NULL,
  kinds JSONB NOT NULL,
  after_xid xid8 DEFAULT pg_snapshot_xmax(pg_current_snapshot()) NOT NULL,
  after_id BIGINT DEFAULT 0 NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  revoked_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_webhook_target PRIMARY KEY (id)
);
CREATE TABLE webhook_delivery (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  target_id BIGINT NOT NULL,
  appeal_event_id BIGINT NOT NULL,
  kind VARCHAR NOT NULL,
  guid UUID DEFAULT gen_random_uuid() NOT NULL,
  state VARCHAR NOT NULL,
  attempts INTEGER DEFAULT 0 NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  leased_by VARCHAR,
  leased_until TIMESTAMP WITH TIME ZONE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  settled_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_webhook_delivery PRIMARY KEY (id),
  CONSTRAINT uq_webhook_delivery_target_id_appeal_event_id UNIQUE (target_id, appeal_event_id),
  CONSTRAINT ck_webhook_delivery_state CHECK (state IN ('waiting', 'sending', 'delivered', 'failed')),
  CONSTRAINT fk_webhook_delivery_target_id FOREIGN KEY (target_id) REFERENCES webhook_target (id),
  CONSTRAINT fk_webhook_delivery_appeal_event_id FOREIGN KEY (appeal_event_id) REFERENCES appeal_event (id)
);
CREATE INDEX ix_webhook_delivery_due_at ON webhook_delivery (due_at) WHERE state = 'waiting';
CREATE INDEX ix_webhook_delivery_leased_until ON webhook_delivery (leased_until) WHERE state = 'sending';
CREATE TABLE webhook_attempt (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  delivery_id BIGINT NOT NULL,
  at TIMESTAMP WITH TIME ZONE NOT NULL,
  outcome VARCHAR NOT NULL,
  status INTEGER,
  detail VARCHAR DEFAULT '' NOT NULL,
  CONSTRAINT pk_webhook_attempt PRIMARY KEY (id),
  CONSTRAINT ck_webhook_attempt_outcome CHECK (outcome IN ('delivered', 'refused', 'not_sent', 'unknown')),
  CONSTRAINT fk_webhook_attempt_delivery_id FOREIGN KEY (delivery_id) REFERENCES webhook_delivery (id)
);
CREATE INDEX ix_webhook_attempt_delivery_id ON webhook_attempt (delivery_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON webhook_attempt FOR EACH ROW EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON webhook_attempt FOR EACH STATEMENT EXECUTE FUNCTION otklik_refuse_change();

GRANT SELECT, UPDATE (after_xid, after_id) ON webhook_target TO otklik_worker;
GRANT SELECT, INSERT, UPDATE ON webhook_delivery TO otklik_worker;
GRANT INSERT ON webhook_attempt TO otklik_worker;
GRANT USAGE ON SEQUENCE webhook_delivery_id_seq, webhook_attempt_id_seq TO otklik_worker;
