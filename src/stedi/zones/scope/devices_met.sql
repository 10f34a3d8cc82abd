-- Devices that measured together with a touched customer's phone. Grain: device.
SELECT DISTINCT l."serialNumber"
FROM steps_meanwhile AS l
CROSS JOIN settings AS s
INNER JOIN phone_ticks AS t ON t."tick" = l."sensorReadingTime" // (s."reachMs" + 1)
