"""Runs that meet a fault: killed, on a full disk, on a failing store. Nothing is mocked: the product runs, and the fault is real."""
