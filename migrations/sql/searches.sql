-- A page may be a search: what it finds was written elsewhere, and goes before a person.
ALTER TABLE page ADD COLUMN elsewhere BOOLEAN DEFAULT false NOT NULL;
CREATE INDEX ix_page_elsewhere ON page (platform) WHERE elsewhere;
