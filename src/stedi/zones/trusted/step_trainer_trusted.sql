-- The readings of assigned sessions, taken when the customer's readings may be used (SPEC 3 to 5).
SELECT DISTINCT
  l."sensorReadingTime",
  l."serialNumber",
  l."distanceFromObject",
  d."customer",
  d."sessionStart",
  m."phoneTime"
FROM step_trainer_landing AS l
INNER JOIN session_instants AS i ON i."serialNumber" = l."serialNumber" AND i."instant" = l."sensorReadingTime"
INNER JOIN device_sessions AS d ON d."serialNumber" = i."serialNumber" AND d."sessionStart" = i."sessionStart"
INNER JOIN customer_trusted AS c ON c."customer" = d."customer"
LEFT JOIN instant_matches AS m
  ON m."serialNumber" = i."serialNumber" AND m."sessionStart" = i."sessionStart"
  AND m."customer" = d."customer" AND m."deviceTime" = i."instant"
WHERE d."status" = 'assigned' AND l."sensorReadingTime" >= c."usableSince"
