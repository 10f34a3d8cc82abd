-- The instants of the devices that ever measured together with a consenting customer's phone (SPEC 5). Grain: device, instant.
-- All other devices have no evidence; leaving them out first keeps the windows below small.
-- Ticks are instants in units of clock tolerance + 1: instants that match lie in the same tick or in neighbours. "reach" holds the
-- neighbouring ticks to look at: 0 alone without a clock tolerance, else -1, 0 and 1.
WITH readings AS (
  SELECT
    n."deviceNumber",
    l."sensorReadingTime" AS "instant",
    l."sensorReadingTime" // (s."reachMs" + 1) AS "tick"
  FROM step_trainer_landing AS l
  INNER JOIN device_numbers AS n ON n."serialNumber" = l."serialNumber"
  CROSS JOIN settings AS s
),
phone_ticks AS (
  SELECT p."instant" // (s."reachMs" + 1) + r."step" AS "tick"
  FROM phone_instants AS p
  CROSS JOIN settings AS s
  CROSS JOIN reach AS r
),
candidates AS (
  SELECT DISTINCT d."deviceNumber"
  FROM readings AS d
  WHERE d."tick" IN (SELECT t."tick" FROM phone_ticks AS t)
)
SELECT DISTINCT
  d."deviceNumber",
  d."instant"
FROM readings AS d
INNER JOIN candidates AS c ON c."deviceNumber" = d."deviceNumber"
