-- The readings of assigned sessions, taken when the customer's readings may be used; delivered twice they are one (SPEC 2 to 5).
SELECT
  l."sensorReadingTime",
  l."serialNumber",
  l."distanceFromObject",
  c."customer",
  u."sessionStart",
  u."phoneTime"
FROM step_trainer_landing AS l
INNER JOIN device_numbers AS n ON n."serialNumber" = l."serialNumber"
INNER JOIN usable_instants AS u ON u."deviceNumber" = n."deviceNumber" AND u."instant" = l."sensorReadingTime"
INNER JOIN customer_numbers AS c ON c."customerNumber" = u."customerNumber"
LEFT JOIN repeated_steps AS r ON r."mark" = hash(l."serialNumber", l."sensorReadingTime", l."distanceFromObject")
WHERE r."mark" IS NULL
UNION ALL
SELECT DISTINCT
  l."sensorReadingTime",
  l."serialNumber",
  l."distanceFromObject",
  c."customer",
  u."sessionStart",
  u."phoneTime"
FROM step_trainer_landing AS l
INNER JOIN repeated_steps AS r ON r."mark" = hash(l."serialNumber", l."sensorReadingTime", l."distanceFromObject")
INNER JOIN device_numbers AS n ON n."serialNumber" = l."serialNumber"
INNER JOIN usable_instants AS u ON u."deviceNumber" = n."deviceNumber" AND u."instant" = l."sensorReadingTime"
INNER JOIN customer_numbers AS c ON c."customerNumber" = u."customerNumber"
