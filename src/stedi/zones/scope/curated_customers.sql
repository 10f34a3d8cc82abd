-- Customers whose row in customers_curated may be another. Grain: customer.
SELECT c."customer" FROM changed_customers AS c
UNION
SELECT t."customer" FROM touched_customers AS t
UNION
SELECT a."customer" FROM added_device_sessions AS a WHERE a."customer" IS NOT NULL
UNION
SELECT r."customer" FROM removed_device_sessions AS r WHERE r."customer" IS NOT NULL
