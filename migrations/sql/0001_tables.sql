-- Every table of the first version. A change of a table is a new migration, never an edit of this file.

CREATE SEQUENCE appeal_number_seq;

-- A bijection of 0..999999999: the multiplier is coprime to 10^9, so numbers never repeat and tell no order.
CREATE FUNCTION otklik_appeal_number(n bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (n % 1000000000 * 387420489 + 112358132) % 1000000000;

CREATE TABLE author (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  platform VARCHAR NOT NULL,
  external_id VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  link VARCHAR,
  CONSTRAINT pk_author PRIMARY KEY (id),
  CONSTRAINT uq_author_platform_external_id UNIQUE (platform, external_id)
);

CREATE TABLE operator (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  login VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  password_hash VARCHAR,
  is_service BOOLEAN DEFAULT false NOT NULL,
  locale VARCHAR DEFAULT 'ru' NOT NULL,
  letters BOOLEAN DEFAULT true NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  deactivated_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_operator PRIMARY KEY (id),
  CONSTRAINT ck_operator_login_lower CHECK (login = lower(login)),
  CONSTRAINT uq_operator_login UNIQUE (login)
);

CREATE TABLE sign_in_attempt (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  login VARCHAR NOT NULL,
  address VARCHAR NOT NULL,
  at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_sign_in_attempt PRIMARY KEY (id)
);
CREATE INDEX ix_sign_in_attempt_address_at ON sign_in_attempt (address, at);
CREATE INDEX ix_sign_in_attempt_login_at ON sign_in_attempt (login, at);

CREATE TABLE sphere (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  code VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  CONSTRAINT pk_sphere PRIMARY KEY (id),
  CONSTRAINT uq_sphere_code UNIQUE (code)
);

CREATE TABLE territory (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  parent_id BIGINT,
  code VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  timezone VARCHAR,
  CONSTRAINT pk_territory PRIMARY KEY (id),
  CONSTRAINT fk_territory_parent_id FOREIGN KEY(parent_id) REFERENCES territory (id),
  CONSTRAINT uq_territory_code UNIQUE (code)
);
CREATE INDEX ix_territory_parent_id ON territory (parent_id);

CREATE TABLE agency (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  parent_id BIGINT,
  territory_id BIGINT NOT NULL,
  code VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  CONSTRAINT pk_agency PRIMARY KEY (id),
  CONSTRAINT fk_agency_parent_id FOREIGN KEY(parent_id) REFERENCES agency (id),
  CONSTRAINT fk_agency_territory_id FOREIGN KEY(territory_id) REFERENCES territory (id),
  CONSTRAINT uq_agency_code UNIQUE (code)
);
CREATE INDEX ix_agency_parent_id ON agency (parent_id);
CREATE INDEX ix_agency_territory_id ON agency (territory_id);

CREATE TABLE api_token (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  token_hash BYTEA NOT NULL,
  operator_id BIGINT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE,
  revoked_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_api_token PRIMARY KEY (id),
  CONSTRAINT uq_api_token_token_hash UNIQUE (token_hash),
  CONSTRAINT fk_api_token_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);
CREATE INDEX ix_api_token_operator_id ON api_token (operator_id);

CREATE TABLE audit_entry (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  operator_id BIGINT,
  act VARCHAR NOT NULL,
  subject VARCHAR NOT NULL,
  subject_id BIGINT,
  data JSONB DEFAULT '{}' NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_audit_entry PRIMARY KEY (id),
  CONSTRAINT fk_audit_entry_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);
CREATE INDEX ix_audit_entry_recorded_at ON audit_entry (recorded_at);

CREATE TABLE invitation (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  token_hash BYTEA NOT NULL,
  operator_id BIGINT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  used_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_invitation PRIMARY KEY (id),
  CONSTRAINT uq_invitation_token_hash UNIQUE (token_hash),
  CONSTRAINT fk_invitation_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);
CREATE INDEX ix_invitation_operator_id ON invitation (operator_id);

CREATE TABLE operator_session (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  token_hash BYTEA NOT NULL,
  operator_id BIGINT NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  seen_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
  ended_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_operator_session PRIMARY KEY (id),
  CONSTRAINT uq_operator_session_token_hash UNIQUE (token_hash),
  CONSTRAINT fk_operator_session_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);
CREATE INDEX ix_operator_session_operator_id ON operator_session (operator_id);

CREATE TABLE topic (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  parent_id BIGINT,
  territory_id BIGINT,
  code VARCHAR NOT NULL,
  name VARCHAR NOT NULL,
  weight INTEGER DEFAULT 1 NOT NULL,
  terms VARCHAR DEFAULT '' NOT NULL,
  CONSTRAINT pk_topic PRIMARY KEY (id),
  CONSTRAINT fk_topic_parent_id FOREIGN KEY(parent_id) REFERENCES topic (id),
  CONSTRAINT fk_topic_territory_id FOREIGN KEY(territory_id) REFERENCES territory (id),
  CONSTRAINT uq_topic_code UNIQUE (code)
);
CREATE INDEX ix_topic_parent_id ON topic (parent_id);

CREATE TABLE calendar_version (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  territory_id BIGINT NOT NULL,
  agency_id BIGINT,
  version INTEGER NOT NULL,
  definition JSONB NOT NULL,
  valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_calendar_version PRIMARY KEY (id),
  CONSTRAINT uq_calendar_version_territory_id_agency_id_version UNIQUE NULLS NOT DISTINCT (territory_id, agency_id, version),
  CONSTRAINT fk_calendar_version_territory_id FOREIGN KEY(territory_id) REFERENCES territory (id),
  CONSTRAINT fk_calendar_version_agency_id FOREIGN KEY(agency_id) REFERENCES agency (id)
);
CREATE INDEX ix_calendar_version_territory_id_valid_from ON calendar_version (territory_id, valid_from);

CREATE TABLE operator_role (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  operator_id BIGINT NOT NULL,
  role VARCHAR NOT NULL,
  agency_id BIGINT,
  territory_id BIGINT,
  since TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  until TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_operator_role PRIMARY KEY (id),
  CONSTRAINT ck_operator_role_one_scope CHECK (agency_id IS NULL OR territory_id IS NULL),
  CONSTRAINT ck_operator_role_role CHECK (role IN ('operator', 'coordinator', 'supervisor', 'administrator')),
  CONSTRAINT fk_operator_role_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id),
  CONSTRAINT fk_operator_role_agency_id FOREIGN KEY(agency_id) REFERENCES agency (id),
  CONSTRAINT fk_operator_role_territory_id FOREIGN KEY(territory_id) REFERENCES territory (id)
);
CREATE INDEX ix_operator_role_operator_id ON operator_role (operator_id) WHERE until IS NULL;

