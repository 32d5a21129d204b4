-- A time that no program can read would hold up everybody whose row is read with it.
ALTER TABLE change_requests ADD CONSTRAINT change_requests_times CHECK (
    created_at BETWEEN '2000-01-01Z' AND '9000-01-01Z'
    AND updated_at BETWEEN '2000-01-01Z' AND '9000-01-01Z'
    AND expires_at BETWEEN '2000-01-01Z' AND '9000-01-01Z');
ALTER TABLE acts ADD CONSTRAINT acts_times CHECK (received_at BETWEEN '2000-01-01Z' AND '9000-01-01Z');
