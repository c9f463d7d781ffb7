-- What people write passes the filters of the tenant's policy before anything of it is stored.
--
-- Additive: a replica of before filters nothing.

-- Which version of the tenant's policy counts; null where it has none.
CREATE FUNCTION counting_policy(p_tenant uuid)
RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('turnpike.tenant', p_tenant::text, true);
  RETURN (SELECT p.version FROM policies p
          WHERE p.tenant = p_tenant
            AND p.principal = '00000000-0000-0000-0000-000000000000');
END $$;

-- Returns that version, and its filters if the caller does not know it.
CREATE FUNCTION read_filters(
  p_tenant uuid, p_known uuid, OUT version uuid, OUT filters jsonb
) LANGUAGE plpgsql AS $$
BEGIN
  version := counting_policy(p_tenant);
  IF version IS DISTINCT FROM p_known THEN
    filters := coalesce(
      (SELECT v.spec -> 'text_filters' FROM policy_versions v WHERE v.id = version), '[]');
  END IF;
END $$;

-- Claims a turn, or one of one call, whose input passed the filters of a version of the
-- tenant's policy. Says POLICY, and claims nothing, where another version counts.
CREATE FUNCTION claim_filtered(
  p_policy uuid, p_is_call boolean,
  p_tenant uuid, p_turn uuid, p_thread uuid, p_new_thread boolean, p_principal uuid,
  p_any_principal boolean, p_api_key text, p_request_id text, p_digest bytea, p_agent text,
  p_version uuid, p_input jsonb, p_time_zone text, p_metadata jsonb, p_traceparent text,
  p_enqueue boolean, p_queue_deadline interval, p_owner uuid, p_owner_name text, p_reserve bigint,
  OUT outcome text, OUT turn uuid, OUT thread uuid, OUT version uuid, OUT attempt integer,
  OUT "position" bigint, OUT created timestamptz
) LANGUAGE plpgsql AS $$
BEGIN
  IF counting_policy(p_tenant) IS DISTINCT FROM p_policy THEN
    outcome := 'POLICY';
  ELSIF p_is_call THEN
    SELECT c.* INTO outcome, turn, thread, version, attempt, "position", created
      FROM claim_call(
        p_tenant, p_turn, p_thread, p_new_thread, p_principal, p_any_principal, p_api_key,
        p_request_id, p_digest, p_agent, p_version, p_input, p_time_zone, p_metadata,
        p_traceparent, p_enqueue, p_queue_deadline, p_owner, p_owner_name, p_reserve) c;
  ELSE
    SELECT c.* INTO outcome, turn, thread, version, attempt, "position", created
      FROM claim_turn(
        p_tenant, p_turn, p_thread, p_new_thread, p_principal, p_any_principal, p_api_key,
        p_request_id, p_digest, p_agent, p_version, p_input, p_time_zone, p_metadata,
        p_traceparent, p_enqueue, p_queue_deadline, p_owner, p_owner_name, p_reserve) c;
  END IF;
END $$;
