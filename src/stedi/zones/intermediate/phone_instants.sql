-- The instants at which a consenting customer's phone took a usable reading (SPEC 5). Grain: customer, instant.
SELECT DISTINCT
  c."customerNumber",
  a."timestamp" AS "instant"
FROM accelerometer_trusted AS a
INNER JOIN customer_numbers AS c ON c."customer" = a."customer"
