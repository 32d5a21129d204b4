-- What is there instead, so that a preview is made from what the executor last saw.
ALTER TABLE findings ADD COLUMN observed jsonb
    CONSTRAINT findings_observed_length CHECK (length(observed::text) <= 100000);
