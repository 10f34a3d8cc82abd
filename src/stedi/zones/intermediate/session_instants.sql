-- Which session each instant of a device belongs to: a session is a maximal run of one device's readings with no gap longer
-- than the session gap (SPEC 5). Grain: device, instant.
WITH gaps AS (
  SELECT
    i."serialNumber",
    i."instant",
    i."instant" - lag(i."instant") OVER (PARTITION BY i."serialNumber" ORDER BY i."instant") AS "gap"
  FROM device_instants AS i
),
numbered AS (
  SELECT
    g."serialNumber",
    g."instant",
    sum(CASE WHEN g."gap" <= s."sessionGapMs" THEN 0 ELSE 1 END) OVER (
      PARTITION BY g."serialNumber" ORDER BY g."instant" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
    ) AS "sessionNumber"
  FROM gaps AS g
  CROSS JOIN settings AS s
)
SELECT
  n."serialNumber",
  min(n."instant") OVER (PARTITION BY n."serialNumber", n."sessionNumber") AS "sessionStart",
  n."instant",
  n."instant" // (s."clockToleranceMs" + 1) AS "tick"
FROM numbered AS n
CROSS JOIN settings AS s
