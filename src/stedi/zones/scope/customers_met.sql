-- Customers whose phone measured together with a changed device. Grain: customer.
SELECT DISTINCT a."customer"
FROM after_accelerometer_trusted AS a
CROSS JOIN settings AS s
WHERE EXISTS (SELECT 1 FROM device_ticks AS t WHERE t."tick" = a."timestamp" // (s."clockToleranceMs" + 1))
