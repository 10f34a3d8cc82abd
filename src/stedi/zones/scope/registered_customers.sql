-- Customers with a record that carries the number of such a device: its only holder is among them. Grain: customer.
SELECT DISTINCT l."_customer" AS "customer"
FROM after_customer_landing AS l
WHERE EXISTS (SELECT 1 FROM rival_devices AS d WHERE d."serialNumber" = l."serialNumber")
