-- Pairs of a device's and a customer's instant that could be one: they differ by at most what clocks may be off. Grain: session, customer,
-- deviceTime, phoneTime.
-- The readings are joined on their ticks alone, a hash join; what the window asks is filtered from the few pairs that are left.
-- Without a tolerance or a skew these are equal instants. With one, instants at the ends of what 64 bits hold are left out: sums of them
-- would not fit.
WITH device_ticks AS (
  SELECT
    i."deviceNumber",
    i."sessionStart",
    i."instant",
    i."instant" // (s."reachMs" + 1) + r."step" AS "tick"
  FROM session_instants AS i
  CROSS JOIN settings AS s
  CROSS JOIN reach AS r
),
phone_ticks AS (
  SELECT
    p."customerNumber",
    p."instant",
    p."instant" // (s."reachMs" + 1) AS "tick"
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
INNER JOIN customer_numbers AS c ON c."customerNumber" = m."customerNumber"
CROSS JOIN settings AS s
WHERE abs(m."phoneTime" - m."deviceTime") <= s."reachMs"
  AND m."deviceTime" >= c."usableSince"
  AND (s."reachMs" = 0 OR m."deviceTime" BETWEEN -9000000000000000000 AND 9000000000000000000)
