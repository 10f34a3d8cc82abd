-- Customers with a record that arrived or went. Grain: customer.
SELECT DISTINCT l."_customer" AS "customer"
FROM changed_customer_landing AS l
