"""The parts of the deployment, one subject per module."""
