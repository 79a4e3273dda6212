-- Coming in: second factors, identities of other providers, what a session and a token are known by; and who may take
-- people on, so that administrators can do it on a screen.

-- ------------------------------------------------------------------------------------------------ tables
ALTER TABLE operator_session
  ADD COLUMN address VARCHAR DEFAULT '' NOT NULL,
  ADD COLUMN agent VARCHAR DEFAULT '' NOT NULL,
  ADD COLUMN came_by VARCHAR DEFAULT 'password' NOT NULL,
  ADD COLUMN second_factor BOOLEAN DEFAULT false NOT NULL,
  ADD CONSTRAINT ck_operator_session_came_by CHECK (came_by IN ('password', 'link', 'oidc'));

ALTER TABLE invitation
  ADD COLUMN kind VARCHAR DEFAULT 'invitation' NOT NULL,
  ADD CONSTRAINT ck_invitation_kind CHECK (kind IN ('invitation', 'reset'));

ALTER TABLE sign_in_attempt
  ADD COLUMN kind VARCHAR DEFAULT 'password' NOT NULL,
  ADD CONSTRAINT ck_sign_in_attempt_kind CHECK (kind IN ('password', 'code'));

ALTER TABLE api_token
  ADD COLUMN hint VARCHAR DEFAULT '' NOT NULL,
  ADD COLUMN permissions VARCHAR[],
  ADD COLUMN last_used_at TIMESTAMP WITH TIME ZONE,
  ADD COLUMN replaced_at TIMESTAMP WITH TIME ZONE;

CREATE TABLE second_factor (
  operator_id BIGINT NOT NULL,
  secret BYTEA NOT NULL,
  last_step BIGINT NOT NULL,
  confirmed_at TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_second_factor PRIMARY KEY (operator_id),
  CONSTRAINT fk_second_factor_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);

CREATE TABLE recovery_code (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  operator_id BIGINT NOT NULL,
  code_hash BYTEA NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  used_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_recovery_code PRIMARY KEY (id),
  CONSTRAINT uq_recovery_code_operator_id_code_hash UNIQUE (operator_id, code_hash),
  CONSTRAINT fk_recovery_code_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);

CREATE TABLE external_identity (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  operator_id BIGINT NOT NULL,
  issuer VARCHAR NOT NULL,
  subject VARCHAR NOT NULL,
  linked_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_external_identity PRIMARY KEY (id),
  CONSTRAINT uq_external_identity_issuer_subject UNIQUE (issuer, subject),
  CONSTRAINT fk_external_identity_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);
CREATE INDEX ix_external_identity_operator_id ON external_identity (operator_id);

