-- The lock that revocations are numbered under is the last one that a transaction takes. Taken
-- with the first revocation, it was held while further rows were locked; whoever held one of
-- those and had a revocation to number waited for it, and each for the other.
--
-- Additive: whoever writes a revocation, a replica of before too, has it numbered at its commit.

-- Until then it has a number that nobody sees.
CREATE OR REPLACE FUNCTION number_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.id := -nextval('revocation_ids');
  RETURN NEW;
END $$;

-- Numbers a revocation so that ids become visible in their order: the number is
-- drawn under a lock that is held until the transaction has committed. Without
-- it 7 may commit before 6, and a watcher that has read 7 never sees 6.
CREATE FUNCTION order_revocation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(7420, 1);
  UPDATE revocations SET id = nextval('revocation_ids') WHERE id = NEW.id;
  RETURN NULL;
END $$;

CREATE CONSTRAINT TRIGGER order_revocation AFTER INSERT ON revocations
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION order_revocation();
