"""What the registry counts."""

from turnpike.telemetry.metrics import counter, gauge, histogram

CALLS = counter(
    "tool_calls", "Tool calls that ended here, by status and reason.", ["status", "reason"]
)
CALL_SECONDS = histogram("tool_call_seconds", "From dispatch to the server's answer.")
RUNNING = gauge("tool_calls_running", "Tool calls that run in this process.")
JOINS = counter("tool_call_joins", "Callers that joined a call instead of starting it.")
ORPHANS = counter(
    "tool_call_orphans", "Calls whose executor died, by what became of them.", ["became"]
)
FENCE_REFUSALS = counter("tool_fence_refusals", "Requests of claims that a newer one replaced.")
MISMATCHES = counter("tool_effect_mismatches", "Effects that were asked for as another call.")
DISCOVERIES = counter("tool_discoveries", "Discoveries of a connector's tools.", ["outcome"])
HEALED = counter("tool_catalogue_healed", "Corrupt rows of the catalogue that were found.")
QUARANTINED = counter("tool_quarantined", "Definitions that were set aside, by drift.", ["drift"])
SESSIONS = gauge("tool_sessions", "Sessions with MCP servers that are open in this process.")
OPENED = counter("tool_sessions_opened", "Sessions with MCP servers that were opened.")
LISTENERS = gauge("tool_listeners", "Connectors whose changes this process listens for.")
RENEWALS = counter(
    "tool_credential_renewals", "Renewals of OAuth credentials, by outcome.", ["outcome"]
)
REVOCATIONS = counter(
    "tool_token_revocations", "Credentials that were to be taken back, by outcome.", ["outcome"]
)
SIGN_INS = counter("tool_sign_ins", "Sign-ins to connectors that ended, by reason.", ["reason"])