-- ------------------------------------------------------------------------------------------------ whom an administrator may touch
-- Whether the asking administrator's own scope holds this one: whole, an agency or a territory above it.
CREATE FUNCTION otklik_may_grant(to_agency bigint, to_territory bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH RECURSIVE mine AS (
    SELECT r.agency_id, r.territory_id FROM operator_role r JOIN operator o ON o.id = r.operator_id
    WHERE r.operator_id = otklik_operator() AND r.until IS NULL AND o.deactivated_at IS NULL AND r.role = 'administrator'),
  agencies(id) AS (
    SELECT to_agency
    UNION SELECT a.parent_id FROM agency a JOIN agencies below ON below.id = a.id WHERE a.parent_id IS NOT NULL),
  territories(id) AS (
    SELECT coalesce(to_territory, (SELECT territory_id FROM agency WHERE id = to_agency))
    UNION SELECT t.parent_id FROM territory t JOIN territories below ON below.id = t.id WHERE t.parent_id IS NOT NULL)
  SELECT EXISTS (
    SELECT FROM mine
    WHERE (agency_id IS NULL AND territory_id IS NULL)
       OR agency_id IN (SELECT id FROM agencies)
       OR territory_id IN (SELECT id FROM territories));
END;

-- Whether the asking administrator's scope holds every role of a person. Who holds one role beyond it is out of reach
-- altogether: a link for them would be a way into that role.
CREATE FUNCTION otklik_administers(person bigint) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT otklik_configures() AND NOT EXISTS (
    SELECT FROM operator_role r
    WHERE r.operator_id = person AND r.until IS NULL AND NOT otklik_may_grant(r.agency_id, r.territory_id));
END;

REVOKE ALL ON FUNCTION otklik_may_grant(bigint, bigint), otklik_administers(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_may_grant(bigint, bigint), otklik_administers(bigint) TO otklik_web;

-- ------------------------------------------------------------------------------------------------ grants
GRANT INSERT (login, name, is_service, created_at) ON operator TO otklik_web;
GRANT UPDATE (name, deactivated_at) ON operator TO otklik_web;
GRANT INSERT (operator_id, role, agency_id, territory_id, since) ON operator_role TO otklik_web;
GRANT UPDATE (until) ON operator_role TO otklik_web;
GRANT INSERT (token_hash, operator_id, created_at, expires_at, kind) ON invitation TO otklik_web;
GRANT UPDATE (expires_at) ON invitation TO otklik_web;
REVOKE UPDATE ON operator_session FROM otklik_web;
GRANT UPDATE (seen_at, ended_at) ON operator_session TO otklik_web;
GRANT INSERT (token_hash, operator_id, created_at, expires_at, hint, permissions) ON api_token TO otklik_web;
GRANT UPDATE (expires_at, revoked_at, last_used_at, replaced_at) ON api_token TO otklik_web;
GRANT SELECT, INSERT, DELETE ON second_factor, recovery_code, external_identity TO otklik_web;
GRANT UPDATE (last_step) ON second_factor TO otklik_web;
GRANT UPDATE (used_at) ON recovery_code TO otklik_web;

-- ------------------------------------------------------------------------------------------------ row-level security
-- Everybody's names, roles and hashes are looked up before anybody is known, so reading is open. Writing is for the
-- person themselves, or for an administrator whose scope holds them; nobody gives or takes a role of their own.
ALTER TABLE operator ENABLE ROW LEVEL SECURITY;
CREATE POLICY known ON operator FOR SELECT TO otklik_web USING (true);
CREATE POLICY taken_on ON operator FOR INSERT TO otklik_web WITH CHECK ((SELECT otklik_configures()));
CREATE POLICY kept ON operator FOR UPDATE TO otklik_web USING (id = otklik_operator() OR otklik_administers(id));

ALTER TABLE operator_role ENABLE ROW LEVEL SECURITY;
CREATE POLICY known ON operator_role FOR SELECT TO otklik_web USING (true);
CREATE POLICY given ON operator_role FOR INSERT TO otklik_web WITH CHECK (
  operator_id <> otklik_operator() AND otklik_may_grant(agency_id, territory_id) AND otklik_administers(operator_id));
CREATE POLICY ended ON operator_role FOR UPDATE TO otklik_web USING (operator_id <> otklik_operator() AND otklik_administers(operator_id));

ALTER TABLE operator_session ENABLE ROW LEVEL SECURITY;
CREATE POLICY known ON operator_session FOR SELECT TO otklik_web USING (true);
CREATE POLICY opened ON operator_session FOR INSERT TO otklik_web WITH CHECK (operator_id = otklik_operator());
CREATE POLICY kept ON operator_session FOR UPDATE TO otklik_web USING (operator_id = otklik_operator() OR otklik_administers(operator_id));

ALTER TABLE invitation ENABLE ROW LEVEL SECURITY;
CREATE POLICY known ON invitation FOR SELECT TO otklik_web USING (true);
CREATE POLICY sent ON invitation FOR INSERT TO otklik_web WITH CHECK (otklik_administers(operator_id));
CREATE POLICY used ON invitation FOR UPDATE TO otklik_web USING (operator_id = otklik_operator() OR otklik_administers(operator_id));

ALTER TABLE api_token ENABLE ROW LEVEL SECURITY;
CREATE POLICY known ON api_token FOR SELECT TO otklik_web USING (true);
CREATE POLICY made ON api_token FOR INSERT TO otklik_web WITH CHECK (otklik_administers(operator_id));
CREATE POLICY kept ON api_token FOR UPDATE TO otklik_web USING (operator_id = otklik_operator() OR otklik_administers(operator_id));

-- A second factor is its person's; an administrator may take it away and see that there is one.
ALTER TABLE second_factor ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON second_factor TO otklik_web USING (operator_id = otklik_operator());
CREATE POLICY administered ON second_factor FOR SELECT TO otklik_web USING (otklik_administers(operator_id));
CREATE POLICY reset ON second_factor FOR DELETE TO otklik_web USING (otklik_administers(operator_id));

ALTER TABLE recovery_code ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON recovery_code TO otklik_web USING (operator_id = otklik_operator());
CREATE POLICY administered ON recovery_code FOR SELECT TO otklik_web USING (otklik_administers(operator_id));
CREATE POLICY reset ON recovery_code FOR DELETE TO otklik_web USING (otklik_administers(operator_id));

ALTER TABLE external_identity ENABLE ROW LEVEL SECURITY;
CREATE POLICY known ON external_identity FOR SELECT TO otklik_web USING (true);
CREATE POLICY linked ON external_identity FOR INSERT TO otklik_web WITH CHECK (
  operator_id = otklik_operator() OR otklik_administers(operator_id));
CREATE POLICY unlinked ON external_identity FOR DELETE TO otklik_web USING (otklik_administers(operator_id));
