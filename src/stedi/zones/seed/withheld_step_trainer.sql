-- Under `seed`: step trainer records that did not make it into step_trainer_trusted, by reason. Grain: reason.
WITH judged AS (
  SELECT
    CASE
      WHEN EXISTS (SELECT 1 FROM customers_curated AS c WHERE c."serialNumber" = l."serialNumber") THEN 'duplicate'
      ELSE 'device of no curated customer'
    END AS "reason"
  FROM step_trainer_landing AS l
)
SELECT
  j."reason",
  count(*) - CASE WHEN j."reason" = 'duplicate' THEN (SELECT count(*) FROM step_trainer_trusted) ELSE 0 END AS "records"
FROM judged AS j
GROUP BY j."reason"
