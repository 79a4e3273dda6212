-- Notices outside: shares of a term by norm, rules of who is told when, people's carriers and hours, letters and what is in them.

-- ------------------------------------------------------------------------------------------------ shares by norm
ALTER TABLE sla_policy_version ADD COLUMN warn_shares JSONB DEFAULT '[0.5, 0.8]' NOT NULL;
DROP TRIGGER append_only ON sla_policy_version;
CREATE TRIGGER append_only BEFORE UPDATE OF id, code, version, name, topic_id, agency_id, territory_id, platform, priority,
  promises, warn_shares, valid_from, recorded_at OR DELETE ON sla_policy_version FOR EACH ROW EXECUTE FUNCTION otklik_refuse_change();

DROP FUNCTION otklik_add_norm(text, text, bigint, bigint, bigint, text, text, jsonb, timestamptz);
CREATE FUNCTION otklik_add_norm(
  of_code text, of_name text, of_topic bigint, of_agency bigint, of_territory bigint, of_platform text, of_priority text,
  of_promises jsonb, of_warn_shares jsonb, at timestamptz)
RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  before sla_policy_version;
  added bigint;
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('otklik norm ' || of_code, 0));
  SELECT * INTO before FROM sla_policy_version p WHERE p.code = of_code ORDER BY p.version DESC LIMIT 1;
  IF NOT otklik_sets_norms(of_territory) OR (before.id IS NOT NULL AND NOT otklik_sets_norms(before.territory_id)) THEN
    RETURN NULL;
  END IF;
  INSERT INTO sla_policy_version (
    code, version, name, topic_id, agency_id, territory_id, platform, priority, promises, warn_shares, valid_from, recorded_at)
  VALUES (of_code, coalesce(before.version, 0) + 1, of_name, of_topic, of_agency, of_territory, of_platform, of_priority,
    of_promises, of_warn_shares, at, at)
  RETURNING id INTO added;
  RETURN added;
