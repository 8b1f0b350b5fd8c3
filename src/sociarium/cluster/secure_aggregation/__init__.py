"""Sums over agents that different sites keep to themselves: additive secret sharing among aggregators who do not collude.

What each part learns is written in ``docs/design/secure-aggregation.md`` and tested. The parties follow the protocol and are
curious (honest but curious); the transport is authenticated and not encrypted.
"""
