-- Pairs of a device's and a customer's instant that differ by at most the clock tolerance, both inside the window from the later
-- of session start and consent to the session's end (SPEC 5). Without a tolerance these are the matches themselves.
-- The readings are joined on their ticks alone, a hash join; what the window asks is filtered from the few pairs that are left.
WITH device_ticks AS (
  SELECT
    i."deviceNumber",
    i."sessionStart",
    i."instant",
    i."instant" // (s."clockToleranceMs" + 1) + r."step" AS "tick"
  FROM session_instants AS i
  CROSS JOIN settings AS s
  CROSS JOIN reach AS r
),
phone_ticks AS (
  SELECT
    p."customerNumber",
    p."instant",
    p."instant" // (s."clockToleranceMs" + 1) AS "tick"
  FROM phone_instants AS p
  CROSS JOIN settings AS s
),
near AS (
  SELECT
    i."deviceNumber",
    i."sessionStart",
    p."customerNumber",
    i."instant" AS "deviceTime",
    p."instant" AS "phoneTime"
  FROM device_ticks AS i
  INNER JOIN phone_ticks AS p ON p."tick" = i."tick"
)
SELECT
  m."deviceNumber",
  m."sessionStart",
  m."customerNumber",
  m."deviceTime",
  m."phoneTime"
FROM near AS m
INNER JOIN sessions AS n ON n."deviceNumber" = m."deviceNumber" AND n."sessionStart" = m."sessionStart"
INNER JOIN customer_numbers AS c ON c."customerNumber" = m."customerNumber"
CROSS JOIN settings AS s
WHERE abs(m."phoneTime" - m."deviceTime") <= s."clockToleranceMs"
  AND m."deviceTime" >= c."usableSince"
  AND m."phoneTime" BETWEEN n."sessionStart" AND n."sessionEnd"
