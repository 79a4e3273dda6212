-- What reports stand on is built step by step, and how far it has come is kept with it. What is kept now is complete.
ALTER TABLE report_state
  ADD COLUMN stage VARCHAR DEFAULT 'done' NOT NULL,
  ADD COLUMN lines_kept BOOLEAN DEFAULT true NOT NULL,
  ADD COLUMN lines_wanted BOOLEAN DEFAULT false NOT NULL,
  ADD COLUMN after BIGINT DEFAULT 0 NOT NULL,
  ADD COLUMN month DATE,
  ADD COLUMN lines BIGINT DEFAULT 0 NOT NULL,
  ADD CONSTRAINT ck_report_state_stage CHECK (stage IN ('clearing', 'lines', 'cells', 'done'));
