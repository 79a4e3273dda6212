-- Which form of a comment is stored, by the platform's own order: a first form that comes late or again does not overwrite an edit.
ALTER TABLE comment ADD COLUMN form_at timestamp with time zone, ADD COLUMN form_number bigint;