END $$;
REVOKE ALL ON FUNCTION otklik_add_norm(text, text, bigint, bigint, bigint, text, text, jsonb, jsonb, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_add_norm(text, text, bigint, bigint, bigint, text, text, jsonb, jsonb, timestamptz) TO otklik_web;

-- ------------------------------------------------------------------------------------------------ notices
-- share: of the term, in percent. stage_at: when somebody is next to be told of it outside; notices of before are not told again.
ALTER TABLE notice ADD COLUMN share INTEGER, ADD COLUMN stage_at TIMESTAMP WITH TIME ZONE,
  ADD COLUMN stage INTEGER DEFAULT -1 NOT NULL, ADD COLUMN escalated_to VARCHAR;
CREATE INDEX ix_notice_stage_at ON notice (stage_at) WHERE settled_at IS NULL AND stage_at IS NOT NULL;

CREATE TABLE notice_rule (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  role VARCHAR NOT NULL,
  share INTEGER,
  after_seconds INTEGER,
  carriers JSONB NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  ended_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_notice_rule PRIMARY KEY (id),
  CONSTRAINT ck_notice_rule_role CHECK (role IN ('operator', 'coordinator', 'supervisor')),
  CONSTRAINT ck_notice_rule_moment CHECK ((share IS NULL) <> (after_seconds IS NULL) AND share BETWEEN 1 AND 99 OR after_seconds >= 0)
);
INSERT INTO notice_rule (role, share, after_seconds, carriers) VALUES
  ('operator', 80, NULL, '["email", "max", "telegram", "webhook"]'),
  ('operator', NULL, 0, '["email", "max", "telegram", "webhook"]'),
  ('coordinator', NULL, 7200, '["email", "max", "telegram", "webhook"]'),
  ('supervisor', NULL, 86400, '["email", "max", "telegram", "webhook"]');

CREATE TABLE notice_address (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  operator_id BIGINT NOT NULL,
  carrier VARCHAR NOT NULL,
  address VARCHAR NOT NULL,
  secret BYTEA,
  code_hash BYTEA,
  code_until TIMESTAMP WITH TIME ZONE,
  code_tries INTEGER DEFAULT 0 NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  proved_at TIMESTAMP WITH TIME ZONE,
  ended_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_notice_address PRIMARY KEY (id),
  CONSTRAINT ck_notice_address_carrier CHECK (carrier IN ('email', 'telegram', 'max', 'webhook')),
  CONSTRAINT fk_notice_address_operator_id FOREIGN KEY (operator_id) REFERENCES operator (id)
);
CREATE UNIQUE INDEX uq_notice_address_in_use ON notice_address (operator_id, carrier) WHERE ended_at IS NULL;

CREATE TABLE notice_hours (
  operator_id BIGINT NOT NULL,
  days JSONB NOT NULL,
  opens INTEGER NOT NULL,
  closes INTEGER NOT NULL,
  timezone VARCHAR NOT NULL,
  breach_any_time BOOLEAN NOT NULL,
  CONSTRAINT pk_notice_hours PRIMARY KEY (operator_id),
  CONSTRAINT ck_notice_hours_minutes CHECK (opens BETWEEN 0 AND 1439 AND closes BETWEEN 1 AND 1440 AND opens <> closes),
  CONSTRAINT fk_notice_hours_operator_id FOREIGN KEY (operator_id) REFERENCES operator (id)
);

CREATE TABLE notice_letter (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  operator_id BIGINT NOT NULL,
  address_id BIGINT NOT NULL,
  carrier VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  guid UUID DEFAULT gen_random_uuid() NOT NULL,
  state VARCHAR DEFAULT 'waiting' NOT NULL,
  attempts INTEGER DEFAULT 0 NOT NULL,
  detail VARCHAR DEFAULT '' NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  leased_by VARCHAR,
  leased_until TIMESTAMP WITH TIME ZONE,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  settled_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_notice_letter PRIMARY KEY (id),
  CONSTRAINT ck_notice_letter_kind CHECK (kind IN ('single', 'digest', 'code')),
  CONSTRAINT ck_notice_letter_state CHECK (state IN ('waiting', 'sending', 'delivered', 'failed', 'unknown', 'void')),
  CONSTRAINT fk_notice_letter_operator_id FOREIGN KEY (operator_id) REFERENCES operator (id),
  CONSTRAINT fk_notice_letter_address_id FOREIGN KEY (address_id) REFERENCES notice_address (id)
);
CREATE INDEX ix_notice_letter_due_at ON notice_letter (due_at) WHERE state = 'waiting';
CREATE INDEX ix_notice_letter_leased_until ON notice_letter (leased_until) WHERE state = 'sending';
CREATE INDEX ix_notice_letter_address_id ON notice_letter (address_id, created_at);
CREATE INDEX ix_notice_letter_trouble ON notice_letter (id) WHERE state IN ('failed', 'unknown');
CREATE INDEX ix_notice_letter_settled_at ON notice_letter (settled_at) WHERE settled_at IS NOT NULL;

-- One notice (at one stage) for one person by one carrier; it goes into one letter, or is void when it is true no more.
CREATE TABLE notice_delivery (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  notice_id BIGINT NOT NULL,
  stage INTEGER NOT NULL,
  operator_id BIGINT NOT NULL,
  address_id BIGINT NOT NULL,
  letter_id BIGINT,
  due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  void_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_notice_delivery PRIMARY KEY (id),
  CONSTRAINT uq_notice_delivery_notice_id_stage_address_id UNIQUE (notice_id, stage, address_id),
  CONSTRAINT ck_notice_delivery_one_end CHECK (letter_id IS NULL OR void_at IS NULL),
  CONSTRAINT fk_notice_delivery_notice_id FOREIGN KEY (notice_id) REFERENCES notice (id) ON DELETE CASCADE,
  CONSTRAINT fk_notice_delivery_operator_id FOREIGN KEY (operator_id) REFERENCES operator (id),
  CONSTRAINT fk_notice_delivery_address_id FOREIGN KEY (address_id) REFERENCES notice_address (id),
  CONSTRAINT fk_notice_delivery_letter_id FOREIGN KEY (letter_id) REFERENCES notice_letter (id) ON DELETE CASCADE
);
CREATE INDEX ix_notice_delivery_due_at ON notice_delivery (due_at) WHERE letter_id IS NULL AND void_at IS NULL;
CREATE INDEX ix_notice_delivery_letter_id ON notice_delivery (letter_id);

-- ------------------------------------------------------------------------------------------------ who may
GRANT SELECT ON notice_rule, notice_hours TO otklik_worker;
GRANT SELECT, UPDATE (code_hash, code_until, code_tries, secret) ON notice_address TO otklik_worker;
GRANT SELECT, INSERT, UPDATE ON notice_letter, notice_delivery TO otklik_worker;
GRANT SELECT (locale, is_service, deactivated_at) ON operator TO otklik_worker;
GRANT SELECT (operator_id, role, agency_id, territory_id, until) ON operator_role TO otklik_worker;
GRANT USAGE ON SEQUENCE notice_letter_id_seq, notice_delivery_id_seq TO otklik_worker;

GRANT SELECT, INSERT (role, share, after_seconds, carriers, created_at), UPDATE (ended_at) ON notice_rule TO otklik_web;
GRANT SELECT, INSERT (operator_id, carrier, address, created_at), UPDATE (address, proved_at, code_tries, code_hash, ended_at)
  ON notice_address TO otklik_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON notice_hours TO otklik_web;
GRANT SELECT, INSERT (operator_id, address_id, carrier, kind, due_at, created_at), UPDATE (state, due_at, settled_at) ON notice_letter
  TO otklik_web;
GRANT SELECT, UPDATE (due_at) ON notice_delivery TO otklik_web;
GRANT USAGE ON SEQUENCE notice_rule_id_seq, notice_address_id_seq, notice_letter_id_seq TO otklik_web;

ALTER TABLE notice_rule ENABLE ROW LEVEL SECURITY;
CREATE POLICY administered ON notice_rule TO otklik_web USING ((SELECT otklik_administers()))
  WITH CHECK ((SELECT otklik_administers()));
ALTER TABLE notice_address ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notice_address TO otklik_web USING (operator_id = (SELECT otklik_operator()))
  WITH CHECK (operator_id = (SELECT otklik_operator()));
ALTER TABLE notice_hours ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON notice_hours TO otklik_web USING (operator_id = (SELECT otklik_operator()))
  WITH CHECK (operator_id = (SELECT otklik_operator()));
-- Of a letter the administrator sees for whom it was and how it went; its address is its owner's alone.
ALTER TABLE notice_letter ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON notice_letter FOR SELECT TO otklik_web USING (
  operator_id = (SELECT otklik_operator()) OR (SELECT otklik_administers()));
CREATE POLICY asked ON notice_letter FOR INSERT TO otklik_web WITH CHECK (
  kind = 'code' AND EXISTS (SELECT FROM notice_address c WHERE c.id = address_id AND c.operator_id = notice_letter.operator_id));
CREATE POLICY repeated ON notice_letter FOR UPDATE TO otklik_web USING (
  state IN ('failed', 'unknown') AND kind <> 'code' AND (SELECT otklik_administers())) WITH CHECK (state IN ('waiting', 'void'));
ALTER TABLE notice_delivery ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON notice_delivery FOR SELECT TO otklik_web USING (
  operator_id = (SELECT otklik_operator()) OR (SELECT otklik_administers()));
CREATE POLICY moved ON notice_delivery FOR UPDATE TO otklik_web USING (operator_id = (SELECT otklik_operator()))
  WITH CHECK (operator_id = (SELECT otklik_operator()));

-- ------------------------------------------------------------------------------------------------ their end
-- What was sent about notices ends with them; codes and letters of which nothing is left, by their own age.
CREATE OR REPLACE FUNCTION otklik_drop_notices(before timestamptz, most integer) RETURNS integer LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  DELETE FROM notice_letter m WHERE m.id IN (
    SELECT id FROM notice_letter WHERE settled_at < before
      AND NOT EXISTS (SELECT FROM notice_delivery d JOIN notice n ON n.id = d.notice_id
        WHERE d.letter_id = notice_letter.id AND (n.settled_at IS NULL OR n.settled_at >= before)) LIMIT most);
  WITH done AS (DELETE FROM notice WHERE id IN (SELECT id FROM notice WHERE settled_at < before LIMIT most) RETURNING 1)
  SELECT count(*)::integer FROM done;
END;
