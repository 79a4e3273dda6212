-- A post that its platform does not show is looked for again for six weeks; 'infinity' is what is given up.
DROP INDEX ix_post_page_id_probe_at;
UPDATE post SET probe_at = CASE WHEN gone_at > now() - interval '30 days' THEN now() + random() * interval '1 day' ELSE 'infinity' END
WHERE gone_at IS NOT NULL;
CREATE INDEX ix_post_page_id_looks ON post (page_id, probe_at) WHERE probe_at < 'infinity';
