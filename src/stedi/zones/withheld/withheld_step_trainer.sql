-- Step trainer records that did not make it into step_trainer_trusted, by reason. Grain: reason.
WITH judged AS (
  SELECT
    CASE
      WHEN d."status" IS NULL THEN 'unmatched session'
      WHEN d."status" = 'ambiguous' THEN 'ambiguous session'
      WHEN l."sensorReadingTime" < c."usableSince" THEN 'before consent'
      ELSE 'duplicate'
    END AS "reason"
  FROM step_trainer_landing AS l
  LEFT JOIN session_instants AS i ON i."serialNumber" = l."serialNumber" AND i."instant" = l."sensorReadingTime"
  LEFT JOIN device_sessions AS d ON d."serialNumber" = i."serialNumber" AND d."sessionStart" = i."sessionStart"
  LEFT JOIN customer_trusted AS c ON c."customer" = d."customer"
)
SELECT
  j."reason",
  count(*) - CASE WHEN j."reason" = 'duplicate' THEN (SELECT count(*) FROM step_trainer_trusted) ELSE 0 END AS "records"
FROM judged AS j
GROUP BY j."reason"
