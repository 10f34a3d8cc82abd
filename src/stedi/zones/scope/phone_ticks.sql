-- When the touched customers' phones measured, and the neighbouring ticks in which a device's instant may match. Grain: tick.
SELECT DISTINCT a."timestamp" // (s."clockToleranceMs" + 1) + r."step" AS "tick"
FROM after_accelerometer_trusted AS a
CROSS JOIN settings AS s
CROSS JOIN reach AS r
WHERE EXISTS (SELECT 1 FROM touched_customers AS c WHERE c."customer" = a."customer")