CREATE TABLE page (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  platform VARCHAR NOT NULL,
  external_id VARCHAR NOT NULL,
  title VARCHAR NOT NULL,
  link VARCHAR NOT NULL,
  agency_id BIGINT NOT NULL,
  territory_id BIGINT NOT NULL,
  sphere_id BIGINT,
  members INTEGER,
  options JSONB DEFAULT '{}' NOT NULL,
  active BOOLEAN DEFAULT true NOT NULL,
  connected_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  watched_since TIMESTAMP WITH TIME ZONE NOT NULL,
  CONSTRAINT pk_page PRIMARY KEY (id),
  CONSTRAINT uq_page_platform_external_id UNIQUE (platform, external_id),
  CONSTRAINT fk_page_agency_id FOREIGN KEY(agency_id) REFERENCES agency (id),
  CONSTRAINT fk_page_territory_id FOREIGN KEY(territory_id) REFERENCES territory (id),
  CONSTRAINT fk_page_sphere_id FOREIGN KEY(sphere_id) REFERENCES sphere (id)
);
CREATE INDEX ix_page_agency_id ON page (agency_id);
CREATE INDEX ix_page_territory_id ON page (territory_id);

CREATE TABLE sla_policy_version (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  code VARCHAR NOT NULL,
  version INTEGER NOT NULL,
  name VARCHAR NOT NULL,
  topic_id BIGINT,
  agency_id BIGINT,
  territory_id BIGINT,
  platform VARCHAR,
  priority VARCHAR,
  promises JSONB NOT NULL,
  valid_from TIMESTAMP WITH TIME ZONE NOT NULL,
  valid_until TIMESTAMP WITH TIME ZONE,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_sla_policy_version PRIMARY KEY (id),
  CONSTRAINT uq_sla_policy_version_code_version UNIQUE (code, version),
  CONSTRAINT fk_sla_policy_version_topic_id FOREIGN KEY(topic_id) REFERENCES topic (id),
  CONSTRAINT fk_sla_policy_version_agency_id FOREIGN KEY(agency_id) REFERENCES agency (id),
  CONSTRAINT fk_sla_policy_version_territory_id FOREIGN KEY(territory_id) REFERENCES territory (id)
);

