-- What has been recorded since a moment: it is appended in that order, so an index of a few pages tells where.
CREATE INDEX ix_appeal_event_recorded_at ON appeal_event USING brin (recorded_at);
CREATE INDEX ix_sla_timer_recorded_at ON sla_timer USING brin (recorded_at);
