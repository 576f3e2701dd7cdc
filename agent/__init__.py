"""Liuhen's device agent; `agent.wire`, `agent.evidence`, `agent.duty` and `agent.control` are pure rooms."""
