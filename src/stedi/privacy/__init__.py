"""Privacy decides before engineering does: policies, pseudonyms, and what is whose."""
