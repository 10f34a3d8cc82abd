-- The instants of sessions with candidates: whose they are, and why they may not be used if they may not (SPEC 5). Grain: device, instant.
WITH decided AS (
  SELECT n."deviceNumber", d."sessionStart", d."status", c."customerNumber", c."usableSince"
  FROM device_sessions AS d
  INNER JOIN device_numbers AS n ON n."serialNumber" = d."serialNumber"
  LEFT JOIN customer_numbers AS c ON c."customer" = d."customer"
)
SELECT
  i."deviceNumber",
  i."sessionStart",
  i."instant",
  d."customerNumber",
  CASE
    WHEN d."status" = 'ambiguous' THEN 'ambiguous session'
    WHEN i."instant" < d."usableSince" THEN 'before consent'
  END AS "reason"
FROM session_instants AS i
INNER JOIN decided AS d ON d."deviceNumber" = i."deviceNumber" AND d."sessionStart" = i."sessionStart"
