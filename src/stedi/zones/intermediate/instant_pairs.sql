-- Pairs of a device's and a customer's instant that differ by at most the clock tolerance, both inside the window from the later
-- of session start and consent to the session's end (SPEC 5). Without a tolerance these are the matches themselves.
-- The readings are joined on their ticks alone, a hash join; what the window asks is filtered from the few pairs that are left.
WITH device_ticks AS (
  SELECT i."serialNumber", i."sessionStart", i."instant", i."tick" + r."step" AS "tick"
  FROM session_instants AS i
  CROSS JOIN reach AS r
),
near AS (
  SELECT
    i."serialNumber",
    i."sessionStart",
    p."customer",
    i."instant" AS "deviceTime",
    p."instant" AS "phoneTime"
  FROM device_ticks AS i
  INNER JOIN phone_instants AS p ON p."tick" = i."tick"
)
SELECT
  m."serialNumber",
  m."sessionStart",
  m."customer",
  m."deviceTime",
  m."phoneTime"
FROM near AS m
INNER JOIN sessions AS n ON n."serialNumber" = m."serialNumber" AND n."sessionStart" = m."sessionStart"
INNER JOIN customer_trusted AS c ON c."customer" = m."customer"
CROSS JOIN settings AS s
WHERE abs(m."phoneTime" - m."deviceTime") <= s."clockToleranceMs"
  AND m."deviceTime" >= c."usableSince"
  AND m."phoneTime" BETWEEN n."sessionStart" AND n."sessionEnd"
