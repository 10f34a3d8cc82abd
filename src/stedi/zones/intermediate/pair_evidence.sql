-- The evidence for each session and customer who reported an instant together: M, D, A and J of SPEC 5.
-- Grain: device, sessionStart, customer.
WITH before_window AS (
  SELECT p."deviceNumber", p."sessionStart", p."customerNumber", count(*) AS "readings"
  FROM session_pairs AS p
  INNER JOIN session_instants AS i ON i."deviceNumber" = p."deviceNumber" AND i."sessionStart" = p."sessionStart"
  WHERE p."windowStart" > p."sessionStart" AND i."instant" < p."windowStart"
  GROUP BY p."deviceNumber", p."sessionStart", p."customerNumber"
),
phone_hours AS (
  SELECT p."customerNumber", p."instant", p."instant" // s."hourMs" AS "hour"
  FROM phone_instants AS p
  CROSS JOIN settings AS s
),
in_window AS (
  SELECT h."deviceNumber", h."sessionStart", h."customerNumber", count(*) AS "readings"
  FROM pair_hours AS h
  INNER JOIN phone_hours AS i ON i."customerNumber" = h."customerNumber" AND i."hour" = h."hour"
  WHERE i."instant" BETWEEN h."windowStart" AND h."sessionEnd"
  GROUP BY h."deviceNumber", h."sessionStart", h."customerNumber"
)
SELECT
  p."deviceNumber",
  p."sessionStart",
  p."sessionEnd",
  p."customerNumber",
  p."matches",
  p."readings" - coalesce(b."readings", 0) AS "deviceReadings",
  a."readings" AS "customerReadings",
  CAST(p."matches" AS DOUBLE) / (p."readings" - coalesce(b."readings", 0) + a."readings" - p."matches") AS "jaccard"
FROM session_pairs AS p
INNER JOIN in_window AS a
  ON a."deviceNumber" = p."deviceNumber" AND a."sessionStart" = p."sessionStart" AND a."customerNumber" = p."customerNumber"
LEFT JOIN before_window AS b
  ON b."deviceNumber" = p."deviceNumber" AND b."sessionStart" = p."sessionStart" AND b."customerNumber" = p."customerNumber"
