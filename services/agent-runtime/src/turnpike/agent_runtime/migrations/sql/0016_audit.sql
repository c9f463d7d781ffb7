-- Every call that ends is in the audit, whoever ends it.

-- What became of it by which policy, as the claim that ended it judged; empty for a call
-- that nobody judged, such as one that was cancelled first.
ALTER TABLE calls ADD COLUMN judged jsonb NOT NULL DEFAULT '{}';

CREATE FUNCTION digest_of(p_text text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT 'sha256:' || encode(sha256(convert_to(p_text, 'UTF8')), 'hex');
$$;

-- As before, and keeps what a call was judged by; a replica of before does not say.
CREATE OR REPLACE FUNCTION close_calls(p_turn uuid, p_step integer, p_results jsonb)
RETURNS void LANGUAGE sql AS $$
  UPDATE calls c SET outcome = r.outcome, result = r.result, structured = r.structured,
    judged = coalesce(r.judged, '{}')
  FROM jsonb_to_recordset(p_results) AS r(ordinal integer, outcome text, result text,
    structured text, judged jsonb)
  WHERE c.turn = p_turn AND c.step = p_step AND c.ordinal = r.ordinal AND c.outcome = '';
$$;

-- A trigger, and so in the transaction of whatever commit ends a call.
CREATE FUNCTION audit_call() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM record_audit(
    NEW.tenant, format('call:%s:%s:%s', NEW.turn, NEW.step, NEW.ordinal),
    NEW.judged || (
      SELECT jsonb_build_object(
        'kind', 'CALL', 'turn', NEW.turn, 'thread', t.thread, 'principal', t.principal,
        'agent', t.agent, 'agent_version', t.agent_version, 'step', NEW.step,
        'call_id', NEW.call_id, 'tool', NEW.name, 'definition_digest', NEW.definition_digest,
        'arguments', NEW.arguments, 'arguments_digest', digest_of(NEW.arguments),
        'outcome', NEW.outcome, 'result_digest', digest_of(NEW.result || NEW.structured))
      FROM turns t WHERE t.id = NEW.turn));
  RETURN NULL;
END $$;
CREATE TRIGGER calls_audit AFTER UPDATE OF outcome ON calls
  FOR EACH ROW WHEN (OLD.outcome = '' AND NEW.outcome <> '')
  EXECUTE FUNCTION audit_call();
