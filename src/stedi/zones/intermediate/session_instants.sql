-- Which session each instant of a device belongs to: a session is a maximal run of one device's readings with no gap longer
-- than the session gap (SPEC 5). It is known by its first instant. Grain: device, instant.
WITH gaps AS (
  SELECT
    i."deviceNumber",
    i."instant",
    i."instant" - lag(i."instant") OVER (PARTITION BY i."deviceNumber" ORDER BY i."instant") AS "gap"
  FROM device_instants AS i
)
SELECT
  g."deviceNumber",
  max(CASE WHEN g."gap" <= s."sessionGapMs" THEN NULL ELSE g."instant" END) OVER (
    PARTITION BY g."deviceNumber" ORDER BY g."instant" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
  ) AS "sessionStart",
  g."instant"
FROM gaps AS g
CROSS JOIN settings AS s
