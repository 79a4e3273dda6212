-- What a list shows of an appeal beside the appeal itself, within the reach of whoever asks. The view acts as its owner, so the
-- five tables it reads bring no policies of their own into the plan of the queue: their reach is the appeal's, asked once here. What a
-- former agency may read of its own period is for the card; a list never shows it, so this does not either.
CREATE VIEW queue_line AS
SELECT a.id AS appeal_id, coalesce(u.name, w.author_name) AS author_name, coalesce(said.words, left(w.text, 200), '') AS snippet,
  coalesce(said.comments, 0) AS comments, clock.near_at, coalesce(clock.breached, false) AS breached, answer.state AS reply_state
FROM appeal a
LEFT JOIN author u ON u.id = a.author_id
LEFT JOIN appeal_text w ON w.appeal_id = a.id
LEFT JOIN LATERAL (
  SELECT left(c.text, 200) AS words, count(*) OVER () AS comments FROM comment c WHERE c.appeal_id = a.id AND NOT c.by_page
  ORDER BY c.written_at DESC, c.id DESC LIMIT 1) said ON true
LEFT JOIN LATERAL (
  SELECT c.breached_at IS NOT NULL AS breached, c.warnings ->> -1 AS near_at FROM sla_timer c
  WHERE c.appeal_id = a.id AND c.stopped_at IS NULL ORDER BY c.due_at LIMIT 1) clock ON true
LEFT JOIN LATERAL (
  SELECT r.state FROM reply r WHERE r.appeal_id = a.id
  ORDER BY r.state IN ('failed', 'uncertain', 'held', 'awaiting') DESC, r.id DESC LIMIT 1) answer ON true
WHERE (SELECT otklik_sees_whole())
  OR a.agency_id = ANY ((SELECT otklik_agency_scope())::bigint[])
  OR a.territory_id = ANY ((SELECT otklik_territory_scope())::bigint[])
  OR NOT (SELECT row_security_active('appeal'));

GRANT SELECT ON queue_line TO otklik_web, otklik_worker;
