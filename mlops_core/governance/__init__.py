"""What was done, by whom: the audit log."""

from mlops_core.governance.audit import AuditPage, audit_events

__all__ = ["AuditPage", "audit_events"]
