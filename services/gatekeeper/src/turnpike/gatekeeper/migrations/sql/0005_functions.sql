-- Who or what keeps out those behind a turn; no row where nothing does.
--
-- `cause` is `principal`, `caller` or `agent_owner`, who is removed or banned, by
-- itself or by its e-mail address, or `key`, which is banned, revoked or unknown;
-- `until`, when the ban ends. Null arguments keep nobody out. Called for one turn by
-- `read_standing` and for all that run by heartbeats, whose role sees every tenant:
-- so it names the tenant in each of its reads.
CREATE OR REPLACE FUNCTION find_ban(
  p_tenant uuid, p_principal uuid, p_caller uuid, p_agent_owner uuid, p_key uuid)
RETURNS TABLE (cause text, until timestamptz) LANGUAGE sql STABLE AS $$
  WITH people AS (
    SELECT CASE p.id WHEN p_principal THEN 1 WHEN p_caller THEN 2 ELSE 3 END AS rank,
           p.removed, p.subjects
      FROM principals p
      WHERE p.tenant = p_tenant AND p.id IN (p_principal, p_caller, p_agent_owner)
    UNION ALL
    SELECT 4, NULL, ARRAY['key:' || p_key] WHERE p_key IS NOT NULL
  ),
  found AS (
    SELECT rank, b.expires FROM people, bans b
      WHERE b.tenant = p_tenant AND b.subject = ANY (people.subjects)
        AND (b.expires IS NULL OR b.expires > now())
    UNION ALL
    SELECT rank, b.expires FROM people, bans b
      WHERE b.platform AND b.subject = ANY (people.subjects)
        AND (b.expires IS NULL OR b.expires > now())
    UNION ALL
    SELECT rank, NULL FROM people WHERE removed IS NOT NULL
    UNION ALL
    SELECT 4, NULL WHERE p_key IS NOT NULL AND NOT EXISTS (
      SELECT FROM api_keys k WHERE k.id = p_key AND k.tenant = p_tenant AND k.revoked IS NULL)
  )
  SELECT CASE rank WHEN 1 THEN 'principal' WHEN 2 THEN 'caller' WHEN 3 THEN 'agent_owner'
           ELSE 'key' END, expires
    FROM found ORDER BY rank, expires DESC NULLS FIRST LIMIT 1
$$;

-- Makes everybody whom a ban names ask for their tokens anew.
--
-- In the transaction that imposes or lifts it: whoever is given a token beside it
-- has the old generation, and is refused when this one is known.
CREATE FUNCTION renew_subject(p_tenant uuid, p_subject text, p_platform boolean)
RETURNS void LANGUAGE sql AS $$
  WITH named AS (
    -- In their order, so that two bans of the same people do not wait for each other.
    SELECT p.id FROM principals p
      WHERE (p_platform OR p.tenant = p_tenant) AND p.removed IS NULL
        AND (p.subjects @> ARRAY[p_subject] OR p.id IN (
          SELECT k.principal FROM api_keys k WHERE k.id =
            CASE WHEN p_subject LIKE 'key:%' THEN substr(p_subject, 5)::uuid END))
      ORDER BY p.id FOR NO KEY UPDATE
  ), renewed AS (
    UPDATE principals p SET generation = p.generation + 1 FROM named WHERE p.id = named.id
    RETURNING p.tenant, p.id, p.generation
  )
  INSERT INTO revocations (tenant, principal, generation)
    SELECT tenant, id, generation FROM renewed
$$;

-- Makes a principal ask for its tokens anew, in the transaction that changes it.
CREATE FUNCTION renew_principal(p_tenant uuid, p_principal uuid) RETURNS void LANGUAGE sql AS $$
  WITH renewed AS (
    UPDATE principals p SET generation = p.generation + 1
    WHERE p.tenant = p_tenant AND p.id = p_principal RETURNING p.tenant, p.id, p.generation
  )
  INSERT INTO revocations (tenant, principal, generation)
    SELECT tenant, id, generation FROM renewed
$$;

-- The person whom an issuer vouches for, made at first sight; null when removed.
--
-- Two first sights at once make one: the second waits for the first in the index,
-- and reads it then. `p_role` null leaves roles as they are; an owner stays one.
CREATE FUNCTION sign_in(
  p_tenant uuid, p_issuer text, p_subject text, p_name text, p_email text, p_role text)
RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
  person principals;
  wanted text;
BEGIN
  SELECT * INTO person FROM principals p
    WHERE p.tenant = p_tenant AND p.issuer = p_issuer AND p.subject = p_subject;
  IF NOT FOUND THEN
    INSERT INTO principals (tenant, name, role, kind, email, issuer, subject)
      VALUES (p_tenant, p_name, coalesce(p_role, 'viewer'), 'person', p_email, p_issuer, p_subject)
      ON CONFLICT (tenant, issuer, subject) WHERE issuer IS NOT NULL DO NOTHING
      RETURNING * INTO person;
    IF NOT FOUND THEN
      SELECT * INTO person FROM principals p
        WHERE p.tenant = p_tenant AND p.issuer = p_issuer AND p.subject = p_subject;
    END IF;
  END IF;
  IF person.removed IS NOT NULL THEN
    RETURN NULL;
  END IF;
  wanted := CASE WHEN person.role = 'owner' THEN 'owner' ELSE coalesce(p_role, person.role) END;
  IF (wanted, coalesce(p_email, person.email)) IS DISTINCT FROM (person.role, person.email) THEN
    UPDATE principals p SET role = wanted, email = coalesce(p_email, p.email)
      WHERE p.tenant = p_tenant AND p.id = person.id AND (p.role <> 'owner' OR wanted = 'owner');
    PERFORM renew_principal(p_tenant, person.id);
  END IF;
  RETURN person.id;
END $$;
