"""Privacy decides before engineering does: policies, and pseudonyms."""
