-- Step trainer records that did not make it into step_trainer_trusted, by reason. Grain: reason.
-- Duplicates are counted from landing alone, so that the books can fail to balance: kept + withheld = landed.
WITH judged AS (
  SELECT
    CASE WHEN i."instant" IS NULL THEN 'unmatched session' ELSE i."reason" END AS "reason"
  FROM step_trainer_landing AS l
  INNER JOIN device_numbers AS n ON n."serialNumber" = l."serialNumber"
  LEFT JOIN decided_instants AS i ON i."deviceNumber" = n."deviceNumber" AND i."instant" = l."sensorReadingTime"
),
copies AS (
  SELECT count(*) - 1 AS "more"
  FROM step_trainer_landing AS l
  INNER JOIN repeated_steps AS r ON r."mark" = hash(l."serialNumber", l."sensorReadingTime", l."distanceFromObject")
  INNER JOIN device_numbers AS n ON n."serialNumber" = l."serialNumber"
  INNER JOIN decided_instants AS i ON i."deviceNumber" = n."deviceNumber" AND i."instant" = l."sensorReadingTime"
  WHERE i."reason" IS NULL
  GROUP BY l."sensorReadingTime", l."serialNumber", l."distanceFromObject"
  HAVING count(*) > 1
)
SELECT j."reason", count(*) AS "records"
FROM judged AS j
WHERE j."reason" IS NOT NULL
GROUP BY j."reason"
UNION ALL
SELECT 'duplicate' AS "reason", CAST(coalesce(sum(c."more"), 0) AS BIGINT) AS "records"
FROM copies AS c
