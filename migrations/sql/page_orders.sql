-- The list of pages is sorted by how reading them goes: along these, not by sorting all of the country's.
CREATE INDEX ix_feed_polled_at ON feed (coalesce(polled_at, CAST('1970-01-01 UTC' AS timestamptz)), page_id);
CREATE INDEX ix_feed_lag ON feed (coalesce(CAST(lag_s AS double precision), CAST(-1 AS double precision)), page_id);
