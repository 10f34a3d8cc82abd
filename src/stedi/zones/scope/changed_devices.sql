-- Devices with readings that arrived or went, or whose number a changed customer record carries; but for numbers that have several holders
-- before and after, where the record makes no difference. Grain: device.
SELECT l."serialNumber" FROM changed_step_trainer_landing AS l
UNION
SELECT c."serialNumber"
FROM (
  SELECT a."_customer", a."serialNumber" FROM customer_landing_after AS a
  UNION ALL
  SELECT b."_customer", b."serialNumber" FROM customer_landing_before AS b
) AS c
INNER JOIN changed_customers AS k ON k."customer" = c."_customer"
WHERE c."serialNumber" IS NOT NULL
  AND NOT EXISTS (SELECT 1 FROM crowded_numbers AS n WHERE n."serialNumber" = c."serialNumber")
