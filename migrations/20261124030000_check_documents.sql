-- Queries look into these documents for everybody: a row that is no document may not hold up the others.
ALTER TABLE subject_states ADD CONSTRAINT subject_states_document_object
    CHECK (jsonb_typeof(convert_from(applied_document, 'UTF8')::jsonb) = 'object');
-- A platform without a document was stored with none.
UPDATE subject_states SET pins = '{}' WHERE jsonb_typeof(pins) = 'null';
ALTER TABLE subject_states ADD CONSTRAINT subject_states_pins_object CHECK (jsonb_typeof(pins) = 'object');
ALTER TABLE subject_states ADD CONSTRAINT subject_states_holds_object CHECK (jsonb_typeof(holds) = 'object');
