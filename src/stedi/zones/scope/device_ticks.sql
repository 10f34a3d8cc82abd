-- When those devices measured, and the neighbouring ticks in which a phone's instant may match. Grain: tick.
SELECT DISTINCT l."sensorReadingTime" // (s."reachMs" + 1) + r."step" AS "tick"
FROM after_step_trainer_landing AS l
CROSS JOIN settings AS s
CROSS JOIN reach AS r
WHERE EXISTS (SELECT 1 FROM changed_devices AS d WHERE d."serialNumber" = l."serialNumber")
