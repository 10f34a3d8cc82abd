-- The instants of assigned sessions that may be used, whose they are, and the phone's instant that matches. Grain: device, instant.
SELECT
  i."serialNumber",
  i."instant",
  d."customer",
  i."sessionStart",
  m."phoneTime"
FROM session_instants AS i
INNER JOIN device_sessions AS d ON d."serialNumber" = i."serialNumber" AND d."sessionStart" = i."sessionStart"
INNER JOIN customer_trusted AS c ON c."customer" = d."customer"
LEFT JOIN instant_matches AS m
  ON m."serialNumber" = i."serialNumber" AND m."sessionStart" = i."sessionStart"
  AND m."customer" = d."customer" AND m."deviceTime" = i."instant"
WHERE d."status" = 'assigned' AND i."instant" >= c."usableSince"
