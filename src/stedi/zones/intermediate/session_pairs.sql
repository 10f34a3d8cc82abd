-- Each session with each customer who reported an instant together with it, and the window in which they are compared: from the later of
-- session start and consent, by either clock, to the session's end (SPEC 5). Grain: device, sessionStart, customer.
WITH counted AS (
  SELECT m."deviceNumber", m."sessionStart", m."customerNumber", count(*) AS "matches"
  FROM instant_matches AS m
  GROUP BY m."deviceNumber", m."sessionStart", m."customerNumber"
)
SELECT
  m."deviceNumber",
  m."sessionStart",
  n."sessionEnd",
  m."customerNumber",
  n."readings",
  greatest(m."sessionStart", c."usableSince", c."usableSince" - coalesce(o."clockOffsetMs", 0)) AS "windowStart",
  coalesce(o."clockOffsetMs", 0) AS "clockOffsetMs",
  m."matches"
FROM counted AS m
INNER JOIN sessions AS n ON n."deviceNumber" = m."deviceNumber" AND n."sessionStart" = m."sessionStart"
INNER JOIN customer_numbers AS c ON c."customerNumber" = m."customerNumber"
LEFT JOIN clock_offsets AS o
  ON o."deviceNumber" = m."deviceNumber" AND o."sessionStart" = m."sessionStart" AND o."customerNumber" = m."customerNumber"
