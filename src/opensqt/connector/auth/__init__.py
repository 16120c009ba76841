"""Who may do what: clients, roles, limits, certificates, and the audit of what they did."""
