"""What turns ask of people: approvals, who may decide them, and what was decided."""
