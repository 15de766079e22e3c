"""What measured numbers say to laws and standards: evidence, and never a verdict in law."""

from reports.compliance.page import compliance_context
from reports.compliance.tables import clause_of

__all__ = ["clause_of", "compliance_context"]
