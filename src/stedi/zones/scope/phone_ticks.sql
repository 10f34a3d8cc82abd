-- When the touched customers' phones measured, and the neighbouring ticks in which a device's instant may match. The readings of customers
-- that were all judged anew are at hand; only those of the others are looked for. Grain: tick.
WITH readings AS (
  SELECT n."timestamp"
  FROM new_accelerometer_trusted AS n
  INNER JOIN moved_customers AS m ON m."customer" = n."customer"
  UNION ALL
  SELECT a."timestamp"
  FROM after_accelerometer_trusted AS a
  INNER JOIN extended_customers AS e ON e."customer" = a."customer"
)
SELECT DISTINCT r."timestamp" // (s."reachMs" + 1) + n."step" AS "tick"
FROM readings AS r
CROSS JOIN settings AS s
CROSS JOIN reach AS n
