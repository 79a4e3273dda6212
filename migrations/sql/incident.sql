-- The rows of another system from which appeals were brought in. Their cells hold citizens' words: they are seen with the
-- appeal, written by the owner's command alone, and erased with the rest of what a person wrote.
CREATE TABLE appeal_origin (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  appeal_id BIGINT NOT NULL,
  system VARCHAR NOT NULL,
  external_id VARCHAR NOT NULL,
  cells JSONB NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_appeal_origin PRIMARY KEY (id),
  CONSTRAINT fk_appeal_origin_appeal_id FOREIGN KEY (appeal_id) REFERENCES appeal (id),
  CONSTRAINT uq_appeal_origin_system_external_id UNIQUE (system, external_id)
);
CREATE INDEX ix_appeal_origin_appeal_id ON appeal_origin (appeal_id);

ALTER TABLE appeal_origin ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON appeal_origin FOR SELECT TO otklik_web USING (EXISTS (SELECT FROM appeal a WHERE a.id = appeal_id));
GRANT SELECT ON appeal_origin TO otklik_web;