CREATE TABLE credential (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  platform VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  page_id BIGINT,
  secret BYTEA NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  revoked_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_credential PRIMARY KEY (id),
  CONSTRAINT fk_credential_page_id FOREIGN KEY(page_id) REFERENCES page (id)
);

CREATE TABLE feed (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  platform VARCHAR NOT NULL,
  key VARCHAR NOT NULL,
  page_id BIGINT,
  cursor VARCHAR,
  due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  discover_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  leased_by VARCHAR,
  leased_until TIMESTAMP WITH TIME ZONE,
  polled_at TIMESTAMP WITH TIME ZONE,
  failures INTEGER DEFAULT 0 NOT NULL,
  error_code VARCHAR,
  error_detail VARCHAR,
  CONSTRAINT pk_feed PRIMARY KEY (id),
  CONSTRAINT uq_feed_platform_key UNIQUE (platform, key),
  CONSTRAINT fk_feed_page_id FOREIGN KEY(page_id) REFERENCES page (id)
);
CREATE INDEX ix_feed_due_at ON feed (platform, due_at);

CREATE TABLE post (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  page_id BIGINT NOT NULL,
  external_id VARCHAR NOT NULL,
  thread_ref VARCHAR,
  text VARCHAR NOT NULL,
  link VARCHAR NOT NULL,
  attachments JSONB DEFAULT '[]' NOT NULL,
  published_at TIMESTAMP WITH TIME ZONE NOT NULL,
  observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  seen_count INTEGER,
  read_at TIMESTAMP WITH TIME ZONE,
  probe_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  gone_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_post PRIMARY KEY (id),
  CONSTRAINT uq_post_page_id_external_id UNIQUE (page_id, external_id),
  CONSTRAINT fk_post_page_id FOREIGN KEY(page_id) REFERENCES page (id)
);
CREATE INDEX ix_post_page_id_probe_at ON post (page_id, probe_at) WHERE gone_at IS NULL;
CREATE INDEX ix_post_page_id_thread_ref ON post (page_id, thread_ref) WHERE thread_ref IS NOT NULL;

CREATE TABLE routing_rule (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  page_id BIGINT,
  territory_id BIGINT,
  topic_id BIGINT,
  agency_id BIGINT,
  comment VARCHAR DEFAULT '' NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  retired_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_routing_rule PRIMARY KEY (id),
  CONSTRAINT uq_routing_rule_page_id_territory_id_topic_id_retired_at UNIQUE NULLS NOT DISTINCT (page_id, territory_id, topic_id, retired_at),
  CONSTRAINT fk_routing_rule_page_id FOREIGN KEY(page_id) REFERENCES page (id),
  CONSTRAINT fk_routing_rule_territory_id FOREIGN KEY(territory_id) REFERENCES territory (id),
  CONSTRAINT fk_routing_rule_topic_id FOREIGN KEY(topic_id) REFERENCES topic (id),
  CONSTRAINT fk_routing_rule_agency_id FOREIGN KEY(agency_id) REFERENCES agency (id)
);

CREATE TABLE set_aside (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  platform VARCHAR NOT NULL,
  page_id BIGINT,
  reason VARCHAR NOT NULL,
  raw BYTEA NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  resolved_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_set_aside PRIMARY KEY (id),
  CONSTRAINT fk_set_aside_page_id FOREIGN KEY(page_id) REFERENCES page (id)
);

