-- The evidence for each session and customer who reported an instant together: M, D, A and J of SPEC 5.
-- Grain: device, sessionStart, customer.
-- A session has no gap longer than an hour (or the session gap), so the hours of its readings are all the hours it spans: joining
-- on them finds the customer's instants in the window without looking at all the customer ever did.
WITH pairs AS (
  SELECT
    m."serialNumber",
    m."sessionStart",
    n."sessionEnd",
    m."customer",
    n."readings",
    greatest(m."sessionStart", c."usableSince") AS "windowStart",
    count(*) AS "matches"
  FROM instant_matches AS m
  INNER JOIN sessions AS n ON n."serialNumber" = m."serialNumber" AND n."sessionStart" = m."sessionStart"
  INNER JOIN customer_trusted AS c ON c."customer" = m."customer"
  GROUP BY m."serialNumber", m."sessionStart", n."sessionEnd", m."customer", n."readings", c."usableSince"
),
before_window AS (
  SELECT p."serialNumber", p."sessionStart", p."customer", count(*) AS "readings"
  FROM pairs AS p
  INNER JOIN session_instants AS i ON i."serialNumber" = p."serialNumber" AND i."sessionStart" = p."sessionStart"
  WHERE p."windowStart" > p."sessionStart" AND i."instant" < p."windowStart"
  GROUP BY p."serialNumber", p."sessionStart", p."customer"
),
hours AS (
  SELECT DISTINCT i."serialNumber", i."sessionStart", i."instant" // s."hourMs" AS "hour"
  FROM session_instants AS i
  CROSS JOIN settings AS s
),
phone_hours AS (
  SELECT p."customer", p."instant", p."instant" // s."hourMs" AS "hour"
  FROM phone_instants AS p
  CROSS JOIN settings AS s
),
in_window AS (
  SELECT p."serialNumber", p."sessionStart", p."customer", count(*) AS "readings"
  FROM pairs AS p
  INNER JOIN hours AS h ON h."serialNumber" = p."serialNumber" AND h."sessionStart" = p."sessionStart"
  INNER JOIN phone_hours AS i ON i."customer" = p."customer" AND i."hour" = h."hour"
  WHERE i."instant" BETWEEN p."windowStart" AND p."sessionEnd"
  GROUP BY p."serialNumber", p."sessionStart", p."customer"
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
FROM pairs AS p
INNER JOIN in_window AS a
  ON a."serialNumber" = p."serialNumber" AND a."sessionStart" = p."sessionStart" AND a."customer" = p."customer"
LEFT JOIN before_window AS b
  ON b."serialNumber" = p."serialNumber" AND b."sessionStart" = p."sessionStart" AND b."customer" = p."customer"
