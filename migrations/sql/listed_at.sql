-- When a page's last complete listing began: the next one goes back to there, whatever events have told meanwhile.
ALTER TABLE feed ADD COLUMN listed_at timestamp with time zone;

-- Every page was listed within the week before it was last read; what events hid of it until now is then found once.
UPDATE feed SET listed_at = polled_at - interval '7 days' WHERE page_id IS NOT NULL AND polled_at IS NOT NULL;