CREATE TABLE appeal (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  number BIGINT DEFAULT otklik_appeal_number(nextval('appeal_number_seq')) NOT NULL,
  source VARCHAR NOT NULL,
  platform VARCHAR NOT NULL,
  page_id BIGINT,
  post_id BIGINT,
  root_external_id VARCHAR,
  author_id BIGINT,
  comment_id BIGINT,
  status VARCHAR NOT NULL,
  agency_id BIGINT NOT NULL,
  territory_id BIGINT NOT NULL,
  topic_id BIGINT,
  operator_id BIGINT,
  priority VARCHAR DEFAULT 'ordinary' NOT NULL,
  cycle INTEGER DEFAULT 1 NOT NULL,
  version INTEGER DEFAULT 1 NOT NULL,
  written_at TIMESTAMP WITH TIME ZONE NOT NULL,
  opened_at TIMESTAMP WITH TIME ZONE NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE,
  touched_at TIMESTAMP WITH TIME ZONE NOT NULL,
  answered_at TIMESTAMP WITH TIME ZONE,
  closed_at TIMESTAMP WITH TIME ZONE,
  close_reason VARCHAR,
  CONSTRAINT pk_appeal PRIMARY KEY (id),
  CONSTRAINT ck_appeal_status CHECK (status IN ('new', 'in_work', 'answered', 'closed', 'dismissed')),
  CONSTRAINT uq_appeal_number UNIQUE (number),
  CONSTRAINT fk_appeal_page_id FOREIGN KEY(page_id) REFERENCES page (id),
  CONSTRAINT fk_appeal_post_id FOREIGN KEY(post_id) REFERENCES post (id),
  CONSTRAINT fk_appeal_author_id FOREIGN KEY(author_id) REFERENCES author (id),
  CONSTRAINT fk_appeal_agency_id FOREIGN KEY(agency_id) REFERENCES agency (id),
  CONSTRAINT fk_appeal_territory_id FOREIGN KEY(territory_id) REFERENCES territory (id),
  CONSTRAINT fk_appeal_topic_id FOREIGN KEY(topic_id) REFERENCES topic (id),
  CONSTRAINT fk_appeal_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);
CREATE INDEX ix_appeal_agency_id_id ON appeal (agency_id, id);
CREATE INDEX ix_appeal_agency_queue ON appeal (agency_id, due_at, id) WHERE status IN ('in_work', 'new');
CREATE INDEX ix_appeal_author_id ON appeal (author_id);
CREATE INDEX ix_appeal_key ON appeal (post_id, root_external_id, author_id);
CREATE INDEX ix_appeal_operator_queue ON appeal (operator_id, due_at, id) WHERE status IN ('in_work', 'new');
CREATE INDEX ix_appeal_queue ON appeal (due_at, id) WHERE status IN ('in_work', 'new');
CREATE INDEX ix_appeal_territory_id_id ON appeal (territory_id, id);
CREATE INDEX ix_appeal_written_at ON appeal (written_at);
CREATE UNIQUE INDEX uq_appeal_open_key ON appeal (page_id, post_id, root_external_id, author_id) WHERE status IN ('answered', 'in_work', 'new');

CREATE TABLE appeal_assignment (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  appeal_id BIGINT NOT NULL,
  agency_id BIGINT NOT NULL,
  operator_id BIGINT,
  since TIMESTAMP WITH TIME ZONE NOT NULL,
  until TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_appeal_assignment PRIMARY KEY (id),
  CONSTRAINT fk_appeal_assignment_appeal_id FOREIGN KEY(appeal_id) REFERENCES appeal (id),
  CONSTRAINT fk_appeal_assignment_agency_id FOREIGN KEY(agency_id) REFERENCES agency (id),
  CONSTRAINT fk_appeal_assignment_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);
CREATE INDEX ix_appeal_assignment_agency_id ON appeal_assignment (agency_id) WHERE until IS NOT NULL;
CREATE INDEX ix_appeal_assignment_appeal_id ON appeal_assignment (appeal_id, id);
CREATE UNIQUE INDEX uq_appeal_assignment_current ON appeal_assignment (appeal_id) WHERE until IS NULL;

CREATE TABLE appeal_event (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  xid xid8 DEFAULT pg_current_xact_id() NOT NULL,
  appeal_id BIGINT NOT NULL,
  act VARCHAR NOT NULL,
  cycle INTEGER NOT NULL,
  operator_id BIGINT,
  occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  data JSONB DEFAULT '{}' NOT NULL,
  CONSTRAINT pk_appeal_event PRIMARY KEY (id),
  CONSTRAINT fk_appeal_event_appeal_id FOREIGN KEY(appeal_id) REFERENCES appeal (id),
  CONSTRAINT fk_appeal_event_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);
