"""A run: plan -> stage -> audit -> commit -> publish. Nothing is visible before the audit passed."""
