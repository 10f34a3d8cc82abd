-- The instants of the devices in scope. Grain: device, instant.
SELECT DISTINCT
  n."deviceNumber",
  l."sensorReadingTime" AS "instant"
FROM step_trainer_landing AS l
INNER JOIN device_numbers AS n ON n."serialNumber" = l."serialNumber"
