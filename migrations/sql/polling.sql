-- How often each post is looked at is learnt: what was made of it stands beside its counter (app/sources/rates.py).
ALTER TABLE post
  ADD COLUMN weight real NOT NULL DEFAULT 0,
  ADD COLUMN heat real NOT NULL DEFAULT 0,
  ADD COLUMN heat_at timestamptz;
