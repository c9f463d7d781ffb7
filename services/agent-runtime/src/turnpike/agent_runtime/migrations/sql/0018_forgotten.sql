-- Turns that were deleted, until the registry has been told: what their calls brought goes too.

CREATE TABLE forgotten_turns (
  turn uuid PRIMARY KEY,
  tenant uuid NOT NULL,
  deleted timestamptz NOT NULL DEFAULT statement_timestamp()
);
CREATE INDEX forgotten_turns_oldest ON forgotten_turns (deleted);

-- In the transaction that deletes the thread: whoever dies after it has not forgotten them.
CREATE FUNCTION forget_turns() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO forgotten_turns (turn, tenant)
    SELECT t.id, t.tenant FROM turns t
    WHERE t.thread = OLD.id AND EXISTS (SELECT FROM calls c WHERE c.turn = t.id)
    ON CONFLICT DO NOTHING;
  RETURN OLD;
END $$;
CREATE TRIGGER forget_turns BEFORE DELETE ON threads FOR EACH ROW EXECUTE FUNCTION forget_turns();
