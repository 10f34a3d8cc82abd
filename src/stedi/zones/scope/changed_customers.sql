-- Customers with a record that arrived or went. Grain: customer.
SELECT DISTINCT lower(trim(l."email", concat(' ', chr(9), chr(10), chr(13)))) AS "customer"
FROM changed_customer_landing AS l
