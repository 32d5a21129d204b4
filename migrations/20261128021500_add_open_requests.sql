-- The executor goes through all open requests, page after page.
CREATE INDEX change_requests_open_by_id ON change_requests (request_id)
    WHERE state IN ('submitted', 'in_review', 'approved', 'applying');
