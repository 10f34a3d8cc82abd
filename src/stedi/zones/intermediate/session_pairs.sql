-- Each session with each customer who reported an instant together with it, and the window in which they are compared: from the later of
-- session start and consent to the session's end (SPEC 5). Grain: device, sessionStart, customer.
SELECT
  m."deviceNumber",
  m."sessionStart",
  n."sessionEnd",
  m."customerNumber",
  n."readings",
  greatest(m."sessionStart", c."usableSince") AS "windowStart",
  count(*) AS "matches"
FROM instant_matches AS m
INNER JOIN sessions AS n ON n."deviceNumber" = m."deviceNumber" AND n."sessionStart" = m."sessionStart"
INNER JOIN customer_numbers AS c ON c."customerNumber" = m."customerNumber"
GROUP BY m."deviceNumber", m."sessionStart", n."sessionEnd", m."customerNumber", n."readings", c."usableSince"
