-- Customers whose phone measured together with a changed device. Grain: customer.
SELECT DISTINCT a."customer"
FROM readings_meanwhile AS a
CROSS JOIN settings AS s
INNER JOIN device_ticks AS t ON t."tick" = a."timestamp" // (s."reachMs" + 1)
