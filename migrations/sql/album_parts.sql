-- Of which messages an album's comment is made, and what of its words and files is whose: numbers and moments, no word of a citizen.
ALTER TABLE comment ADD COLUMN album_parts jsonb;
