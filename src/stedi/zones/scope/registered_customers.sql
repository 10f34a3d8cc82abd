-- Customers with a record that carries the number of such a device: its only holder is among them. Of a number that many carry two
-- are enough. Grain: customer.
SELECT l."_customer" AS "customer"
FROM after_customer_landing AS l
WHERE EXISTS (SELECT 1 FROM rival_devices AS d WHERE d."serialNumber" = l."serialNumber")
  AND NOT EXISTS (SELECT 1 FROM crowded_numbers AS n WHERE n."serialNumber" = l."serialNumber")
UNION
SELECT n."customer"
FROM crowded_numbers AS n
WHERE EXISTS (SELECT 1 FROM rival_devices AS d WHERE d."serialNumber" = n."serialNumber")