CREATE INDEX ix_appeal_event_appeal_id ON appeal_event (appeal_id, id);
CREATE INDEX ix_appeal_event_feed ON appeal_event (xid, id);

CREATE TABLE appeal_note (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  appeal_id BIGINT NOT NULL,
  operator_id BIGINT NOT NULL,
  text VARCHAR NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_appeal_note PRIMARY KEY (id),
  CONSTRAINT fk_appeal_note_appeal_id FOREIGN KEY(appeal_id) REFERENCES appeal (id),
  CONSTRAINT fk_appeal_note_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);
CREATE INDEX ix_appeal_note_appeal_id ON appeal_note (appeal_id);

CREATE TABLE appeal_text (
  appeal_id BIGINT NOT NULL,
  text TEXT NOT NULL,
  author_name VARCHAR,
  link VARCHAR,
  CONSTRAINT pk_appeal_text PRIMARY KEY (appeal_id),
  CONSTRAINT fk_appeal_text_appeal_id FOREIGN KEY(appeal_id) REFERENCES appeal (id)
);

CREATE TABLE comment (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  page_id BIGINT NOT NULL,
  post_id BIGINT NOT NULL,
  external_id VARCHAR NOT NULL,
  root_external_id VARCHAR NOT NULL,
  reply_to_external_id VARCHAR,
  author_id BIGINT,
  by_page BOOLEAN NOT NULL,
  text VARCHAR NOT NULL,
  text_altered BOOLEAN DEFAULT false NOT NULL,
  attachments JSONB DEFAULT '[]' NOT NULL,
  link VARCHAR NOT NULL,
  revision INTEGER DEFAULT 1 NOT NULL,
  written_at TIMESTAMP WITH TIME ZONE NOT NULL,
  edited_at TIMESTAMP WITH TIME ZONE,
  deleted_at TIMESTAMP WITH TIME ZONE,
  observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  fate VARCHAR,
  fate_reason VARCHAR,
  appeal_id BIGINT,
  triage_due_at TIMESTAMP WITH TIME ZONE,
  triage_warn_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_comment PRIMARY KEY (id),
  CONSTRAINT uq_comment_page_id_post_id_external_id UNIQUE (page_id, post_id, external_id),
  CONSTRAINT ck_comment_fate CHECK (fate IN ('opened', 'appended', 'page_own', 'not_appeal', 'in_triage')),
  CONSTRAINT ck_comment_opened_has_appeal CHECK (fate IS DISTINCT FROM 'opened' OR appeal_id IS NOT NULL),
  CONSTRAINT fk_comment_page_id FOREIGN KEY(page_id) REFERENCES page (id),
  CONSTRAINT fk_comment_post_id FOREIGN KEY(post_id) REFERENCES post (id),
  CONSTRAINT fk_comment_author_id FOREIGN KEY(author_id) REFERENCES author (id),
  CONSTRAINT fk_comment_appeal_id FOREIGN KEY(appeal_id) REFERENCES appeal (id)
);
CREATE INDEX ix_comment_appeal_id ON comment (appeal_id) WHERE appeal_id IS NOT NULL;
CREATE INDEX ix_comment_author_id ON comment (author_id);
CREATE INDEX ix_comment_page_replies ON comment (post_id, reply_to_external_id) WHERE by_page;
CREATE INDEX ix_comment_thread ON comment (post_id, root_external_id);
CREATE INDEX ix_comment_triage ON comment (triage_due_at, id) WHERE fate = 'in_triage';
CREATE INDEX ix_comment_triage_warn_at ON comment (triage_warn_at) WHERE fate = 'in_triage' AND triage_warn_at IS NOT NULL;
CREATE INDEX ix_comment_unseen ON comment (id) WHERE fate IS NULL;

CREATE TABLE sla_pause (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  appeal_id BIGINT NOT NULL,
  since TIMESTAMP WITH TIME ZONE NOT NULL,
  until TIMESTAMP WITH TIME ZONE,
  reason VARCHAR NOT NULL,
  operator_id BIGINT,
  CONSTRAINT pk_sla_pause PRIMARY KEY (id),
  CONSTRAINT fk_sla_pause_appeal_id FOREIGN KEY(appeal_id) REFERENCES appeal (id),
  CONSTRAINT fk_sla_pause_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id)
);
CREATE INDEX ix_sla_pause_appeal_id ON sla_pause (appeal_id);

