-- Several messages of a platform that are one comment; and what a platform tells of a page that moved or was lost to us.
ALTER TABLE comment ADD COLUMN album VARCHAR;
CREATE INDEX ix_comment_album ON comment (page_id, album) WHERE album IS NOT NULL;
GRANT UPDATE (options) ON page TO otklik_worker;
