-- Pictures that only the worker can fetch, made anew and kept for some days at most. Whoever sees the comment sees its pictures.
CREATE TABLE picture (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  comment_id BIGINT,
  post_id BIGINT,
  place SMALLINT NOT NULL,
  state VARCHAR NOT NULL,
  asked_at TIMESTAMP WITH TIME ZONE NOT NULL,
  content BYTEA,
  size BIGINT DEFAULT 0 NOT NULL,
  CONSTRAINT pk_picture PRIMARY KEY (id),
  CONSTRAINT ck_picture_one_subject CHECK ((comment_id IS NULL) <> (post_id IS NULL)),
  CONSTRAINT ck_picture_state CHECK (state IN ('wanted', 'there', 'refused')),
  CONSTRAINT uq_picture_comment_id_post_id_place UNIQUE NULLS NOT DISTINCT (comment_id, post_id, place),
  CONSTRAINT fk_picture_comment_id FOREIGN KEY (comment_id) REFERENCES comment (id),
  CONSTRAINT fk_picture_post_id FOREIGN KEY (post_id) REFERENCES post (id)
);
CREATE INDEX ix_picture_asked_at ON picture (asked_at);
ALTER TABLE picture ALTER COLUMN content SET STORAGE EXTERNAL;  -- a JPEG does not shrink

GRANT SELECT, INSERT (comment_id, post_id, place, state, asked_at) ON picture TO otklik_web;
GRANT SELECT, UPDATE (state, content, size), DELETE ON picture TO otklik_worker;
ALTER TABLE picture ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON picture FOR SELECT TO otklik_web USING (post_id IS NOT NULL OR EXISTS (SELECT FROM comment c WHERE c.id = comment_id));
CREATE POLICY asked ON picture FOR INSERT TO otklik_web WITH CHECK (
  state = 'wanted' AND content IS NULL AND (post_id IS NOT NULL OR EXISTS (SELECT FROM comment c WHERE c.id = comment_id)));
