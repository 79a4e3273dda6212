-- Pages whose news a worker waits for at their platform (VK's Bots Long Poll): leased by one worker at a time, the cursor stored
-- with the events that came before it.
CREATE TABLE page_listener (
  page_id BIGINT NOT NULL,
  cursor VARCHAR,
  due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  leased_by VARCHAR,
  leased_until TIMESTAMP WITH TIME ZONE,
  heard_at TIMESTAMP WITH TIME ZONE,
  failures INTEGER DEFAULT 0 NOT NULL,
  error_code VARCHAR,
  error_detail VARCHAR,
  started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_page_listener PRIMARY KEY (page_id),
  CONSTRAINT fk_page_listener_page_id FOREIGN KEY (page_id) REFERENCES page (id)
);
GRANT SELECT ON page_listener TO otklik_worker;
GRANT UPDATE (cursor, due_at, leased_by, leased_until, heard_at, failures, error_code, error_detail) ON page_listener TO otklik_worker;
ALTER TABLE page_listener ENABLE ROW LEVEL SECURITY;

GRANT INSERT ON pushed_event TO otklik_worker;
GRANT USAGE ON SEQUENCE pushed_event_id_seq TO otklik_worker;
