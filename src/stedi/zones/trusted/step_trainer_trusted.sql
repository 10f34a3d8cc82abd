-- The readings of assigned sessions, taken when the customer's readings may be used; delivered twice they are one (SPEC 2 to 5).
WITH usable AS (
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
),
records AS (
  SELECT l."sensorReadingTime", l."serialNumber", l."distanceFromObject"
  FROM step_trainer_landing AS l
  LEFT JOIN repeated_steps AS r ON r."mark" = hash(l."serialNumber", l."sensorReadingTime", l."distanceFromObject")
  WHERE r."mark" IS NULL
  UNION ALL
  SELECT DISTINCT l."sensorReadingTime", l."serialNumber", l."distanceFromObject"
  FROM step_trainer_landing AS l
  INNER JOIN repeated_steps AS r ON r."mark" = hash(l."serialNumber", l."sensorReadingTime", l."distanceFromObject")
)
SELECT
  l."sensorReadingTime",
  l."serialNumber",
  l."distanceFromObject",
  u."customer",
  u."sessionStart",
  u."phoneTime"
FROM records AS l
INNER JOIN usable AS u ON u."serialNumber" = l."serialNumber" AND u."instant" = l."sensorReadingTime"
