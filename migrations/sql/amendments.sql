-- What is done to an answer that stands on a platform: other words are put in its place, or it is taken away. Each is an act of its own.
ALTER TABLE reply
  DROP CONSTRAINT ck_reply_state,
  ADD CONSTRAINT ck_reply_state CHECK (
    state IN ('awaiting', 'returned', 'queued', 'sending', 'sent', 'failed', 'uncertain', 'held', 'withdrawn', 'removed'));

CREATE TABLE amendment (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  reply_id BIGINT NOT NULL,
  appeal_id BIGINT NOT NULL,
  page_id BIGINT NOT NULL,
  operator_id BIGINT NOT NULL,
  agency_id BIGINT,
  approved_by BIGINT,
  limit_waived BOOLEAN DEFAULT false NOT NULL,
  change VARCHAR NOT NULL,
  text VARCHAR NOT NULL,
  text_before VARCHAR NOT NULL,
  reason VARCHAR NOT NULL,
  state VARCHAR NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  attempts INTEGER DEFAULT 0 NOT NULL,
  first_tried_at TIMESTAMP WITH TIME ZONE,
  leased_by VARCHAR,
  leased_until TIMESTAMP WITH TIME ZONE,
  error_code VARCHAR,
  error_detail VARCHAR,
  done_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_amendment PRIMARY KEY (id),
  CONSTRAINT ck_amendment_change CHECK (change IN ('edit', 'delete')),
  CONSTRAINT ck_amendment_state CHECK (
    state IN ('awaiting', 'returned', 'queued', 'sending', 'done', 'failed', 'uncertain', 'held', 'withdrawn')),
  CONSTRAINT fk_amendment_reply_id FOREIGN KEY (reply_id) REFERENCES reply (id),
  CONSTRAINT fk_amendment_appeal_id FOREIGN KEY (appeal_id) REFERENCES appeal (id),
  CONSTRAINT fk_amendment_page_id FOREIGN KEY (page_id) REFERENCES page (id),
  CONSTRAINT fk_amendment_operator_id FOREIGN KEY (operator_id) REFERENCES operator (id),
  CONSTRAINT fk_amendment_agency_id FOREIGN KEY (agency_id) REFERENCES agency (id),
  CONSTRAINT fk_amendment_approved_by FOREIGN KEY (approved_by) REFERENCES operator (id)
);
-- One at a time: what is done to an answer keeps its order.
CREATE UNIQUE INDEX uq_amendment_open ON amendment (reply_id) WHERE state IN ('awaiting', 'queued', 'sending', 'uncertain', 'held');
CREATE INDEX ix_amendment_appeal_id ON amendment (appeal_id);
CREATE INDEX ix_amendment_due_at ON amendment (due_at) WHERE state = 'queued';
CREATE INDEX ix_amendment_leased_until ON amendment (leased_until) WHERE state = 'sending';
CREATE INDEX ix_amendment_trouble ON amendment (id) WHERE state IN ('awaiting', 'failed', 'uncertain', 'held');
CREATE INDEX ix_amendment_operator_tried ON amendment (operator_id, first_tried_at) WHERE first_tried_at IS NOT NULL;
CREATE INDEX ix_amendment_page_tried ON amendment (page_id, first_tried_at) WHERE first_tried_at IS NOT NULL;

-- Whoever writes the row: only an answer of ours that stands is changed, and its row says whose it is.
CREATE FUNCTION otklik_bind_amendment() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  SELECT r.appeal_id, r.page_id, r.agency_id, r.text INTO NEW.appeal_id, NEW.page_id, NEW.agency_id, NEW.text_before
  FROM reply r WHERE r.id = NEW.reply_id AND r.state = 'sent' AND NOT r.by_hand AND r.external_id IS NOT NULL;
  IF NEW.page_id IS NULL THEN
    RAISE EXCEPTION 'only an answer of ours that stands on the platform is changed' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER bound BEFORE INSERT ON amendment FOR EACH ROW EXECUTE FUNCTION otklik_bind_amendment();
-- Other words are approved like the first ones; to take words away needs no approval. Triggers of a table run by name: bound, then these.
CREATE TRIGGER checked_first BEFORE INSERT ON amendment
  FOR EACH ROW WHEN (NEW.change = 'edit' AND NEW.state = 'queued') EXECUTE FUNCTION otklik_keep_approval();
CREATE TRIGGER checked BEFORE UPDATE OF state ON amendment
  FOR EACH ROW WHEN (OLD.state = 'awaiting' AND NEW.state NOT IN ('awaiting', 'returned', 'withdrawn')) EXECUTE FUNCTION otklik_keep_approval();

