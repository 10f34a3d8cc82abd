-- Under `seed` a device belongs to whom the customer record says: there are no sessions (SPEC 3).
SELECT
  h."serialNumber",
  h."registrationDate" AS "sessionStart",
  h."registrationDate" AS "sessionEnd",
  'assigned' AS "status",
  'registration' AS "reason",
  h."customer",
  TRUE AS "registered",
  CAST(0 AS BIGINT) AS "matches",
  CAST(0 AS BIGINT) AS "deviceReadings",
  CAST(0 AS BIGINT) AS "customerReadings",
  CAST(0 AS DOUBLE) AS "jaccard",
  CAST(0 AS BIGINT) AS "clockOffsetMs",
  CAST(0 AS DOUBLE) AS "evidence",
  h."customer" AS "candidate",
  h."customer" AS "rival"
FROM customer_trusted AS h
WHERE FALSE
