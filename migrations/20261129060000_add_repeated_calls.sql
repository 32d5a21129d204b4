-- Calls that were sent with an `Idempotency-Key`, each with its answer for a day, so that the same call
-- again does nothing twice. Answers that hold a key or a ticket are not kept, only that there was one.
CREATE TABLE repeated_calls (
    issuer        text        NOT NULL CONSTRAINT repeated_calls_issuer_length CHECK (length(issuer) <= 2000),
    person        text        NOT NULL CONSTRAINT repeated_calls_person_length CHECK (length(person) <= 256),
    key_hash      bytea       NOT NULL CONSTRAINT repeated_calls_key_length CHECK (octet_length(key_hash) = 32),
    -- SHA-256 over method, path and body.
    request_hash  bytea       NOT NULL CONSTRAINT repeated_calls_request_length CHECK (octet_length(request_hash) = 32),
    begun_at      timestamptz NOT NULL,
    -- None: it is under way, or was interrupted.
    status        smallint    CONSTRAINT repeated_calls_status CHECK (status BETWEEN 200 AND 299),
    location      text        CONSTRAINT repeated_calls_location_length CHECK (length(location) <= 500),
    body          text        CONSTRAINT repeated_calls_body_length CHECK (length(body) <= 65536),
    CONSTRAINT repeated_calls_pkey PRIMARY KEY (issuer, person, key_hash),
    CONSTRAINT repeated_calls_times CHECK (begun_at BETWEEN '2000-01-01Z' AND '9000-01-01Z')
);
CREATE INDEX repeated_calls_begun_at ON repeated_calls (begun_at);
