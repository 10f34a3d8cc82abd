-- Each session with each customer who reported an instant together with it, and the window in which they are compared: from the later of
-- session start and consent to the session's end (SPEC 5). Grain: device, sessionStart, customer.
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
