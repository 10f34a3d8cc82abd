-- Devices with readings that arrived or went, or whose number a changed customer record carries. Grain: device.
SELECT l."serialNumber" FROM changed_step_trainer_landing AS l
UNION
SELECT c."serialNumber"
FROM (
  SELECT a."email", a."serialNumber" FROM customer_landing_after AS a
  UNION ALL
  SELECT b."email", b."serialNumber" FROM customer_landing_before AS b
) AS c
INNER JOIN changed_customers AS k ON k."customer" = lower(trim(c."email", concat(' ', chr(9), chr(10), chr(13))))
WHERE c."serialNumber" IS NOT NULL
