-- Accelerometer records that did not make it into accelerometer_trusted, by reason. Grain: reason.
WITH judged AS (
  SELECT
    CASE
      WHEN h."customer" IS NULL THEN 'unknown customer'
      WHEN c."customer" IS NULL THEN 'no consent'
      WHEN a."timestamp" < c."usableSince" THEN 'before consent'
      ELSE 'duplicate'
    END AS "reason"
  FROM accelerometer_landing AS a
  LEFT JOIN customer_holding AS h
    ON h."customer" = lower(trim(a."user", concat(' ', chr(9), chr(10), chr(13))))
  LEFT JOIN customer_trusted AS c ON c."customer" = h."customer"
)
SELECT
  j."reason",
  count(*) - CASE WHEN j."reason" = 'duplicate' THEN (SELECT count(*) FROM accelerometer_trusted) ELSE 0 END AS "records"
FROM judged AS j
GROUP BY j."reason"
