-- What people decide is in the audit, and keeps its grants: by triggers, and so in the
-- transaction of the decision, whoever writes it.

CREATE FUNCTION audit_decision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM record_audit(
    NEW.tenant, format('decision:%s:%s:%s', NEW.approval, NEW.call_id, NEW.principal),
    (SELECT jsonb_build_object(
      'kind', 'DECIDED', 'turn', a.turn, 'approval', a.id, 'call_id', NEW.call_id,
      'tool', i ->> 'name', 'definition_digest', i ->> 'digest', 'asked_because', i ->> 'reason',
      'arguments', i ->> 'arguments', 'arguments_digest', digest_of(i ->> 'arguments'),
      'decision', NEW.kind, 'by', NEW.principal)
      || CASE WHEN NEW.arguments = '' THEN '{}' ELSE jsonb_build_object(
        'edited_arguments', NEW.arguments, 'edited_arguments_digest', digest_of(NEW.arguments))
      END
      || CASE WHEN NEW.text || NEW.feedback = '' THEN '{}' ELSE jsonb_build_object(
        'text', NEW.text, 'feedback', NEW.feedback) END
      || CASE WHEN NEW.scope = '' THEN '{}' ELSE jsonb_build_object('scope', NEW.scope) END
    FROM approvals a, jsonb_array_elements(a.items) AS i
    WHERE a.id = NEW.approval AND i ->> 'call_id' = NEW.call_id));
  RETURN NULL;
END $$;
CREATE TRIGGER decisions_audit AFTER INSERT ON decisions
  FOR EACH ROW EXECUTE FUNCTION audit_decision();

-- Returns the predicates of a scope: a JSON object whose every name must be among the
-- arguments, with that value; in texts `*` stands for anything.
CREATE FUNCTION scope_conditions(p_scope text) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN p_scope = '' THEN '[]'::jsonb ELSE (
    SELECT jsonb_agg(jsonb_build_object(
      'path', '/' || replace(replace(e.key, '~', '~0'), '/', '~1'),
      'test', CASE jsonb_typeof(e.value) WHEN 'string' THEN 'PATTERN' ELSE 'EQUALS' END,
      'operand', e.value) ORDER BY e.key)
    FROM jsonb_each(p_scope::jsonb) AS e) END;
$$;

-- Keeps the grants of an approval that is decided: where as many as must decide said so, for
-- as little and as long as the last of them did.
CREATE FUNCTION keep_grants() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM keep_grant(
      NEW.tenant, gen_random_uuid(), NEW.principal, i ->> 'name', i ->> 'digest',
      scope_conditions(last.scope), last.expires, last.principal, NEW.id)
    FROM jsonb_array_elements(NEW.items) AS i
    CROSS JOIN LATERAL (
      SELECT d.scope, d.expires, d.principal, count(*) OVER () AS said
      FROM decisions d
      WHERE d.approval = NEW.id AND d.call_id = i ->> 'call_id' AND d.kind = 'approve_always'
      ORDER BY d.created DESC LIMIT 1) AS last
    WHERE (i ->> 'grantable')::boolean
      AND last.said >= coalesce((NEW.rules ->> 'quorum')::integer, 1);
  RETURN NULL;
END $$;
CREATE TRIGGER approvals_keep_grants AFTER UPDATE OF status ON approvals
  FOR EACH ROW WHEN (OLD.status = 'PENDING' AND NEW.status = 'DECIDED')
  EXECUTE FUNCTION keep_grants();

-- As before, and says of a call that was asked for who decided it, and with what arguments
-- it ran.
CREATE OR REPLACE FUNCTION audit_call() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  decided jsonb;
BEGIN
  SELECT jsonb_build_object('approval', a.id, 'decision', d.kind, 'decided_by', (
           SELECT jsonb_agg(o.principal ORDER BY o.created) FROM decisions o
           WHERE o.approval = d.approval AND o.call_id = d.call_id))
         || CASE WHEN d.kind <> 'edit' THEN '{}' ELSE jsonb_build_object(
           'edited_arguments', d.arguments,
           'edited_arguments_digest', digest_of(d.arguments)) END
    INTO decided
    FROM decisions d JOIN approvals a ON a.id = d.approval
    WHERE a.turn = NEW.turn AND a.step = NEW.step AND d.call_id = NEW.call_id
    ORDER BY d.created DESC LIMIT 1;
  PERFORM record_audit(
    NEW.tenant, format('call:%s:%s:%s', NEW.turn, NEW.step, NEW.ordinal),
    NEW.judged || coalesce(decided, '{}') || (
      SELECT jsonb_build_object(
        'kind', 'CALL', 'turn', NEW.turn, 'thread', t.thread, 'principal', t.principal,
        'agent', t.agent, 'agent_version', t.agent_version, 'step', NEW.step,
        'call_id', NEW.call_id, 'tool', NEW.name, 'definition_digest', NEW.definition_digest,
        'arguments', NEW.arguments, 'arguments_digest', digest_of(NEW.arguments),
        'outcome', NEW.outcome, 'result_digest', digest_of(NEW.result || NEW.structured))
      FROM turns t WHERE t.id = NEW.turn));
  RETURN NULL;
END $$;
