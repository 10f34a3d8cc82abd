-- Devices that measured together with a touched customer's phone. Grain: device.
SELECT DISTINCT l."serialNumber"
FROM after_step_trainer_landing AS l
CROSS JOIN settings AS s
WHERE EXISTS (SELECT 1 FROM phone_ticks AS t WHERE t."tick" = l."sensorReadingTime" // (s."clockToleranceMs" + 1))
