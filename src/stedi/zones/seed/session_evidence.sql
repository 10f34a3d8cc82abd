-- Under `seed` no evidence is gathered: a device belongs to whom the customer record says (SPEC 3).
SELECT
  h."serialNumber",
  h."registrationDate" AS "sessionStart",
  h."registrationDate" AS "sessionEnd",
  h."customer",
  CAST(0 AS BIGINT) AS "matches",
  CAST(0 AS BIGINT) AS "deviceReadings",
  CAST(0 AS BIGINT) AS "customerReadings",
  CAST(0 AS DOUBLE) AS "jaccard",
  CAST(0 AS BIGINT) AS "clockOffsetMs",
  CAST(0 AS DOUBLE) AS "evidence"
FROM customer_trusted AS h
WHERE FALSE
