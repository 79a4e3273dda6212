-- Links that people paste, and what the worker found there: each person's own, for an hour.
CREATE TABLE link_lookup (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  operator_id BIGINT NOT NULL,
  platform VARCHAR NOT NULL,
  link VARCHAR NOT NULL,
  page VARCHAR NOT NULL,
  post VARCHAR,
  thread VARCHAR,
  comment VARCHAR,
  root VARCHAR,
  state VARCHAR NOT NULL,
  asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
  code VARCHAR,
  comment_id BIGINT,
  text VARCHAR,
  author_name VARCHAR,
  written_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_link_lookup PRIMARY KEY (id),
  CONSTRAINT ck_link_lookup_state CHECK (state IN ('wanted', 'stored', 'found', 'refused')),
  CONSTRAINT fk_link_lookup_operator_id FOREIGN KEY (operator_id) REFERENCES operator (id),
  CONSTRAINT fk_link_lookup_comment_id FOREIGN KEY (comment_id) REFERENCES comment (id)
);
CREATE INDEX ix_link_lookup_operator_id ON link_lookup (operator_id, asked_at);
CREATE INDEX ix_link_lookup_asked_at ON link_lookup (asked_at);

GRANT SELECT, INSERT (operator_id, platform, link, page, post, thread, comment, root, state, asked_at) ON link_lookup TO otklik_web;
GRANT SELECT, UPDATE (state, code, comment_id, text, author_name, written_at), DELETE ON link_lookup TO otklik_worker;
ALTER TABLE link_lookup ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON link_lookup FOR SELECT TO otklik_web USING (operator_id = (SELECT otklik_operator()));
CREATE POLICY asked ON link_lookup FOR INSERT TO otklik_web WITH CHECK (operator_id = otklik_operator() AND state = 'wanted');

-- Whether an appeal was opened from this very link before.
CREATE INDEX ix_appeal_text_link ON appeal_text USING hash (link) WHERE link IS NOT NULL;
