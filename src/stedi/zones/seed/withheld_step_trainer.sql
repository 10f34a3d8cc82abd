-- Under `seed`: step trainer records that did not make it into step_trainer_trusted, by reason. Grain: reason.
WITH judged AS (
  SELECT
    l."sensorReadingTime",
    l."serialNumber",
    l."distanceFromObject",
    CASE
      WHEN NOT EXISTS (SELECT 1 FROM customers_curated AS c WHERE c."serialNumber" = l."serialNumber")
        THEN 'device of no curated customer'
    END AS "reason"
  FROM step_trainer_landing AS l
),
copies AS (
  SELECT count(*) - 1 AS "more"
  FROM judged AS j
  WHERE j."reason" IS NULL
  GROUP BY j."sensorReadingTime", j."serialNumber", j."distanceFromObject"
  HAVING count(*) > 1
)
SELECT j."reason", count(*) AS "records"
FROM judged AS j
WHERE j."reason" IS NOT NULL
GROUP BY j."reason"
UNION ALL
SELECT 'duplicate' AS "reason", CAST(coalesce(sum(c."more"), 0) AS BIGINT) AS "records"
FROM copies AS c
