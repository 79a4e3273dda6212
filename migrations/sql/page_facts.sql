-- What platforms say of pages, day by day, and what the list of pages is sorted and narrowed by.
-- {whole}, {agencies} and {territories} stand for scalar subqueries, as in 0001_access.sql.
ALTER TABLE page
  ADD COLUMN official BOOLEAN,
  ADD COLUMN comments_open BOOLEAN,
  ADD COLUMN described_at TIMESTAMP WITH TIME ZONE,
  ADD COLUMN describe_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL;
CREATE INDEX ix_page_describe_at ON page (describe_at) WHERE active;
CREATE INDEX ix_page_title ON page (left(replace(lower(title), 'ё', 'е'), 100), id);
CREATE INDEX ix_page_members ON page (coalesce(members, -1), id);

-- How long comments of the page took to be noticed: a mean that the last ones count most in.
ALTER TABLE feed ADD COLUMN lag_s REAL;

CREATE TABLE page_day (
  page_id BIGINT NOT NULL,
  day DATE NOT NULL,
  members INTEGER,
  official BOOLEAN,
  CONSTRAINT pk_page_day PRIMARY KEY (page_id, day),
  CONSTRAINT fk_page_day_page_id FOREIGN KEY (page_id) REFERENCES page (id)
);
CREATE INDEX ix_page_day_day ON page_day (day);

GRANT SELECT (due_at, lag_s) ON feed TO otklik_web;
GRANT UPDATE (members, official, comments_open, described_at, describe_at) ON page TO otklik_worker;
GRANT SELECT ON page_day TO otklik_web;
GRANT SELECT, INSERT, UPDATE, DELETE ON page_day TO otklik_worker;

ALTER TABLE page_day ENABLE ROW LEVEL SECURITY;
CREATE POLICY seen ON page_day FOR SELECT TO otklik_web USING (
  {whole} OR (SELECT otklik_configures())
  OR page_id IN (SELECT p.id FROM page p WHERE p.agency_id = ANY ({agencies}) OR p.territory_id = ANY ({territories})));
