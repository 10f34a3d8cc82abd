"""What one would run instead of `stedi run`, each as a process of its own: `python -m bench.rivals.NAME FEEDS OUT`.

`floor` runs the same SQL as the product, and nothing else. The others run the usual chain of jobs, which asks nobody whose device it is:

1. `customer_landing`, `accelerometer_landing`, `step_trainer_landing`: the feeds, read with explicit types.
2. `customer_trusted`: the newest record of each email, where it shares with research.
3. `accelerometer_trusted`: readings whose user is such an email, taken at or after the consent.
4. `customers_curated`: those customers who have such a reading.
5. `step_trainer_trusted`: step trainer readings at an instant of such a reading.
6. `machine_learning_curated`: those, with each of the readings of the same instant.

Every table is written as Parquet under `OUT/TABLE`, and the next step reads it from there. Emails are compared as they are written.
"""
