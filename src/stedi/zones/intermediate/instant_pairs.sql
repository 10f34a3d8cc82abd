-- Pairs of a device's and a customer's instant that differ by at most the clock tolerance, once the offset of the clocks is taken off, both
-- inside the window from the later of session start and consent to the session's end, by either clock (SPEC 5). Without a tolerance these
-- are the matches themselves. Grain: session, customer, deviceTime, phoneTime.
WITH set_right AS (
  SELECT
    m."deviceNumber",
    m."sessionStart",
    m."customerNumber",
    m."deviceTime",
    m."phoneTime",
    coalesce(o."clockOffsetMs", 0) AS "offset"
  FROM near_instants AS m
  LEFT JOIN clock_offsets AS o
    ON o."deviceNumber" = m."deviceNumber" AND o."sessionStart" = m."sessionStart" AND o."customerNumber" = m."customerNumber"
)
SELECT
  m."deviceNumber",
  m."sessionStart",
  m."customerNumber",
  m."deviceTime",
  m."phoneTime"
FROM set_right AS m
INNER JOIN sessions AS n ON n."deviceNumber" = m."deviceNumber" AND n."sessionStart" = m."sessionStart"
INNER JOIN customer_numbers AS c ON c."customerNumber" = m."customerNumber"
CROSS JOIN settings AS s
WHERE abs(m."phoneTime" - m."deviceTime" - m."offset") <= s."clockToleranceMs"
  AND m."deviceTime" >= greatest(c."usableSince", c."usableSince" - m."offset")
  AND m."phoneTime" BETWEEN n."sessionStart" + m."offset" - s."edgeMs" AND n."sessionEnd" + m."offset" + s."edgeMs"
