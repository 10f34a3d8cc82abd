-- Customers with a record that carries the number of such a device: its only holder is among them. Grain: customer.
SELECT DISTINCT lower(trim(l."email", concat(' ', chr(9), chr(10), chr(13)))) AS "customer"
FROM after_customer_landing AS l
WHERE EXISTS (SELECT 1 FROM rival_devices AS d WHERE d."serialNumber" = l."serialNumber")
