-- The trail of acts and reads: who may read it, by what it is found, and the seals that keep it from being rewritten.

-- Which transaction wrote an entry: identity numbers become visible out of order, and a sealer that had passed one would
-- never see it. (Entries that are there get this migration's own transaction: they are sealed in the order of their ids.)
ALTER TABLE audit_entry ADD COLUMN xid xid8 DEFAULT pg_current_xact_id() NOT NULL;
CREATE INDEX ix_audit_entry_feed ON audit_entry (xid, id);
DROP INDEX ix_audit_entry_recorded_at;
CREATE INDEX ix_audit_entry_recorded_at ON audit_entry (recorded_at, id);
CREATE INDEX ix_audit_entry_operator_id ON audit_entry (operator_id, recorded_at, id);
CREATE INDEX ix_audit_entry_act ON audit_entry (act, recorded_at, id);
CREATE INDEX ix_audit_entry_subject ON audit_entry (subject, subject_id, recorded_at, id) WHERE subject_id IS NOT NULL;
-- Lists that were looked at name many subjects in one entry.
CREATE INDEX ix_audit_entry_listed ON audit_entry USING gin ((data -> 'ids')) WHERE data ? 'ids';

CREATE TABLE audit_seal (
  number BIGINT NOT NULL,
  previous BYTEA NOT NULL,
  hash BYTEA NOT NULL,
  upto_xid xid8 NOT NULL,
  upto_id BIGINT NOT NULL,
  floor_id BIGINT NOT NULL,
  top_id BIGINT NOT NULL,
  ids BIGINT[] NOT NULL,
  digests BYTEA NOT NULL,
  first_at TIMESTAMP WITH TIME ZONE NOT NULL,
  last_at TIMESTAMP WITH TIME ZONE NOT NULL,
  sealed_at TIMESTAMP WITH TIME ZONE NOT NULL,
  dropped_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_audit_seal PRIMARY KEY (number),
  CONSTRAINT ck_audit_seal_whole CHECK (octet_length(digests) = 32 * cardinality(ids)),
  CONSTRAINT uq_audit_seal_previous UNIQUE (previous)
);
CREATE INDEX ix_audit_seal_last_at ON audit_seal (last_at) WHERE dropped_at IS NULL;

-- ------------------------------------------------------------------------------------------------ who may read it
CREATE FUNCTION otklik_administers() RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT EXISTS (
    SELECT FROM operator_role r JOIN operator o ON o.id = r.operator_id
    WHERE r.operator_id = otklik_operator() AND r.until IS NULL AND o.deactivated_at IS NULL
      AND r.role = 'administrator' AND r.agency_id IS NULL AND r.territory_id IS NULL);
END;

-- Somebody's acts are written in their own transactions; the program's own, with no operator, write what it noted of all.
ALTER TABLE audit_entry ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON audit_entry FOR SELECT TO otklik_web USING ((SELECT otklik_administers()));
CREATE POLICY added ON audit_entry FOR INSERT TO otklik_web WITH CHECK (
  (SELECT otklik_operator()) IS NULL OR operator_id = (SELECT otklik_operator()));
ALTER TABLE audit_seal ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON audit_seal FOR SELECT TO otklik_web USING ((SELECT otklik_administers()));

GRANT SELECT ON audit_entry, audit_seal TO otklik_web, otklik_worker;
GRANT INSERT ON audit_seal TO otklik_worker;

-- An administrator configures and reads no appeals: of an appeal in the trail they are told the number, nothing more.
CREATE FUNCTION otklik_appeal_numbers(appeals bigint[]) RETURNS TABLE (appeal_id bigint, number bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT a.id, a.number FROM appeal a WHERE a.id = ANY (appeals) AND (SELECT otklik_administers());
END;
CREATE FUNCTION otklik_appeal_of_number(of_number bigint) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT a.id FROM appeal a WHERE a.number = of_number AND (SELECT otklik_administers());
END;

-- Containment is not leakproof, so under row-level security its index would not be used: the question is inside.
CREATE FUNCTION otklik_audit_listed(
  of_subject text, of_id bigint, of_operator bigint, of_act text, since timestamptz, until timestamptz, before_id bigint, most integer)
RETURNS TABLE (id bigint, recorded_at timestamptz) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT e.id, e.recorded_at FROM audit_entry e
  WHERE (SELECT otklik_administers()) AND e.data ? 'ids' AND e.data -> 'ids' @> to_jsonb(of_id) AND e.subject = of_subject
    AND (of_operator IS NULL OR e.operator_id = of_operator) AND (of_act IS NULL OR e.act = of_act)
    AND e.recorded_at >= since AND (e.recorded_at, e.id) < (until, before_id)
  ORDER BY e.recorded_at DESC, e.id DESC LIMIT most;
END;

-- ------------------------------------------------------------------------------------------------ what ends
-- Seals stay for ever; of one the moment may be noted at which its entries were dropped after their term.
CREATE TRIGGER append_only BEFORE UPDATE OF number, previous, hash, upto_xid, upto_id, floor_id, top_id, ids, digests, first_at,
  last_at, sealed_at OR DELETE ON audit_seal FOR EACH ROW EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON audit_seal FOR EACH STATEMENT EXECUTE FUNCTION otklik_refuse_change();

CREATE FUNCTION otklik_refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' AND current_setting('otklik.audit_term', true) = 'passed' THEN
    RETURN OLD;
  END IF;
  RAISE EXCEPTION '% is append-only: add a row instead', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER append_only ON audit_entry;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_entry FOR EACH ROW EXECUTE FUNCTION otklik_refuse_audit_change();

-- Drops the entries of the oldest seal whose term has passed, whole seals only, never one of the last year; how many, or nothing.
-- The seal keeps their numbers and digests, so the chain stays whole; that it was done is an entry of its own.
CREATE FUNCTION otklik_drop_audit(before timestamptz, at timestamptz) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  oldest record;
  gone integer;
BEGIN
  SELECT s.number, s.ids INTO oldest FROM audit_seal s
  WHERE s.dropped_at IS NULL AND s.last_at < least(before, now() - interval '365 days') ORDER BY s.number LIMIT 1 FOR UPDATE SKIP LOCKED;
  IF oldest.number IS NULL THEN
    RETURN NULL;
  END IF;
  PERFORM set_config('otklik.audit_term', 'passed', true);
  DELETE FROM audit_entry WHERE id = ANY (oldest.ids);
  GET DIAGNOSTICS gone = ROW_COUNT;
  PERFORM set_config('otklik.audit_term', '', true);
  UPDATE audit_seal SET dropped_at = at WHERE number = oldest.number;
  INSERT INTO audit_entry (act, subject, subject_id, data)
  VALUES ('audit.dropped', 'audit', oldest.number, jsonb_build_object('entries', gone));
  RETURN gone;
END $$;

REVOKE ALL ON FUNCTION otklik_administers(), otklik_appeal_numbers(bigint[]), otklik_appeal_of_number(bigint),
  otklik_audit_listed(text, bigint, bigint, text, timestamptz, timestamptz, bigint, integer), otklik_refuse_audit_change(), otklik_drop_audit(timestamptz, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_administers(), otklik_appeal_numbers(bigint[]), otklik_appeal_of_number(bigint),
  otklik_audit_listed(text, bigint, bigint, text, timestamptz, timestamptz, bigint, integer) TO otklik_web;
GRANT EXECUTE ON FUNCTION otklik_drop_audit(timestamptz, timestamptz) TO otklik_worker;
