-- The instants of the devices in scope. Grain: device, instant.
SELECT DISTINCT l."serialNumber", l."sensorReadingTime" AS "instant"
FROM step_trainer_landing AS l
