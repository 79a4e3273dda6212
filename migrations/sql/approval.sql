-- Answers that another person approves before they are published: an agency may ask for it, for all below it too.
ALTER TABLE agency ADD COLUMN approval_required BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE reply
  DROP CONSTRAINT ck_reply_state,
  ADD CONSTRAINT ck_reply_state CHECK (
    state IN ('awaiting', 'returned', 'queued', 'sending', 'sent', 'failed', 'uncertain', 'held', 'withdrawn'));
DROP INDEX ix_reply_trouble;
CREATE INDEX ix_reply_trouble ON reply (id) WHERE state IN ('awaiting', 'failed', 'uncertain', 'held');

CREATE FUNCTION otklik_needs_approval(of_agency bigint) RETURNS boolean LANGUAGE sql STABLE
BEGIN ATOMIC
  SELECT coalesce(bool_or(a.approval_required), false) FROM agency a WHERE a.id = ANY (otklik_agency_lineage(of_agency));
END;

-- Whoever writes the row: no answer of such an agency is queued unseen, and nobody lets their own go.
CREATE FUNCTION otklik_keep_approval() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' AND otklik_needs_approval(NEW.agency_id) THEN
    RAISE EXCEPTION 'answers of this agency are approved before they are published' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF TG_OP = 'UPDATE' AND (
    NEW.state <> 'queued' OR NEW.approved_by IS NULL OR NEW.approved_by IS NOT DISTINCT FROM OLD.operator_id
    OR NEW.approved_by IS DISTINCT FROM otklik_operator()
    OR NOT (otklik_role_reaches('{coordinator}', NULL, NEW.agency_id) OR otklik_role_reaches('{coordinator}', NEW.page_id, NULL)))
  THEN
    RAISE EXCEPTION 'an answer is approved by another person, who may' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER approved_first BEFORE INSERT ON reply FOR EACH ROW WHEN (NEW.state = 'queued') EXECUTE FUNCTION otklik_keep_approval();
CREATE TRIGGER approved BEFORE UPDATE OF state ON reply
  FOR EACH ROW WHEN (OLD.state = 'awaiting' AND NEW.state NOT IN ('awaiting', 'returned', 'withdrawn')) EXECUTE FUNCTION otklik_keep_approval();

-- An administrator whose scope holds the agency decides whether its answers are approved first; whether anything changed.
CREATE FUNCTION otklik_require_approval(of_agency bigint, needed boolean) RETURNS boolean LANGUAGE sql SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  UPDATE agency SET approval_required = needed
  WHERE id = of_agency AND approval_required <> needed AND otklik_may_grant(of_agency, NULL) RETURNING true;
END;

-- How long approval took: a clock of the reports. Nothing was approved before, so what is kept stays right.
ALTER TABLE report_line ADD COLUMN approval_seconds INTEGER, ADD COLUMN approval_working INTEGER;
ALTER TABLE report_cell
  ADD COLUMN approval_n BIGINT DEFAULT 0 NOT NULL,
  ADD COLUMN approval_s BIGINT DEFAULT 0 NOT NULL,
  ADD COLUMN approval_wn BIGINT DEFAULT 0 NOT NULL,
  ADD COLUMN approval_ws BIGINT DEFAULT 0 NOT NULL;

REVOKE ALL ON FUNCTION otklik_needs_approval(bigint), otklik_keep_approval(), otklik_require_approval(bigint, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_needs_approval(bigint), otklik_keep_approval() TO otklik_web, otklik_worker;
GRANT EXECUTE ON FUNCTION otklik_require_approval(bigint, boolean) TO otklik_web;
