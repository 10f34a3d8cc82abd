-- Under `seed`: the readings of every device whose number stands in a curated customer's record (SPEC 3).
SELECT DISTINCT
  l."sensorReadingTime",
  l."serialNumber",
  l."distanceFromObject",
  CAST(NULL AS VARCHAR) AS "customer",
  CAST(NULL AS BIGINT) AS "sessionStart",
  CAST(NULL AS BIGINT) AS "phoneTime"
FROM step_trainer_landing AS l
WHERE EXISTS (SELECT 1 FROM customers_curated AS c WHERE c."serialNumber" = l."serialNumber")