CREATE TABLE sla_timer (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  appeal_id BIGINT NOT NULL,
  cycle INTEGER NOT NULL,
  promise VARCHAR NOT NULL,
  policy_version_id BIGINT NOT NULL,
  calendar_version_id BIGINT,
  choice JSONB DEFAULT '{}' NOT NULL,
  term JSONB NOT NULL,
  started_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE NOT NULL,
  warnings JSONB DEFAULT '[]' NOT NULL,
  warn_at TIMESTAMP WITH TIME ZONE,
  breached_at TIMESTAMP WITH TIME ZONE,
  stopped_at TIMESTAMP WITH TIME ZONE,
  outcome VARCHAR,
  agency_id BIGINT,
  elapsed_seconds INTEGER,
  working_seconds INTEGER,
  CONSTRAINT pk_sla_timer PRIMARY KEY (id),
  CONSTRAINT uq_sla_timer_appeal_id_cycle_promise UNIQUE (appeal_id, cycle, promise),
  CONSTRAINT fk_sla_timer_appeal_id FOREIGN KEY(appeal_id) REFERENCES appeal (id),
  CONSTRAINT fk_sla_timer_policy_version_id FOREIGN KEY(policy_version_id) REFERENCES sla_policy_version (id),
  CONSTRAINT fk_sla_timer_calendar_version_id FOREIGN KEY(calendar_version_id) REFERENCES calendar_version (id),
  CONSTRAINT fk_sla_timer_agency_id FOREIGN KEY(agency_id) REFERENCES agency (id)
);
CREATE INDEX ix_sla_timer_due_at ON sla_timer (due_at) WHERE stopped_at IS NULL AND breached_at IS NULL;
CREATE INDEX ix_sla_timer_started_at ON sla_timer (started_at) WHERE promise = 'first_answer';
CREATE INDEX ix_sla_timer_warn_at ON sla_timer (warn_at) WHERE stopped_at IS NULL AND warn_at IS NOT NULL;

CREATE TABLE comment_revision (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  comment_id BIGINT NOT NULL,
  revision INTEGER NOT NULL,
  text VARCHAR NOT NULL,
  attachments JSONB DEFAULT '[]' NOT NULL,
  raw BYTEA NOT NULL,
  edited_at TIMESTAMP WITH TIME ZONE,
  observed_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_comment_revision PRIMARY KEY (id),
  CONSTRAINT uq_comment_revision_comment_id_revision UNIQUE (comment_id, revision),
  CONSTRAINT fk_comment_revision_comment_id FOREIGN KEY(comment_id) REFERENCES comment (id)
);

CREATE TABLE notice (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  key VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  appeal_id BIGINT,
  timer_id BIGINT,
  comment_id BIGINT,
  agency_id BIGINT,
  territory_id BIGINT,
  occurred_at TIMESTAMP WITH TIME ZONE NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  settled_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_notice PRIMARY KEY (id),
  CONSTRAINT ck_notice_kind CHECK (kind IN ('sla_warning', 'sla_breach', 'triage_warning', 'triage_breach')),
  CONSTRAINT ck_notice_one_subject CHECK ((appeal_id IS NULL) = (timer_id IS NULL) AND (appeal_id IS NULL) <> (comment_id IS NULL)),
  CONSTRAINT uq_notice_key UNIQUE (key),
  CONSTRAINT fk_notice_appeal_id FOREIGN KEY(appeal_id) REFERENCES appeal (id),
  CONSTRAINT fk_notice_timer_id FOREIGN KEY(timer_id) REFERENCES sla_timer (id),
  CONSTRAINT fk_notice_comment_id FOREIGN KEY(comment_id) REFERENCES comment (id),
  CONSTRAINT fk_notice_agency_id FOREIGN KEY(agency_id) REFERENCES agency (id),
  CONSTRAINT fk_notice_territory_id FOREIGN KEY(territory_id) REFERENCES territory (id)
);
CREATE INDEX ix_notice_agency_id ON notice (agency_id, id) WHERE settled_at IS NULL;
CREATE INDEX ix_notice_appeal_id ON notice (appeal_id);
CREATE INDEX ix_notice_comment_id ON notice (comment_id) WHERE settled_at IS NULL AND comment_id IS NOT NULL;

