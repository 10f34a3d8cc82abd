-- Customers who show that a serial number is registered to several: two of each number that unchanged customers with a single record
-- carry. That record is the one that holds, so such a number has no only holder, before or after, whoever else carries it. A few
-- customers of each number are looked at; a number for which they do not suffice costs time, nothing else. Grain: serial number, customer.
WITH few AS (
  SELECT l."serialNumber", min(l."_customer") AS "customer"
  FROM after_customer_landing AS l
  WHERE l."serialNumber" IS NOT NULL
  GROUP BY l."serialNumber", hash(l."_customer") % 8
),
several AS (
  SELECT
    s."serialNumber",
    s."customer",
    count(*) OVER (PARTITION BY s."serialNumber") AS "customers"
  FROM few AS s
),
single AS (
  SELECT s."serialNumber", s."customer"
  FROM several AS s
  INNER JOIN after_customer_landing AS l ON l."_customer" = s."customer"
  WHERE s."customers" > 1
    AND NOT EXISTS (SELECT 1 FROM changed_customers AS c WHERE c."customer" = s."customer")
  GROUP BY s."serialNumber", s."customer"
  HAVING count(*) = 1
),
numbered AS (
  SELECT
    s."serialNumber",
    s."customer",
    row_number() OVER (PARTITION BY s."serialNumber" ORDER BY s."customer") AS "number",
    count(*) OVER (PARTITION BY s."serialNumber") AS "customers"
  FROM single AS s
)
SELECT n."serialNumber", n."customer"
FROM numbered AS n
WHERE n."customers" > 1 AND n."number" <= 2
