-- What citizens think of an answer, 1 to 5: of each line the last mark, of each cell how many of each.
ALTER TABLE report_line ADD COLUMN mark SMALLINT;
ALTER TABLE report_cell
  ADD COLUMN mark_1 BIGINT DEFAULT 0 NOT NULL, ADD COLUMN mark_2 BIGINT DEFAULT 0 NOT NULL, ADD COLUMN mark_3 BIGINT DEFAULT 0 NOT NULL,
  ADD COLUMN mark_4 BIGINT DEFAULT 0 NOT NULL, ADD COLUMN mark_5 BIGINT DEFAULT 0 NOT NULL;
