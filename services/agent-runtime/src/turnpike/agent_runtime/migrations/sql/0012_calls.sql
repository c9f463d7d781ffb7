-- Claims a turn of one call: as `claim_turn` does, in a thread that no list shows.
CREATE FUNCTION claim_call(
  p_tenant uuid, p_turn uuid, p_thread uuid, p_new_thread boolean, p_principal uuid,
  p_any_principal boolean, p_api_key text, p_request_id text, p_digest bytea, p_agent text,
  p_version uuid, p_input jsonb, p_time_zone text, p_metadata jsonb, p_traceparent text,
  p_enqueue boolean, p_queue_deadline interval, p_owner uuid, p_owner_name text, p_reserve bigint,
  OUT outcome text, OUT turn uuid, OUT thread uuid, OUT version uuid, OUT attempt integer,
  OUT "position" bigint, OUT created timestamptz
) LANGUAGE plpgsql AS $$
BEGIN
  SELECT c.* INTO outcome, turn, thread, version, attempt, "position", created
    FROM claim_turn(
      p_tenant, p_turn, p_thread, p_new_thread, p_principal, p_any_principal, p_api_key,
      p_request_id, p_digest, p_agent, p_version, p_input, p_time_zone, p_metadata,
      p_traceparent, p_enqueue, p_queue_deadline, p_owner, p_owner_name, p_reserve) c;
  IF outcome = 'CREATED' THEN
    UPDATE threads t SET temporary = true WHERE t.id = claim_call.thread;
  END IF;
END $$;
