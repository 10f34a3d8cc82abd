-- Customers who show that a serial number is registered to several: two of each number that unchanged customers with a single record
-- carry. That record is the one that holds, so such a number has no only holder, before or after, whoever else carries it.
-- Grain: serial number, customer.
WITH single AS (
  SELECT l."_customer" AS "customer", min(l."serialNumber") AS "serialNumber"
  FROM after_customer_landing AS l
  GROUP BY l."_customer"
  HAVING count(*) = 1
),
numbered AS (
  SELECT
    s."serialNumber",
    s."customer",
    row_number() OVER (PARTITION BY s."serialNumber" ORDER BY s."customer") AS "number",
    count(*) OVER (PARTITION BY s."serialNumber") AS "customers"
  FROM single AS s
  WHERE s."serialNumber" IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM changed_customers AS c WHERE c."customer" = s."customer")
)
SELECT n."serialNumber", n."customer"
FROM numbered AS n
WHERE n."customers" > 1 AND n."number" <= 2
