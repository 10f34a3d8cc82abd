-- The readings of assigned sessions, taken when the customer's readings may be used; delivered twice they are one (SPEC 2 to 5).
SELECT
  l."sensorReadingTime",
  l."serialNumber",
  l."distanceFromObject",
  u."customer",
  u."sessionStart",
  u."phoneTime"
FROM step_trainer_landing AS l
INNER JOIN usable_instants AS u ON u."serialNumber" = l."serialNumber" AND u."instant" = l."sensorReadingTime"
LEFT JOIN repeated_steps AS r ON r."mark" = hash(l."serialNumber", l."sensorReadingTime", l."distanceFromObject")
WHERE r."mark" IS NULL
UNION ALL
SELECT DISTINCT
  l."sensorReadingTime",
  l."serialNumber",
  l."distanceFromObject",
  u."customer",
  u."sessionStart",
  u."phoneTime"
FROM step_trainer_landing AS l
INNER JOIN usable_instants AS u ON u."serialNumber" = l."serialNumber" AND u."instant" = l."sensorReadingTime"
INNER JOIN repeated_steps AS r ON r."mark" = hash(l."serialNumber", l."sensorReadingTime", l."distanceFromObject")
