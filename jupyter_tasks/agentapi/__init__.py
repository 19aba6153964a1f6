"""A coding agent's terminal (or ACP) stream, turned into a conversation and a status.

Owns terminal emulation, message splitting, evidence about what the agent does, and AgentAPI's HTTP API over it.
Not where the bytes come from (``workspaces``) nor where messages are kept (``tasks``, ``store``).
"""
