-- Speaking as the page: an answer is bound to the thread of its own appeal, publishing can be stopped, and a runaway waits.

-- ------------------------------------------------------------------------------------------------ answers
ALTER TABLE reply
  ADD COLUMN page_id BIGINT,
  ADD COLUMN approved_by BIGINT,
  ADD COLUMN limit_waived BOOLEAN DEFAULT false NOT NULL,
  ADD CONSTRAINT fk_reply_page_id FOREIGN KEY (page_id) REFERENCES page (id),
  ADD CONSTRAINT fk_reply_approved_by FOREIGN KEY (approved_by) REFERENCES operator (id),
  DROP CONSTRAINT ck_reply_state,
  ADD CONSTRAINT ck_reply_state CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'uncertain', 'held', 'withdrawn'));
UPDATE reply SET page_id = c.page_id, approved_by = CASE WHEN reply.by_hand THEN NULL ELSE reply.operator_id END
FROM comment c WHERE c.id = reply.comment_id;
DROP INDEX ix_reply_trouble;
CREATE INDEX ix_reply_trouble ON reply (id) WHERE state IN ('failed', 'uncertain', 'held');
CREATE INDEX ix_reply_operator_tried ON reply (operator_id, first_tried_at) WHERE first_tried_at IS NOT NULL;
CREATE INDEX ix_reply_page_tried ON reply (page_id, first_tried_at) WHERE first_tried_at IS NOT NULL;

-- Whoever writes the row: an answer stands under a citizen's comment of its own appeal, in the appeal's own thread, for good.
CREATE FUNCTION otklik_bind_reply() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND (NEW.appeal_id, NEW.comment_id, NEW.guid) IS DISTINCT FROM (OLD.appeal_id, OLD.comment_id, OLD.guid) THEN
    RAISE EXCEPTION 'an answer stays under the comment that it was written to' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  NEW.page_id := NULL;
  IF NEW.comment_id IS NOT NULL THEN
    SELECT c.page_id INTO NEW.page_id FROM comment c JOIN appeal a ON a.id = c.appeal_id
    WHERE c.id = NEW.comment_id AND a.id = NEW.appeal_id AND NOT c.by_page
      AND a.post_id = c.post_id AND a.root_external_id = c.root_external_id;
    IF NEW.page_id IS NULL THEN
      RAISE EXCEPTION 'an answer goes only to a citizen''s comment in the thread of its own appeal'
        USING ERRCODE = 'integrity_constraint_violation';
    END IF;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER bound BEFORE INSERT OR UPDATE OF appeal_id, comment_id, page_id, guid ON reply
  FOR EACH ROW EXECUTE FUNCTION otklik_bind_reply();

-- Words, target and author of an answer are written once; what changes is where it stands.
REVOKE UPDATE ON reply FROM otklik_web, otklik_worker;
GRANT UPDATE (state, due_at, leased_by, leased_until, error_code, error_detail, external_id, link, published_at) ON reply
  TO otklik_web, otklik_worker;
GRANT UPDATE (approved_by, limit_waived) ON reply TO otklik_web;
GRANT UPDATE (attempts, first_tried_at) ON reply TO otklik_worker;

-- ------------------------------------------------------------------------------------------------ the switch
CREATE TABLE publishing_stop (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  page_id BIGINT,
  agency_id BIGINT,
  reason VARCHAR NOT NULL,
  stopped_by BIGINT,
  stopped_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  released_by BIGINT,
  released_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_publishing_stop PRIMARY KEY (id),
  CONSTRAINT ck_publishing_stop_one_scope CHECK (page_id IS NULL OR agency_id IS NULL),
  CONSTRAINT fk_publishing_stop_page_id FOREIGN KEY (page_id) REFERENCES page (id),
  CONSTRAINT fk_publishing_stop_agency_id FOREIGN KEY (agency_id) REFERENCES agency (id),
  CONSTRAINT fk_publishing_stop_stopped_by FOREIGN KEY (stopped_by) REFERENCES operator (id),
  CONSTRAINT fk_publishing_stop_released_by FOREIGN KEY (released_by) REFERENCES operator (id)
);
CREATE UNIQUE INDEX ix_publishing_stop_standing ON publishing_stop (page_id, agency_id) NULLS NOT DISTINCT WHERE released_at IS NULL;
CREATE INDEX ix_publishing_stop_stopped_at ON publishing_stop (stopped_at);

-- Who and why stays as it was written; a stop ends once.
CREATE FUNCTION otklik_keep_stop() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.released_at IS NOT NULL OR
     (NEW.id, NEW.page_id, NEW.agency_id, NEW.reason, NEW.stopped_by, NEW.stopped_at)
       IS DISTINCT FROM (OLD.id, OLD.page_id, OLD.agency_id, OLD.reason, OLD.stopped_by, OLD.stopped_at) THEN
    RAISE EXCEPTION 'a stop of publishing is only released, once' USING ERRCODE = 'restrict_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER kept BEFORE UPDATE ON publishing_stop FOR EACH ROW EXECUTE FUNCTION otklik_keep_stop();
CREATE TRIGGER kept_rows BEFORE DELETE ON publishing_stop FOR EACH ROW EXECUTE FUNCTION otklik_refuse_change();
CREATE TRIGGER kept_whole BEFORE TRUNCATE ON publishing_stop FOR EACH STATEMENT EXECUTE FUNCTION otklik_refuse_change();
-- Screens that are open look again at once.
CREATE TRIGGER tell AFTER INSERT OR UPDATE ON publishing_stop FOR EACH STATEMENT EXECUTE FUNCTION otklik_tell('notices');

