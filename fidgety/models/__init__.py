"""Published systems, one module each, behind one contract and one registry."""
