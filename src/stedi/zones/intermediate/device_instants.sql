-- The instants of the devices that ever measured together with a consenting customer's phone (SPEC 5). Grain: device, instant.
-- All other devices have no evidence; leaving them out first keeps the windows below small.
-- "reach" holds the neighbouring ticks to look at: 0 alone without a clock tolerance, else -1, 0 and 1.
WITH phone_ticks AS (
  SELECT DISTINCT p."tick" + r."step" AS "tick"
  FROM phone_instants AS p
  CROSS JOIN reach AS r
),
candidate_devices AS (
  SELECT DISTINCT l."serialNumber"
  FROM step_trainer_landing AS l
  CROSS JOIN settings AS s
  INNER JOIN phone_ticks AS t ON t."tick" = l."sensorReadingTime" // (s."clockToleranceMs" + 1)
)
SELECT DISTINCT
  l."serialNumber",
  l."sensorReadingTime" AS "instant"
FROM step_trainer_landing AS l
INNER JOIN candidate_devices AS d ON d."serialNumber" = l."serialNumber"
