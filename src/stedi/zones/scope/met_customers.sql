-- Customers who may be chosen otherwise: touched or changed ones, those whose phone measured together with a changed device, and those who
-- were candidates of a device whose evidence may be new. Grain: customer.
SELECT c."customer" FROM touched_customers AS c
UNION
SELECT c."customer" FROM changed_customers AS c
UNION
SELECT a."customer"
FROM after_accelerometer_trusted AS a
CROSS JOIN settings AS s
WHERE EXISTS (SELECT 1 FROM device_ticks AS t WHERE t."tick" = a."timestamp" // (s."clockToleranceMs" + 1))
UNION
SELECT e."customer"
FROM before_session_evidence AS e
INNER JOIN met_devices AS d ON d."serialNumber" = e."serialNumber"