-- The agency and everything above it.
CREATE FUNCTION otklik_agency_lineage(of_agency bigint) RETURNS bigint[] LANGUAGE sql STABLE
BEGIN ATOMIC
  WITH RECURSIVE above(id) AS (
    SELECT of_agency WHERE of_agency IS NOT NULL
    UNION
    SELECT a.parent_id FROM agency a JOIN above ON a.id = above.id WHERE a.parent_id IS NOT NULL)
  SELECT coalesce(array_agg(id), '{}') FROM above;
END;

-- The stop that keeps an answer of this agency on this page from going out, if one does.
CREATE FUNCTION otklik_publishing_stop(of_page bigint, of_agency bigint) RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT min(s.id) FROM publishing_stop s
  WHERE s.released_at IS NULL AND (
    (s.page_id IS NULL AND s.agency_id IS NULL) OR s.page_id = of_page
    OR s.agency_id = ANY (otklik_agency_lineage(of_agency))
    OR s.agency_id = ANY (otklik_agency_lineage((SELECT p.agency_id FROM page p WHERE p.id = of_page))));
END;

-- Whether a role of the operator goes as far as this page or agency (both empty: everywhere).
CREATE FUNCTION otklik_role_reaches(roles text[], of_page bigint, of_agency bigint) RETURNS boolean LANGUAGE sql STABLE
SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH RECURSIVE matter(agency_id, territory_id) AS (
    SELECT p.agency_id, p.territory_id FROM page p WHERE p.id = of_page
    UNION ALL SELECT a.id, a.territory_id FROM agency a WHERE a.id = of_agency),
  places(id) AS (
    SELECT territory_id FROM matter
    UNION SELECT t.parent_id FROM territory t JOIN places ON t.id = places.id WHERE t.parent_id IS NOT NULL)
  SELECT EXISTS (
    SELECT FROM operator_role r JOIN operator o ON o.id = r.operator_id
    WHERE r.operator_id = otklik_operator() AND r.until IS NULL AND o.deactivated_at IS NULL AND r.role = ANY (roles)
      AND ((r.agency_id IS NULL AND r.territory_id IS NULL)
        OR r.agency_id = ANY (SELECT unnest(otklik_agency_lineage(m.agency_id)) FROM matter m)
        OR r.territory_id IN (SELECT id FROM places)));
END;

-- Coordinators stop pages and agencies within their reach; administrators of the whole region stop everything.
CREATE FUNCTION otklik_may_stop(of_page bigint, of_agency bigint) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  SELECT otklik_role_reaches('{administrator}', NULL, NULL)
    OR ((of_page IS NOT NULL OR of_agency IS NOT NULL) AND otklik_role_reaches('{coordinator}', of_page, of_agency));
END;

-- Whether a stop concerns the operator: it lies within their reach, above it, or holds an appeal of theirs.
CREATE FUNCTION otklik_stop_concerns(of_page bigint, of_agency bigint) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER
SET search_path = public, pg_temp
BEGIN ATOMIC
  WITH RECURSIVE below(id) AS (
    SELECT of_agency WHERE of_agency IS NOT NULL
    UNION SELECT a.id FROM agency a JOIN below ON a.parent_id = below.id)
  SELECT otklik_role_reaches('{administrator}', NULL, NULL) OR otklik_sees_whole()
    OR otklik_role_reaches('{operator,coordinator,supervisor}', of_page, of_agency)
    OR (of_page IS NULL AND of_agency IS NULL
      AND EXISTS (SELECT FROM operator o WHERE o.id = otklik_operator() AND o.deactivated_at IS NULL))
    OR EXISTS (
      SELECT FROM agency a JOIN below b ON b.id = a.id
      WHERE a.id = ANY (otklik_agency_scope()) OR a.territory_id = ANY (otklik_territory_scope()))
    OR EXISTS (
      SELECT FROM appeal a JOIN page p ON p.id = a.page_id
      WHERE a.status IN ('in_work', 'new') AND (p.id = of_page OR p.agency_id IN (SELECT id FROM below))
        AND (a.agency_id = ANY (otklik_agency_scope()) OR a.territory_id = ANY (otklik_territory_scope())));
END;

REVOKE ALL ON FUNCTION otklik_bind_reply(), otklik_keep_stop(), otklik_agency_lineage(bigint), otklik_publishing_stop(bigint, bigint),
  otklik_role_reaches(text[], bigint, bigint), otklik_may_stop(bigint, bigint), otklik_stop_concerns(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_bind_reply(), otklik_keep_stop(), otklik_agency_lineage(bigint), otklik_publishing_stop(bigint, bigint),
  otklik_role_reaches(text[], bigint, bigint), otklik_may_stop(bigint, bigint), otklik_stop_concerns(bigint, bigint)
  TO otklik_web, otklik_worker;

GRANT SELECT, INSERT ON publishing_stop TO otklik_web;
GRANT UPDATE (released_by, released_at) ON publishing_stop TO otklik_web;
GRANT SELECT ON publishing_stop TO otklik_worker;
GRANT USAGE ON SEQUENCE publishing_stop_id_seq TO otklik_web;
ALTER TABLE publishing_stop ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON publishing_stop FOR SELECT TO otklik_web USING (otklik_stop_concerns(page_id, agency_id));
CREATE POLICY stopped ON publishing_stop FOR INSERT TO otklik_web WITH CHECK (
  otklik_may_stop(page_id, agency_id) AND stopped_by = otklik_operator());
CREATE POLICY released ON publishing_stop FOR UPDATE TO otklik_web USING (otklik_may_stop(page_id, agency_id))
  WITH CHECK (released_by = otklik_operator());