CREATE TABLE reply (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  appeal_id BIGINT NOT NULL,
  comment_id BIGINT,
  comment_revision INTEGER,
  cycle INTEGER NOT NULL,
  operator_id BIGINT,
  agency_id BIGINT,
  by_hand BOOLEAN DEFAULT false NOT NULL,
  text VARCHAR NOT NULL,
  guid UUID DEFAULT gen_random_uuid() NOT NULL,
  state VARCHAR NOT NULL,
  created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  attempts INTEGER DEFAULT 0 NOT NULL,
  first_tried_at TIMESTAMP WITH TIME ZONE,
  leased_by VARCHAR,
  leased_until TIMESTAMP WITH TIME ZONE,
  error_code VARCHAR,
  error_detail VARCHAR,
  external_id VARCHAR,
  link VARCHAR,
  published_at TIMESTAMP WITH TIME ZONE,
  CONSTRAINT pk_reply PRIMARY KEY (id),
  CONSTRAINT ck_reply_state CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'uncertain', 'withdrawn')),
  CONSTRAINT fk_reply_appeal_id FOREIGN KEY(appeal_id) REFERENCES appeal (id),
  CONSTRAINT fk_reply_comment_id FOREIGN KEY(comment_id) REFERENCES comment (id),
  CONSTRAINT fk_reply_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id),
  CONSTRAINT fk_reply_agency_id FOREIGN KEY(agency_id) REFERENCES agency (id)
);
CREATE INDEX ix_reply_appeal_id ON reply (appeal_id);
CREATE INDEX ix_reply_due_at ON reply (due_at) WHERE state = 'queued';
CREATE INDEX ix_reply_leased_until ON reply (leased_until) WHERE state = 'sending';
CREATE INDEX ix_reply_trouble ON reply (id) WHERE state IN ('failed', 'uncertain');

CREATE TABLE verdict (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  comment_id BIGINT NOT NULL,
  operator_id BIGINT,
  classifier VARCHAR NOT NULL,
  version VARCHAR NOT NULL,
  kind VARCHAR NOT NULL,
  is_appeal BOOLEAN,
  topic_id BIGINT,
  confidence REAL NOT NULL,
  scores JSONB DEFAULT '{}' NOT NULL,
  reasons JSONB DEFAULT '[]' NOT NULL,
  agency_id BIGINT,
  rule_id BIGINT,
  route_reason JSONB DEFAULT '{}' NOT NULL,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_verdict PRIMARY KEY (id),
  CONSTRAINT fk_verdict_comment_id FOREIGN KEY(comment_id) REFERENCES comment (id),
  CONSTRAINT fk_verdict_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id),
  CONSTRAINT fk_verdict_topic_id FOREIGN KEY(topic_id) REFERENCES topic (id),
  CONSTRAINT fk_verdict_agency_id FOREIGN KEY(agency_id) REFERENCES agency (id),
  CONSTRAINT fk_verdict_rule_id FOREIGN KEY(rule_id) REFERENCES routing_rule (id)
);
CREATE INDEX ix_verdict_comment_id ON verdict (comment_id, id);

CREATE TABLE idempotency_key (
  id BIGINT GENERATED ALWAYS AS IDENTITY,
  operator_id BIGINT NOT NULL,
  key VARCHAR NOT NULL,
  request_hash BYTEA NOT NULL,
  appeal_id BIGINT,
  reply_id BIGINT,
  recorded_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
  CONSTRAINT pk_idempotency_key PRIMARY KEY (id),
  CONSTRAINT uq_idempotency_key_operator_id_key UNIQUE (operator_id, key),
  CONSTRAINT fk_idempotency_key_operator_id FOREIGN KEY(operator_id) REFERENCES operator (id),
  CONSTRAINT fk_idempotency_key_appeal_id FOREIGN KEY(appeal_id) REFERENCES appeal (id),
  CONSTRAINT fk_idempotency_key_reply_id FOREIGN KEY(reply_id) REFERENCES reply (id)
);

ALTER TABLE appeal ADD CONSTRAINT fk_appeal_comment_id FOREIGN KEY(comment_id) REFERENCES comment (id);
