-- The evidence for each session and customer who reported an instant together: M, D, A and J of SPEC 5.
-- Grain: device, sessionStart, customer.
WITH before_window AS (
  SELECT p."serialNumber", p."sessionStart", p."customer", count(*) AS "readings"
  FROM session_pairs AS p
  INNER JOIN session_instants AS i ON i."serialNumber" = p."serialNumber" AND i."sessionStart" = p."sessionStart"
  WHERE p."windowStart" > p."sessionStart" AND i."instant" < p."windowStart"
  GROUP BY p."serialNumber", p."sessionStart", p."customer"
),
in_window AS (
  SELECT h."serialNumber", h."sessionStart", h."customer", count(*) AS "readings"
  FROM pair_hours AS h
  INNER JOIN phone_instants AS i ON i."customer" = h."customer" AND i."hour" = h."hour"
  WHERE i."instant" BETWEEN h."windowStart" AND h."sessionEnd"
  GROUP BY h."serialNumber", h."sessionStart", h."customer"
)
SELECT
  p."serialNumber",
  p."sessionStart",
  p."sessionEnd",
  p."customer",
  p."matches",
  p."readings" - coalesce(b."readings", 0) AS "deviceReadings",
  a."readings" AS "customerReadings",
  CAST(p."matches" AS DOUBLE) / (p."readings" - coalesce(b."readings", 0) + a."readings" - p."matches") AS "jaccard"
FROM session_pairs AS p
INNER JOIN in_window AS a
  ON a."serialNumber" = p."serialNumber" AND a."sessionStart" = p."sessionStart" AND a."customer" = p."customer"
LEFT JOIN before_window AS b
  ON b."serialNumber" = p."serialNumber" AND b."sessionStart" = p."sessionStart" AND b."customer" = p."customer"
