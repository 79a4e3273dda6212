-- What platforms push: who may push for a page, and the durable inbox. An event is in it before the platform hears that it is safe.
CREATE TABLE page_hook (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  page_id BIGINT NOT NULL,
  secret_hash BYTEA NOT NULL,
  confirmation VARCHAR DEFAULT '' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  revoked_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_page_hook PRIMARY KEY (id),
  CONSTRAINT fk_page_hook_page_id FOREIGN KEY (page_id) REFERENCES page (id)
);
CREATE UNIQUE INDEX ix_page_hook_in_use ON page_hook (page_id) WHERE revoked_at IS NULL;

-- `body` is empty once the event was handled: the words then live where they can be erased. Its number stays for a while, so that
-- the same event is not taken twice.
CREATE TABLE pushed_event (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  page_id BIGINT NOT NULL,
  event_id VARCHAR NOT NULL,
  body BYTEA,
  received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  handled_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_pushed_event PRIMARY KEY (id),
  CONSTRAINT uq_pushed_event_page_id_event_id UNIQUE (page_id, event_id),
  CONSTRAINT fk_pushed_event_page_id FOREIGN KEY (page_id) REFERENCES page (id)
);
CREATE INDEX ix_pushed_event_waiting ON pushed_event (id) WHERE handled_at IS NULL;
CREATE INDEX ix_pushed_event_handled_at ON pushed_event (handled_at) WHERE handled_at IS NOT NULL;

GRANT SELECT ON page_hook TO otklik_web;
GRANT INSERT ON pushed_event TO otklik_web;
GRANT USAGE ON SEQUENCE pushed_event_id_seq TO otklik_web;
GRANT SELECT, UPDATE (handled_at, body), DELETE ON pushed_event TO otklik_worker;
-- Only the program itself, while nobody is signed in, compares a secret and takes an event in.
ALTER TABLE page_hook ENABLE ROW LEVEL SECURITY;
CREATE POLICY compared ON page_hook FOR SELECT TO otklik_web USING ((SELECT otklik_operator()) IS NULL);
ALTER TABLE pushed_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY taken_in ON pushed_event FOR INSERT TO otklik_web WITH CHECK ((SELECT otklik_operator()) IS NULL);
