-- When the executor last knew what is in the engine: what a preview is as of.
ALTER TABLE leases ADD COLUMN looked_at timestamptz
    CONSTRAINT leases_looked_at_time CHECK (looked_at BETWEEN '2000-01-01Z' AND '9000-01-01Z');
