-- Whose discovery a claim is: one whose process is gone need not be waited for.
ALTER TABLE connectors ADD COLUMN claimed_by uuid;
CREATE INDEX connectors_claimed ON connectors (claimed_by) WHERE claimed_until IS NOT NULL;
