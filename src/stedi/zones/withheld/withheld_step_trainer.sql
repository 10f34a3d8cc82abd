-- Step trainer records that did not make it into step_trainer_trusted, by reason. Grain: reason.
-- Duplicates are counted from landing alone, so that the books can fail to balance: kept + withheld = landed.
WITH judged AS (
  SELECT
    l."sensorReadingTime",
    l."serialNumber",
    l."distanceFromObject",
    CASE
      WHEN d."status" IS NULL THEN 'unmatched session'
      WHEN d."status" = 'ambiguous' THEN 'ambiguous session'
      WHEN l."sensorReadingTime" < c."usableSince" THEN 'before consent'
    END AS "reason"
  FROM step_trainer_landing AS l
  LEFT JOIN session_instants AS i ON i."serialNumber" = l."serialNumber" AND i."instant" = l."sensorReadingTime"
  LEFT JOIN device_sessions AS d ON d."serialNumber" = i."serialNumber" AND d."sessionStart" = i."sessionStart"
  LEFT JOIN customer_trusted AS c ON c."customer" = d."customer"
),
copies AS (
  SELECT count(*) - 1 AS "more"
  FROM judged AS j
  INNER JOIN repeated_steps AS r ON r."mark" = hash(j."serialNumber", j."sensorReadingTime", j."distanceFromObject")
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