-- The words of an answer are changed by what was done to it, and by nothing else: neither process may write them.
CREATE FUNCTION otklik_put_words(of_amendment bigint) RETURNS boolean LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
BEGIN ATOMIC
  UPDATE reply r SET text = m.text FROM amendment m
  WHERE m.id = of_amendment AND m.change = 'edit' AND m.state = 'done' AND r.id = m.reply_id AND r.state = 'sent' RETURNING true;
END;

ALTER TABLE amendment ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON amendment FOR SELECT TO otklik_web USING (
  (SELECT otklik_sees_whole())
  OR EXISTS (
    SELECT FROM appeal a WHERE a.id = appeal_id
      AND (a.agency_id = ANY ((SELECT otklik_agency_scope())::bigint[]) OR a.territory_id = ANY ((SELECT otklik_territory_scope())::bigint[])))
  OR otklik_held(appeal_id, created_at, (SELECT otklik_agency_scope())::bigint[]));
CREATE POLICY added ON amendment FOR INSERT TO otklik_web WITH CHECK (operator_id = otklik_operator() AND (
  (SELECT otklik_sees_whole())
  OR EXISTS (
    SELECT FROM appeal a WHERE a.id = appeal_id
      AND (a.agency_id = ANY ((SELECT otklik_agency_scope())::bigint[]) OR a.territory_id = ANY ((SELECT otklik_territory_scope())::bigint[])))));
CREATE POLICY worked ON amendment FOR UPDATE TO otklik_web USING (
  (SELECT otklik_sees_whole())
  OR EXISTS (
    SELECT FROM appeal a WHERE a.id = appeal_id
      AND (a.agency_id = ANY ((SELECT otklik_agency_scope())::bigint[]) OR a.territory_id = ANY ((SELECT otklik_territory_scope())::bigint[]))));
GRANT SELECT, INSERT ON amendment TO otklik_web;
GRANT UPDATE (state, due_at, approved_by, limit_waived) ON amendment TO otklik_web;
GRANT SELECT, UPDATE (state, due_at, attempts, first_tried_at, leased_by, leased_until, error_code, error_detail, done_at) ON amendment
  TO otklik_worker;

-- What was taken away, and the words before, end with the words of the answer.
CREATE OR REPLACE FUNCTION otklik_erase_appeals(appeals bigint[], at timestamptz) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
DECLARE
  closed bigint[];
  touched bigint[];
BEGIN
  SELECT array_agg(a.id) INTO closed FROM appeal a WHERE a.id = ANY (appeals) AND a.status IN ('closed', 'dismissed');
  WITH words AS (
    UPDATE appeal_text t SET text = '', author_name = NULL, link = NULL
    WHERE t.appeal_id = ANY (closed) AND (t.text <> '' OR t.author_name IS NOT NULL OR t.link IS NOT NULL) RETURNING t.appeal_id),
  answers AS (
    UPDATE reply r SET text = '', link = NULL, error_detail = NULL
    WHERE r.appeal_id = ANY (closed) AND r.state NOT IN ('queued', 'sending', 'uncertain')
      AND (r.text <> '' OR r.link IS NOT NULL OR r.error_detail IS NOT NULL) RETURNING r.appeal_id),
  changes AS (
    UPDATE amendment m SET text = '', text_before = '', reason = '', error_detail = NULL
    WHERE m.appeal_id = ANY (closed) AND m.state NOT IN ('queued', 'sending', 'uncertain')
      AND (m.text <> '' OR m.text_before <> '' OR m.reason <> '' OR m.error_detail IS NOT NULL) RETURNING m.appeal_id),
  notes AS (UPDATE appeal_note n SET text = '' WHERE n.appeal_id = ANY (closed) AND n.text <> '' RETURNING n.appeal_id),
  origins AS (UPDATE appeal_origin o SET cells = '{}' WHERE o.appeal_id = ANY (closed) AND o.cells <> '{}' RETURNING o.appeal_id)
  SELECT array_agg(DISTINCT one.appeal_id) INTO touched
  FROM (SELECT appeal_id FROM words UNION ALL SELECT appeal_id FROM answers UNION ALL SELECT appeal_id FROM changes
    UNION ALL SELECT appeal_id FROM notes UNION ALL SELECT appeal_id FROM origins) one;
  RETURN coalesce(cardinality(touched), 0);
END $$;

REVOKE ALL ON FUNCTION otklik_bind_amendment(), otklik_put_words(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION otklik_bind_amendment() TO otklik_web;
GRANT EXECUTE ON FUNCTION otklik_put_words(bigint) TO otklik_worker;
